//! Batch norm: its parameters and its running statistics.

use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;

use super::builder::{Builder, Init};

/// Batch norm over every axis but the channels.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// γ, `[channels]`
    pub weight: Param<Tensor<1>>,
    /// β, `[channels]`
    pub bias: Param<Tensor<1>>,
    /// `[channels]`
    pub running_mean: RunningState<Tensor<1>>,
    /// `[channels]`, biased.
    pub running_var: RunningState<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl BatchNorm {
    pub(crate) fn build(builder: &mut Builder, channels: usize, epsilon: f64) -> Self {
        Self::build_with_weight(builder, channels, epsilon, 1.0)
    }

    /// γ starts at zero: a residual block is the identity at first.
    pub(crate) fn build_zero(builder: &mut Builder, channels: usize, epsilon: f64) -> Self {
        Self::build_with_weight(builder, channels, epsilon, 0.0)
    }

    /// Added to the variance before its root is taken.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Scale and shift, `[channels]` each, that do what batch norm does in inference.
    pub fn folded(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.weight.val() / (self.running_var.value() + self.epsilon).sqrt();
        let shift = self.bias.val() - self.running_mean.value() * scale.clone();
        (scale, shift)
    }

    /// Moves the running statistics towards a batch's: `bn_update_rate` 1 replaces them (ResNet-RS, with an EMA of the
    /// weights around it), 0.1 is the usual. TensorFlow's momentum is one minus this.
    pub fn update(&self, mean: Tensor<1>, variance: Tensor<1>, bn_update_rate: f64) {
        let blend = |running: &RunningState<Tensor<1>>, batch: Tensor<1>| {
            let kept = running.value_sync() * (1.0 - bn_update_rate);
            // Statistics keep their numbers, whichever the features have.
            let batch = batch.cast(kept.dtype());
            running.update((kept + batch * bn_update_rate).detach());
            // An update waits until somebody asks for the value; whoever saves the network reads it without asking.
            running.value_sync();
        };
        blend(&self.running_mean, mean);
        blend(&self.running_var, variance);
    }

    fn build_with_weight(builder: &mut Builder, channels: usize, epsilon: f64, weight: f32) -> Self {
        Self {
            weight: builder.parameter([channels], Init::Constant(weight)),
            bias: builder.parameter([channels], Init::Constant(0.0)),
            running_mean: RunningState::new(Tensor::zeros([channels], builder.device())),
            running_var: RunningState::new(Tensor::ones([channels], builder.device())),
            epsilon,
        }
    }
}
