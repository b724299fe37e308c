//! `reelnet compare`

use std::io::{Write, stdout};

use reelnet_infer::evaluation::{Evaluation, SideBySide, compare as side_by_side};

use super::print::percent;
use crate::args::CompareArgs;
use crate::exit::Outcome;
use crate::output::{Align, Columns, say};

pub(crate) fn compare(args: &CompareArgs) -> anyhow::Result<Outcome> {
    let first = Evaluation::open(std::slice::from_ref(&args.first))?;
    let second = Evaluation::open(std::slice::from_ref(&args.second))?;
    let both = side_by_side(&first, &second)?;
    if !both.warnings.is_empty() {
        say("WARNING: these two measured different things; the numbers below are over the videos that both scored");
        both.warnings.iter().for_each(|warning| say(format_args!("WARNING: {warning}")));
    }
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&both)?)?;
    } else {
        print(&both, args, [&first, &second], &mut out)?;
    }
    Ok(if both.warnings.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

fn print(
    both: &SideBySide,
    args: &CompareArgs,
    [first, second]: [&Evaluation; 2],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let name = |evaluation: &Evaluation| {
        let header = evaluation.header();
        format!("`{}`: {} ({})", evaluation.path().display(), header.model.name, header.views.views)
    };
    let points = |share: f64| format!("{:+.2}", 100.0 * share);
    let rows = [
        ("A", name(first)),
        ("B", name(second)),
        ("videos that both scored", both.both.to_string()),
        ("  only A", both.only_first.to_string()),
        ("  only B", both.only_second.to_string()),
        ("top-1 of A", percent(both.first)),
        ("top-1 of B", percent(both.second)),
        (
            "B against A",
            format!(
                "{} points  [{}, {}]",
                points(both.difference),
                points(both.interval.low),
                points(both.interval.high)
            ),
        ),
        ("only A is right", both.first_alone_right.to_string()),
        ("only B is right", both.second_alone_right.to_string()),
        ("p", format!("{:.3e} (McNemar's test, exact, two-sided)", both.p_value)),
    ];
    for (name, value) in rows {
        writeln!(out, "{name:26}{value}")?;
    }
    let head = ["CLASS", "VIDEOS", "A", "B", "B - A"].map(str::to_owned).to_vec();
    let share = |count: u64, of: u64| count as f64 / of.max(1) as f64;
    let class = |class: &reelnet_infer::evaluation::ClassPair| {
        let [a, b] = [share(class.first, class.videos), share(class.second, class.videos)];
        vec![class.label.clone(), class.videos.to_string(), percent(a), percent(b), points(b - a)]
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(head).chain(both.classes.iter().take(args.classes).map(class)).collect();
    let columns = Columns::fitting(&[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right], &rows);
    writeln!(out)?;
    rows.iter().try_for_each(|row| Ok(writeln!(out, "{}", columns.row(row))?))
}
