//! Convolution over features.

use burn::tensor::Tensor;

use crate::composed;
use crate::window::{Border, Window};

/// Convolves features; 2D convolutions are the ones with a temporal kernel of 1.
///
/// On a CPU it is oneDNN's, where this build has it; elsewhere it is composed of burn's operations. Weights are 32-bit floats
/// whatever the features are; bfloat16 features are multiplied as such and summed in 32 bits, the gradients of weight and bias
/// are 32-bit floats again.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels_in]`
/// - weight: `[channels_out, channels_in / groups, kernel_frames, kernel_height, kernel_width]`
/// - bias: `[channels_out]`
/// - output: `[batch, frames', height', width', channels_out]`, the sizes as [`Window::output`] has them
pub fn conv(
    features: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    window: &Window,
    groups: usize,
    border: Border,
) -> Tensor<5> {
    let (features, window) = pad_frames(features, window, border);
    #[cfg(onednn)]
    if let Some(convolution) = crate::onednn::takes(&features, &weight, bias.as_ref(), &window, groups) {
        return crate::onednn::conv(features, weight, bias, convolution);
    }
    composed::conv(features, weight, bias, &window, groups)
}

/// Repeats the first and the last frame into the temporal padding when the border asks for it.
pub(crate) fn pad_frames(features: Tensor<5>, window: &Window, border: Border) -> (Tensor<5>, Window) {
    let (before, after) = window.padding[0];
    if border == Border::Zero || (before, after) == (0, 0) {
        return (features, *window);
    }
    let frames = features.dims()[1];
    let first = features.clone().narrow(1, 0, 1);
    let last = features.clone().narrow(1, frames - 1, 1);
    let mut parts = vec![first; before];
    parts.push(features);
    parts.extend(vec![last; after]);
    let mut window = *window;
    window.padding[0] = (0, 0);
    (Tensor::cat(parts, 1), window)
}
