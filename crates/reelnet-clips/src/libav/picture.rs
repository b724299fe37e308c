//! One decoded picture, in whatever format the decoder made it.

use ffmpeg_next::{Frame, ffi};

use super::stream::{code, pixel_format_name, ratio};
use crate::orientation::Orientation;

/// A decoded picture and what it says about itself.
pub(crate) struct Picture {
    frame: Frame,
}

/// `AVPictureType`: pictures that build on others.
const PREDICTED_CODES: [i32; 2] = [2, 3];

impl Picture {
    /// An empty one, for a decoder to fill; `None` without memory.
    pub(super) fn new() -> Option<Self> {
        // SAFETY: allocates; the pointer is checked below, before anything reads through it.
        let frame = unsafe { Frame::empty() };
        // SAFETY: only looks at the pointer itself.
        (!unsafe { frame.as_ptr() }.is_null()).then_some(Self { frame })
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

    pub(crate) fn size(&self) -> [u32; 2] {
        [self.raw().width, self.raw().height].map(|side| u32::try_from(side).unwrap_or(0))
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
