//! One decoded picture, in whatever format the decoder made it.

use ffmpeg_next::{Frame, ffi};

use super::stream::{code, pixel_format, pixel_format_name, ratio};
use crate::ClipErrorKind;
use crate::orientation::Orientation;
use crate::planar::Plane;

/// A decoded picture and what it says about itself.
pub(crate) struct Picture {
    frame: Frame,
    /// The size at which it is stored, if it was decoded at a lower one.
    reduced_from: Option<[u32; 2]>,
}

/// Formats of planes of bytes: luma pixels for one of chroma, across and down; none without colour. Alpha, a fourth plane, is
/// left alone. FFmpeg's scaler would get two of them wrong: it takes grey for full range whatever the file says, and with
/// alpha the strongest colours of BT.2020 overflow.
const PLANAR: [(&str, Option<[usize; 2]>); 15] = [
    ("gray", None),
    ("yuva420p", Some([2, 2])),
    ("yuva422p", Some([2, 1])),
    ("yuva444p", Some([1, 1])),
    ("yuv420p", Some([2, 2])),
    ("yuvj420p", Some([2, 2])),
    ("yuv422p", Some([2, 1])),
    ("yuvj422p", Some([2, 1])),
    ("yuv444p", Some([1, 1])),
    ("yuvj444p", Some([1, 1])),
    ("yuv440p", Some([1, 2])),
    ("yuvj440p", Some([1, 2])),
    ("yuv411p", Some([4, 1])),
    ("yuvj411p", Some([4, 1])),
    ("yuv410p", Some([4, 4])),
];

/// Chroma of grey pictures.
const NO_COLOUR: Plane<'static> = Plane { bytes: &[128], row_bytes: 1, size: [1, 1] };

/// `AVPictureType`: pictures that build on others.
const PREDICTED_CODES: [i32; 2] = [2, 3];

impl Picture {
    /// An empty one, for a decoder to fill; `None` without memory.
    pub(super) fn new() -> Option<Self> {
        // SAFETY: allocates; the pointer is checked below, before anything reads through it.
        let frame = unsafe { Frame::empty() };
        // SAFETY: only looks at the pointer itself.
        (!unsafe { frame.as_ptr() }.is_null()).then_some(Self { frame, reduced_from: None })
    }

    /// From rows of RGBA bytes without padding; `None` if there are too few, or no memory.
    pub(crate) fn from_rgba([width, height]: [u32; 2], pixels: &[u8]) -> Option<Self> {
        let row_bytes = width as usize * 4;
        if row_bytes == 0 || pixels.len() < row_bytes.checked_mul(height as usize)? {
            return None;
        }
        let mut picture = Self::new()?;
        // SAFETY: the frame is valid and exclusively owned; the call allocates what its format and size need.
        let allocated = unsafe {
            let frame = &mut *picture.frame.as_mut_ptr();
            frame.format = ffi::AVPixelFormat::AV_PIX_FMT_RGBA as i32;
            frame.width = i32::try_from(width).ok()?;
            frame.height = i32::try_from(height).ok()?;
            ffi::av_frame_get_buffer(frame, 0)
        };
        if allocated < 0 {
            return None;
        }
        let frame = picture.raw();
        let (plane, stride) = (frame.data[0], usize::try_from(frame.linesize[0]).ok()?);
        for (y, row) in pixels.chunks_exact(row_bytes).take(height as usize).enumerate() {
            // SAFETY: the plane was allocated just now, with `height` rows of `stride` bytes, each at least a row long.
            unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), plane.add(y * stride), row_bytes) };
        }
        Some(picture)
    }

    pub(super) fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    pub(super) fn raw(&self) -> &ffi::AVFrame {
        // SAFETY: the pointer was checked when the frame was made, and lives as long as `self`.
        unsafe { &*self.frame.as_ptr() }
    }

    /// Presentation time in ticks of the stream: the packet's own, or FFmpeg's best guess.
    pub(crate) fn pts(&self) -> Option<i64> {
        let frame = self.raw();
        [frame.pts, frame.best_effort_timestamp].into_iter().find(|&pts| pts != ffi::AV_NOPTS_VALUE)
    }

    /// Whether the decoder had to invent parts of it.
    pub(crate) fn is_damaged(&self) -> bool {
        let frame = self.raw();
        frame.flags & ffi::AV_FRAME_FLAG_CORRUPT != 0 || frame.decode_error_flags != 0
    }

    /// Whether it was built on other pictures.
    pub(crate) fn is_predicted(&self) -> bool {
        // SAFETY: the field lies within a valid frame.
        PREDICTED_CODES.contains(&unsafe { code(&raw const self.raw().pict_type) })
    }

    /// Notes that sides were halved so often. What the decoder says of the size before that counts if it can be true.
    pub(super) fn set_reduced(&mut self, halvings: u32, stated: [i32; 2]) {
        let size = self.size();
        let stated = stated.map(|side| u32::try_from(side).unwrap_or(0));
        let is_true = stated.map(|side| side.div_ceil(1 << halvings)) == size;
        self.reduced_from = Some(if is_true { stated } else { size.map(|side| side << halvings) });
    }

    /// Width and height as they are stored.
    pub(crate) fn stored_size(&self) -> [u32; 2] {
        self.reduced_from.unwrap_or(self.size())
    }

    /// Width and height of what was decoded.
    pub(crate) fn size(&self) -> [u32; 2] {
        [self.raw().width, self.raw().height].map(|side| u32::try_from(side).unwrap_or(0))
    }

    /// All planes one after another, without padding.
    pub(crate) fn pack(&self, bytes: &mut Vec<u8>) -> Result<(), ClipErrorKind> {
        let frame = self.raw();
        let refused = || ClipErrorKind::UnsupportedPixelFormat { format: self.pixel_format_name() };
        let format = pixel_format(frame.format).ok_or_else(refused)?;
        // SAFETY: takes plain numbers.
        let size = unsafe { ffi::av_image_get_buffer_size(format, frame.width, frame.height, 1) };
        bytes.resize(usize::try_from(size).map_err(|_| refused())?, 0);
        // SAFETY: the planes are those of a valid frame of that format and size, the target has the size that was asked
        // for.
        let written = unsafe {
            ffi::av_image_copy_to_buffer(
                bytes.as_mut_ptr(),
                size,
                frame.data.as_ptr().cast(),
                frame.linesize.as_ptr(),
                format,
                frame.width,
                frame.height,
                1,
            )
        };
        if written == size { Ok(()) } else { Err(refused()) }
    }

    /// Luma and two planes of chroma, if it is made of planes with 8 bits a sample. Those of grey have one pixel.
    pub(crate) fn planes(&self) -> Option<[Plane<'_>; 3]> {
        let format = self.pixel_format_name();
        let (_, shared) = PLANAR.into_iter().find(|&(name, _)| name == format)?;
        let frame = self.raw();
        let [width, height] = self.size().map(|side| side as usize);
        let plane = |number: usize, size: [usize; 2]| {
            let row_bytes = usize::try_from(frame.linesize[number]).ok()?;
            if frame.data[number].is_null() || size[1] == 0 || size[0] > row_bytes {
                return None;
            }
            let length = row_bytes * (size[1] - 1) + size[0];
            // SAFETY: FFmpeg states that a plane has as many rows as the picture, divided as its format says, each of
            // `linesize` bytes; the last one at least as long as the plane is wide. They live as long as the frame.
            let bytes = unsafe { std::slice::from_raw_parts(frame.data[number], length) };
            Some(Plane { bytes, row_bytes, size })
        };
        let luma = plane(0, [width, height])?;
        let Some([across, down]) = shared else {
            return Some([luma, NO_COLOUR, NO_COLOUR]);
        };
        let chroma = [width.div_ceil(across), height.div_ceil(down)];
        Some([luma, plane(1, chroma)?, plane(2, chroma)?])
    }

    pub(crate) fn pixel_format_name(&self) -> String {
        pixel_format_name(self.raw().format)
    }

    /// Its own orientation, which overrules the stream's.
    pub(crate) fn orientation(&self) -> Option<Orientation> {
        let kind = ffi::AVFrameSideDataType::AV_FRAME_DATA_DISPLAYMATRIX;
        // SAFETY: the frame is valid; side data that it returns belongs to it and has the size that it states.
        unsafe {
            let side_data = ffi::av_frame_get_side_data(self.raw(), kind);
            if side_data.is_null() || (*side_data).data.is_null() {
                return None;
            }
            Orientation::from_side_data(std::slice::from_raw_parts((*side_data).data, (*side_data).size))
        }
    }

    /// Its own sample aspect ratio, which the container's overrules.
    pub(crate) fn sample_aspect_ratio(&self) -> Option<(u32, u32)> {
        ratio(self.raw().sample_aspect_ratio)
    }

    pub(crate) fn matrix_code(&self) -> i32 {
        // SAFETY: the field lies within a valid frame.
        unsafe { code(&raw const self.raw().colorspace) }
    }

    pub(crate) fn range_code(&self) -> i32 {
        // SAFETY: the field lies within a valid frame.
        unsafe { code(&raw const self.raw().color_range) }
    }
}
