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
    /// Ends every running call, and those to come, as soon as somebody asks for it. By default nobody can.
    pub cancel: CancelToken,
}

impl Default for Limits {
    /// Two minutes, frames of up to 8192x8192 pixels, ten million packets (46 hours at 60 frames a second), 1000 packets without a frame, one thread.
    fn default() -> Self {
        Self {
            deadline: Duration::from_mins(2),
            max_pixels_per_frame: 8192 * 8192,
            max_packets: 10_000_000,
            max_packets_without_frame: 1000,
            decoder_threads: 1,
            cancel: CancelToken::new(),
        }
    }
}
