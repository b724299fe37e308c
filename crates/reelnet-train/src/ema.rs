//! The exponential moving average of everything a network holds: weights, and the statistics of batch norm.
//!
//! With a batch norm that takes each batch's statistics whole (`batch_norm.update_rate = 1`), this average is what makes them
//! usable: averaging weights alone is a known bug of reimplementations.

use burn::tensor::Device;
use reelnet_kernels::parameters as kernels;
use reelnet_models::weights::{StateDict, WeightTensor};
use reelnet_models::{Network, parameters};
use serde::{Deserialize, Serialize};

use crate::tensors::{self, Named};

/// The average, as a recipe says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmaConfig {
    /// The share of the average that a step keeps, once the run is long enough for it; 0.9999 in the papers.
    pub decay: f64,
}

/// The share that the average keeps at a step; the first one is 1. Short runs average over a tenth of themselves.
pub fn decay_at(decay: f64, step: u64) -> f64 {
    let step = step as f64;
    decay.min((1.0 + step) / (10.0 + step))
}

/// An average that follows a network.
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    average: Named,
}

impl Ema {
    /// Starts where the network is.
    pub fn new(config: &EmaConfig, network: &Network) -> Self {
        Self { decay: config.decay, average: tensors::of(network) }
    }

    /// Goes on from a checkpoint.
    pub(crate) fn restore(config: &EmaConfig, average: &StateDict, device: &Device) -> Self {
        Self { decay: config.decay, average: tensors::from_state(average, device) }
    }

    /// Follows the network after a step; the first one is 1.
    pub fn update(&mut self, network: &Network, step: u64) {
        let kept = decay_at(self.decay, step);
        for (info, value) in parameters::tensors(network) {
            let average = self.average.remove(&info.name).expect("the average has the network's names");
            self.average.insert(info.name, kernels::average(average, value, kept));
        }
    }

    /// The average's values under the network's names and shapes.
    pub fn weights(&self, network: &Network) -> StateDict {
        let values = |name: &str| tensors::values(self.average[name].clone());
        let list = parameters::list(network).into_iter();
        list.map(|info| (info.name.clone(), WeightTensor::new(info.shape, values(&info.name)))).collect()
    }
}
