//! Clips at a fixed pace in time, whatever the frame rate of the video: each frame is the one on the screen at its moment.

use super::{FramePlan, PastEnd, Purpose, Seed};
use crate::Timeline;

/// The shape of a clip in time: `frames` frames, `1 / fps` seconds apart.
#[derive(Debug, Clone, PartialEq)]
pub struct PacedSpec {
    /// Frames in a clip. Zero counts as 1.
    pub frames: usize,
    /// Frames a second. What is not a positive number counts as 1.
    pub fps: f64,
    /// What to do in a video that is shorter than a clip.
    pub past_end: PastEnd,
}

impl PacedSpec {
    /// Seconds from the first frame of a clip to the moment after its last one.
    pub fn span_seconds(&self) -> f64 {
        self.frames.max(1) as f64 * self.interval()
    }

    /// One clip whose first frame is the one that is shown at a moment.
    pub fn starting_at(&self, timeline: &Timeline, seconds: f64) -> FramePlan {
        let duration = timeline.duration_seconds();
        let indices = (0..self.frames.max(1)).map(|position| {
            let moment = seconds + position as f64 * self.interval();
            timeline.frame_shown_at(match self.past_end {
                PastEnd::Loop if duration > 0.0 && moment >= duration => moment % duration,
                PastEnd::Loop | PastEnd::RepeatLast => moment,
            })
        });
        FramePlan { indices: indices.collect(), centre_seconds: seconds + self.span_seconds() / 2.0 }
    }

    /// One clip anywhere in the video, each moment as likely as the others.
    pub fn random(&self, timeline: &Timeline, seed: Seed) -> FramePlan {
        self.starting_at(timeline, self.slack(timeline) * seed.fraction(Purpose::Start))
    }

    /// `clips` clips, whose centres are the centres of as many equally long segments, moved so far that they stay within
    /// the video.
    pub fn uniform(&self, timeline: &Timeline, clips: usize) -> Vec<FramePlan> {
        let segment = timeline.duration_seconds() / clips.max(1) as f64;
        let start = |clip: usize| segment * (clip as f64 + 0.5) - self.span_seconds() / 2.0;
        (0..clips).map(|clip| self.starting_at(timeline, start(clip).clamp(0.0, self.slack(timeline)))).collect()
    }

    /// Clips that start every `stride_seconds`, as long as they are whole; a video that is too short for one gives one.
    /// A stride that is not positive counts as the length of a clip.
    pub fn dense(&self, timeline: &Timeline, stride_seconds: f64) -> Vec<FramePlan> {
        let stride = if stride_seconds > 0.0 { stride_seconds } else { self.span_seconds() };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of clips")]
        let more = (self.slack(timeline) / stride + 1e-9) as usize;
        (0..=more).map(|clip| self.starting_at(timeline, clip as f64 * stride)).collect()
    }

    fn interval(&self) -> f64 {
        if self.fps.is_finite() && self.fps > 0.0 { 1.0 / self.fps } else { 1.0 }
    }

    /// How late a clip can start without running past the end.
    fn slack(&self, timeline: &Timeline) -> f64 {
        (timeline.duration_seconds() - self.span_seconds()).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_clip() {
        let spec = PacedSpec { frames: 4, fps: 10.0, past_end: PastEnd::RepeatLast };
        let video = |fps| Timeline::at_fixed_rate(60, fps).expect("a positive rate");
        assert_eq!(spec.starting_at(&video(30.0), 0.0).indices, [0, 3, 6, 9]);
        assert_eq!(spec.starting_at(&video(25.0), 0.0).indices, [0, 2, 5, 7]);
        assert_eq!(spec.starting_at(&video(5.0), 1.0).indices, [5, 5, 6, 6]);
        assert_eq!(spec.uniform(&video(30.0), 1)[0].indices, [24, 27, 30, 33]);
        assert_eq!(spec.dense(&video(30.0), 0.8).iter().map(|plan| plan.indices[0]).collect::<Vec<_>>(), [0, 24, 48]);
    }

    #[test]
    fn short_videos_loop_or_stay() {
        let video = Timeline::at_fixed_rate(3, 10.0).expect("a positive rate");
        let spec = |past_end| PacedSpec { frames: 5, fps: 10.0, past_end };
        assert_eq!(spec(PastEnd::Loop).uniform(&video, 1)[0].indices, [0, 1, 2, 0, 1]);
        assert_eq!(spec(PastEnd::RepeatLast).uniform(&video, 1)[0].indices, [0, 1, 2, 2, 2]);
    }
}
