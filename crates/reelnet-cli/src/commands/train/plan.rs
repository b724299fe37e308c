//! `reelnet train --dry-run`

use std::io::{Write, stdout};

use reelnet_train::DryRun;

use super::screen::to_test_with;
use crate::exit::Outcome;
use crate::output::say;

/// Eighths of a character's height.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn print(run: &DryRun, json: bool) -> anyhow::Result<Outcome> {
    let mut stdout = stdout().lock();
    if json {
        writeln!(stdout, "{}", serde_json::to_string_pretty(run)?)?;
    } else {
        let rows = [
            ("parameters", format!("{:.2} M", run.parameters as f64 / 1e6)),
            ("multiply-accumulates", format!("{:.3} G a clip, forward", run.macs as f64 / 1e9)),
            ("precision", run.precision.to_string()),
            (
                "samples",
                format!(
                    "{}, {} to validate with, {}{} classes",
                    run.samples,
                    run.validation_files,
                    to_test_with(run.test_files),
                    run.classes
                ),
            ),
            ("steps", format!("{}, {} an epoch", run.steps, run.steps_per_epoch)),
            ("learning rate", format!("up to {:.4}", run.peak_rate)),
            ("", chart(&run.rates, run.peak_rate)),
            ("first loss", run.first_loss.map_or_else(|| "-".to_owned(), |loss| format!("{loss:.3}"))),
            ("loading a batch", format!("{:.2} s", run.load_seconds)),
            ("a step on it", format!("{:.2} s", run.step_seconds)),
            ("all steps", hours(run.step_seconds * run.steps as f64)),
            (
                "memory",
                run.peak_memory.map_or_else(
                    || "-".to_owned(),
                    |bytes| format!("{:.2} GiB at most", bytes as f64 / (1_u64 << 30) as f64),
                ),
            ),
        ];
        for (name, value) in rows {
            writeln!(stdout, "{name:22}{value}")?;
        }
    }
    for bad in &run.bad {
        say(format_args!("bad sample: {bad}"));
    }
    Ok(if run.bad.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

/// A line as high as the rates.
fn chart(rates: &[f64], peak: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of eight, never negative")]
    let bar = |rate: &f64| BARS[((rate / peak * 8.0) as usize).min(7)];
    rates.iter().map(bar).collect()
}

fn hours(seconds: f64) -> String {
    if seconds < 5400.0 { format!("{:.1} minutes", seconds / 60.0) } else { format!("{:.1} hours", seconds / 3600.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_as_high_as_its_rates() {
        assert_eq!(chart(&[0.0, 0.5, 1.0], 1.0), "▁▅█");
    }
}
