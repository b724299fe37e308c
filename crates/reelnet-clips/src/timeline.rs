//! When each frame of a video is shown: all that a plan needs to know about a file.

/// Presentation times of all frames, in seconds after the first one.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    pts_seconds: Vec<f64>,
    duration_seconds: f64,
}

impl Timeline {
    /// From times in ascending order. The duration counts from the first frame's appearance to the last one's
    /// disappearance.
    ///
    /// `None` if there is no frame, if a time or the duration is not a finite number, or if times descend.
    pub fn new(pts_seconds: Vec<f64>, duration_seconds: f64) -> Option<Self> {
        let first = *pts_seconds.first()?;
        let last = *pts_seconds.last()?;
        let finite = duration_seconds.is_finite() && pts_seconds.iter().all(|seconds| seconds.is_finite());
        if !finite || !pts_seconds.is_sorted() {
            return None;
        }
        let pts_seconds = pts_seconds.into_iter().map(|seconds| seconds - first).collect();
        Some(Self { pts_seconds, duration_seconds: duration_seconds.max(last - first) })
    }

    /// The timeline of a still image, or of a video at a fixed rate.
    ///
    /// `None` if there is no frame, or if the rate is not positive.
    pub fn at_fixed_rate(frames: usize, fps: f64) -> Option<Self> {
        if !(fps.is_finite() && fps > 0.0) {
            return None;
        }
        Self::new((0..frames).map(|frame| frame as f64 / fps).collect(), frames as f64 / fps)
    }

    /// Number of frames, at least 1.
    pub fn frames(&self) -> usize {
        self.pts_seconds.len()
    }

    /// Time of a frame after the first one. A frame past the end has the last one's time.
    pub fn pts_seconds(&self, frame: usize) -> f64 {
        self.pts_seconds[frame.min(self.pts_seconds.len() - 1)]
    }

    /// How many frames are first shown before a time: the number of the first one that is not.
    pub fn frames_before(&self, seconds: f64) -> usize {
        self.pts_seconds.partition_point(|&pts| pts < seconds)
    }

    /// From the first frame's appearance to the last one's disappearance.
    pub fn duration_seconds(&self) -> f64 {
        self.duration_seconds
    }

    /// The frame that is on the screen at a time: the last one whose time is not later. A microsecond is forgiven, so
    /// that rounding does not decide which of two frames is shown at the very moment of the change.
    pub fn frame_shown_at(&self, seconds: f64) -> usize {
        self.pts_seconds.partition_point(|&pts| pts <= seconds + 1e-6).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_shown_until_the_next_one() {
        let timeline = Timeline::new(vec![5.0, 5.5, 8.0], 4.0).expect("times ascend");
        let milliseconds = [0, 1, 2, 99].map(|frame| format!("{:.3}", timeline.pts_seconds(frame)));
        assert_eq!(milliseconds, ["0.000", "0.500", "3.000", "3.000"]);
        let shown: Vec<usize> = [-1.0, 0.0, 0.49, 0.5, 2.9, 3.0, 99.0].map(|s| timeline.frame_shown_at(s)).to_vec();
        assert_eq!(shown, [0, 0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn impossible_timelines_are_refused() {
        assert_eq!(Timeline::new(vec![], 1.0), None);
        assert_eq!(Timeline::new(vec![0.0, 2.0, 1.0], 3.0), None);
        assert_eq!(Timeline::new(vec![0.0, f64::NAN], 3.0), None);
        assert_eq!(Timeline::at_fixed_rate(3, 0.0), None);
    }
}
