//! Measuring a network on a data set: decoded, prepared and scored as `reelnet tag` does it.

use reelnet_clips::{Cancelled, ClipError, Loader, LoaderOptions, Request, Wanted, plan};
use reelnet_infer::{Classifier, Scores};
use serde::Serialize;

use crate::confusion::Confusion;
use crate::data::{DataSet, EmptySpan, plans_within};
use crate::error::TrainError;

/// What a network got right. Counts and sums, so that several of them can be added.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Accuracy {
    /// Files that were scored.
    pub files: u64,
    /// Files that could not be.
    pub failed: u64,
    /// Those whose best class was right: one of theirs.
    pub top1: u64,
    /// Those whose class was among the best five.
    pub top5: u64,
    /// The sum of the negative logarithms of the right class's probability.
    pub loss_sum: f64,
}

impl Accuracy {
    /// The share of scored files whose best class was right; 0 without files.
    pub fn top1_share(&self) -> f64 {
        if self.files == 0 { 0.0 } else { self.top1 as f64 / self.files as f64 }
    }

    /// The share of scored files whose class was among the best five; 0 without files.
    pub fn top5_share(&self) -> f64 {
        if self.files == 0 { 0.0 } else { self.top5 as f64 / self.files as f64 }
    }

    /// The mean loss; 0 without files.
    pub fn loss(&self) -> f64 {
        if self.files == 0 { 0.0 } else { self.loss_sum / self.files as f64 }
    }

    fn add(&mut self, scores: &Scores, labels: &[usize]) {
        let best = scores.top(5, 0.0);
        self.files += 1;
        self.top1 += u64::from(best.first().is_some_and(|score| labels.contains(&score.class)));
        self.top5 += u64::from(best.iter().any(|score| labels.contains(&score.class)));
        // The smallest float bounds the loss of a class that was given up altogether.
        let loss = |label: &usize| -f64::from(scores.of(*label).unwrap_or(0.0).max(f32::MIN_POSITIVE)).ln();
        self.loss_sum += labels.iter().map(loss).sum::<f64>() / labels.len() as f64;
    }
}

/// What came out of a measurement.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) accuracy: Accuracy,
    /// Of the files with one class.
    pub(crate) confusion: Confusion,
    /// Files that could not be scored.
    pub(crate) failures: Vec<ClipError>,
}

/// Why a measurement ended early.
#[derive(Debug)]
pub(crate) enum Unmeasured {
    /// Somebody asked for it.
    Cancelled,
    /// Something is wrong.
    Failed(TrainError),
}

impl From<Cancelled> for Unmeasured {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// Scores the mean of `clips` clips of every file, and tells which files failed: up to a share of `limit` may.
pub(crate) fn measure(
    classifier: &Classifier,
    data: &DataSet,
    clips: usize,
    limit: f64,
    options: &LoaderOptions,
) -> Result<Measured, Unmeasured> {
    let manifest = &classifier.bundle().manifest;
    let (spec, geometry) = (manifest.clip_spec(), manifest.pixels.geometry());
    let samples = data.samples.clone();
    let requests = samples.into_iter().map(move |sample| {
        let (spec, geometry) = (spec.clone(), geometry.clone());
        Request::new(sample.media(), sample.labels(), move |index| {
            let plans = plans_within(sample.span, index.timeline(), |part| {
                // As in tagging, one look at a picture is enough.
                plan::uniform(part, &spec, if part.frames() == 1 { 1 } else { clips })
            })?;
            Ok::<_, EmptySpan>(Wanted { plans, geometry })
        })
    });
    let Measured { mut accuracy, mut confusion, mut failures } = Measured::default();
    for sample in Loader::new(requests, &LoaderOptions { first: 0, ..options.clone() }) {
        let sample = sample?;
        match sample.result {
            Ok(clips) => {
                let scores = classifier.score(&clips).map_err(|error| Unmeasured::Failed(error.into()))?;
                let mean = Scores::mean(&scores).expect("a plan has at least one clip");
                accuracy.add(&mean, &sample.payload);
                if let (&[class], Some(best)) = (sample.payload.as_slice(), mean.top(1, 0.0).first()) {
                    confusion.add(class, best.class);
                }
            }
            Err(error) => {
                accuracy.failed += 1;
                failures.push(error);
            }
        }
    }
    let seen = accuracy.files + accuracy.failed;
    if let Some(error) = failures.first()
        && accuracy.failed as f64 > limit * seen as f64
    {
        return Err(Unmeasured::Failed(TrainError::BadSamples {
            bad: accuracy.failed,
            seen,
            purpose: "that are measured with",
            limit,
            first: error.path.clone(),
            reason: error.kind.to_string(),
        }));
    }
    Ok(Measured { accuracy, confusion, failures })
}
