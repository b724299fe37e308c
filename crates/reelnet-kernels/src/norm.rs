//! Batch norm over features.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, silu};
use burn::tensor::module;

use crate::flex;

/// The statistics of one batch, detached from the gradient.
pub struct BatchStatistics {
    /// `[channels]`
    pub mean: Tensor<1>,
    /// `[channels]`, biased (divided by the count), as TensorFlow's batch norm has it.
    pub variance: Tensor<1>,
}

/// What is done with a normalised value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It stays as it is.
    Nothing,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x · sigmoid(x)`
    Swish,
}

/// `features * scale + shift`, one pair a channel, and what follows: batch norm in inference, with its statistics already folded.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - scale, shift: `[channels]`
pub fn affine(features: Tensor<5>, scale: Tensor<1>, shift: Tensor<1>, then: Then) -> Tensor<5> {
    // Nobody trains through running statistics; whoever asks for such a gradient gets burn's.
    let floats = flex::takes_floats(&scale) && flex::takes_floats(&shift);
    if flex::takes(&features) && floats && !features.device().is_autodiff() {
        return flex::affine(features, scale, shift, then);
    }
    let (dims, held) = (features.dims(), features.dtype());
    let rows = flatten(features).cast(scale.dtype());
    followed(rows * scale.unsqueeze() + shift.unsqueeze(), then).reshape(dims).cast(held)
}

/// Batch norm in training and what follows: normalises by the statistics of the batch, and returns them.
///
/// Weight, bias and statistics are 32-bit floats, and so is all arithmetic, where features are bfloat16.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - weight, bias: `[channels]`
pub fn batch_norm_train(
    features: Tensor<5>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    then: Then,
) -> (Tensor<5>, BatchStatistics) {
    if flex::takes(&features) && flex::takes_floats(&weight) && flex::takes_floats(&bias) {
        let (output, mean, variance) = flex::batch_norm(features, weight, bias, epsilon, then);
        return (output, BatchStatistics { mean, variance });
    }
    let (dims, held) = (features.dims(), features.dtype());
    // Statistics are summed in the parameters' numbers.
    let rows = flatten(features).cast(weight.dtype());
    let normalised = module::batch_norm_train(rows, weight, bias, epsilon);
    let statistics = BatchStatistics { mean: normalised.mean.detach(), variance: normalised.variance.detach() };
    (followed(normalised.output, then).reshape(dims).cast(held), statistics)
}

fn followed(rows: Tensor<2>, then: Then) -> Tensor<2> {
    match then {
        Then::Nothing => rows,
        Then::Relu => relu(rows),
        Then::Relu6 => rows.clamp(0.0, 6.0),
        Then::Swish => silu(rows),
    }
}

fn flatten(features: Tensor<5>) -> Tensor<2> {
    let [batch, frames, height, width, channels] = features.dims();
    features.reshape([batch * frames * height * width, channels])
}
