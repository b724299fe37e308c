//! `reelnet bench data`

use std::io::{Write, stdout};

use anyhow::{Context, ensure};
use reelnet_train::Recipe;
use reelnet_train::bench::{Bottleneck, DataBench, DataCase, bench_data as measure};

use crate::args::DataBenchArgs;
use crate::commands::check_data::entries;
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::say;
use crate::workers::{count, share_cores};

pub(crate) fn bench_data(args: &DataBenchArgs) -> anyhow::Result<Outcome> {
    let cancel = interrupt::watch()?;
    let recipe = args.recipe.as_deref().map(|path| Recipe::read(path, &args.set)).transpose()?;
    let found = entries::collect(&args.data)?;
    for (folder, reason) in &found.unreadable {
        say(format_args!("cannot read `{}`: {reason}", folder.display()));
    }
    let files: Vec<_> = found.files.into_iter().map(|entry| entry.path).collect();
    ensure!(!files.is_empty(), "--data names no videos or images");
    let threads = count(args.threads);
    share_cores(args.threads, 1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("cannot start the threads")?;
    let case = DataCase { files, recipe, workers: count(args.workers), threads, seconds: args.seconds, cancel };
    let Some(bench) = measure(&case)? else { return Ok(Outcome::Interrupted) };
    if args.json {
        writeln!(stdout().lock(), "{}", serde_json::to_string(&bench)?)?;
    } else {
        print(&bench, case.workers)?;
    }
    Ok(if bench.failed.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

fn print(bench: &DataBench, workers: usize) -> anyhow::Result<()> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let failed: u64 = bench.failed.values().sum();
    let mut rows = vec![
        ("samples", format!("{} in {:.1} s, {:.2} a second", bench.samples, bench.seconds, bench.samples_per_second)),
        ("of the time of", format!("{workers} workers")),
        ("  reading", percent(bench.reading)),
        ("  decoding", percent(bench.decoding)),
        ("  scaling", percent(bench.scaling)),
        ("  augmenting", percent(bench.augmenting)),
        ("  waiting", percent(bench.idle)),
        ("  other", percent(bench.other)),
    ];
    if failed > 0 {
        let kinds: Vec<String> = bench.failed.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        rows.insert(1, ("failed", kinds.join(", ")));
    }
    if let Some(waited) = bench.waited {
        rows.push(("network", format!("{} steps; it waited for samples {} of the time", bench.steps, percent(waited))));
    }
    let slowest = match bench.bottleneck {
        Bottleneck::Reading => "reading",
        Bottleneck::Decoding => "decoding",
        Bottleneck::Augmenting => "augmenting",
        Bottleneck::Computing => "the network",
    };
    rows.push(("slowest", slowest.to_owned()));
    rows.push(("what to change", bench.bottleneck.advice().to_owned()));
    let mut stdout = stdout().lock();
    for (what, words) in rows {
        writeln!(stdout, "{what:16}{words}")?;
    }
    Ok(())
}
