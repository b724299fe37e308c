//! A decoder: packets in, pictures out.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::threading;
use ffmpeg_next::decoder::Opened;
use ffmpeg_next::ffi;

use super::{Picture, Source, log};
use crate::{ClipErrorKind, Limits};

/// An opened decoder for the chosen stream of a [`Source`].
pub(crate) struct FrameDecoder {
    opened: Opened,
    complained: bool,
    /// How often sides are halved.
    halvings: u32,
}

/// Below this size of a picture, handing packets from thread to thread costs more than it gains: at 176x144, two threads
/// took a third more processor time for 80 frames than one, and no less time.
const WORTH_THREADS_PIXELS: u64 = 1 << 16;

/// What a decoder answers when asked for a picture.
pub(crate) enum Received {
    Picture(Picture),
    NeedsInput,
    End,
    /// The decoder met damage; it can be asked again.
    Damage(String),
}

impl FrameDecoder {
    /// `reordered` is the number of frames that the decoder must at least hold back to show frames in order.
    pub(crate) fn open(source: &Source, limits: &Limits, reordered: usize) -> Result<Self, ClipErrorKind> {
        let library = |error| ClipErrorKind::Library { detail: log::describe(error) };
        let parameters = source.parameters().ok_or_else(|| library(ffmpeg::Error::StreamNotFound))?;
        let mut context = ffmpeg::codec::Context::from_parameters(parameters).map_err(library)?;
        // Frame threads only: slices gain little, and one thread must mean the calling one.
        let kind = threading::Type::Frame;
        let pixels = source.facts().coded_size.map(u64::from).iter().product::<u64>();
        let count = if (1..WORTH_THREADS_PIXELS).contains(&pixels) { 1 } else { limits.decoder_threads.max(1) };
        context.set_threading(threading::Config { kind, count, ..Default::default() });
        let (numerator, denominator) = source.facts().clock.time_base;
        // SAFETY: the context was just made and is exclusively owned.
        unsafe {
            let context = context.as_mut_ptr();
            (*context).pkt_timebase = ffmpeg::ffi::AVRational { num: numerator, den: denominator };
            (*context).has_b_frames = (*context).has_b_frames.max(i32::try_from(reordered).unwrap_or(0));
            (*context).err_recognition |=
                ffi::AV_EF_CRCCHECK | ffi::AV_EF_BITSTREAM | ffi::AV_EF_BUFFER | ffi::AV_EF_CAREFUL;
            (*context).max_pixels = i64::try_from(limits.max_pixels_per_frame).unwrap_or(i64::MAX);
        }
        let unsupported = || ClipErrorKind::UnsupportedCodec { codec: source.facts().codec.clone() };
        let codec = ffmpeg::decoder::find(context.id()).ok_or_else(unsupported)?;
        // SAFETY: codecs are static.
        let most_halvings = u32::from(unsafe { (*codec.as_ptr()).max_lowres });
        let halvings = halvings(source.facts().coded_size, limits.reduce_to).min(most_halvings);
        // SAFETY: the context is exclusively owned and not yet opened.
        unsafe { (*context.as_mut_ptr()).lowres = i32::try_from(halvings).unwrap_or(0) };
        let opened = context
            .decoder()
            .open_as(codec)
            .map_err(|error| ClipErrorKind::NothingDecodable { detail: log::describe(error) })?;
        Ok(Self { opened, complained: false, halvings })
    }

    /// Feeds one packet. All pictures must have been received before.
    pub(crate) fn send(&mut self, packet: &ffmpeg::Packet) -> Result<(), String> {
        self.noting(|opened| opened.send_packet(packet)).map_err(log::describe)
    }

    /// Whether it complained of damage since it was asked last. With several threads it complains where nobody hears it, and
    /// only what it marks in a picture is known.
    pub(crate) fn take_complained(&mut self) -> bool {
        std::mem::take(&mut self.complained)
    }

    fn noting<R>(&mut self, work: impl FnOnce(&mut Opened) -> R) -> R {
        let before = log::decoder_errors();
        let result = work(&mut self.opened);
        self.complained |= log::decoder_errors() != before;
        result
    }

    /// Says that no packet follows, so that pictures that were held back come out.
    pub(crate) fn send_end(&mut self) -> Result<(), String> {
        self.opened.send_eof().map_err(log::describe)
    }

    /// Forgets everything, ready for packets from elsewhere.
    pub(crate) fn flush(&mut self) {
        self.opened.flush();
    }

    pub(crate) fn receive(&mut self) -> Received {
        let Some(mut picture) = Picture::new() else {
            return Received::Damage("out of memory".to_string());
        };
        match self.noting(|opened| opened.receive_frame(picture.frame_mut())) {
            Ok(()) => {
                if self.halvings > 0 {
                    // SAFETY: the context is open.
                    let context = unsafe { &*self.opened.as_ptr() };
                    picture.set_reduced(self.halvings, [context.coded_width, context.coded_height]);
                }
                Received::Picture(picture)
            }
            Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => Received::NeedsInput,
            Err(ffmpeg::Error::Eof) => Received::End,
            Err(error) => Received::Damage(log::describe(error)),
        }
    }
}

/// An eighth is the least that codecs of blocks of 8x8 pixels can do.
const MOST_HALVINGS: u32 = 3;

/// How often both sides can be halved while the shorter one keeps `enough` pixels.
fn halvings([width, height]: [u32; 2], enough: Option<u32>) -> u32 {
    let Some(enough) = enough else { return 0 };
    let shorter = width.min(height);
    (1..=MOST_HALVINGS).take_while(|&halvings| shorter >> halvings >= enough.max(1)).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_is_left() {
        assert_eq!(halvings([1920, 1080], None), 0);
        assert_eq!(halvings([1920, 1080], Some(256)), 2);
        assert_eq!(halvings([1080, 1920], Some(540)), 1);
        assert_eq!(halvings([1080, 1920], Some(541)), 0);
        assert_eq!(halvings([10_000, 9000], Some(1)), 3);
        assert_eq!(halvings([0, 0], Some(0)), 0);
    }
}
