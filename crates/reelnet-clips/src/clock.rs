//! From ticks to seconds: what a stream's container says about its times, and the timeline that follows from it.

use serde::{Deserialize, Serialize};

use crate::Timeline;
use crate::packets::FrameIndex;

/// How a stream counts its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// Seconds a tick.
    pub(crate) time_base: (i32, i32),
    /// Frames a second, if the container states or the demuxer guesses them.
    pub(crate) stated_fps: Option<f64>,
}

impl Clock {
    /// Seconds of a number of ticks; a broken time base makes every time 0.
    pub(crate) fn seconds(&self, ticks: i64) -> f64 {
        let (numerator, denominator) = self.time_base;
        if numerator <= 0 || denominator <= 0 {
            return 0.0;
        }
        ticks as f64 * f64::from(numerator) / f64::from(denominator)
    }

    /// Serves only where packets carry no times, and need not be more exact than that.
    pub(crate) fn ticks_per_frame(&self) -> i64 {
        let ticks = 1.0 / (self.stated_fps.unwrap_or(25.0) * self.seconds(1));
        #[expect(clippy::cast_possible_truncation, reason = "clamped, and casts of floats saturate")]
        let ticks = ticks.round().clamp(1.0, 1e15) as i64;
        ticks
    }

    /// When the frames of an index, of which there is at least one, are shown.
    pub(crate) fn timeline(&self, frames: &FrameIndex) -> Timeline {
        let first = frames.entries.first().map_or(0, |entry| entry.pts);
        let pts_seconds: Vec<f64> =
            frames.entries.iter().map(|entry| self.seconds(entry.pts.saturating_sub(first))).collect();
        let until_last = pts_seconds.last().copied().unwrap_or(0.0);
        let mean_interval = until_last / (pts_seconds.len().max(2) - 1) as f64;
        let last_seconds = match frames.last_duration {
            Some(ticks) => self.seconds(ticks),
            None if mean_interval > 0.0 => mean_interval,
            None => self.stated_fps.map_or(0.0, |fps| 1.0 / fps),
        };
        let frames = pts_seconds.len();
        // Times of an index are sorted and finite; a stream without usable times gets an even pace instead of a panic.
        Timeline::new(pts_seconds, until_last + last_seconds)
            .or_else(|| Timeline::at_fixed_rate(frames, 25.0))
            .expect("an index without frames was refused before")
    }
}
