//! Features with features: residual sums and gates.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::flex;

/// `max(features + shortcut, 0)`: the end of a residual block.
///
/// # Shapes
/// - features, shortcut: `[batch, frames, height, width, channels]`
pub fn add_relu(features: Tensor<5>, shortcut: Tensor<5>) -> Tensor<5> {
    if flex::takes(&features) && flex::takes(&shortcut) && features.dims() == shortcut.dims() {
        return flex::add_relu(features, shortcut);
    }
    relu(features + shortcut)
}

/// `features · gate`: what squeeze-and-excitation and self-gating end in.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - gate: `[batch, 1, 1, 1, channels]`
pub fn gate(features: Tensor<5>, gate: Tensor<5>) -> Tensor<5> {
    let [batch, .., channels] = features.dims();
    if flex::takes(&features) && flex::takes(&gate) && gate.dims() == [batch, 1, 1, 1, channels] {
        return flex::gate(features, gate);
    }
    features * gate
}
