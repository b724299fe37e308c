//! A recipe: everything that decides what a training run computes, in one complete file.
//!
//! What belongs to a machine (folders, devices, numbers of threads) is not in it. Two runs of one recipe on the same data, with
//! the same number of threads, give the same weights.

mod check;
mod error;
mod read;

use reelnet_infer::{ClipSettings, Pixels};
use reelnet_models::NetworkConfig;
use reelnet_models::forward::Precision;
use serde::{Deserialize, Serialize};

use crate::augment::{AugmentConfig, MixingConfig};
use crate::data::DataConfig;
use crate::ema::EmaConfig;
use crate::groups::{GroupConfig, WeightDecayConfig};
use crate::optimizer::OptimizerConfig;
use crate::schedule::ScheduleConfig;
pub use error::{RecipeError, RecipeErrorKind};

/// The version of the format, raised when an older binary could misread a newer recipe.
pub(crate) const FORMAT: u32 = 1;

/// A recipe. Every key has to be there, but for those marked optional; there is no inheritance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Version of this file's format: 1.
    pub format: u32,
    /// What the trained bundle will be called.
    pub name: String,
    /// Decides fresh weights, the order of samples, and every draw.
    pub seed: u64,
    /// How often every sample is seen.
    pub epochs: u64,
    /// Where the first weights come from.
    pub start: Start,
    /// What activations and their gradients are held in while training: `f32`, or `bf16` with weights, statistics, sums and the
    /// loss in 32 bits; optional, `f32` where it is missing.
    #[serde(default)]
    pub precision: Precision,
    /// Samples a step.
    pub batch: BatchConfig,
    /// The network, as a bundle's `model.toml` has it. Its number of classes has to be that of the data.
    pub network: NetworkConfig,
    /// What it looks at.
    pub clip: ClipSettings,
    /// How frames are prepared in validation and afterwards; in training, `augment` takes the place of `resize`.
    pub pixels: Pixels,
    /// The data set.
    pub data: DataConfig,
    /// How clips are changed while training.
    pub augment: AugmentConfig,
    /// How the clips of a batch are mixed, and label smoothing.
    pub mixing: MixingConfig,
    /// The rule that turns a gradient into a step.
    pub optimizer: OptimizerConfig,
    /// The learning rate.
    pub schedule: ScheduleConfig,
    /// Weight decay.
    pub weight_decay: WeightDecayConfig,
    /// Parameters that learn at a rate of their own, or not at all; optional.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupConfig>,
    /// The norm that all gradients together are cut to; optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Batch norm.
    pub batch_norm: BatchNormConfig,
    /// The average of the weights; optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<EmaConfig>,
    /// How often the network is measured.
    pub validation: ValidationConfig,
    /// How often everything is saved.
    pub checkpoint: CheckpointConfig,
    /// When a run has to end.
    pub stop: StopConfig,
}

/// Where the first weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// They are drawn.
    Fresh,
    /// A bundle, which the command line names; a classifier of another size is drawn anew.
    Bundle,
}

/// Samples a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// Samples of one step of the optimizer.
    pub size: usize,
    /// How many of them go through the network at a time; gradients add up. Batch norm sees only these.
    pub at_once: usize,
}

/// Batch norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNormConfig {
    /// How far the running statistics move towards a batch's: 1 with an EMA (as released), 0.1 without one. TensorFlow's
    /// momentum is one minus this.
    pub update_rate: f64,
}

/// How the network is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationConfig {
    /// Epochs from one validation to the next one; it is also done at the end.
    pub every_epochs: f64,
    /// Clips of each video, spread evenly over it.
    pub clips: usize,
}

/// How often everything is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Steps from one checkpoint to the next one; there is also one at the end, and one when somebody presses Ctrl-C.
    pub every_steps: u64,
    /// How many of the last ones are kept, beside the one that did best in validation.
    pub keep: usize,
}

/// When a run has to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopConfig {
    /// The share of samples that may fail.
    pub bad_samples: f64,
    /// How many times the loss of a network that knows nothing (the logarithm of the number of classes) the mean of the last
    /// 100 losses may reach.
    pub divergence: f64,
}
