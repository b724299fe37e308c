//! Measuring a network on a data set while it is trained: decoded, prepared and scored as `reelnet eval` does it.

use reelnet_clips::{Cancelled, ClipError, Loader, LoaderOptions};
use reelnet_infer::evaluation::{Accuracy, Confusion, Protocol, ViewSettings, Views};
use reelnet_infer::{Classifier, Scores};

use crate::data::DataSet;
use crate::error::TrainError;
use crate::evaluation::requests;

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
    let views = ViewSettings::new(Protocol::Reelnet, Views { clips, crops: 1 }, manifest).expect("one crop is legal");
    let requests = requests((0..).zip(data.samples.iter().cloned()).collect(), &views, manifest);
    let Measured { mut accuracy, mut confusion, mut failures } = Measured::default();
    for sample in Loader::new(requests, &LoaderOptions { first: 0, ..options.clone() }) {
        let sample = sample?;
        match sample.result {
            Ok(clips) => {
                let asked = sample.payload;
                let look = asked.look.get().expect("clips are chosen by looking at a file");
                let logits =
                    look.logits(classifier, &views, &clips).map_err(|error| Unmeasured::Failed(error.into()))?;
                let classes = classifier.bundle().labels.len();
                let scores: Vec<Scores> = logits.chunks_exact(classes).map(Scores::softmax).collect();
                let mean = Scores::mean(&scores).expect("a plan has at least one clip");
                accuracy.add(&mean, &asked.labels);
                if let (&[class], Some(best)) = (asked.labels.as_slice(), mean.top(1, 0.0).first()) {
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
