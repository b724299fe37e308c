//! From a data set to records of scores: decoded once a file, whatever the number of views. Training's validation looks at files
//! in the same way.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use reelnet_clips::{
    Clip, ClipError, ClipErrorKind, FramePlan, Loader, LoaderOptions, LoaderReport, MediaIndex, Request, Wanted,
};
use reelnet_infer::evaluation::{DataId, Failed, FileFacts, Header, Record, Scored, View, ViewSettings};
use reelnet_infer::{Classifier, Manifest, ScoreError};

use crate::data::{DataSet, EmptySpan, Sample, plans_within};

/// Bytes of views that are cut before they are scored.
const CHUNK_BYTES: usize = 64 << 20;
/// Views that are cut at once however large they are: one a thread is the least that keeps a small machine busy.
const LEAST_AT_ONCE: usize = 4;

/// How an evaluation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluated {
    /// All files were tried.
    Finished,
    /// Somebody asked for an end.
    Interrupted,
}

/// What a list of files is known by.
pub fn data_id(name: String, data: &DataSet) -> DataId {
    DataId {
        name,
        sha256: data.fingerprint(),
        files: data.samples.len() as u64,
        missing: data.findings.missing.clone(),
        repeated: data.findings.repeated.len() as u64,
    }
}

/// Scores the files of a shard, but for the first `done` of them, and hands on what became of each, in the order of the list. Tells
/// what the decoders had to do for that.
///
/// # Errors
/// If the network computes no numbers, or `each` fails.
pub fn evaluate(
    classifier: &Classifier,
    data: &DataSet,
    header: &Header,
    done: u64,
    options: &LoaderOptions,
    each: &mut dyn FnMut(&Record) -> io::Result<()>,
) -> Result<(Evaluated, LoaderReport), EvaluationError> {
    let shard = header.shard;
    let samples: Vec<(u64, Sample)> =
        (0..).zip(data.samples.iter().cloned()).filter(|(at, _)| shard.holds(*at)).collect();
    let requests = requests(samples, &header.views, &classifier.bundle().manifest);
    let mut began = Instant::now();
    let mut loader = Loader::new(requests, &LoaderOptions { first: done, ..options.clone() });
    while let Some(sample) = loader.next() {
        let Ok(sample) = sample else { return Ok((Evaluated::Interrupted, loader.report())) };
        let Asked { position, name, labels, look } = sample.payload;
        let failed = |kind: &ClipErrorKind| {
            let (kind, reason) = (kind.name().to_owned(), kind.to_string());
            Record::Failed(Failed { position, name: name.clone(), kind, reason })
        };
        let record = match (sample.result, look.get()) {
            (Ok(clips), Some(look)) => {
                // What is left of a damaged video is another video than the one that was to be measured with.
                if let Some(damage) = &look.damage {
                    failed(damage)
                } else {
                    let logits = look.logits(classifier, &header.views, &clips)?;
                    let (file, views) = (look.file.clone(), look.views.clone());
                    let seconds = began.elapsed().as_secs_f64();
                    Record::Scored(Scored { position, name, labels, file, views, logits, seconds })
                }
            }
            (Err(ClipError { kind: ClipErrorKind::Cancelled, .. }), _) => {
                return Ok((Evaluated::Interrupted, loader.report()));
            }
            (Err(error), _) => failed(&error.kind),
            (Ok(_), None) => unreachable!("clips are chosen by looking at a file"),
        };
        each(&record)?;
        began = Instant::now();
    }
    Ok((Evaluated::Finished, loader.report()))
}

/// An evaluation that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The network and its clips do not fit.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// What became of a file cannot be written down.
    #[error("cannot write what became of a file: {0}")]
    Write(#[from] io::Error),
}

/// What comes with the clips of a file.
pub(crate) struct Asked {
    pub(crate) position: u64,
    pub(crate) name: String,
    pub(crate) labels: Vec<usize>,
    /// Known once the file was opened.
    pub(crate) look: Arc<OnceLock<Look>>,
}

/// What was seen of a file when it was opened, and how views are cut from its frames.
pub(crate) struct Look {
    file: FileFacts,
    damage: Option<ClipErrorKind>,
    views: Vec<View>,
    /// Of each clip, where its frames are among those that were decoded.
    places: Vec<Vec<usize>>,
}

/// The wishes for files: every frame that some view needs, once.
pub(crate) fn requests(
    samples: Vec<(u64, Sample)>,
    views: &ViewSettings,
    manifest: &Manifest,
) -> impl Iterator<Item = Request<Asked>> + Send + use<> {
    let (views, geometry) = (views.clone(), views.geometry(manifest));
    samples.into_iter().map(move |(position, sample)| {
        let look = Arc::new(OnceLock::new());
        let asked = Asked { position, name: sample.name.clone(), labels: sample.labels(), look: Arc::clone(&look) };
        let (views, geometry) = (views.clone(), geometry.clone());
        Request::new(sample.media(), asked, move |index| {
            let (wanted, seen) = Look::plan(&sample, &views, index)?;
            // Nobody else looks at this file.
            let _ = look.set(seen);
            Ok::<_, EmptySpan>(Wanted { plans: vec![wanted], geometry })
        })
    })
}

impl Look {
    fn plan(sample: &Sample, views: &ViewSettings, index: &MediaIndex) -> Result<(FramePlan, Self), EmptySpan> {
        let info = &index.info;
        let mut is_short = false;
        let plans = plans_within(sample.span, index.timeline(), |part| {
            is_short = views.spec().require_whole(part).is_err();
            views.plans(part, info.fps)
        })?;
        let crops = 0..u32::try_from(views.views.crops).unwrap_or(u32::MAX);
        let views = (0..).zip(&plans).flat_map(|(clip, plan)| {
            let start_seconds = plan.indices.first().map_or(0.0, |&frame| index.timeline().pts_seconds(frame));
            crops.clone().map(move |crop| View { clip, crop, start_seconds })
        });
        let file = FileFacts {
            bytes: sample.section.map_or_else(|| size(&sample.path), |section| section.length),
            duration_seconds: if info.is_image { 0.0 } else { info.duration_seconds },
            codec: info.codec.clone(),
            frames: index.frames() as u64,
            is_short,
        };
        let views = views.collect();
        let (wanted, places) = ViewSettings::united(&plans);
        Ok((wanted, Self { file, damage: info.damage(), views, places }))
    }

    /// The logits of all views, cut and scored some at a time.
    pub(crate) fn logits(
        &self,
        classifier: &Classifier,
        views: &ViewSettings,
        decoded: &[Clip],
    ) -> Result<Vec<f32>, ScoreError> {
        let decoded = decoded.first().expect("one plan was made of all");
        let view_bytes = views.frames * (views.crop as usize).pow(2) * 3;
        let at_once = (CHUNK_BYTES / view_bytes.max(1)).max(LEAST_AT_ONCE);
        let mut logits = Vec::new();
        for chunk in self.views.chunks(at_once) {
            let cut = |view: &View| views.cut(decoded, &self.places[view.clip as usize], view.crop as usize);
            logits.extend(classifier.logits(&chunk.iter().map(cut).collect::<Vec<_>>())?);
        }
        Ok(logits)
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
