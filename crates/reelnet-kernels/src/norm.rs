//! Batch norm over features.

use burn::tensor::Tensor;
use burn::tensor::module;

/// The statistics of one batch, detached from the gradient.
pub struct BatchStatistics {
    /// `[channels]`
    pub mean: Tensor<1>,
    /// `[channels]`, biased (divided by the count), as TensorFlow's batch norm has it.
    pub variance: Tensor<1>,
}

/// `features * scale + shift`, one pair a channel: batch norm in inference, with its statistics already folded.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - scale, shift: `[channels]`
pub fn affine(features: Tensor<5>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<5> {
    let dims = features.dims();
    let rows = flatten(features);
    (rows * scale.unsqueeze() + shift.unsqueeze()).reshape(dims)
}

/// Batch norm in training: normalises by the statistics of the batch, and returns them.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - weight, bias: `[channels]`
pub fn batch_norm_train(
    features: Tensor<5>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> (Tensor<5>, BatchStatistics) {
    let dims = features.dims();
    let normalised = module::batch_norm_train(flatten(features), weight, bias, epsilon);
    let statistics = BatchStatistics { mean: normalised.mean.detach(), variance: normalised.variance.detach() };
    (normalised.output.reshape(dims), statistics)
}

fn flatten(features: Tensor<5>) -> Tensor<2> {
    let [batch, frames, height, width, channels] = features.dims();
    features.reshape([batch * frames * height * width, channels])
}
