//! `reelnet library add` and `scan`.

use std::path::PathBuf;

use anyhow::ensure;
use reelnet_clips::CancelToken;
use reelnet_library::identity::Identity;
use reelnet_library::objects::{Address, check};
use reelnet_library::scan::{EmptyRoots, Rules, ScanOptions, ScanReport, scan as scan_all};
use reelnet_library::{LibraryError, Store};

use super::{canonical, named};
use crate::args::{AddArgs, RulesArgs, ScanArgs};
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::{Progress, counted, say};

pub(super) async fn add(store: &Store, args: &AddArgs) -> anyhow::Result<Outcome> {
    let mut roots = Vec::new();
    for folder in &args.folders {
        let folder = canonical(folder)?;
        if Address::is_meant(&folder) {
            check(&folder).await?;
        } else {
            ensure!(folder.is_dir(), "`{}` is no folder; the library takes folders", folder.display());
        }
        store.add_root(&folder).await?;
        roots.push(folder);
    }
    if args.no_scan {
        return Ok(Outcome::Done);
    }
    told(store, &options(&args.rules, Some(roots), interrupt::watch()?)).await
}

pub(super) async fn scan(store: &Store, args: &ScanArgs) -> anyhow::Result<Outcome> {
    let known: Vec<PathBuf> = store.roots().await?.into_iter().map(|root| root.path).collect();
    ensure!(!known.is_empty(), "the library has no folders; `reelnet library add DIR` adds one");
    let mut roots = Vec::new();
    for folder in &args.folders {
        let folder = named(folder)?;
        ensure!(
            known.contains(&folder),
            "`{}` is no folder of the library; `reelnet library add` adds it",
            folder.display()
        );
        roots.push(folder);
    }
    let options = options(&args.rules, (!roots.is_empty()).then_some(roots), interrupt::watch()?);
    if !args.json {
        return told(store, &options).await;
    }
    let report = scan_all(store, &options, |_| {}).await;
    match report {
        Ok(report) => {
            println_json(&report)?;
            Ok(outcome(&report))
        }
        Err(LibraryError::Interrupted) => Ok(Outcome::Interrupted),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn options(args: &RulesArgs, roots: Option<Vec<PathBuf>>, cancel: CancelToken) -> ScanOptions {
    ScanOptions {
        rules: Rules { include: args.include.clone(), exclude: args.exclude.clone() },
        identity: if args.whole_hash { Identity::Whole } else { Identity::Blocks },
        empty_roots: if args.empty_roots { EmptyRoots::Deleted } else { EmptyRoots::Unmounted },
        roots,
        cancel,
    }
}

/// Scans, with words for people.
async fn told(store: &Store, options: &ScanOptions) -> anyhow::Result<Outcome> {
    let progress = Progress::of(0, "files looked at");
    let mut bar = Some(progress);
    let scanned = scan_all(store, options, |report| {
        if let Some(progress) = &mut bar {
            progress.set_total(report.files);
            progress.set(report.files);
        }
    })
    .await;
    if let Some(progress) = bar.take() {
        progress.finish();
    }
    match scanned {
        Ok(report) => {
            tell(&report);
            Ok(outcome(&report))
        }
        Err(LibraryError::Interrupted) => {
            say("interrupted: what was found is kept, and the same command goes on");
            Ok(Outcome::Interrupted)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn outcome(report: &ScanReport) -> Outcome {
    if report.troubles.is_empty() { Outcome::Done } else { Outcome::SomeFailed }
}

/// What a scan found, in a line, and in one each for what it could not look at.
pub(super) fn tell(report: &ScanReport) {
    const MOST: usize = 20;
    for trouble in report.troubles.iter().take(MOST) {
        say(format_args!("{}: {}", trouble.path.display(), trouble.reason));
    }
    if report.troubles.len() > MOST {
        say(format_args!("and {} more that could not be looked at", report.troubles.len() - MOST));
    }
    let counts = [
        (report.new, "new"),
        (report.moved, "renamed, moved or copied"),
        (report.changed, "changed"),
        (report.touched, "written again without a change"),
        (report.back, "there again"),
        (report.gone, "paths gone"),
        (report.skipped, "left out by their endings"),
    ];
    let parts = if report.is_unchanged() { "nothing has changed".to_owned() } else { counted(&counts) };
    say(format_args!("{} files in {} folders: {parts}", report.files, report.folders));
}

pub(super) fn println_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    Ok(writeln!(out)?)
}
