//! `reelnet compare-runs`

use std::io::{Write, stdout};

use reelnet_train::{Comparison, compare};

use crate::args::CompareRunsArgs;
use crate::exit::Outcome;
use crate::output::{Align, Columns, write_whole};

pub(crate) fn compare_runs(args: &CompareRunsArgs) -> anyhow::Result<Outcome> {
    let comparison = compare(&args.runs, args.target)?;
    if let Some(path) = &args.out {
        write_whole(path, |file| Ok(file.write_all(comparison.page.as_bytes())?))?;
    }
    let mut stdout = stdout().lock();
    if args.json {
        writeln!(stdout, "{}", serde_json::to_string_pretty(&comparison)?)?;
    } else {
        print(&comparison, &mut stdout)?;
    }
    Ok(Outcome::Done)
}

fn print(comparison: &Comparison, out: &mut impl Write) -> anyhow::Result<()> {
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let steps_to = format!("STEPS TO {}", comparison.target);
    let header = ["RUN", "STEPS", "HOURS", &steps_to, "TOP-1", "TEST TOP-1"].map(str::to_owned).to_vec();
    let rows = comparison.runs.iter().map(|run| {
        vec![
            run.folder.display().to_string(),
            run.steps.to_string(),
            format!("{:.2}", run.seconds / 3600.0),
            run.reached_at.map_or_else(|| "-".to_owned(), |step| step.to_string()),
            share(run.top1),
            share(run.test_top1),
        ]
    });
    let cells: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let align = [Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Right];
    let columns = Columns::fitting(&align, &cells);
    for row in &cells {
        writeln!(out, "{}", columns.row(row))?;
    }
    Ok(())
}
