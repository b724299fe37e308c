//! `reelnet model calibrate`

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use reelnet_clips::{ClipErrorKind, Limits, Opener};
use reelnet_infer::calibration::{self, Agreement, Calibrator};
use reelnet_infer::engine::{Bytes, Precision};
use reelnet_infer::{Bundle, Classifier};
use serde::Serialize;

use super::files::{Found, find};
use super::{bundles, folder};
use crate::args::CalibrateArgs;
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::{Align, Columns, Progress, say};
use crate::workers::share_cores;

/// What is printed of each kind of numbers.
#[derive(Serialize)]
struct Row {
    precision: &'static str,
    #[serde(flatten)]
    agreement: Agreement,
}

/// Files, and how they are looked at.
struct Clips<'a> {
    files: &'a [PathBuf],
    opener: Opener,
    limits: Limits,
    count: usize,
}

/// Files that could not be used, told once.
#[derive(Default)]
struct Failed(usize);

pub(crate) fn calibrate(args: &CalibrateArgs) -> anyhow::Result<Outcome> {
    folder::check_new(&args.out)?;
    share_cores(args.threads, 1);
    let device = Device::flex();
    let bundle = bundles::open_or_default(args.model.as_deref(), &device)?;
    let Found { files, .. } = find(&args.paths);
    ensure!(!files.is_empty(), "there is nothing to calibrate with: no file that could be a video or an image");
    let cancel = interrupt::watch()?;
    let limits = Limits { cancel: cancel.clone(), ..Limits::default() };
    let clips = Clips { files: &files, opener: Opener::Plain, limits, count: usize::from(args.clips) };

    // ---- What the features reach ----
    let mut calibrator = Calibrator::new(&bundle).context("8-bit numbers need an engine")?;
    let mut failed = Failed::default();
    let mut looked_at = 0;
    let done = clips.each(&bundle, Half::LookedAt, &mut failed, |_, clips| {
        looked_at += clips.len();
        for clip in clips {
            calibrator.add(clip, &bundle);
        }
        Ok(())
    })?;
    if !done {
        return Ok(Outcome::Interrupted);
    }
    ensure!(looked_at > 0, "none of {} files could be decoded, so there is nothing to calibrate with", files.len());
    say(format_args!("looking for the layers that must stay floats"));
    let bytes = calibrator.finish(&bundle, args.agreement)?;
    let goal = 100.0 * args.agreement;

    // ---- Beside floats ----
    let Some(rows) = compare(args, &clips, &bundle, &bytes)? else { return Ok(Outcome::Interrupted) };
    bundle.write(&args.out)?;
    calibration::write(&args.out, &bundle, &bytes)?;
    print(args, &rows)?;
    let is_short = |row: &&Row| row.precision == "int8" && row.agreement.share() < args.agreement;
    if let Some(Row { agreement, .. }) = rows.iter().find(is_short) {
        say(format_args!(
            "int8 falls short: the same class for {:.1} % of the clips that it was not calibrated with, and {goal:.1} % were asked for; \
             more clips, or a higher --agreement, keep more layers in floats",
            100.0 * agreement.share()
        ));
    }
    say(format_args!("calibrated with {looked_at} clips; tag with `--model {} --precision int8`", args.out.display()));
    Ok(if failed.0 > 0 { Outcome::SomeFailed } else { Outcome::Done })
}

/// Which clips of a file.
#[derive(Clone, Copy, PartialEq)]
enum Half {
    LookedAt,
    Compared,
}

impl Clips<'_> {
    /// Hands over half of every file's clips; false if somebody interrupted it.
    fn each(
        &self,
        bundle: &Bundle,
        half: Half,
        failed: &mut Failed,
        mut take: impl FnMut(&Path, &[reelnet_clips::Clip]) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        let mut progress = Progress::of(self.files.len() as u64, "files");
        // Pictures have one clip each, so the halves go on from file to file.
        let mut turn = 0;
        for (index, path) in self.files.iter().enumerate() {
            match calibration::clips_of(path, &self.opener, bundle, self.count, &self.limits) {
                Ok(clips) => {
                    let mut chosen = Vec::with_capacity(clips.len() / 2 + 1);
                    for clip in clips {
                        if turn % 2 == usize::from(half == Half::Compared) {
                            chosen.push(clip);
                        }
                        turn += 1;
                    }
                    take(path, &chosen)?;
                }
                Err(error) if matches!(error.kind, ClipErrorKind::Cancelled) => return Ok(false),
                Err(error) => {
                    failed.0 += 1;
                    progress.suspend(|| say(format_args!("left out: {error}")));
                }
            }
            progress.set(index as u64 + 1);
            if self.limits.cancel.is_cancelled() {
                return Ok(false);
            }
        }
        progress.finish();
        Ok(true)
    }
}

fn compare(args: &CalibrateArgs, clips: &Clips, bundle: &Bundle, bytes: &Bytes) -> anyhow::Result<Option<Vec<Row>>> {
    let device = Device::flex();
    let kinds = [("f32", Precision::F32), ("bf16", Precision::Bf16), ("int8", Precision::Int8(bytes.clone()))];
    let mut contenders = Vec::new();
    for (name, precision) in kinds {
        let bundle = bundles::open_or_default(args.model.as_deref(), &device)?;
        contenders.push((name, Classifier::with_precision(bundle, device.clone(), precision), Agreement::default()));
    }
    // Files that failed were told the first time.
    let done = clips.each(bundle, Half::Compared, &mut Failed::default(), |path, clips| {
        let class =
            path.parent().and_then(Path::file_name).and_then(|name| bundle.labels.position(&name.to_string_lossy()));
        let floats = contenders[0].1.score(clips)?;
        for (_, classifier, agreement) in &mut contenders {
            agreement.add(classifier, clips, &floats, class)?;
        }
        Ok(())
    })?;
    let mut rows = Vec::new();
    for (precision, classifier, agreement) in contenders {
        // What fell back to floats would agree with them.
        match classifier.engine_error() {
            Some(error) => say(format_args!("{precision} cannot be had on this machine: {error}")),
            None => rows.push(Row { precision, agreement }),
        }
    }
    Ok(done.then_some(rows))
}

fn print(args: &CalibrateArgs, rows: &[Row]) -> anyhow::Result<()> {
    let mut stdout = stdout().lock();
    if args.json {
        serde_json::to_writer(&mut stdout, &rows)?;
        writeln!(stdout)?;
        return Ok(());
    }
    let share = |count: u64, of: u64| {
        if of == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * count as f64 / of as f64) }
    };
    let mut cells = vec![["NUMBERS", "CLIPS", "SAME TOP-1", "ACCURACY"].map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|Row { precision, agreement }| {
        vec![
            (*precision).to_owned(),
            agreement.clips.to_string(),
            share(agreement.same_top1, agreement.clips),
            share(agreement.right, agreement.labelled),
        ]
    }));
    let columns = Columns::fitting(&[Align::Left, Align::Right, Align::Right, Align::Right], &cells);
    for row in &cells {
        writeln!(stdout, "{}", columns.row(row))?;
    }
    Ok(())
}
