//! Why a run cannot begin, or has to end.

use std::io;
use std::path::PathBuf;

use reelnet_clips::ClipError;
use reelnet_infer::{BundleError, ScoreError};
use reelnet_models::ConfigError;
use reelnet_models::weights::WeightsError;
use thiserror::Error;

use crate::augment::AugmentError;
use crate::data::DataError;
use crate::recipe::RecipeError;

/// Why a run cannot begin, or has to end.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The data set.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The augmentation.
    #[error(transparent)]
    Augment(#[from] AugmentError),
    /// The network and the clips.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// A bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Weights of a checkpoint.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Scores in validation.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Not one file could be used; this is the last.
    #[error("not one file could be used; the last one: {0}")]
    Unusable(ClipError),
    /// Network and data have not the same classes.
    #[error("the recipe's network has {network} classes, and the data {data}; set network.classes to {data}")]
    Classes {
        /// The network's.
        network: usize,
        /// The data's.
        data: usize,
    },
    /// Too few samples for one step.
    #[error("there are {samples} samples to train with, and batch.size is {batch}; expected at least one batch")]
    FewSamples {
        /// Samples.
        samples: usize,
        /// Samples of a step.
        batch: usize,
    },
    /// `start = "bundle"` without one, or the other way round.
    #[error("{0}")]
    Start(String),
    /// The folder of the run holds something.
    #[error("`{}` holds a run already; go on with it (--resume), or name a new folder", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to go on with.
    #[error("`{}` holds no run to go on with; leave out --resume to begin one", path.display())]
    NothingToResume {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes there.
    #[error("`{}` is being written by another process", path.display())]
    Busy {
        /// The journal.
        path: PathBuf,
    },
    /// The run that was begun is another one.
    #[error("the run in `{}` cannot go on: {what}", path.display())]
    Changed {
        /// The folder.
        path: PathBuf,
        /// What is different.
        what: String,
    },
    /// A checkpoint cannot be used.
    #[error("cannot use the checkpoint `{}`: {what}", path.display())]
    Checkpoint {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The disk said no.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// Something became infinite or no number.
    #[error(
        "{what} of step {step} is not finite; a lower learning rate or a longer warm-up may help, as may clip_norm"
    )]
    NotFinite {
        /// What.
        what: &'static str,
        /// When.
        step: u64,
    },
    /// The loss left the region where anything is learned.
    #[error(
        "the run diverges: the mean of the last 100 losses is {loss:.3} at step {step}, and a network that knows nothing has \
         {chance:.3}; a lower learning rate or a longer warm-up may help"
    )]
    Diverged {
        /// The mean.
        loss: f64,
        /// The logarithm of the number of classes.
        chance: f64,
        /// When.
        step: u64,
    },
    /// Too many files could not be used.
    #[error(
        "{bad} of {seen} samples {purpose} could not be used, more than stop.bad_samples ({limit}) allows; the first one is \
         `{}`: {reason}", first.display()
    )]
    BadSamples {
        /// How many.
        bad: u64,
        /// Of how many.
        seen: u64,
        /// `of training` or `that are measured with`.
        purpose: &'static str,
        /// The share that may fail.
        limit: f64,
        /// One of them.
        first: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
