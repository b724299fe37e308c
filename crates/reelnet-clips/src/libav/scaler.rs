//! Pictures to RGB at another size, in one pass of FFmpeg's scaler.

use ffmpeg_next::ffi;

use super::Picture;
use super::stream::{pixel_format, pixel_format_name};
use crate::colour::{ColourMatrix, ColourRange};
use crate::{ClipErrorKind, Filter};

/// Rows start at multiples of this, as the widest vector instructions like them.
const ROW_ALIGNMENT: usize = 64;

/// A scaler that keeps its tables while pictures look alike, and makes new ones when they change.
#[derive(Default)]
pub(crate) struct Scaler {
    prepared: Option<Prepared>,
}

struct Prepared {
    task: Task,
    context: *mut ffi::SwsContext,
}

// SAFETY: a scaling context is not bound to a thread, and `Prepared` is its only owner.
unsafe impl Send for Prepared {}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Task {
    format: i32,
    from: [i32; 2],
    to: [i32; 2],
    filter: Filter,
    matrix: ColourMatrix,
    range: ColourRange,
}

/// RGB bytes in rows.
pub(crate) struct RgbImage {
    pub(crate) size: [usize; 2],
    /// Bytes from one row to the next.
    pub(crate) row_bytes: usize,
    pub(crate) bytes: Vec<u8>,
}

impl Scaler {
    /// The picture at `[width, height]`, not yet turned.
    pub(crate) fn rgb(
        &mut self,
        picture: &Picture,
        [width, height]: [u32; 2],
        filter: Filter,
        matrix: ColourMatrix,
        range: ColourRange,
    ) -> Result<RgbImage, ClipErrorKind> {
        let side = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let task = Task {
            format: picture.raw().format,
            from: picture.size().map(side),
            to: [side(width), side(height)],
            filter,
            matrix,
            range,
        };
        let context = self.prepare(task)?;

        let size = [width as usize, height as usize];
        let row_bytes = (size[0] * 3).next_multiple_of(ROW_ALIGNMENT);
        // Vector code may write past the last pixel of a row; behind the last row there must be room for that.
        let mut bytes = vec![0; row_bytes * size[1] + 2 * ROW_ALIGNMENT];
        let planes: [*mut u8; 4] =
            [bytes.as_mut_ptr(), std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut()];
        let strides = [i32::try_from(row_bytes).unwrap_or(i32::MAX), 0, 0, 0];
        let source = picture.raw();
        // SAFETY: the context was made for exactly this format and these sizes; the picture's planes are the decoder's,
        // and the target has `height` rows of `row_bytes` bytes.
        let rows = unsafe {
            ffi::sws_scale(
                context,
                source.data.as_ptr().cast(),
                source.linesize.as_ptr(),
                0,
                source.height,
                planes.as_ptr(),
                strides.as_ptr(),
            )
        };
        if rows != task.to[1] {
            return Err(ClipErrorKind::Library { detail: format!("scaling gave {rows} of {height} rows") });
        }
        Ok(RgbImage { size, row_bytes, bytes })
    }

    fn prepare(&mut self, task: Task) -> Result<*mut ffi::SwsContext, ClipErrorKind> {
        if let Some(prepared) = &self.prepared
            && prepared.task == task
        {
            return Ok(prepared.context);
        }
        self.prepared = None;
        let unsupported = || ClipErrorKind::UnsupportedPixelFormat { format: pixel_format_name(task.format) };
        let format = pixel_format(task.format).ok_or_else(unsupported)?;
        // SAFETY: takes any pixel format.
        if unsafe { ffi::sws_isSupportedInput(format) } == 0 {
            return Err(unsupported());
        }
        let weights = match task.filter {
            Filter::Bilinear => ffi::SWS_BILINEAR,
            Filter::Bicubic => ffi::SWS_BICUBIC,
            Filter::Area => ffi::SWS_AREA,
        };
        // SAFETY: sizes and formats are plain numbers, the filters may be null, and the two parameters are only read.
        let context = unsafe {
            ffi::sws_getContext(
                task.from[0],
                task.from[1],
                format,
                task.to[0],
                task.to[1],
                ffi::AVPixelFormat::AV_PIX_FMT_RGB24,
                weights | ffi::SWS_ACCURATE_RND | ffi::SWS_FULL_CHR_H_INT,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                if task.filter == Filter::Bicubic { KEYS_CUBIC.as_ptr() } else { std::ptr::null() },
            )
        };
        if context.is_null() {
            let detail = format!("no scaler from {:?} to {:?} pixels", task.from, task.to);
            return Err(ClipErrorKind::Library { detail });
        }
        self.prepared = Some(Prepared { task, context });
        set_colours(context, task);
        Ok(context)
    }
}

/// The cubic of Keys, a = -0.5, which Pillow, torchvision and TensorFlow mean by *bicubic* and networks were trained with.
/// FFmpeg's own default is sharper (-0.6).
const KEYS_CUBIC: [f64; 2] = [0.0, 0.5];

/// Contrast and saturation of 1, as fixed-point numbers.
const NEUTRAL: i32 = 1 << 16;

/// RGB input has no matrix, and FFmpeg says so by refusing; its answer therefore does not matter.
fn set_colours(context: *mut ffi::SwsContext, task: Task) {
    let coefficients = match task.matrix {
        ColourMatrix::Bt709 => ffi::SWS_CS_ITU709,
        ColourMatrix::Fcc => ffi::SWS_CS_FCC,
        ColourMatrix::Smpte240m => ffi::SWS_CS_SMPTE240M,
        ColourMatrix::Bt2020 => ffi::SWS_CS_BT2020,
        ColourMatrix::Bt601 | ColourMatrix::Rgb => ffi::SWS_CS_ITU601,
    };
    let full_source = i32::from(task.range == ColourRange::Full);
    // SAFETY: the context was just made; the tables are static.
    unsafe {
        let table = ffi::sws_getCoefficients(coefficients);
        ffi::sws_setColorspaceDetails(context, table, full_source, table, 1, 0, NEUTRAL, NEUTRAL);
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: made by `sws_getContext`, owned by this value alone, freed once.
        unsafe { ffi::sws_freeContext(self.context) };
    }
}
