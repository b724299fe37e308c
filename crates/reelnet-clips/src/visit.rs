//! Frames one at a time, in presentation order, without keeping any: for hashing, checking and copying whole files.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::converter::Converter;
use crate::harvest::Catch;
use crate::libav::{Picture, StreamFacts};
use crate::{ClipErrorKind, FrameGeometry, Timeline};

/// One converted frame.
#[derive(Debug, Clone, Copy)]
pub struct RgbFrame<'pixels> {
    /// Its number in presentation order.
    pub index: usize,
    /// Time after the first frame.
    pub pts_seconds: f64,
    /// Width and height.
    pub size: [u32; 2],
    /// RGB bytes, row by row, without padding.
    pub bytes: &'pixels [u8],
}

/// One frame as the decoder made it: neither turned, nor stretched, nor converted.
#[derive(Debug, Clone, Copy)]
pub struct NativeFrame<'pixels> {
    /// Its number in presentation order.
    pub index: usize,
    /// Time after the first frame.
    pub pts_seconds: f64,
    /// Width and height as coded.
    pub size: [u32; 2],
    /// FFmpeg's name of the pixel format.
    pub pixel_format: &'pixels str,
    /// All planes one after another, without padding: what `ffmpeg -f framehash` hashes.
    pub bytes: &'pixels [u8],
}

/// What a visitor sees of each frame.
pub(crate) enum View<'wish> {
    Rgb(&'wish FrameGeometry, Vec<u8>, &'wish mut dyn FnMut(RgbFrame<'_>)),
    Native(Vec<u8>, &'wish mut dyn FnMut(NativeFrame<'_>)),
    /// Only that it comes.
    Arrival(&'wish mut Arrivals),
}

/// Frames that came out of the decoder.
#[derive(Default)]
pub(crate) struct Arrivals {
    sound: usize,
    /// They build on damage, and nobody gets to see them.
    doubtful: BTreeSet<usize>,
}

impl Arrivals {
    pub(crate) fn sound(&self) -> usize {
        self.sound
    }

    pub(crate) fn doubtful(&self) -> usize {
        self.doubtful.len()
    }
}

/// Frames that are handed on as they come.
pub(crate) struct Visit<'wish> {
    pub(crate) wanted: BTreeSet<usize>,
    pub(crate) view: View<'wish>,
    pub(crate) timeline: Timeline,
    pub(crate) converter: Converter,
    pub(crate) size: Option<[u32; 2]>,
}

impl Catch for Visit<'_> {
    fn next_wanted(&self, from: usize) -> Option<usize> {
        self.wanted.range(from..).next().copied()
    }

    fn is_wanted(&self, frame: usize) -> bool {
        self.wanted.contains(&frame)
    }

    fn follow(&mut self, facts: StreamFacts) -> Result<(), ClipErrorKind> {
        self.converter.follow(facts);
        Ok(())
    }

    fn doubt(&mut self, frame: usize) {
        if let View::Arrival(arrivals) = &mut self.view
            && self.wanted.contains(&frame)
        {
            arrivals.doubtful.insert(frame);
        }
    }

    fn offer(&mut self, frame: usize, picture: Arc<Picture>) -> Result<(), ClipErrorKind> {
        if !self.wanted.remove(&frame) {
            return Ok(());
        }
        let pts_seconds = self.timeline.pts_seconds(frame);
        match &mut self.view {
            View::Rgb(geometry, bytes, visitor) => {
                let conversion = self.converter.plan(&picture, geometry, self.size)?;
                let size = *self.size.get_or_insert(conversion.layout.size);
                bytes.resize(size[0] as usize * size[1] as usize * 3, 0);
                self.converter.convert(&picture, &conversion, bytes)?;
                visitor(RgbFrame { index: frame, pts_seconds, size, bytes });
            }
            View::Native(bytes, visitor) => {
                picture.pack(bytes)?;
                let pixel_format = &picture.pixel_format_name();
                visitor(NativeFrame { index: frame, pts_seconds, size: picture.size(), pixel_format, bytes });
            }
            View::Arrival(arrivals) => {
                arrivals.sound += 1;
                arrivals.doubtful.remove(&frame);
            }
        }
        Ok(())
    }
}
