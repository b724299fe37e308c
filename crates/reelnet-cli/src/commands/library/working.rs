//! `reelnet library work` and `run`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use indicatif::DecimalBytes;
use reelnet_clips::{CancelToken, Limits};
use reelnet_infer::evaluation::ModelId;
use reelnet_library::analysis::Analyst;
use reelnet_library::objects::Address;
use reelnet_library::process::be_nice;
use reelnet_library::scan::{ScanOptions, scan};
use reelnet_library::spans::ReadingSettings;
use reelnet_library::store::{JobEnd, ModelRow, NewModel, Queue};
use reelnet_library::watching::Watching;
use reelnet_library::windows::{Cuts, WindowSettings};
use reelnet_library::work::{Ranges, WorkEvent, WorkOptions, WorkReport, work as work_off};
use reelnet_library::{LibraryError, Store};
use serde_json::json;

use super::scanning::{options as scan_options, println_json, tell};
use crate::args::{LibraryRunArgs, LibraryWorkArgs, WindowArgs};
use crate::commands::bundles;
use crate::exit::Outcome;
use crate::interrupt;
use crate::opening;
use crate::output::{Progress, counted, say};
use crate::workers::{count, share_cores};

pub(super) async fn work(store: &Store, args: &LibraryWorkArgs) -> anyhow::Result<Outcome> {
    let ready = prepare(store, args, interrupt::watch()?).await?;
    let report = worked(store, args, &ready).await?;
    end(args, &ready, &report)
}

pub(super) async fn run(store: &Store, args: &LibraryRunArgs) -> anyhow::Result<Outcome> {
    let roots: Vec<PathBuf> = store.roots().await?.into_iter().map(|root| root.path).collect();
    ensure!(!roots.is_empty(), "the library has no folders; `reelnet library add DIR` adds one");
    let ready = prepare(store, &args.work, interrupt::watch()?).await?;
    ready.options.more_may_come.store(true, Ordering::Relaxed);
    // A watch has no end of its own: it ends with the work.
    let watch = ready.options.cancel.child();
    let options = scan_options(&args.rules, None, watch.clone());
    let more = Arc::clone(&ready.options.more_may_come);
    let scanning = async {
        let found = scans(store, args, &options, roots).await;
        more.store(false, Ordering::Relaxed);
        found
    };
    let working = async {
        let report = worked(store, &args.work, &ready).await;
        watch.cancel();
        report
    };
    let (scanned, worked) = tokio::join!(scanning, working);
    let report = worked?;
    match scanned {
        Ok(troubles) => match end(&args.work, &ready, &report)? {
            Outcome::Done if troubles > 0 => Ok(Outcome::SomeFailed),
            outcome => Ok(outcome),
        },
        Err(LibraryError::Interrupted) => end(&args.work, &ready, &report),
        Err(error) => Err(error.into()),
    }
}

/// Scans once, or for ever. Gives what could not be looked at in the last scan.
async fn scans(
    store: &Store,
    args: &LibraryRunArgs,
    options: &ScanOptions,
    roots: Vec<PathBuf>,
) -> Result<usize, LibraryError> {
    // Begun before the first scan, so that nothing is missed in between.
    let mut watching = if args.watch { Some(Watching::begin(&roots, Duration::from_mins(args.rescan))?) } else { None };
    if let Some(trouble) = watching.as_ref().and_then(|watching| watching.trouble.as_ref()) {
        say(format_args!("changes are not told by the system ({trouble}); scanning every {} minutes", args.rescan));
    }
    loop {
        let patience = Duration::from_secs(args.work.patience);
        let report = store
            .patiently(
                patience,
                |error, _| say(format_args!("waiting for the database: {error}")),
                || scan(store, options, |_| {}),
            )
            .await?;
        if !report.is_unchanged() || !report.troubles.is_empty() || watching.is_none() {
            tell(&report);
        }
        let Some(mut watch) = watching.take() else { return Ok(report.troubles.len()) };
        let cancel = options.cancel.clone();
        let waited = tokio::task::spawn_blocking(move || {
            let goes_on = watch.wait(&cancel);
            (watch, goes_on)
        });
        match waited.await {
            Ok((watch, true)) => watching = Some(watch),
            Ok((_, false)) => return Err(LibraryError::Interrupted),
            Err(error) => return Err(LibraryError::Wish(format!("the watch broke off: {error}"))),
        }
    }
}

/// Everything that work needs.
struct Ready {
    analyst: Arc<Analyst>,
    model: ModelRow,
    options: WorkOptions,
    began: Instant,
}

async fn prepare(store: &Store, args: &LibraryWorkArgs, cancel: CancelToken) -> anyhow::Result<Ready> {
    let began = Instant::now();
    if args.opening.isolate
        && let Some(root) = store.roots().await?.iter().find(|root| Address::is_meant(&root.path))
    {
        bail!(
            "--isolate is for files of disks, and `{}` lies in an object store; work without it",
            root.path.display()
        );
    }
    if args.nice
        && let Err(error) = be_nice(10)
    {
        say(format_args!("the priority stays as it is: {error}"));
    }
    let device = args.scoring.device.open()?;
    let classifier = bundles::classifier(args.model.as_deref(), &device, args.scoring.precision)?;
    let windows = windows(&args.windows)?;
    let bundle = classifier.bundle();
    let id = ModelId::new(bundle, args.scoring.precision.name(), 0);
    let reading = match &args.model {
        Some(model) => ReadingSettings::of_bundle(&bundles::located(model))?,
        None => ReadingSettings::default(),
    };
    let labels = (0..bundle.labels.len()).filter_map(|class| bundle.labels.get(class).map(str::to_owned)).collect();
    let new = NewModel { name: id.name, sha256: id.sha256, precision: id.precision, windows, labels, reading };
    let model = store.register_model(&new).await?;
    let jobs = count(args.jobs);
    share_cores(args.threads, jobs);
    let limits =
        Limits { deadline: Duration::from_secs(args.scoring.deadline), cancel: cancel.clone(), ..Limits::default() };
    let options = WorkOptions {
        jobs,
        lease_seconds: args.lease as f64,
        shard: args.shard.unwrap_or((0, 1)),
        queue: if args.oldest_first { Queue::OldestFirst } else { Queue::NewestFirst },
        most_time: args.max_hours.map(|hours| Duration::from_secs_f64(hours * 3600.0)),
        patience: Duration::from_secs(args.patience),
        cancel,
        more_may_come: Arc::new(AtomicBool::new(false)),
    };
    let analyst = Analyst { classifier, opener: opening::opener(&args.opening)?, limits, windows };
    Ok(Ready { analyst: Arc::new(analyst), model, options, began })
}

fn windows(args: &WindowArgs) -> anyhow::Result<WindowSettings> {
    let length = args.window.unwrap_or(args.interval);
    ensure!(
        length <= args.interval,
        "--window is {length} s and --interval {} s; windows do not overlap",
        args.interval
    );
    let cuts = if args.no_cuts { Cuts::Ignored } else { Cuts::Found };
    Ok(WindowSettings { interval: args.interval, length, most: args.max_windows as usize, cuts })
}

async fn worked(store: &Store, args: &LibraryWorkArgs, ready: &Ready) -> anyhow::Result<WorkReport> {
    store.queue_missing(ready.model.id).await?;
    let (waiting, leased) = store.pending(ready.model.id, ready.options.shard).await?;
    let mut progress = Progress::of(waiting + leased, "files");
    let mut done = 0;
    let report = work_off(store, &ready.model, Arc::clone(&ready.analyst), &ready.options, |event| match event {
        WorkEvent::Finished { path, end, attempt, ranges } => {
            done += 1;
            if let Some(line) = told(end, attempt, ranges, args.verbose) {
                progress.suspend(|| say(format_args!("{}: {line}", super::shown(path))));
            }
            progress.set_total((waiting + leased).max(done));
            progress.set(done);
        }
        WorkEvent::Left(left) => progress.set_total(done + left),
        WorkEvent::Away(error, pause) => {
            progress.suspend(|| say(format_args!("waiting for the database, {:.1} s: {error}", pause.as_secs_f64())));
        }
        WorkEvent::Paused => progress.suspend(|| say("paused: `reelnet library resume` lets it go on")),
        WorkEvent::Resumed => progress.suspend(|| say("goes on")),
    })
    .await;
    progress.finish();
    opening::close(&ready.analyst.opener);
    Ok(report?)
}

/// What is said of a file.
fn told(end: &JobEnd, attempt: i64, ranges: Option<Ranges>, verbose: bool) -> Option<String> {
    let read = ranges.map(|ranges| format!("; {}", read(ranges))).unwrap_or_default();
    match end {
        JobEnd::Failed { kind, reason, .. } => Some(format!("failed ({kind}, attempt {attempt}): {reason}")),
        JobEnd::Scored { damage: Some((kind, reason)), .. } => Some(format!("scored in part ({kind}): {reason}")),
        JobEnd::Skipped { reason, .. } => Some(format!("left out: {reason}")),
        JobEnd::Scored { scores, media, .. } if verbose => Some(format!(
            "{} windows, {} scored, {:.0} s of video{read}",
            scores.windows.len(),
            scores.rows(),
            media.duration
        )),
        JobEnd::Scored { .. } | JobEnd::Released { .. } => None,
    }
}

/// How much of objects of stores was read.
fn read(Ranges { read, size }: Ranges) -> String {
    let share = if size > 0 { 100.0 * read as f64 / size as f64 } else { 0.0 };
    format!("{} read of {} in object stores ({share:.0} %)", DecimalBytes(read), DecimalBytes(size))
}

fn end(args: &LibraryWorkArgs, ready: &Ready, report: &WorkReport) -> anyhow::Result<Outcome> {
    let seconds = ready.began.elapsed().as_secs_f64();
    if args.json {
        println_json(&json!({
            "model": ready.model.shown(),
            "decoded": report.decoded,
            "scored": report.scored,
            "damaged": report.damaged,
            "failed": report.failed,
            "skipped": report.skipped,
            "lost": report.lost,
            "left": report.left,
            "windows": report.windows,
            "video_seconds": report.video_seconds,
            "seconds": seconds,
            "bytes_read": report.ranges.read,
            "bytes_size": report.ranges.size,
        }))?;
    }
    let counts = [
        (report.scored - report.damaged, "scored"),
        (report.damaged, "damaged, scored in part"),
        (report.failed, "attempts failed"),
        (report.skipped, "changed since they were scanned"),
        (report.left, "wait for a folder that is not there"),
        (report.lost, "done by somebody else meanwhile"),
    ];
    let parts = counted(&counts);
    let parts = if parts.is_empty() { "nothing to do: nothing was decoded".to_owned() } else { parts };
    let speed = if report.video_seconds > 0.0 {
        format!("; {:.1} hours of video an hour", report.video_seconds / seconds)
    } else {
        String::new()
    };
    say(format_args!("{}: {parts} in {seconds:.1} s{speed}", ready.model.shown()));
    if report.ranges.size > 0 {
        say(read(report.ranges));
    }
    bundles::tell_shortfall(&ready.analyst.classifier, args.scoring.precision, args.verbose);
    if ready.options.cancel.is_cancelled() {
        say("interrupted: what was done is kept, and the same command goes on");
        return Ok(Outcome::Interrupted);
    }
    Ok(if report.failed + report.damaged > 0 { Outcome::SomeFailed } else { Outcome::Done })
}
