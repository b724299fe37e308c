//! `reelnet library settings`.

use std::io::{Write as _, stdout};
use std::time::Instant;

use anyhow::ensure;
use reelnet_library::Store;

use super::model;
use crate::args::SettingsArgs;
use crate::exit::Outcome;
use crate::output::{Progress, say};

pub(super) async fn settings(store: &Store, args: &SettingsArgs) -> anyhow::Result<Outcome> {
    let model = model(store, args.by.as_deref()).await?;
    let mut reading = model.reading.clone();
    reading.threshold = args.threshold.unwrap_or(reading.threshold);
    reading.hysteresis = args.hysteresis.unwrap_or(reading.hysteresis);
    reading.min_seconds = args.min_seconds.unwrap_or(reading.min_seconds);
    reading.max_gap = args.max_gap.unwrap_or(reading.max_gap);
    reading.top = args.top.unwrap_or(reading.top);
    reading.temperature = args.temperature.unwrap_or(reading.temperature);
    for (label, threshold) in &args.label {
        ensure!(model.labels.contains(label), "{} has no label `{label}`", model.shown());
        reading.thresholds.insert(label.clone(), *threshold);
    }
    if reading != model.reading {
        let began = Instant::now();
        let status = store.status().await?;
        let total = status.models.iter().find(|of| of.id == model.id).map_or(0, |of| of.counts.values().sum());
        let mut progress = Progress::of(total, "files read anew");
        let files = store.reread(model.id, &reading, |done| progress.set(done)).await?;
        progress.finish();
        say(format_args!(
            "{files} files read anew from stored scores in {:.1} s; nothing was decoded",
            began.elapsed().as_secs_f64()
        ));
    }
    let mut out = stdout().lock();
    serde_json::to_writer_pretty(&mut out, &reading)?;
    writeln!(out)?;
    Ok(Outcome::Done)
}
