//! Between channels first, as files and other frameworks have it, and the features that everything here takes.

use burn::tensor::Tensor;

/// `[batch, channels, frames, height, width]` → features.
pub fn channels_last(clips: Tensor<5>) -> Tensor<5> {
    let [batch, channels, frames, height, width] = clips.dims();
    contiguous(clips.permute([0, 2, 3, 4, 1]), [batch, frames, height, width, channels])
}

/// Features of `dims` from a view whose last axis is the channels, however its other axes are cut.
pub(crate) fn contiguous<const D: usize>(view: Tensor<D>, dims: [usize; 5]) -> Tensor<5> {
    let [batch, frames, height, width, channels] = dims;
    // The reshape to two axes is what makes a transposed view contiguous.
    view.reshape([batch * frames * height * width, channels]).reshape(dims)
}
