//! Files in, rows out: some files at once, the rows in the order of the files.

use std::collections::BTreeMap;
use std::io::stdout;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use reelnet_clips::Limits;
use reelnet_infer::tag::{FileScores, TagError, tag_file};
use reelnet_infer::{Bundle, Classifier};

use super::files::{Found, find};
use super::rows::{Printer, Row, Status};
use crate::args::TagArgs;
use crate::commands::bundles;
use crate::exit::Outcome;
use crate::output::{Progress, say};

pub(crate) fn tag(args: &TagArgs) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let device = args.device.open()?;
    let bundle = match &args.model {
        Some(model) => bundles::open(model, &device)?,
        None => Bundle::default_model(&device),
    };
    let classifier = Classifier::new(bundle, device);
    let Found { files, skipped, unreadable } = find(&args.paths);
    ensure!(
        !files.is_empty() || !unreadable.is_empty(),
        "there is nothing to tag in {}: no file that could be a video or an image ({skipped} left out by their endings)",
        args.paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
    );
    if args.verbose {
        say(format_args!("model ready after {:.3} s", start.elapsed().as_secs_f64()));
    }

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
        jobs(args),
        |path| catch_unwind(AssertUnwindSafe(|| tag_one(path, &classifier, args))),
        |done, path, result| {
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
    tally.report(skipped, start.elapsed());
    Ok(if tally.failed + tally.partial > 0 { Outcome::SomeFailed } else { Outcome::Done })
}

fn tag_one(path: &Path, classifier: &Classifier, args: &TagArgs) -> Result<FileScores, TagError> {
    let limits = Limits { deadline: Duration::from_secs(args.deadline), ..Limits::default() };
    tag_file(path, classifier, usize::from(args.clips), &limits)
}

fn jobs(args: &TagArgs) -> usize {
    let cores = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
    args.jobs.map_or_else(cores, usize::from)
}

/// Runs `work` on several items at once, and hands their results on in order.
///
/// Each worker holds one item at a time, so memory is bounded by the number of workers; results that wait for a slow one
/// before them are small.
fn each_in_order<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(usize, &T, R) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(workers);
        for _ in 0..workers.min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    // The receiver is gone when printing failed: nobody wants the rest.
                    if sender.send((index, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut waiting, mut turn) = (BTreeMap::new(), 0);
        for (index, result) in receiver {
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&turn) {
                done(turn + 1, &items[turn], result)?;
                turn += 1;
            }
        }
        Ok(())
    })
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

    /// The last line, for people.
    fn report(&self, skipped: usize, elapsed: Duration) {
        let counts = [
            (self.tagged, "tagged"),
            (self.none, "without a sure tag"),
            (self.partial, "damaged, tagged in part"),
            (self.failed, "failed"),
            (skipped, "left out by their endings"),
        ];
        let parts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        say(format_args!("{} in {:.1} s", parts.join(", "), elapsed.as_secs_f64()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_takes_long() {
        let items: Vec<u64> = vec![30, 0, 10, 0, 0, 5];
        let mut seen = Vec::new();
        let work = |&milliseconds: &u64| thread::sleep(Duration::from_millis(milliseconds));
        each_in_order(&items, 3, work, |done, &item, ()| {
            seen.push((done, item));
            Ok(())
        })
        .expect("nothing fails");
        assert_eq!(seen, [(1, 30), (2, 0), (3, 10), (4, 0), (5, 0), (6, 5)]);
    }

    #[test]
    fn a_failure_to_print_stops_the_work() {
        let items: Vec<usize> = (0..1000).collect();
        let started = AtomicUsize::new(0);
        let result = each_in_order(
            &items,
            2,
            |_| started.fetch_add(1, Ordering::Relaxed),
            |_, _, _| anyhow::bail!("the pipe is closed"),
        );
        assert!(result.is_err());
        assert!(started.load(Ordering::Relaxed) < 20, "workers stop when nobody listens");
    }
}
