//! Which frames make a clip. Pure arithmetic on a [`Timeline`]; knows nothing of files and pixels.
//!
//! Clips are *placed* by time and *filled* by frames: the centre of a clip is the frame on the screen at a moment, and
//! its other frames are `frame_step` frames apart. A video whose frame rate varies is therefore covered evenly in time.

mod paced;
mod seed;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Timeline;

pub use paced::PacedSpec;
pub(crate) use seed::Purpose;
pub use seed::Seed;

/// The shape of a clip: `frames` frames, `frame_step` frames apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipSpec {
    /// Frames in a clip; 1 for images. Zero counts as 1.
    pub frames: usize,
    /// Frames from one frame of the clip to the next one. Zero counts as 1.
    pub frame_step: usize,
    /// What to do in a video that is shorter than a clip.
    pub past_end: PastEnd,
}

impl ClipSpec {
    /// Frames of video that a clip stretches over, first and last included.
    pub fn span(&self) -> usize {
        (self.frames.max(1) - 1).saturating_mul(self.frame_step.max(1)).saturating_add(1)
    }

    /// The same clip with a step drawn from a range, for training that is not bound to one pace.
    #[must_use]
    pub fn with_jittered_step(&self, steps: RangeInclusive<usize>, seed: Seed) -> Self {
        let choices = (steps.end() + 1).saturating_sub(*steps.start());
        Self { frame_step: steps.start() + seed.below(choices, Purpose::Step), ..self.clone() }
    }

    /// Refuses a video that is shorter than the clip, for callers to whom a repeated frame is worse than none.
    ///
    /// # Errors
    /// If the video has fewer frames than the clip stretches over.
    pub fn require_whole(&self, timeline: &Timeline) -> Result<(), VideoTooShort> {
        let (frames, span) = (timeline.frames(), self.span());
        if frames < span { Err(VideoTooShort { frames, span }) } else { Ok(()) }
    }

    /// How many frames of a video a clip can start at without running past its end; at least 1.
    pub fn starts(&self, video_frames: usize) -> usize {
        video_frames.saturating_sub(self.span()) + 1
    }
}

/// Which frames stand in for those that a short video does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PastEnd {
    /// From the first frame again: 0 1 2 0 1 ….
    Loop,
    /// The last frame again and again: 0 1 2 2 2 ….
    RepeatLast,
}

/// A video that is shorter than the clip that was wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("has {frames} frames, but the clip stretches over {span}; want fewer frames, a smaller step, or let it loop")]
pub struct VideoTooShort {
    /// Frames in the video.
    pub frames: usize,
    /// Frames that the clip stretches over.
    pub span: usize,
}

/// The frames of one clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FramePlan {
    /// Frames in presentation order, each within the video.
    pub indices: Vec<usize>,
    /// The moment at which the clip was placed, in seconds after the first frame.
    pub centre_seconds: f64,
}

/// `clips` clips, whose centres are the centres of as many equally long segments of the video.
pub fn uniform(timeline: &Timeline, spec: &ClipSpec, clips: usize) -> Vec<FramePlan> {
    let segment_seconds = timeline.duration_seconds() / clips.max(1) as f64;
    (0..clips).map(|clip| centred_at(timeline, spec, segment_seconds * (clip as f64 + 0.5))).collect()
}

/// One clip in the middle of the video.
pub fn centre(timeline: &Timeline, spec: &ClipSpec) -> FramePlan {
    centred_at(timeline, spec, timeline.duration_seconds() / 2.0)
}

/// One clip anywhere in the video, each start as likely as the others.
pub fn random(timeline: &Timeline, spec: &ClipSpec, seed: Seed) -> FramePlan {
    starting_at(timeline, spec, seed.below(spec.starts(timeline.frames()), Purpose::Start))
}

/// Clips that start every `stride` frames, as long as they are whole; a video that is too short for one gives one.
/// A stride of zero counts as 1.
pub fn dense(timeline: &Timeline, spec: &ClipSpec, stride: usize) -> Vec<FramePlan> {
    let starts = (0..spec.starts(timeline.frames())).step_by(stride.max(1));
    starts.map(|first| starting_at(timeline, spec, first)).collect()
}

/// One clip around the frame that is shown at a moment, moved so far that it stays within the video.
pub fn centred_at(timeline: &Timeline, spec: &ClipSpec, seconds: f64) -> FramePlan {
    let middle = timeline.frame_shown_at(seconds);
    let first = middle.saturating_sub((spec.span() - 1) / 2).min(spec.starts(timeline.frames()) - 1);
    FramePlan { indices: frames_from(timeline, spec, first), centre_seconds: seconds }
}

/// One clip that starts at a frame, for callers with their own way of choosing it.
///
/// A start past [`ClipSpec::starts`] runs past the end, and is filled according to [`PastEnd`].
pub fn starting_at(timeline: &Timeline, spec: &ClipSpec, first: usize) -> FramePlan {
    let indices = frames_from(timeline, spec, first);
    let centre_seconds = indices.get(indices.len() / 2).map_or(0.0, |&frame| timeline.pts_seconds(frame));
    FramePlan { indices, centre_seconds }
}

fn frames_from(timeline: &Timeline, spec: &ClipSpec, first: usize) -> Vec<usize> {
    let frames = timeline.frames();
    (0..spec.frames.max(1))
        .map(|position| first.saturating_add(position.saturating_mul(spec.frame_step.max(1))))
        .map(|frame| match spec.past_end {
            PastEnd::Loop => frame % frames,
            PastEnd::RepeatLast => frame.min(frames - 1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(frames: usize, frame_step: usize, past_end: PastEnd) -> ClipSpec {
        ClipSpec { frames, frame_step, past_end }
    }

    fn fixed(frames: usize) -> Timeline {
        Timeline::at_fixed_rate(frames, 10.0).expect("a positive rate")
    }

    fn indices(plans: &[FramePlan]) -> Vec<Vec<usize>> {
        plans.iter().map(|plan| plan.indices.clone()).collect()
    }

    #[test]
    fn a_short_video_loops() {
        assert_eq!(centre(&fixed(3), &spec(5, 1, PastEnd::Loop)).indices, [0, 1, 2, 0, 1]);
        assert_eq!(centre(&fixed(3), &spec(5, 2, PastEnd::Loop)).indices, [0, 2, 1, 0, 2]);
    }

    #[test]
    fn a_short_video_repeats_its_last_frame() {
        assert_eq!(centre(&fixed(3), &spec(5, 1, PastEnd::RepeatLast)).indices, [0, 1, 2, 2, 2]);
        assert_eq!(centre(&fixed(1), &spec(3, 4, PastEnd::RepeatLast)).indices, [0, 0, 0]);
    }

    #[test]
    fn single_frames_are_the_centres_of_equal_segments() {
        let plans = uniform(&fixed(100), &spec(1, 1, PastEnd::Loop), 4);
        assert_eq!(indices(&plans), [[12], [37], [62], [87]]);
    }

    #[test]
    fn clips_stay_within_a_video_that_is_long_enough() {
        let plans = uniform(&fixed(20), &spec(4, 4, PastEnd::Loop), 4);
        assert_eq!(indices(&plans), [[0, 4, 8, 12], [1, 5, 9, 13], [6, 10, 14, 18], [7, 11, 15, 19]]);
    }

    #[test]
    fn a_clip_as_long_as_the_video_covers_it() {
        assert_eq!(centre(&fixed(13), &spec(4, 4, PastEnd::Loop)).indices, [0, 4, 8, 12]);
    }

    #[test]
    fn the_centre_frame_stands_in_the_middle_of_the_clip() {
        assert_eq!(centre(&fixed(101), &spec(5, 10, PastEnd::Loop)).indices, [30, 40, 50, 60, 70]);
    }

    #[test]
    fn uneven_frame_rates_are_covered_evenly_in_time() {
        // 90 frames in the first second, one frame a second in the nine after it.
        let mut seconds: Vec<f64> = (0..90).map(|frame| f64::from(frame) / 90.0).collect();
        seconds.extend((1..10).map(f64::from));
        let timeline = Timeline::new(seconds, 10.0).expect("times ascend");
        let plans = uniform(&timeline, &spec(1, 1, PastEnd::Loop), 5);
        let times: Vec<f64> = plans.iter().map(|plan| timeline.pts_seconds(plan.indices[0])).collect();
        assert_eq!(times, [1.0, 3.0, 5.0, 7.0, 9.0]);
    }

    #[test]
    fn zeroes_and_giants_do_no_harm() {
        assert_eq!(centre(&fixed(3), &spec(0, 0, PastEnd::Loop)).indices, [1]);
        assert!(uniform(&fixed(3), &spec(1, 1, PastEnd::Loop), 0).is_empty());
        let giant = starting_at(&fixed(3), &spec(2, usize::MAX, PastEnd::RepeatLast), usize::MAX);
        assert_eq!(giant.indices, [2, 2]);
    }

    proptest::proptest! {
        #[test]
        fn plans_hold_what_they_promise(
            frames in 1_usize..400,
            length in 0_usize..40,
            step in 0_usize..12,
            stride in 0_usize..50,
            run: u64,
            sample: u64,
        ) {
            for past_end in [PastEnd::Loop, PastEnd::RepeatLast] {
                let (timeline, spec) = (fixed(frames), spec(length, step, past_end));
                let seed = Seed { run, epoch: 3, sample };
                let drawn = random(&timeline, &spec, seed);
                assert_eq!(drawn, random(&timeline, &spec, seed));
                let windows = dense(&timeline, &spec, stride);
                assert!(!windows.is_empty());
                for plan in windows.iter().chain([&drawn]) {
                    assert_eq!(plan.indices.len(), length.max(1));
                    assert!(plan.indices.iter().all(|&frame| frame < frames), "{plan:?}");
                    if spec.require_whole(&timeline).is_ok() {
                        assert!(plan.indices.windows(2).all(|pair| pair[1] - pair[0] == step.max(1)), "{plan:?}");
                    }
                }
                let firsts: Vec<usize> = windows.iter().map(|plan| plan.indices[0]).collect();
                assert!(firsts.windows(2).all(|pair| pair[1] - pair[0] == stride.max(1)), "{firsts:?}");
                let jittered = spec.with_jittered_step(2..=5, seed);
                assert!((2..=5).contains(&jittered.frame_step));
            }
        }

        #[test]
        fn paces_hold_what_they_promise(
            gaps in proptest::collection::vec(1_u32..90, 1..200),
            length in 1_usize..40,
            fps in 0.5_f64..90.0,
            run: u64,
            clips in 0_usize..6,
        ) {
            let mut seconds = vec![0.0];
            for gap in &gaps {
                seconds.push(seconds[seconds.len() - 1] + f64::from(*gap) / 90.0);
            }
            let end = seconds[seconds.len() - 1] + 0.05;
            let timeline = Timeline::new(seconds, end).expect("times ascend");
            for past_end in [PastEnd::Loop, PastEnd::RepeatLast] {
                let spec = PacedSpec { frames: length, fps, past_end };
                let mut plans = spec.uniform(&timeline, clips);
                assert_eq!(plans.len(), clips);
                plans.push(spec.random(&timeline, Seed { run, epoch: 0, sample: 0 }));
                plans.extend(spec.dense(&timeline, 0.7));
                for plan in plans {
                    assert_eq!(plan.indices.len(), length);
                    assert!(plan.indices.iter().all(|&frame| frame < timeline.frames()), "{plan:?}");
                    if spec.span_seconds() <= timeline.duration_seconds() {
                        assert!(plan.indices.is_sorted(), "{plan:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_start_is_drawn() {
        let draw =
            |sample| random(&fixed(20), &spec(4, 4, PastEnd::Loop), Seed { run: 7, epoch: 0, sample }).indices[0];
        let mut firsts: Vec<usize> = (0..200).map(draw).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn windows_are_whole() {
        let plans = dense(&fixed(20), &spec(4, 4, PastEnd::Loop), 3);
        assert_eq!(indices(&plans), [[0, 4, 8, 12], [3, 7, 11, 15], [6, 10, 14, 18]]);
        let short = spec(4, 4, PastEnd::RepeatLast);
        assert_eq!(indices(&dense(&fixed(6), &short, 3)), [[0, 4, 5, 5]]);
        assert_eq!(short.require_whole(&fixed(6)), Err(VideoTooShort { frames: 6, span: 13 }));
        assert_eq!(short.require_whole(&fixed(13)), Ok(()));
    }

    #[test]
    fn every_index_is_within_the_video() {
        for frames in 1..40 {
            for (length, step) in [(1, 1), (3, 1), (8, 2), (8, 8), (32, 2)] {
                for past_end in [PastEnd::Loop, PastEnd::RepeatLast] {
                    let spec = spec(length, step, past_end);
                    for plan in uniform(&fixed(frames), &spec, 5) {
                        assert_eq!(plan.indices.len(), length);
                        assert!(plan.indices.iter().all(|&frame| frame < frames), "{plan:?} in {frames} frames");
                    }
                }
            }
        }
    }
}
