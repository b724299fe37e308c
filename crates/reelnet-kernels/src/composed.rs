//! Convolution composed of burn's operations: for GPUs, and for builds without oneDNN.

use burn::tensor::module::{conv2d, conv3d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Slice, Tensor};

use crate::layout::{channels_last, contiguous};
use crate::window::Window;

/// As [`crate::conv`], its border already laid on.
///
/// A pointwise convolution without groups is one matrix product, forward and backward; the rest goes to the backend's
/// convolutions between two transpositions.
pub(crate) fn conv(
    features: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    window: &Window,
    groups: usize,
) -> Tensor<5> {
    let held = features.dtype();
    // burn-flex has no arithmetic in bfloat16 and would round after each of several steps; GPUs do, and sum in 32 bits.
    let computed = if features.device() == Device::flex() { weight.dtype() } else { held };
    let (features, weight) = (features.cast(computed), weight.cast(computed));
    convolve(features, weight, bias.map(|bias| bias.cast(computed)), window, groups).cast(held)
}

fn convolve(
    features: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    window: &Window,
    groups: usize,
) -> Tensor<5> {
    if window.is_pointwise() && groups == 1 {
        return pointwise(features, weight, bias, window.stride);
    }
    match (window.kernel, window.stride) {
        ([1, ..], [1, ..]) if window.padding[0] == (0, 0) => spatial(features, weight, bias, window, groups),
        ([_, 1, 1], [_, 1, 1]) if window.padding[1..] == [(0, 0); 2] => {
            temporal(features, weight, bias, window, groups)
        }
        _ => volumetric(features, weight, bias, window, groups),
    }
}

/// A kernel of one frame: a 2D convolution of every frame.
fn spatial(
    features: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    window: &Window,
    groups: usize,
) -> Tensor<5> {
    let [batch, frames, height, width, channels] = features.dims();
    let [out, group, _, kernel_height, kernel_width] = weight.dims();
    let images = features.reshape([batch * frames, height, width, channels]).permute([0, 3, 1, 2]);
    let weight = weight.reshape([out, group, kernel_height, kernel_width]);
    let options = ConvOptions::new_with_padding(
        [window.stride[1], window.stride[2]],
        [window.padding[1], window.padding[2]],
        [window.dilation[1], window.dilation[2]],
        groups,
    );
    let output = conv2d(images, weight, bias, options);
    let [_, channels, height, width] = output.dims();
    contiguous(output.permute([0, 2, 3, 1]), [batch, frames, height, width, channels])
}

/// A kernel of one pixel: a 2D convolution over frames by pixels.
fn temporal(
    features: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    window: &Window,
    groups: usize,
) -> Tensor<5> {
    let [batch, frames, height, width, channels] = features.dims();
    let [out, group, kernel_frames, _, _] = weight.dims();
    let table = features.reshape([batch, frames, height * width, channels]).permute([0, 3, 1, 2]);
    let weight = weight.reshape([out, group, kernel_frames, 1]);
    let options = ConvOptions::new_with_padding(
        [window.stride[0], 1],
        [window.padding[0], (0, 0)],
        [window.dilation[0], 1],
        groups,
    );
    let output = conv2d(table, weight, bias, options);
    let [_, channels, frames, _] = output.dims();
    contiguous(output.permute([0, 2, 3, 1]), [batch, frames, height, width, channels])
}

fn volumetric(
    features: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    window: &Window,
    groups: usize,
) -> Tensor<5> {
    // burn 0.22's conv3d pads both ends alike; the odd row goes in by hand.
    let (features, padding) = if window.padding.iter().all(|(before, after)| before == after) {
        (features, window.padding.map(|(before, _)| before))
    } else {
        let [frames, height, width] = window.padding;
        (features.pad([(0, 0), frames, height, width, (0, 0)], 0.0), [0; 3])
    };
    let options = ConvOptions::new(window.stride, padding, window.dilation, groups);
    channels_last(conv3d(features.permute([0, 4, 1, 2, 3]), weight, bias, options))
}

fn pointwise(features: Tensor<5>, weight: Tensor<5>, bias: Option<Tensor<1>>, stride: [usize; 3]) -> Tensor<5> {
    let features = subsample(features, stride);
    let [batch, frames, height, width, channels_in] = features.dims();
    let channels_out = weight.dims()[0];
    let weight = weight.reshape([channels_out, channels_in]).transpose();
    let mut output = features.reshape([batch * frames * height * width, channels_in]).matmul(weight);
    if let Some(bias) = bias {
        output = output + bias.unsqueeze();
    }
    output.reshape([batch, frames, height, width, channels_out])
}

/// Every `stride`-th position of each axis.
fn subsample(features: Tensor<5>, stride: [usize; 3]) -> Tensor<5> {
    if stride == [1; 3] {
        return features;
    }
    let step = |axis: usize| Slice::new(0, None, isize::try_from(stride[axis]).expect("a stride is small"));
    features.slice([Slice::full(), step(0), step(1), step(2), Slice::full()])
}
