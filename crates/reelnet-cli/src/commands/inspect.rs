//! `reelnet data inspect`

use std::cmp::Reverse;
use std::io::{Write, stdout};

use anyhow::Context;
use reelnet_train::{ClassCount, InspectOptions, Inspection, Recipe, SetSummary, inspect};

use crate::args::InspectArgs;
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::{say, write_png};
use crate::workers::count;

/// Classes that are told one by one on either side; `--json` has them all.
const TOLD: usize = 3;

pub(crate) fn inspect_data(args: &InspectArgs) -> anyhow::Result<Outcome> {
    let recipe = Recipe::read(&args.recipe, &args.set)?;
    let options = InspectOptions {
        data_root: args.data_root.clone(),
        clips: usize::from(args.clips),
        workers: count(args.workers),
        cancel: interrupt::watch()?,
    };
    let inspection = inspect(&recipe, &options)?;
    if options.cancel.is_cancelled() {
        return Ok(Outcome::Interrupted);
    }
    let mut stdout = stdout().lock();
    if args.json {
        writeln!(stdout, "{}", serde_json::to_string_pretty(&inspection)?)?;
    } else {
        print(&inspection, &mut stdout)?;
    }
    if let Some(path) = &args.sheet {
        let told = || format!("cannot make `{}`: none of the first files could be used", path.display());
        let sheet = inspection.contact_sheet().with_context(told)?;
        let size = [sheet.width, sheet.height].map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        write_png(path, size, &sheet.rgb)?;
        if !args.json {
            print_sheet(&inspection, &mut stdout)?;
        }
    }
    let failures: Vec<_> = inspection.seen.iter().filter_map(|clip| clip.failure.as_ref()).collect();
    for (path, reason) in &failures {
        say(format_args!("bad sample `{}`: {reason}", path.display()));
    }
    let unreadable: usize = sets(&inspection).map(|(_, set)| set.lengths.failed.len()).sum();
    Ok(if unreadable + failures.len() == 0 { Outcome::Done } else { Outcome::SomeFailed })
}

fn sets(inspection: &Inspection) -> impl Iterator<Item = (&'static str, &SetSummary)> {
    let always = [("training", &inspection.training), ("validation", &inspection.validation)];
    always.into_iter().chain(inspection.test.as_ref().map(|test| ("test", test)))
}

fn print(inspection: &Inspection, out: &mut impl Write) -> anyhow::Result<()> {
    for (name, set) in sets(inspection) {
        writeln!(out, "{name}")?;
        for (what, words) in rows(set) {
            writeln!(out, "  {what:12}{words}")?;
        }
    }
    Ok(())
}

/// What is where on the sheet.
fn print_sheet(inspection: &Inspection, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "sheet, from the top left")?;
    for clip in inspection.seen.iter().filter(|clip| clip.failure.is_none()) {
        writeln!(out, "  {}  {}", clip.classes.join(", "), clip.name)?;
    }
    Ok(())
}

fn rows(set: &SetSummary) -> Vec<(&'static str, String)> {
    let mut classes: Vec<&ClassCount> = set.classes.iter().collect();
    classes.sort_by_key(|class| Reverse(class.samples));
    let told = |classes: &[&ClassCount]| {
        let words: Vec<String> = classes.iter().map(|class| format!("{} ({})", class.name, class.samples)).collect();
        words.join(", ")
    };
    let mut rows = vec![
        ("samples", set.samples.to_string()),
        ("classes", classes.len().to_string()),
        ("most", told(&classes[..classes.len().min(TOLD)])),
        ("fewest", told(&classes[classes.len().saturating_sub(TOLD)..])),
    ];
    let lengths = &set.lengths;
    let readable = lengths.looked_at - lengths.failed.len();
    if readable > 0 {
        let ([shortest, median, longest], [least, middle, most]) = (lengths.frames, lengths.seconds);
        let frames = format!("{shortest} to {longest} frames, median {median}");
        rows.push((
            "length",
            format!("{frames}; {least:.1} to {most:.1} s, median {middle:.1} s; of {readable} files"),
        ));
    }
    rows.extend(lengths.failed.iter().map(|reason| ("unreadable", reason.clone())));
    let findings = &set.findings;
    let names = [("missing", &findings.missing), ("repeated", &findings.repeated), ("empty", &findings.empty_classes)];
    for (what, names) in names {
        if let Some(first) = names.first() {
            rows.push((what, format!("{}, such as {first}", names.len())));
        }
    }
    if findings.passed_over > 0 {
        rows.push(("passed over", format!("{} files that are no videos or images", findings.passed_over)));
    }
    rows
}
