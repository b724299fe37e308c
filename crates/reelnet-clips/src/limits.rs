//! How much time, memory and work one file may cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one file may cost before it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time for one call into this crate: opening a file, or cutting clips from it. A single frame is never
    /// interrupted half-way, so a call can last one frame longer.
    pub deadline: Duration,
    /// Pixels of the largest frame that is decoded or made by resizing.
    pub max_pixels_per_frame: u64,
    /// Packets in a row that may go into the decoder without a frame coming out.
    pub max_packets_without_frame: usize,
    /// Threads of one decoder. Many files side by side, each with one thread, use a machine best.
    pub decoder_threads: usize,
}

impl Default for Limits {
    /// Two minutes, frames of up to 8192x8192 pixels, 1000 packets without a frame, one thread.
    fn default() -> Self {
        Self {
            deadline: Duration::from_mins(2),
            max_pixels_per_frame: 8192 * 8192,
            max_packets_without_frame: 1000,
            decoder_threads: 1,
        }
    }
}

/// A moment that FFmpeg's callbacks and our own loops both look at; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    origin: Instant,
    expires_after_nanos: Arc<AtomicU64>,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        let deadline = Self { origin: Instant::now(), expires_after_nanos: Arc::new(AtomicU64::new(u64::MAX)), limit };
        deadline.rearm();
        deadline
    }

    /// Starts the full time again.
    pub(crate) fn rearm(&self) {
        let expires = nanos(self.origin.elapsed()).saturating_add(nanos(self.limit));
        self.expires_after_nanos.store(expires, Ordering::Relaxed);
    }

    pub(crate) fn has_passed(&self) -> bool {
        nanos(self.origin.elapsed()) >= self.expires_after_nanos.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
