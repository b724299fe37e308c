//! The pass that computes.

use std::fmt;

use burn::tensor::activation::{relu, sigmoid, silu};
use burn::tensor::{FloatDType, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reelnet_kernels::{self as kernels, Border, Then};
use serde::{Deserialize, Serialize};

use crate::layers::{Activation, BatchNorm, Conv, DropBlock, Linear, Pool};
use crate::pass::Pass;

/// Whether a pass infers or trains.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Running statistics; nothing is dropped.
    Inference,
    /// Batch statistics, which also move the running ones; dropout and stochastic depth draw from `rng`.
    Training {
        /// Where the draws come from.
        rng: ChaCha8Rng,
        /// How far the running statistics move towards a batch's; 1 replaces them, 0 leaves them.
        bn_update_rate: f64,
    },
}

impl Mode {
    /// Training with draws that depend on `seed` alone.
    pub fn training(seed: u64, bn_update_rate: f64) -> Self {
        Self::Training { rng: ChaCha8Rng::seed_from_u64(seed), bn_update_rate }
    }
}

/// What activations are held in between operations. Weights, statistics and every sum are 32-bit floats in either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// bfloat16: the range of a 32-bit float, 8 significant bits.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

/// A walk with tensors `[batch, frames, height, width, channels]`.
#[derive(Clone, Debug)]
pub struct ForwardPass {
    mode: Mode,
    border: Border,
    precision: Precision,
}

impl ForwardPass {
    /// A pass over zero-padded clips.
    pub fn new(mode: Mode) -> Self {
        Self { mode, border: Border::Zero, precision: Precision::F32 }
    }

    /// The same pass, its activations and their gradients held in these numbers from the stem to the head. Gates and the head
    /// see means, which stay 32-bit floats.
    pub fn in_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Inference in which temporal windows see the nearest frame again beyond the ends of the clip.
    pub fn inference_with_border(border: Border) -> Self {
        Self { border, ..Self::new(Mode::Inference) }
    }

    /// The same pass for a stretch that has been walked before: it draws the same, and leaves the running statistics alone.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut pass = self.clone();
        if let Mode::Training { bn_update_rate, .. } = &mut pass.mode {
            *bn_update_rate = 0.0;
        }
        pass
    }

    /// Clips as the pass holds them.
    pub(crate) fn take(&self, features: Tensor<5>) -> Tensor<5> {
        match self.precision {
            Precision::F32 => features,
            Precision::Bf16 => features.cast(FloatDType::BF16),
        }
    }

    fn batch_norm_then(&mut self, norm: &BatchNorm, features: Tensor<5>, then: Then) -> Tensor<5> {
        match self.mode {
            Mode::Inference => {
                let (scale, shift) = norm.folded();
                kernels::affine(features, scale, shift, then)
            }
            Mode::Training { bn_update_rate, .. } => {
                let (weight, bias) = (norm.weight.val(), norm.bias.val());
                let (features, statistics) = kernels::batch_norm_train(features, weight, bias, norm.epsilon(), then);
                if bn_update_rate > 0.0 {
                    norm.update(statistics.mean, statistics.variance, bn_update_rate);
                }
                features
            }
        }
    }

    /// A factor `[batch]` a sample: 0 with probability `rate`, `1 / (1 - rate)` otherwise, so that the mean stays.
    fn keep(&mut self, rate: f64, count: usize) -> Option<Vec<f32>> {
        match &mut self.mode {
            Mode::Training { rng, .. } if rate > 0.0 => {
                #[expect(clippy::cast_possible_truncation, reason = "a factor near 1")]
                let kept = (1.0 / (1.0 - rate)) as f32;
                Some((0..count).map(|_| if rng.random::<f64>() < rate { 0.0 } else { kept }).collect())
            }
            _ => None,
        }
    }
}

impl Pass for ForwardPass {
    type Features = Tensor<5>;

    fn conv(&mut self, conv: &Conv, features: Tensor<5>) -> Tensor<5> {
        let [_, frames, height, width, _] = features.dims();
        let window = conv.window([frames, height, width]);
        let bias = conv.bias.as_ref().map(burn::module::Param::val);
        kernels::conv(features, conv.weight.val(), bias, &window, conv.spec().groups, self.border)
    }

    fn batch_norm(&mut self, norm: &BatchNorm, features: Tensor<5>) -> Tensor<5> {
        self.batch_norm_then(norm, features, Then::Nothing)
    }

    fn activate(&mut self, activation: Activation, features: Tensor<5>) -> Tensor<5> {
        match activation {
            Activation::Relu => relu(features),
            Activation::Relu6 => features.clamp(0.0, 6.0),
            Activation::Swish => silu(features),
            Activation::Sigmoid => sigmoid(features),
        }
    }

    fn max_pool(&mut self, pool: &Pool, features: Tensor<5>) -> Tensor<5> {
        let [_, frames, height, width, _] = features.dims();
        kernels::max_pool(features, &pool.window([frames, height, width]), self.border)
    }

    fn average_pool(&mut self, pool: &Pool, features: Tensor<5>) -> Tensor<5> {
        let [_, frames, height, width, _] = features.dims();
        kernels::average_pool(features, &pool.window([frames, height, width]))
    }

    fn global_average(&mut self, features: Tensor<5>) -> Tensor<5> {
        kernels::global_average(features)
    }

    fn multiply(&mut self, features: Tensor<5>, gate: Tensor<5>) -> Tensor<5> {
        kernels::gate(features, gate)
    }

    fn add(&mut self, features: Tensor<5>, shortcut: Tensor<5>) -> Tensor<5> {
        kernels::add(features, shortcut)
    }

    fn add_relu(&mut self, features: Tensor<5>, shortcut: Tensor<5>) -> Tensor<5> {
        kernels::add_relu(features, shortcut)
    }

    fn normalise(&mut self, norm: &BatchNorm, activation: Option<Activation>, features: Tensor<5>) -> Tensor<5> {
        let then = match activation {
            None => Then::Nothing,
            Some(Activation::Relu) => Then::Relu,
            Some(Activation::Relu6) => Then::Relu6,
            Some(Activation::Swish) => Then::Swish,
            Some(activation @ Activation::Sigmoid) => {
                let features = self.batch_norm(norm, features);
                return self.activate(activation, features);
            }
        };
        self.batch_norm_then(norm, features, then)
    }

    fn drop_path(&mut self, rate: f64, features: Tensor<5>) -> Tensor<5> {
        let [batch, .., channels] = features.dims();
        match self.keep(rate, batch) {
            Some(factors) => {
                let factors: Vec<f32> = factors.into_iter().flat_map(|factor| vec![factor; channels]).collect();
                let gate = TensorData::new(factors, [batch, 1, 1, 1, channels]);
                kernels::gate(features.clone(), Tensor::from_data(gate, &features.device()))
            }
            None => features,
        }
    }

    fn drop_block(&mut self, block: DropBlock, features: Tensor<5>) -> Tensor<5> {
        let Mode::Training { rng, .. } = &mut self.mode else { return features };
        let [batch, _, height, width, channels] = features.dims();
        let mask =
            TensorData::new(block.mask(rng, [batch, height, width, channels]), [batch, 1, height, width, channels]);
        let mask = Tensor::<5>::from_data(mask, &features.device()).cast(features.dtype());
        features * mask
    }

    fn dropout(&mut self, rate: f64, features: Tensor<5>) -> Tensor<5> {
        let dims = features.dims();
        match self.keep(rate, dims.iter().product()) {
            Some(factors) => {
                let kind = (&features.device(), features.dtype());
                features * Tensor::<5>::from_data(TensorData::new(factors, dims), kind)
            }
            None => features,
        }
    }

    fn linear(&mut self, linear: &Linear, features: Tensor<5>) -> Tensor<5> {
        let [batch, .., channels] = features.dims();
        let logits =
            features.reshape([batch, channels]).matmul(linear.weight.val().transpose()) + linear.bias.val().unsqueeze();
        let classes = logits.dims()[1];
        logits.reshape([batch, 1, 1, 1, classes])
    }
}
