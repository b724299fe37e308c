//! How much time, memory and work one file may cost.

use std::time::Duration;

use crate::CancelToken;

/// What one file may cost before it is given up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Time for one call into this crate: opening a file, or cutting clips from it. A single frame is never
    /// interrupted half-way, so a call can last one frame longer.
    pub deadline: Duration,
    /// Pixels of the largest frame that is decoded or made by resizing.
    pub max_pixels_per_frame: u64,
    /// Packets of the video stream: the index keeps some fifty bytes of each.
    pub max_packets: usize,
    /// Packets in a row that may go into the decoder without a frame coming out.
    pub max_packets_without_frame: usize,
    /// Threads of one decoder. Many files side by side, each with one thread, use a machine best. With more than one,
    /// pictures are also resized beside the decoding, and pictures of less than 65536 pixels are decoded on one.
    pub decoder_threads: usize,
    /// Lets codecs that can do so (JPEG and Motion JPEG, MPEG-1, -2 and -4, H.263, DV, JPEG 2000) decode at a half, a quarter
    /// or an eighth of the size, as long as this many pixels of the shorter side are left. That takes less time,
    /// and gives frames that differ a little from whole ones made small. By default no frame is decoded that way, and
    /// [`Decoder::visit_native`](crate::Decoder::visit_native) and [`Decoder::check`](crate::Decoder::check) never do.
    pub reduce_to: Option<u32>,
    /// Ends every running call, and those to come, as soon as somebody asks for it. By default nobody can.
    pub cancel: CancelToken,
}

impl Default for Limits {
    /// Two minutes, frames of up to 8192x8192 pixels, ten million packets (46 hours at 60 frames a second), 1000 packets without a frame, one
    /// thread, whole pictures.
    fn default() -> Self {
        Self {
            deadline: Duration::from_mins(2),
            max_pixels_per_frame: 8192 * 8192,
            max_packets: 10_000_000,
            max_packets_without_frame: 1000,
            decoder_threads: 1,
            reduce_to: None,
            cancel: CancelToken::new(),
        }
    }
}
