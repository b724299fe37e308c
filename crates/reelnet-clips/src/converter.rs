//! From a decoded picture to upright, resized RGB: what the file says about colour, pixel shape and orientation, put
//! together with what the caller wants.

use crate::geometry::{self, FrameGeometry, FrameLayout};
use crate::libav::{Picture, RgbImage, Scaler, StreamFacts};
use crate::orientation::Orientation;
use crate::{ClipErrorKind, Crop, Resize};

/// Converts the pictures of one stream.
pub(crate) struct Converter {
    facts: StreamFacts,
    max_pixels: u64,
    scaler: Scaler,
}

/// A resized image that is still to be turned and cropped.
pub(crate) struct Converted {
    pub(crate) image: RgbImage,
    pub(crate) layout: FrameLayout,
    pub(crate) orientation: Orientation,
}

/// What FFmpeg writes where a file says nothing about its matrix or its range.
const NO_MATRIX: i32 = 2;
const NO_RANGE: i32 = 0;

impl Converter {
    pub(crate) fn new(facts: StreamFacts, max_pixels: u64) -> Self {
        Self { facts, max_pixels, scaler: Scaler::default() }
    }

    /// One picture; if a size of earlier frames is given, this one gets the same, even if the video changed its own.
    pub(crate) fn convert(
        &mut self,
        picture: &Picture,
        geometry: &FrameGeometry,
        size: Option<[u32; 2]>,
    ) -> Result<Converted, ClipErrorKind> {
        let orientation = picture.orientation().unwrap_or(self.facts.orientation);
        let aspect = self.facts.container_aspect.or(picture.sample_aspect_ratio()).unwrap_or((1, 1));
        let shown = orientation.swap_sides(geometry::stretched(picture.size(), aspect, self.max_pixels)?);
        let layout = match (geometry.layout(shown, self.max_pixels), size) {
            (Ok(layout), Some(size)) if layout.size != size => stretched_to(size, geometry, self.max_pixels)?,
            (layout, _) => layout?,
        };
        let stated = |of_picture: i32, of_stream: i32, nothing: i32| {
            if of_picture == nothing { of_stream } else { of_picture }
        };
        let matrix = stated(picture.matrix_code(), self.facts.matrix_code, NO_MATRIX);
        let range = stated(picture.range_code(), self.facts.range_code, NO_RANGE);
        let target = orientation.swap_sides(layout.resized);
        let image = self.scaler.rgb(picture, target, geometry.filter, [matrix, range], &self.facts.codec)?;
        Ok(Converted { image, layout, orientation })
    }
}

fn stretched_to(
    [width, height]: [u32; 2],
    geometry: &FrameGeometry,
    max_pixels: u64,
) -> Result<FrameLayout, ClipErrorKind> {
    let resize = Resize::Exact { width, height };
    FrameGeometry { resize, crop: Crop::None, filter: geometry.filter }.layout([width, height], max_pixels)
}
