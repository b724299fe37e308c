//! What a bench says.

use std::io::{Write, stdout};

use reelnet_infer::bench::{Turns, peak_memory};
use reelnet_infer::engine::OperationTime;
use reelnet_kernels::fused::Number;
use reelnet_kernels::peak::{Peak, peak};
use serde::Serialize;

use super::work::Work;

/// What was measured, and how that compares with the machine.
#[derive(Serialize)]
pub(super) struct Measured {
    bench: &'static str,
    network: String,
    frames: usize,
    size: usize,
    batch: usize,
    threads: usize,
    precision: &'static str,
    backend: &'static str,
    #[serde(flatten)]
    turns: Turns,
    /// The most memory that this process has had, where the system tells.
    peak_bytes: Option<u64>,
    /// A billion operations a second, in the best turn; a multiply-accumulate is two.
    gflops: f64,
    /// What the machine's registers reach with numbers of this precision, if it has instructions for them.
    peak_gflops: Option<f64>,
    peak_instructions: Option<&'static str>,
    share_of_peak: Option<f64>,
    /// Of a step: whether what lies within a block was computed again on the way back.
    #[serde(skip_serializing_if = "Option::is_none")]
    recompute: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    losses: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    operations: Vec<OperationTime>,
}

impl Measured {
    /// Measures the machine, too: its clock is then that of the work.
    pub(super) fn new(
        bench: &'static str,
        work: &Work,
        (precision, number): (&'static str, Number),
        backend: &'static str,
        (turns, macs): (Turns, u64),
    ) -> Self {
        let [batch, frames, size, _] = work.shape;
        let peak_bytes = peak_memory();
        let machine: Option<Peak> = peak(number, work.threads);
        let gflops = 2.0 * macs as f64 / turns.best_seconds / 1e9;
        let peak_gflops = machine.map(|machine| machine.operations_per_second / 1e9);
        Self {
            bench,
            network: work.name.clone(),
            frames,
            size,
            batch,
            threads: work.threads.get(),
            precision,
            backend,
            turns,
            peak_bytes,
            gflops,
            peak_gflops,
            peak_instructions: machine.map(|machine| machine.instructions),
            share_of_peak: peak_gflops.map(|peak| gflops / peak),
            recompute: None,
            losses: Vec::new(),
            operations: Vec::new(),
        }
    }

    pub(super) fn with_operations(self, operations: Vec<OperationTime>) -> Self {
        Self { operations, ..self }
    }

    pub(super) fn with_step(self, losses: Vec<f64>, recompute: bool) -> Self {
        Self { losses, recompute: Some(recompute), ..self }
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut stdout = stdout().lock();
        if json {
            writeln!(stdout, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        let Self { network, frames, size, batch, threads, precision, backend, turns, gflops, .. } = self;
        let unknown = || "unknown".to_owned();
        let peak = match (self.peak_gflops, self.peak_instructions, self.share_of_peak) {
            (Some(peak), Some(instructions), Some(share)) => {
                format!("{peak:.0} GFLOP/s ({instructions}); {:.0} % of it reached", share * 100.0)
            }
            _ => format!("unknown: this processor has no multiply-add of {precision}"),
        };
        let again = if self.recompute == Some(true) { ", blocks again on the way back" } else { "" };
        let rows = [
            ("network", format!("{network}, {batch} × {frames} × {size}²")),
            ("computed by", format!("{backend}, {precision}, {threads} threads{again}")),
            ("best turn", format!("{:.4} s of {}", turns.best_seconds, turns.turns)),
            ("median turn", format!("{:.4} s", turns.median_seconds)),
            ("clips a second", format!("{:.2}", *batch as f64 / turns.best_seconds)),
            ("memory", self.peak_bytes.map_or_else(unknown, |bytes| format!("{:.0} MB at most", bytes as f64 / 1e6))),
            ("arithmetic", format!("{gflops:.1} GFLOP/s")),
            ("machine's peak", peak),
            ("oneDNN", format!("{} convolutions, {} reorders a turn", turns.convolutions, turns.reorders)),
        ];
        for (what, words) in rows {
            writeln!(stdout, "{what:16}{words}")?;
        }
        self.print_operations(&mut stdout)
    }

    /// The slowest first.
    fn print_operations(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let all: f64 = self.operations.iter().map(|operation| operation.best_seconds).sum();
        let mut operations: Vec<&OperationTime> = self.operations.iter().collect();
        operations.sort_by(|one, other| other.best_seconds.total_cmp(&one.best_seconds));
        if !operations.is_empty() {
            writeln!(out, "\n{:>9}  {:>7}  {:>7}  operation and kernel", "ms", "of all", "of peak")?;
        }
        for operation in operations {
            let OperationTime { operation, kernel, chunks, macs, best_seconds } = operation;
            let gflops = 2.0 * *macs as f64 / best_seconds / 1e9;
            let of_peak = match self.peak_gflops {
                Some(peak) if *macs > 0 => format!("{:.0} %", 100.0 * gflops / peak),
                _ => String::new(),
            };
            let (milliseconds, share) = (best_seconds * 1e3, 100.0 * best_seconds / all);
            let times = if *chunks == 1 { String::new() } else { format!("{chunks} times ") };
            let kernel = if kernel.is_empty() { String::new() } else { format!(", by {kernel}") };
            writeln!(out, "{milliseconds:9.3}  {share:5.1} %  {of_peak:>7}  {times}{operation}{kernel}")?;
        }
        Ok(())
    }
}
