//! Files in, rows out: some files at once, the rows in the order of the files.

use std::io::stdout;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::ensure;
use reelnet_clips::{ClipError, ClipErrorKind, Limits};
use reelnet_infer::tag::{TagError, tag_file};

use super::rows::{Printer, Row, Status};
use crate::args::TagArgs;
use crate::commands::bundles;
use crate::commands::files::{Found, find};
use crate::exit::Outcome;
use crate::interrupt;
use crate::opening;
use crate::output::{Progress, counted, say};
use crate::workers::{count, each_in_order, share_cores};

pub(crate) fn tag(args: &TagArgs) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let device = args.scoring.device.open()?;
    let classifier = bundles::classifier(args.model.as_deref(), &device, args.scoring.precision)?;
    let Found { files, skipped, unreadable } = find(&args.paths);
    ensure!(
        !files.is_empty() || !unreadable.is_empty(),
        "there is nothing to tag in {}: no file that could be a video or an image ({skipped} left out by their endings)",
        args.paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
    );
    if args.verbose {
        say(format_args!("model ready after {:.3} s", start.elapsed().as_secs_f64()));
    }

    share_cores(args.threads, count(args.jobs).min(files.len()));
    let opener = opening::opener(&args.opening)?;
    let cancel = interrupt::watch()?;
    let limits =
        Limits { deadline: Duration::from_secs(args.scoring.deadline), cancel: cancel.clone(), ..Limits::default() };
    let tag = |path: &Path| tag_file(path, &opener, &classifier, usize::from(args.clips), &limits);
    let mut tally = Tally::default();
    let paths = files.iter().map(PathBuf::as_path).chain(unreadable.iter().map(|(path, _)| path.as_path()));
    let printer = Printer::new(args.format, paths, &mut stdout())?;
    for (path, reason) in &unreadable {
        let row = Row::failed(path.display().to_string(), "unreadable", format!("folder cannot be read: {reason}"));
        tally.add(&row);
        printer.print(&row, &mut stdout())?;
    }

    let mut progress = Progress::of(files.len() as u64, "files");
    each_in_order(
        &files,
        count(args.jobs),
        |path| catch_unwind(AssertUnwindSafe(|| tag(path))),
        |done, path, result| {
            if let Ok(Err(TagError::Clip(ClipError { kind: ClipErrorKind::Cancelled, .. }))) = result {
                return Ok(());
            }
            let row = if let Ok(result) = &result {
                Row::new(path, result, args.top, args.threshold, &classifier.bundle().labels)
            } else {
                let reason = "reelnet itself failed on it; please report the message on stderr".to_owned();
                Row::failed(path.display().to_string(), "bug", reason)
            };
            tally.add(&row);
            progress.suspend(|| -> anyhow::Result<()> {
                printer.print(&row, &mut stdout())?;
                if let (true, Ok(Ok(scores))) = (args.verbose, &result) {
                    let seconds = scores.seconds;
                    say(format_args!(
                        "{}: index {:.3} s, decode {:.3} s, network {:.3} s",
                        path.display(),
                        seconds.index,
                        seconds.decode,
                        seconds.score
                    ));
                }
                Ok(())
            })?;
            progress.set(done as u64);
            Ok(())
        },
    )?;
    progress.finish();
    opening::close(&opener);
    bundles::tell_shortfall(&classifier, args.scoring.precision, args.verbose);
    tally.report(skipped, start.elapsed());
    if cancel.is_cancelled() {
        say(format_args!("interrupted: {} of {} files are done", tally.files(), files.len() + unreadable.len()));
        return Ok(Outcome::Interrupted);
    }
    Ok(if tally.failed + tally.partial > 0 { Outcome::SomeFailed } else { Outcome::Done })
}

/// How many files became what.
#[derive(Default)]
struct Tally {
    tagged: usize,
    none: usize,
    partial: usize,
    failed: usize,
}

impl Tally {
    fn add(&mut self, row: &Row) {
        *match row.status {
            Status::Tagged => &mut self.tagged,
            Status::None => &mut self.none,
            Status::Partial => &mut self.partial,
            Status::Failed => &mut self.failed,
        } += 1;
    }

    fn files(&self) -> usize {
        self.tagged + self.none + self.partial + self.failed
    }

    /// The last line, for people.
    fn report(&self, skipped: usize, elapsed: Duration) {
        let counts = [
            (self.tagged, "tagged"),
            (self.none, "without a sure tag"),
            (self.partial, "damaged, tagged in part"),
            (self.failed, "failed"),
            (skipped, "left out by their endings"),
        ];
        say(format_args!("{} in {:.1} s", counted(&counts), elapsed.as_secs_f64()));
    }
}
