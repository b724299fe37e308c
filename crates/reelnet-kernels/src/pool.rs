//! Pooling over features. Where it is composed of burn's operations it is taken apart into a spatial and a temporal pass: burn 0.22 has
//! no 3D pooling.

use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{DType, Tensor};

use crate::conv::pad_frames;
use crate::flex;
use crate::layout::contiguous;
use crate::window::{Border, Window};

/// The largest value in each window; padding never wins.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - output: the sizes as [`Window::output`] has them
pub fn max_pool(features: Tensor<5>, window: &Window, border: Border) -> Tensor<5> {
    let (features, window) = pad_frames(features, window, border);
    if let Some(sweep) = flex::sweep(&features, &window) {
        return flex::max_pool(features, sweep);
    }
    let Window { kernel, stride, padding, dilation } = window;
    // The maximum over a box is the maximum of its rows' maxima, so two passes are exact.
    let pooled = over_space(features, |images| {
        let options = MaxPoolOptions::new([kernel[1], kernel[2]])
            .with_stride([stride[1], stride[2]])
            .with_padding_pairs([padding[1], padding[2]])
            .with_dilation([dilation[1], dilation[2]]);
        max_pool2d(images, options)
    });
    if kernel[0] == 1 && stride[0] == 1 {
        return pooled;
    }
    over_time(pooled, |columns| {
        let options = MaxPoolOptions::new([kernel[0], 1])
            .with_stride([stride[0], 1])
            .with_padding_pairs([padding[0], (0, 0)])
            .with_dilation([dilation[0], 1]);
        max_pool2d(columns, options)
    })
}

/// The mean of the values in each spatial window, padding not counted (PyTorch's `count_include_pad=False`).
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - output: the sizes as [`Window::output`] has them
///
/// # Panics
/// If the window has a temporal extent or is dilated: no network here averages over time but globally, or over holes.
pub fn average_pool(features: Tensor<5>, window: &Window) -> Tensor<5> {
    let Window { kernel, stride, padding, dilation } = *window;
    assert!(dilation == [1; 3], "average pooling has no holes; got a dilation of {dilation:?}");
    assert!(kernel[0] == 1 && stride[0] == 1, "average pooling is spatial; got a temporal kernel of {}", kernel[0]);
    if let Some(sweep) = flex::sweep(&features, window) {
        return flex::average_pool(features, sweep);
    }
    over_space(features, |images| {
        let options = AvgPoolOptions::new([kernel[1], kernel[2]])
            .with_stride([stride[1], stride[2]])
            .with_padding_pairs([padding[1], padding[2]])
            .with_count_include_pad(false);
        avg_pool2d(images, options)
    })
}

/// The mean over frames, height and width, in 32-bit floats where features are bfloat16.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - output: `[batch, 1, 1, 1, channels]`
pub fn global_average(features: Tensor<5>) -> Tensor<5> {
    if flex::takes(&features) {
        return flex::global_average(features);
    }
    let [batch, frames, height, width, channels] = features.dims();
    let rows = features.reshape([batch, frames * height * width, channels]);
    let rows = if rows.dtype() == DType::F64 { rows } else { rows.cast(DType::F32) };
    rows.mean_dim(1).reshape([batch, 1, 1, 1, channels])
}

/// Applies a 2D operation to every frame as an image `[batch * frames, channels, height, width]`.
fn over_space(features: Tensor<5>, pool: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<5> {
    let [batch, frames, height, width, channels] = features.dims();
    let images = features.reshape([batch * frames, height, width, channels]).permute([0, 3, 1, 2]);
    let pooled = pool(images);
    let [_, _, height, width] = pooled.dims();
    contiguous(pooled.permute([0, 2, 3, 1]), [batch, frames, height, width, channels])
}

/// Applies a 2D operation to every sample as a table `[batch, 1, frames, height * width * channels]`.
fn over_time(features: Tensor<5>, pool: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<5> {
    let [batch, frames, height, width, channels] = features.dims();
    let pooled = pool(features.reshape([batch, 1, frames, height * width * channels]));
    let frames = pooled.dims()[2];
    pooled.reshape([batch, frames, height, width, channels])
}
