//! From clips of bytes to a tensor.

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::ArrayView4;

use crate::pixels::Pixels;

/// Uploads clips of one size as bytes, and normalises them on the device.
///
/// # Shapes
/// - each clip: `[frames, height, width, 3]`
/// - result: `[clips, 3, frames, height, width]`
///
/// # Panics
/// If there are no clips, or not all of one size.
pub fn clip_batch(clips: &[ArrayView4<'_, u8>], pixels: &Pixels, device: &Device) -> Tensor<5> {
    let (frames, height, width, channels) = clips.first().expect("a batch is never empty").dim();
    let mut values = Vec::with_capacity(clips.len() * frames * height * width * channels);
    for clip in clips {
        assert_eq!(clip.dim(), (frames, height, width, channels), "the clips of a batch have one size");
        // Bytes become floats here and not on the device: burn's CPU backend would take as long for the conversion.
        values.extend(clip.iter().map(|&byte| f32::from(byte)));
    }
    let data = TensorData::new(values, [clips.len(), frames, height, width, channels]);
    let channel = |numbers: [f32; 3]| Tensor::<1>::from_floats(numbers, device).reshape([1, 1, 1, 1, 3]);
    let normalised = (Tensor::<5>::from_data(data, device) - channel(pixels.mean)) / channel(pixels.deviation);
    normalised.permute([0, 4, 1, 2, 3])
}
