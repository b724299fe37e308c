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
