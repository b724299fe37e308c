//! Entries in, verdicts out; nothing of the data is changed.

use std::collections::HashSet;
use std::io::{Write, stdout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use reelnet_clips::{CancelToken, FileStamp, Limits, Opener};

use super::entries::{self, Entries};
use super::finding::{Finding, Verdict};
use super::journal::{Journal, Known};
use super::lists::Lists;
use crate::args::CheckDataArgs;
use crate::exit::Outcome;
use crate::interrupt;
use crate::opening;
use crate::output::{Progress, say};
use crate::workers::{count, each_in_order};

pub(crate) fn check_data(args: &CheckDataArgs) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let Entries { mut files, skipped, unreadable } = entries::collect(&args.paths)?;
    ensure!(
        !files.is_empty() || !unreadable.is_empty(),
        "there is nothing to check in {}: no file that could be a video or an image ({skipped} left out by their endings)",
        args.paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
    );
    let mut seen = HashSet::new();
    let listed = files.len();
    files.retain(|entry| seen.insert(entry.line.clone()));
    let (mut journal, known) = Journal::open(&args.out, args.again)?;
    let opener = opening::opener(&args.opening)?;
    let cancel = interrupt::watch()?;

    // ---- Check ----
    let mut report = Report::default();
    for (folder, reason) in &unreadable {
        let reason = format!("folder cannot be read: {reason}");
        report.tell(Verdict::Unreadable, &folder.display().to_string(), &reason)?;
        report.lists.add_folder(folder, &reason);
    }
    let mut progress = Progress::of(files.len() as u64, "files");
    let mut finished = true;
    let mut taken_over = 0;
    each_in_order(
        &files,
        count(args.jobs),
        |entry| Checked::of(&entry.path, &known, args, &opener, &cancel),
        |done, entry, checked| {
            let Some(Checked { finding, stamp, is_new }) = checked else {
                finished = false;
                return Ok(());
            };
            if is_new {
                journal.add(&entry.path, stamp, &finding)?;
            }
            taken_over += usize::from(!is_new);
            let (verdict, reason) = finding.verdict(args.min_frames);
            report.lists.add(entry, verdict, &reason);
            progress.suspend(|| report.tell(verdict, &entry.path.display().to_string(), &reason))?;
            progress.set(done as u64);
            Ok(())
        },
    )?;
    progress.finish();
    opening::close(&opener);

    // ---- Report ----
    if taken_over > 0 {
        say(format_args!("{taken_over} of {} files were checked by an earlier run", files.len()));
    }
    if !finished {
        say(format_args!(
            "interrupted: {} of {} files are checked; the same command goes on from there",
            report.files(),
            files.len()
        ));
        return Ok(Outcome::Interrupted);
    }
    let [ok, bad] = report.lists.write(&args.out)?;
    writeln!(stdout(), "{}", report.counts())?;
    if report.lists.unlisted > 0 {
        say(format_args!(
            "{} sound files have a line break in their names, and are not in the list",
            report.lists.unlisted
        ));
    }
    if listed > files.len() {
        say(format_args!("{} lines were there twice", listed - files.len()));
    }
    if skipped > 0 {
        say(format_args!("{skipped} left out by their endings"));
    }
    say(format_args!("wrote `{}` and `{}` in {:.1} s", ok.display(), bad.display(), start.elapsed().as_secs_f64()));
    Ok(if report.all_ok() { Outcome::Done } else { Outcome::SomeFailed })
}

/// What is known of a file now.
struct Checked {
    finding: Finding,
    /// Of the file before it was decoded.
    stamp: Option<FileStamp>,
    /// Whether no earlier run had found it.
    is_new: bool,
}

impl Checked {
    /// `None` if the work was interrupted before the file was done.
    fn of(path: &Path, known: &Known, args: &CheckDataArgs, opener: &Opener, cancel: &CancelToken) -> Option<Self> {
        if cancel.is_cancelled() {
            return None;
        }
        let stamp = FileStamp::of_path(path);
        if let Some(earlier) = stamp.and_then(|stamp| known.finding(path, stamp)) {
            return Some(Self { finding: earlier.clone(), stamp, is_new: false });
        }
        let limits =
            Limits { deadline: Duration::from_secs(args.deadline), cancel: cancel.clone(), ..Limits::default() };
        let finding = catch_unwind(AssertUnwindSafe(|| Finding::of(path, opener, &limits))).unwrap_or_else(|_| {
            let reason = "reelnet itself failed on it; please report the message on stderr";
            Some(Finding::unreadable("bug", reason.to_owned()))
        });
        finding.map(|finding| Self { finding, stamp, is_new: true })
    }
}

/// What was found so far.
#[derive(Default)]
struct Report {
    lists: Lists,
    counts: [usize; Verdict::ALL.len()],
}

impl Report {
    fn tell(&mut self, verdict: Verdict, path: &str, reason: &str) -> anyhow::Result<()> {
        self.counts[verdict as usize] += 1;
        if verdict != Verdict::Ok {
            // A newline in a name would look like a second file.
            let path = path.replace(char::is_control, "\u{fffd}");
            writeln!(stdout(), "{:<10}  {path}: {reason}", verdict.name())?;
        }
        Ok(())
    }

    fn files(&self) -> usize {
        self.counts.iter().sum()
    }

    fn all_ok(&self) -> bool {
        self.files() == self.counts[Verdict::Ok as usize]
    }

    fn counts(&self) -> String {
        let counts = Verdict::ALL.map(|verdict| format!("{} {}", self.counts[verdict as usize], verdict.name()));
        counts.join(", ")
    }
}
