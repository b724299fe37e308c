//! Optimizers: from gradients to new weights. Their state is flat tensors by name, so it can be saved and found again.
//!
//! burn's own clip by tensor instead of by global norm, damp momentum by 0.1 unless told otherwise, refuse rates above 1, and
//! keep their state under ids that no file of ours knows.

use burn::tensor::{Device, Tensor};
use reelnet_kernels::parameters::{Descent, Look, descend};
use reelnet_models::weights::StateDict;
use reelnet_models::{Network, parameters};
use serde::{Deserialize, Serialize};

use crate::groups::Groups;
use crate::tensors::{self, Named};

/// The rule that turns a gradient into a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// `v = momentum · v + g`, then `w -= rate · v`, or with Nesterov `w -= rate · (g + momentum · v)`. Weight decay is part of
    /// `g` (coupled), as in the papers.
    Sgd {
        /// The share of the velocity that a step keeps.
        momentum: f64,
        /// Whether a step looks ahead.
        nesterov: bool,
    },
    /// TensorFlow's, as EfficientNets were trained: mean squares start at 1, `epsilon` is under the root, and the rate is
    /// inside the velocity. Weight decay is coupled.
    RmsProp {
        /// The share of the mean square that a step keeps.
        decay: f64,
        /// The share of the velocity that a step keeps.
        momentum: f64,
        /// Added to the mean square before its root.
        epsilon: f64,
    },
    /// Adam with decoupled weight decay (arXiv 1711.05101), `epsilon` outside the root.
    #[serde(rename = "adamw")]
    AdamW {
        /// The share of the mean that a step keeps.
        beta1: f64,
        /// The share of the mean square that a step keeps.
        beta2: f64,
        /// Added to the root.
        epsilon: f64,
    },
}

/// A rule and its state.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    groups: Groups,
    /// `velocity.<name>` and the like; a name that is missing has not been stepped yet.
    state: Named,
}

impl Optimizer {
    /// A rule that has taken no step yet.
    pub fn new(config: OptimizerConfig, groups: Groups) -> Self {
        Self { config, groups, state: Named::new() }
    }

    /// Goes on from a checkpoint.
    pub(crate) fn restore(config: OptimizerConfig, groups: Groups, state: &StateDict, device: &Device) -> Self {
        Self { config, groups, state: tensors::from_state(state, device) }
    }

    /// What the next step depends on beside weights and gradients.
    pub fn state(&self) -> StateDict {
        tensors::to_state(&self.state)
    }

    /// The network after a step; the first `step` is 1. A parameter without a gradient, or with a rate of 0, stays as it is.
    pub fn step(&mut self, network: Network, mut gradients: Named, learning_rate: f64, step: u64) -> Network {
        parameters::update(network, |info, weight| {
            let group = self.groups.of(&info.name);
            let Some(gradient) = gradients.remove(&info.name).filter(|_| group.rate != 0.0) else { return weight };
            let rate = learning_rate * group.rate;
            match self.config {
                OptimizerConfig::Sgd { momentum, nesterov } => {
                    let look = if nesterov { Look::Ahead } else { Look::Here };
                    let step = Descent { rate, momentum, weight_decay: group.weight_decay, look };
                    let velocity = self.take("velocity", &info.name);
                    let (weight, velocity) = descend(weight, gradient, velocity, &step);
                    self.keep("velocity", &info.name, velocity);
                    weight
                }
                OptimizerConfig::RmsProp { decay, momentum, epsilon } => {
                    let gradient = decayed(gradient, &weight, group.weight_decay);
                    let square = gradient.clone() * gradient.clone() * (1.0 - decay);
                    let square = match self.take("square", &info.name) {
                        Some(mean) => mean * decay + square,
                        None => square + decay,
                    };
                    let move_by = gradient * rate / (square.clone() + epsilon).sqrt();
                    let velocity = match self.take("velocity", &info.name) {
                        Some(velocity) => velocity * momentum + move_by,
                        None => move_by,
                    };
                    self.keep("square", &info.name, square);
                    self.keep("velocity", &info.name, velocity.clone());
                    weight - velocity
                }
                OptimizerConfig::AdamW { beta1, beta2, epsilon } => {
                    let square = gradient.clone() * gradient.clone() * (1.0 - beta2);
                    let mean = gradient * (1.0 - beta1);
                    let mean = self.take("mean", &info.name).map_or(mean.clone(), |old| old * beta1 + mean);
                    let square = self.take("square", &info.name).map_or(square.clone(), |old| old * beta2 + square);
                    self.keep("mean", &info.name, mean.clone());
                    self.keep("square", &info.name, square.clone());
                    let [mean_share, square_share] = [beta1, beta2].map(|beta| 1.0 - beta.powf(step as f64));
                    let direction = (mean / mean_share) / ((square / square_share).sqrt() + epsilon);
                    weight.clone() - weight * (rate * group.weight_decay) - direction * rate
                }
            }
        })
    }

    fn take(&mut self, slot: &str, name: &str) -> Option<Tensor<1>> {
        self.state.remove(&format!("{slot}.{name}"))
    }

    fn keep(&mut self, slot: &str, name: &str, value: Tensor<1>) {
        self.state.insert(format!("{slot}.{name}"), value);
    }
}

/// Coupled L2: the gradient of `weight_decay / 2 · |w|²` is added.
fn decayed(gradient: Tensor<1>, weight: &Tensor<1>, weight_decay: f64) -> Tensor<1> {
    if weight_decay == 0.0 { gradient } else { gradient + weight.clone() * weight_decay }
}
