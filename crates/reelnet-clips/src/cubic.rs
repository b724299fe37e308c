//! Bicubic resizing of RGB, as Pillow and torchvision do it: after the conversion to RGB at full size, and with every source
//! pixel weighed when it shrinks. Networks that were trained on such images see the same here.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::ClipErrorKind;
use crate::libav::RgbImage;

/// A resizer that keeps its buffers from picture to picture.
#[derive(Default)]
pub(crate) struct CubicScaler {
    resizer: Resizer,
    rows: Vec<u8>,
}

impl CubicScaler {
    /// The image at `[width, height]`.
    pub(crate) fn resize(&mut self, image: &RgbImage, [width, height]: [u32; 2]) -> Result<RgbImage, ClipErrorKind> {
        let row = image.size[0] * 3;
        self.rows.clear();
        for line in image.bytes.chunks(image.row_bytes).take(image.size[1]) {
            self.rows.extend_from_slice(&line[..row]);
        }
        let library = |detail: String| ClipErrorKind::Library { detail };
        let [from_width, from_height] = image.size.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        let source = ImageRef::new(from_width, from_height, &self.rows, PixelType::U8x3)
            .map_err(|error| library(error.to_string()))?;
        let mut target = Image::new(width, height, PixelType::U8x3);
        // Catmull and Rom's spline is the cubic of Keys with a = -0.5, which Pillow calls bicubic.
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
        self.resizer.resize(&source, &mut target, &options).map_err(|error| library(error.to_string()))?;
        let size = [width as usize, height as usize];
        Ok(RgbImage { size, row_bytes: size[0] * 3, bytes: target.into_vec() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One axis by the definition: the spline of Catmull and Rom, as wide as the ratio if the picture shrinks, cut at the edges.
    fn weights(from: usize, to: usize, result: usize) -> Vec<(usize, f64)> {
        let ratio = from as f64 / to as f64;
        let scale = ratio.max(1.0);
        let centre = (result as f64 + 0.5) * ratio;
        let kernel = |distance: f64| match distance.abs() {
            x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            _ => 0.0,
        };
        let weights: Vec<(usize, f64)> =
            (0..from).map(|at| (at, kernel((at as f64 + 0.5 - centre) / scale))).filter(|(_, it)| *it != 0.0).collect();
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        weights.into_iter().map(|(at, weight)| (at, weight / sum)).collect()
    }

    proptest! {
        // Builds with debug assertions notice reads behind the end in the library's vector code.
        #[test]
        fn no_size_reads_behind_the_end(
            [width, to_width] in [1_usize..2000, 1_usize..2000],
            [height, to_height] in [1_usize..12, 1_usize..12],
        ) {
            let image = RgbImage { size: [width, height], row_bytes: width * 3, bytes: vec![77; width * height * 3] };
            let target = [to_width, to_height].map(|side| u32::try_from(side).expect("small"));
            let found = CubicScaler::default().resize(&image, target).expect("a legal size");
            prop_assert!(found.bytes.len() == to_width * to_height * 3 && found.bytes.iter().all(|&byte| byte == 77));
        }

        #[test]
        fn every_size_follows_the_definition(
            [width, height] in [1_usize..90, 1_usize..40],
            [to_width, to_height] in [1_usize..90, 1_usize..40],
            padding in 0_usize..7,
            seed in 0_u32..1000,
        ) {
            let row_bytes = width * 3 + padding;
            let mut state = seed;
            let mut noise = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Nothing that overshoots is cut off, whichever axis comes first.
                80 + state.to_be_bytes()[0] / 3
            };
            let bytes: Vec<u8> = (0..row_bytes * height).map(|_| noise()).collect();
            let image = RgbImage { size: [width, height], row_bytes, bytes };
            let target = [to_width, to_height].map(|side| u32::try_from(side).expect("small"));
            let found = CubicScaler::default().resize(&image, target).expect("a legal size");
            prop_assert_eq!(found.size, [to_width, to_height]);
            for y in 0..to_height {
                for x in 0..to_width {
                    for channel in 0..3 {
                        let row = |row: usize| -> f64 {
                            let columns = weights(width, to_width, x).into_iter();
                            columns
                                .map(|(at, weight)| f64::from(image.bytes[row * row_bytes + at * 3 + channel]) * weight)
                                .sum()
                        };
                        let rows = weights(height, to_height, y).into_iter();
                        let exact: f64 = rows.map(|(at, weight)| row(at) * weight).sum();
                        let byte = f64::from(found.bytes[(y * to_width + x) * 3 + channel]);
                        // It rounds between the two axes, and once more.
                        prop_assert!((byte - exact).abs() < 1.5, "{byte} for {exact} at {x}, {y}");
                    }
                }
            }
        }
    }
}
