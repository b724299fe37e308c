//! `reelnet library status` and `doctor`.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Duration;

use indicatif::HumanDuration;
use reelnet_library::Store;
use reelnet_library::objects::{Address, check};
use reelnet_library::store::{FileState, Finding};
use serde_json::json;

use super::{println_json, shown};
use crate::args::JsonArgs;
use crate::exit::Outcome;

pub(super) async fn status(store: &Store, args: &JsonArgs) -> anyhow::Result<Outcome> {
    let status = store.status().await?;
    if args.json {
        let roots: Vec<_> = status
            .roots
            .iter()
            .map(|root| json!({ "path": root.path.to_string_lossy(), "files": root.present, "scanned_at": root.scanned_at, "is_there": is_there(&root.path) }))
            .collect();
        println_json(&json!({
            "store": store.place(), "engine": store.engine().name(), "roots": roots, "files": status.files, "gone": status.gone,
            "paused": status.is_paused, "models": status.models,
        }))?;
        return Ok(Outcome::Done);
    }
    let mut out = stdout().lock();
    writeln!(out, "{} ({})", store.place(), store.engine().name())?;
    for root in &status.roots {
        let absent = if is_there(&root.path) == Some(false) { "  (not there now)" } else { "" };
        writeln!(out, "  {}  {} files{absent}", shown(&root.path), root.present)?;
    }
    let gone = if status.gone > 0 { format!(", {} gone", status.gone) } else { String::new() };
    writeln!(out, "{} videos and images{gone}", status.files)?;
    if status.is_paused {
        writeln!(out, "paused; `reelnet library resume` lets workers go on")?;
    }
    for model in &status.models {
        let counts: Vec<String> = FileState::ALL
            .iter()
            .filter_map(|state| {
                model.counts.get(state).map(|count| format!("{count} {}", state.name().replace('_', " ")))
            })
            .collect();
        writeln!(out, "{} {}: {}", model.id, model.model, counts.join(", "))?;
        if model.damaged > 0 {
            writeln!(out, "  {} of them damaged, scored in part", model.damaged)?;
        }
        for failure in &model.failures {
            writeln!(out, "  {} failed: {}", failure.files, failure.kind)?;
        }
        for (worker, files) in &model.workers {
            writeln!(out, "  {worker} works on {files}")?;
        }
        if let Some(speed) = model.speed {
            let left = model.seconds_left.filter(|left| *left > 0.0);
            let left =
                left.map(|left| format!(", {} left", HumanDuration(Duration::from_secs_f64(left)))).unwrap_or_default();
            writeln!(out, "  {speed:.1} hours of video an hour{left}")?;
        }
    }
    Ok(Outcome::Done)
}

/// Whether a folder is there; of a store nobody is asked for a status.
fn is_there(root: &Path) -> Option<bool> {
    (!Address::is_meant(root)).then(|| root.is_dir())
}

pub(super) async fn doctor(store: &Store, args: &JsonArgs) -> anyhow::Result<Outcome> {
    let mut findings = store.check().await?;
    for root in store.roots().await? {
        let (is_well, detail) = if Address::is_meant(&root.path) {
            match check(&root.path).await {
                Ok(()) => (true, shown(&root.path)),
                Err(error) => (false, error.to_string()),
            }
        } else {
            match std::fs::read_dir(&root.path) {
                Ok(_) => (true, shown(&root.path)),
                Err(error) => (false, format!("{}: {error}", shown(&root.path))),
            }
        };
        findings.push(Finding { what: "folder can be read", is_well, detail });
    }
    let is_well = findings.iter().all(|finding| finding.is_well);
    if args.json {
        println_json(&findings)?;
    } else {
        let mut out = stdout().lock();
        for finding in &findings {
            writeln!(out, "{}  {}: {}", if finding.is_well { "well " } else { "WRONG" }, finding.what, finding.detail)?;
        }
    }
    Ok(if is_well { Outcome::Done } else { Outcome::SomeFailed })
}
