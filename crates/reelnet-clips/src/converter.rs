//! From a decoded picture to upright, resized RGB: what the file says about colour, pixel shape and orientation, put
//! together with what the caller wants.

use crate::colour::{ColourMatrix, ColourRange};
use crate::cubic::CubicScaler;
use crate::geometry::{self, FrameGeometry, FrameLayout};
use crate::libav::{Picture, RgbImage, Scaler, StreamFacts};
use crate::orientation::Orientation;
use crate::planar::{PlanarScaler, PlanarTask, Plane};
use crate::watch::{Activity, Watch};
use crate::{ClipErrorKind, Crop, Filter, Resize};

/// Converts the pictures of one stream.
pub(crate) struct Converter {
    facts: StreamFacts,
    max_pixels: u64,
    watch: Watch,
    scalers: Scalers,
}

/// Scalers, their tables and buffers.
#[derive(Default)]
struct Scalers {
    planar: Option<PlanarScaler>,
    general: Scaler,
    cubic: CubicScaler,
    turned: Vec<u8>,
}

/// What becomes of one picture.
pub(crate) struct Conversion {
    pub(crate) layout: FrameLayout,
    orientation: Orientation,
    filter: Filter,
    matrix: ColourMatrix,
    range: ColourRange,
}

/// What FFmpeg writes where a file says nothing about its matrix or its range.
const NO_MATRIX: i32 = 2;
const NO_RANGE: i32 = 0;

impl Converter {
    pub(crate) fn new(facts: StreamFacts, max_pixels: u64, watch: Watch) -> Self {
        Self { facts, max_pixels, watch, scalers: Scalers::default() }
    }

    /// From now on pictures come from another stream.
    pub(crate) fn follow(&mut self, facts: StreamFacts) {
        self.facts = facts;
    }

    /// A converter with the tables of this one, which starts anew.
    pub(crate) fn take(&mut self) -> Self {
        let Self { facts, max_pixels, watch, scalers } = self;
        let (facts, watch) = (facts.clone(), watch.clone());
        Self { facts, max_pixels: *max_pixels, watch, scalers: std::mem::take(scalers) }
    }

    /// If a size of earlier frames is given, this one gets the same, even if the video changed its own.
    pub(crate) fn plan(
        &self,
        picture: &Picture,
        geometry: &FrameGeometry,
        size: Option<[u32; 2]>,
    ) -> Result<Conversion, ClipErrorKind> {
        let orientation = picture.orientation().unwrap_or(self.facts.orientation);
        let aspect = self.facts.container_aspect.or(picture.sample_aspect_ratio()).unwrap_or((1, 1));
        let shown = orientation.swap_sides(geometry::stretched(picture.stored_size(), aspect, self.max_pixels)?);
        let layout = match (geometry.layout(shown, self.max_pixels), size) {
            (Ok(layout), Some(size)) if layout.size != size => stretched_to(size, geometry, self.max_pixels)?,
            (layout, _) => layout?,
        };
        let stated = |of_picture: i32, of_stream: i32, nothing: i32| {
            if of_picture == nothing { of_stream } else { of_picture }
        };
        let matrix = stated(picture.matrix_code(), self.facts.matrix_code, NO_MATRIX);
        let range = stated(picture.range_code(), self.facts.range_code, NO_RANGE);
        let matrix = ColourMatrix::resolve(matrix, picture.stored_size()[1], &self.facts.codec);
        let range = ColourRange::resolve(range, &picture.pixel_format_name());
        Ok(Conversion { layout, orientation, filter: geometry.filter, matrix, range })
    }

    /// # Shapes
    /// `target` is `[height, width, 3]`, as large as the layout of the conversion says.
    pub(crate) fn convert(
        &mut self,
        picture: &Picture,
        conversion: &Conversion,
        target: &mut [u8],
    ) -> Result<(), ClipErrorKind> {
        let Self { watch, scalers, .. } = self;
        watch.time(Activity::Scale, || scalers.convert(picture, conversion, target))
    }
}

impl Scalers {
    fn convert(&mut self, picture: &Picture, conversion: &Conversion, target: &mut [u8]) -> Result<(), ClipErrorKind> {
        let Conversion { layout, orientation, filter, matrix, range } = *conversion;
        let resized = orientation.swap_sides(layout.resized);
        if filter == Filter::Bicubic && resized != picture.size() {
            let full = self.full_size(picture, conversion)?;
            let RgbImage { size, row_bytes, bytes } = self.cubic.resize(&full, resized)?;
            copy_upright(&bytes, size, row_bytes, layout, orientation, target);
            return Ok(());
        }
        let upright = orientation == Orientation::default();
        let [offset, size] = if upright { [layout.offset, layout.size] } else { [[0, 0], resized] };
        if let Some((scaler, planes)) = planar(&mut self.planar, picture, resized, offset, size, conversion) {
            if upright {
                scaler.rgb(planes, target);
            } else {
                let [width, height] = scaler.task.size;
                self.turned.resize(width * height * 3, 0);
                scaler.rgb(planes, &mut self.turned);
                copy_upright(&self.turned, [width, height], width * 3, layout, orientation, target);
            }
            return Ok(());
        }
        let RgbImage { size, row_bytes, bytes } = self.general.rgb(picture, resized, filter, matrix, range)?;
        copy_upright(&bytes, size, row_bytes, layout, orientation, target);
        Ok(())
    }

    /// The picture in RGB at its own size, not turned. Between two samples of chroma there is a straight line, as in libjpeg.
    fn full_size(&mut self, picture: &Picture, conversion: &Conversion) -> Result<RgbImage, ClipErrorKind> {
        let size = picture.size();
        if let Some((scaler, planes)) = planar(&mut self.planar, picture, size, [0, 0], size, conversion) {
            let [width, height] = scaler.task.size;
            let mut bytes = vec![0; width * height * 3];
            scaler.rgb(planes, &mut bytes);
            return Ok(RgbImage { size: [width, height], row_bytes: width * 3, bytes });
        }
        self.general.rgb(picture, size, conversion.filter, conversion.matrix, conversion.range)
    }
}

/// Our own scaler for `size` pixels from `offset` on of a picture that is resized so, if it can do that.
fn planar<'scaler, 'picture>(
    scaler: &'scaler mut Option<PlanarScaler>,
    picture: &'picture Picture,
    resized: [u32; 2],
    offset: [u32; 2],
    size: [u32; 2],
    conversion: &Conversion,
) -> Option<(&'scaler mut PlanarScaler, [Plane<'picture>; 3])> {
    let Conversion { filter, matrix, range, .. } = *conversion;
    let planes = picture.planes()?;
    let sides = |sides: [u32; 2]| sides.map(|side| side as usize);
    let task = PlanarTask {
        luma: planes[0].size,
        chroma: planes[1].size,
        resized: sides(resized),
        offset: sides(offset),
        size: sides(size),
        // It is asked for where a picture keeps its size: luma is only copied there.
        filter: if filter == Filter::Bicubic { Filter::Bilinear } else { filter },
        matrix,
        range,
    };
    if scaler.as_ref().is_none_or(|scaler| scaler.task != task) {
        *scaler = PlanarScaler::new(task);
    }
    Some((scaler.as_mut()?, planes))
}

fn stretched_to(
    [width, height]: [u32; 2],
    geometry: &FrameGeometry,
    max_pixels: u64,
) -> Result<FrameLayout, ClipErrorKind> {
    let resize = Resize::Exact { width, height };
    FrameGeometry { resize, crop: Crop::None, filter: geometry.filter }.layout([width, height], max_pixels)
}

/// Turns and crops an image of `size`, whose rows are `row_bytes` apart.
///
/// # Shapes
/// `target` is `[height, width, 3]`, as large as the layout says.
fn copy_upright(
    image: &[u8],
    size: [usize; 2],
    row_bytes: usize,
    layout: FrameLayout,
    orientation: Orientation,
    target: &mut [u8],
) {
    let [left, top] = layout.offset.map(|edge| edge as usize);
    let width = layout.size[0] as usize;
    let shown = orientation.swap_sides(size);
    for (y, row) in target.chunks_exact_mut(width * 3).enumerate() {
        if orientation == Orientation::default() {
            let start = (top + y) * row_bytes + left * 3;
            row.copy_from_slice(&image[start..start + row.len()]);
            continue;
        }
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let [source_x, source_y] = orientation.source_of([left + x, top + y], shown);
            let start = source_y * row_bytes + source_x * 3;
            pixel.copy_from_slice(&image[start..start + 3]);
        }
    }
}
