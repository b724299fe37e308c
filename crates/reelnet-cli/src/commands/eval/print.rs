//! The numbers of an evaluation, for people.

use std::io::{Write, stdout};
use std::path::Path;

use anyhow::Context;
use reelnet_infer::evaluation::{Evaluation, Interval, Summary, Sweep, fit_temperature, short};

use crate::args::ReportArgs;
use crate::exit::Outcome;
use crate::output::{Align, Columns, say};

/// Pairs and classes that are told; `--json` has all of them.
const TOLD: usize = 5;

/// The temperature that fits other videos best.
pub(super) fn temperature(from: Option<&Path>) -> anyhow::Result<Option<f64>> {
    let Some(from) = from else { return Ok(None) };
    let evaluation = Evaluation::open(&[from.to_owned()])?;
    let told = || format!("`{}` has no videos of one class to fit a temperature to", from.display());
    fit_temperature(&evaluation)?.with_context(told).map(Some)
}

/// Writes a summary to stdout.
pub(super) fn summary(summary: &Summary, args: &ReportArgs) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    if args.json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(summary)?)?);
    }
    for (name, value) in rows(summary) {
        writeln!(out, "{name:24}{value}")?;
    }
    if !summary.confused.is_empty() {
        writeln!(out, "\nmost confused")?;
        let rows: Vec<Vec<String>> = summary
            .confused
            .iter()
            .take(TOLD)
            .map(|pair| {
                vec![
                    format!("  {}", pair.label),
                    format!("taken for {}", pair.taken_for),
                    format!("{} of {}", pair.videos, pair.of),
                ]
            })
            .collect();
        let columns = Columns::fitting(&[Align::Left, Align::Left, Align::Right], &rows);
        rows.iter().try_for_each(|row| writeln!(out, "{}", columns.row(row)))?;
    }
    let mut classes: Vec<_> = summary.classes.iter().filter(|class| class.counts.videos > 0).collect();
    classes.sort_by_key(|class| (class.counts.top1 * 1_000_000) / class.counts.videos);
    let rows: Vec<Vec<String>> = classes
        .iter()
        .take(TOLD)
        .map(|class| {
            let counts = class.counts;
            vec![
                format!("  {}", class.label),
                percent(counts.top1 as f64 / counts.videos as f64),
                format!("{} of {}", counts.top1, counts.videos),
            ]
        })
        .collect();
    if !rows.is_empty() {
        writeln!(out, "\nhardest classes")?;
        let columns = Columns::fitting(&[Align::Left, Align::Right, Align::Right], &rows);
        rows.iter().try_for_each(|row| writeln!(out, "{}", columns.row(row)))?;
    }
    Ok(())
}

fn rows(summary: &Summary) -> Vec<(&'static str, String)> {
    let Summary { header, coverage, video_level, clip_level, calibration, cost, fingerprint, .. } = summary;
    let scored = |share: f64, interval: Interval| {
        format!("{}  [{}, {}]", percent(share), percent(interval.low), percent(interval.high))
    };
    let intervals = video_level.intervals;
    let mut rows = vec![
        ("model", format!("{} in {} ({})", header.model.name, header.model.precision, short(&header.model.sha256))),
        ("data", header.data.name.clone()),
        ("views", header.views.to_string()),
        ("listed", coverage.listed.to_string()),
        ("  missing", coverage.missing.to_string()),
        ("  unreadable", coverage.unreadable.to_string()),
        ("  scored", format!("{}, of these {} shorter than a clip", coverage.scored, coverage.short)),
    ];
    if coverage.left > 0 {
        rows.push(("  not tried yet", coverage.left.to_string()));
    }
    if coverage.repeated > 0 {
        rows.push(("  listed again", coverage.repeated.to_string()));
    }
    rows.extend([
        ("video level", format!("{} videos, the scores of their views averaged", video_level.videos)),
        ("  top-1", scored(video_level.top1, intervals.top1)),
        ("  top-5", scored(video_level.top5, intervals.top5)),
        ("  mean over classes", scored(video_level.mean_class_accuracy, intervals.mean_class)),
        ("  top-1 of all listed", percent(video_level.top1_of_listed)),
        ("  top-5 of all listed", percent(video_level.top5_of_listed)),
        ("  loss", format!("{:.4}", video_level.loss)),
    ]);
    if clip_level.views > 0 {
        rows.extend([
            ("clip level", format!("{} views, each alone", clip_level.views)),
            ("  top-1", percent(clip_level.top1)),
            ("  top-5", percent(clip_level.top5)),
        ]);
    }
    rows.push(("calibration error", percent(calibration.error)));
    if let (Some(temperature), Some(error)) = (calibration.temperature, calibration.error_at_temperature) {
        rows.push(("  at temperature", format!("{temperature:.3}: {}", percent(error))));
    }
    if let Some(multi) = &summary.multi_label {
        let precision = percent(multi.mean_average_precision);
        rows.push(("mean average precision", format!("{precision}, {} videos with several classes", multi.videos)));
    }
    rows.extend([
        ("cost", format!("{:.2} G multiply-accumulates a video", cost.macs_a_video / 1e9)),
        ("", format!("{:.1} s, {:.1} videos a minute", cost.seconds, cost.videos_a_minute)),
        ("files", short(&fingerprint.files).to_owned()),
        ("fingerprint", short(&fingerprint.all).to_owned()),
    ]);
    rows
}

/// Writes what fewer views would have given.
pub(super) fn sweep(sweep: &Sweep) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    let align = [Align::Right; 4];
    let table = |out: &mut dyn Write, head: [&str; 4], rows: Vec<Vec<String>>| -> anyhow::Result<()> {
        let rows: Vec<Vec<String>> = std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect();
        let columns = Columns::fitting(&align, &rows);
        rows.iter().try_for_each(|row| Ok(writeln!(out, "{}", columns.row(row))?))
    };
    let giga = |macs: f64| format!("{:.2} G", macs / 1e9);
    let views = sweep
        .views
        .iter()
        .map(|point| vec![point.views.to_string(), percent(point.top1), percent(point.top5), giga(point.macs)]);
    writeln!(out, "\nfewer views, spread evenly")?;
    table(&mut out, ["VIEWS", "TOP-1", "TOP-5", "MACS A VIDEO"], views.collect())?;
    let exits = sweep.exits.iter().map(|exit| {
        vec![format!("{:.2}", exit.confidence), format!("{:.2}", exit.views), percent(exit.top1), giga(exit.macs)]
    });
    writeln!(out, "\nviews one by one, until the best class is this sure")?;
    table(&mut out, ["SURE", "VIEWS", "TOP-1", "MACS A VIDEO"], exits.collect())
}

/// Tells what was not scored.
pub(super) fn failures(summary: &Summary, folder: &Path) {
    for failed in summary.failed.iter().take(TOLD) {
        say(format_args!("not scored: `{}`: {}: {}", failed.name, failed.kind, failed.reason));
    }
    let more = summary.failed.len().saturating_sub(TOLD);
    if more > 0 {
        say(format_args!("and {more} more, in `{}`", folder.join("failed.csv").display()));
    }
}

/// Done, unless too much is missing.
pub(super) fn outcome(summary: &Summary, max_missing: f64) -> Outcome {
    let missing = summary.coverage.missing_share();
    if missing <= max_missing {
        return Outcome::Done;
    }
    say(format_args!(
        "{} of {} listed files have no scores: {}, more than {} (--max-missing)",
        summary.coverage.listed - summary.coverage.scored,
        summary.coverage.listed,
        percent(missing),
        percent(max_missing),
    ));
    Outcome::SomeFailed
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
