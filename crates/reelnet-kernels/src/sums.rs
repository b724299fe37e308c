//! Features with features: residual sums and gates.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::flex;

/// `max(features + shortcut, 0)`: the end of a residual block.
///
/// # Shapes
/// - features, shortcut: `[batch, frames, height, width, channels]`
pub fn add_relu(features: Tensor<5>, shortcut: Tensor<5>) -> Tensor<5> {
    if are_alike(&features, &shortcut) {
        return flex::add_relu(features, shortcut);
    }
    relu(features + shortcut)
}

/// `features + shortcut`
///
/// # Shapes
/// - features, shortcut: `[batch, frames, height, width, channels]`
pub fn add(features: Tensor<5>, shortcut: Tensor<5>) -> Tensor<5> {
    if are_alike(&features, &shortcut) {
        return flex::add(features, shortcut);
    }
    features + shortcut
}

/// Whether both are taken by the kernels of this crate, and of one shape.
fn are_alike(features: &Tensor<5>, shortcut: &Tensor<5>) -> bool {
    flex::takes(features) && features.dtype() == shortcut.dtype() && features.dims() == shortcut.dims()
}

/// `features · gate`: what squeeze-and-excitation and self-gating end in. The features keep their numbers.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - gate: `[batch, 1, 1, 1, channels]`
pub fn gate(features: Tensor<5>, gate: Tensor<5>) -> Tensor<5> {
    let [batch, .., channels] = features.dims();
    if flex::takes(&features) && flex::takes_floats(&gate) && gate.dims() == [batch, 1, 1, 1, channels] {
        return flex::gate(features, gate);
    }
    let held = features.dtype();
    features * gate.cast(held)
}
