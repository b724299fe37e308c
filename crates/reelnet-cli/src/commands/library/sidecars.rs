//! `reelnet library sidecars`.

use std::io::{self, Write as _, stdout};
use std::path::Path;

use anyhow::ensure;
use reelnet_library::sidecars::{
    Sidecar, SidecarEnd, SidecarFormat, SidecarOptions, SidecarReport, Writing, sidecars as export,
};
use reelnet_library::{LibraryError, Store};
use serde_json::json;

use super::{canonical, model, shown};
use crate::args::{SidecarFormatArg, SidecarsArgs};
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::{counted, say};

pub(super) async fn sidecars(store: &Store, args: &SidecarsArgs) -> anyhow::Result<Outcome> {
    let options = options(store, args).await?;
    let mut closed: io::Result<()> = Ok(());
    let exported = export(store, &options, |sidecar| {
        if closed.is_ok() {
            closed = tell(sidecar, args);
        }
        if closed.is_err() {
            options.cancel.cancel();
        }
    })
    .await;
    closed?;
    let report = match exported {
        Err(LibraryError::Interrupted) => {
            say("interrupted: sidecars are whole, and the same command goes on");
            return Ok(Outcome::Interrupted);
        }
        report => report?,
    };
    sum_up(&report, options.writing);
    Ok(if report.refused + report.failed > 0 { Outcome::SomeFailed } else { Outcome::Done })
}

async fn options(store: &Store, args: &SidecarsArgs) -> anyhow::Result<SidecarOptions> {
    ensure!(
        args.parent.is_none() || args.format == SidecarFormatArg::Xmp,
        "--parent is for XMP, which has hierarchies; this format has none"
    );
    let mut models = Vec::new();
    if args.by.is_empty() {
        models.push(model(store, None).await?);
    }
    for word in &args.by {
        models.push(model(store, Some(word)).await?);
    }
    let parent = args.parent.iter().flat_map(|parent| parent.split('/'));
    Ok(SidecarOptions {
        format: match args.format {
            SidecarFormatArg::Xmp => SidecarFormat::Xmp,
            SidecarFormatArg::Nfo => SidecarFormat::Nfo,
            SidecarFormatArg::Text => SidecarFormat::Text,
        },
        tree: args.tree.as_deref().map(std::path::absolute).transpose()?,
        parent: parent.filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        models,
        min_score: f64::from(args.min_score),
        folders: args.folders.iter().map(|folder| canonical(folder)).collect::<Result<_, _>>()?,
        writing: if args.apply { Writing::Applied } else { Writing::Dry },
        cancel: interrupt::watch()?,
    })
}

/// What changes is data; what has trouble is for people too.
fn tell(sidecar: &Sidecar, args: &SidecarsArgs) -> io::Result<()> {
    let Sidecar { video, path, end } = sidecar;
    let (what, added, removed, kind, reason): (_, &[String], &[String], _, _) = match end {
        SidecarEnd::New { added } => ("new", added, &[], None, None),
        SidecarEnd::Changed { added, removed } => ("changed", added, removed, None, None),
        SidecarEnd::Unchanged | SidecarEnd::Nothing => return Ok(()),
        SidecarEnd::Refused(refusal) => ("refused", &[], &[], Some(refusal.kind), Some(refusal.to_string())),
        SidecarEnd::Failed(error) => ("failed", &[], &[], Some("io"), Some(error.to_string())),
    };
    if args.json {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut out = stdout().lock();
        let object = json!({
            "video": text(video), "sidecar": text(path), "status": what, "added": added, "removed": removed,
            "kind": kind, "reason": reason,
        });
        return writeln!(out, "{object}");
    }
    if let Some(reason) = reason {
        say(format_args!("{}: {reason}", shown(path)));
        return Ok(());
    }
    let added: String = added.iter().map(|label| format!(" +{label:?}")).collect();
    let removed: String = removed.iter().map(|label| format!(" -{label:?}")).collect();
    writeln!(stdout().lock(), "{}:{added}{removed}", shown(path))
}

fn sum_up(report: &SidecarReport, writing: Writing) {
    let counts = [
        (report.new, "new"),
        (report.changed, "changed"),
        (report.unchanged, "as they should be"),
        (report.locked, "locked by somebody"),
        (report.refused, "left alone"),
        (report.failed, "failed"),
        (report.nothing, "files without tags"),
    ];
    let parts = counted(&counts);
    let parts = if parts.is_empty() { "no files".to_owned() } else { parts };
    say(format_args!("sidecars: {parts}"));
    if report.not_scored > 0 {
        say(format_args!("{} files are not scored yet: of their sidecars nothing is taken away", report.not_scored));
    }
    if report.left_out > 0 {
        say(format_args!("{} tags were taken out with another program and stay out", report.left_out));
    }
    if writing == Writing::Dry && report.new + report.changed > 0 {
        say("nothing was written: this is what --apply would do");
    }
}
