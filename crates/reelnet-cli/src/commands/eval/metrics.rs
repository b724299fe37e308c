//! `reelnet metrics`

use std::io::{Write, stdout};

use anyhow::ensure;
use reelnet_infer::evaluation::{Evaluation, fuse, summarise, sweep};

use super::{print, run};
use crate::args::MetricsArgs;
use crate::exit::Outcome;
use crate::output::say;

pub(crate) fn metrics(args: &MetricsArgs) -> anyhow::Result<Outcome> {
    let evaluations = Evaluation::open_all(&args.scores)?;
    let alone = (!args.sweep && args.dump.is_none()) || evaluations.len() == 1;
    ensure!(
        alone,
        "--sweep and --dump are for one evaluation, and there are {}; name one, or the parts of one",
        evaluations.len()
    );
    for evaluation in &evaluations {
        let (parts, of) = (evaluation.parts.len() as u64, evaluation.header().shard.of);
        if parts < of {
            let name = evaluation.path().display();
            say(format_args!(
                "warning: {parts} of {of} parts of the evaluation `{name}` are here; the numbers are of these"
            ));
        }
    }
    let temperature = print::temperature(args.report.temperature_from.as_deref())?;
    let summary = match evaluations.as_slice() {
        [one] => summarise(one, temperature)?,
        several => fuse(several, temperature)?,
    };
    if let Some(path) = &args.dump {
        run::write_dump(&evaluations[0], path)?;
    }
    let sweep = args.sweep.then(|| sweep(&evaluations[0])).transpose()?;
    match &sweep {
        Some(sweep) if args.report.json => {
            let both = serde_json::json!({ "summary": summary, "sweep": sweep });
            writeln!(stdout().lock(), "{}", serde_json::to_string_pretty(&both)?)?;
        }
        _ => print::summary(&summary, &args.report)?,
    }
    if let Some(sweep) = sweep.filter(|_| !args.report.json) {
        print::sweep(&sweep)?;
    }
    Ok(print::outcome(&summary, args.report.max_missing))
}
