//! The windows of a video: which stretch of it each score is of.

use reelnet_clips::{ClipSpec, FramePlan, Timeline, plan};
use serde::{Deserialize, Serialize};

/// Looks within a window, from which cuts are told and pictures are chosen.
const PROBES_A_WINDOW: usize = 8;

/// How a video is cut into windows. Part of what a model's scores depend on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSettings {
    /// Seconds from the start of one window to that of the next one.
    pub interval: f64,
    /// Length of a window, in seconds, at most the interval: what lies between two windows is not looked at.
    pub length: f64,
    /// Windows of a file at most; the interval of longer files is stretched.
    pub most: usize,
    /// Whether cuts between shots end windows.
    pub cuts: Cuts,
}

/// Whether cuts are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cuts {
    /// Windows end at cuts.
    Found,
    /// Windows are of one length; fewer frames have to be decoded.
    Ignored,
}

impl Default for WindowSettings {
    /// A window every 5 seconds, the whole of it, 240 at most, cuts found.
    fn default() -> Self {
        Self { interval: 5.0, length: 5.0, most: 240, cuts: Cuts::Found }
    }
}

/// A stretch of a video, and what was made of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Seconds after the first frame.
    #[serde(rename = "s")]
    pub start: f64,
    /// Where it ends.
    #[serde(rename = "e")]
    pub end: f64,
    /// What was made of it.
    #[serde(rename = "l")]
    pub look: Look,
}

/// What became of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// Scored: the place of its logits among those of the file.
    #[serde(rename = "r")]
    Row(usize),
    /// It looks like the window that this row is of, and was not scored again.
    #[serde(rename = "a")]
    Same(usize),
    /// Nearly black: nothing to be seen.
    #[serde(rename = "d")]
    Dark,
    /// Its frames could not be decoded.
    #[serde(rename = "x")]
    Damaged,
}

/// A window as it is planned, before anything is decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Seconds after the first frame.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// The clip in its middle.
    pub clip: FramePlan,
    /// Single frames, evenly over it, in ascending order and each once; empty if cuts are ignored.
    pub probes: Vec<usize>,
}

/// Plans the windows of a video. Pure arithmetic on its times.
pub fn slots(timeline: &Timeline, spec: &ClipSpec, settings: &WindowSettings) -> Vec<Slot> {
    let duration = timeline.duration_seconds();
    let wish = if settings.interval.is_finite() && settings.interval > 0.0 { settings.interval } else { 5.0 };
    let most = settings.most.max(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the most windows that are wanted"
    )]
    // A rest that is shorter than half a window belongs to the one before it.
    let count = if timeline.frames() == 1 { 1 } else { (duration / wish).round().clamp(1.0, most as f64) as usize };
    let interval = duration / count as f64;
    let share = (settings.length / wish).clamp(0.01, 1.0);
    (0..count)
        .map(|slot| {
            let start = interval * slot as f64;
            let end = start + interval * share;
            let clip = plan::centred_at(timeline, spec, f64::midpoint(start, end));
            let probes = match settings.cuts {
                Cuts::Ignored => Vec::new(),
                Cuts::Found => probes(timeline, start, end),
            };
            Slot { start, end, clip, probes }
        })
        .collect()
}

fn probes(timeline: &Timeline, start: f64, end: f64) -> Vec<usize> {
    let step = (end - start) / PROBES_A_WINDOW as f64;
    let mut frames: Vec<usize> =
        (0..PROBES_A_WINDOW).map(|probe| timeline.frame_shown_at(start + step * (probe as f64 + 0.5))).collect();
    frames.dedup();
    frames
}

#[cfg(test)]
mod tests {
    use reelnet_clips::PastEnd;

    use super::*;

    const IMAGE: ClipSpec = ClipSpec { frames: 1, frame_step: 1, past_end: PastEnd::Loop };

    fn of(seconds: usize, settings: &WindowSettings) -> Vec<Slot> {
        slots(&Timeline::at_fixed_rate(seconds * 10, 10.0).expect("a positive rate"), &IMAGE, settings)
    }

    #[test]
    fn windows_cover_the_whole_video() {
        let planned = of(23, &WindowSettings::default());
        assert_eq!(planned.len(), 5);
        assert_eq!((planned[0].start, planned[4].end), (0.0, 23.0));
        assert!(planned.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(planned[0].probes.len(), PROBES_A_WINDOW);
        assert!(planned.iter().all(|slot| slot.probes.is_sorted()));
        assert_eq!(planned[2].clip.indices, [115]);
    }

    #[test]
    fn long_files_are_stretched_and_short_ones_have_one_window() {
        let settings = WindowSettings { most: 10, ..WindowSettings::default() };
        let planned = of(1000, &settings);
        assert_eq!((planned.len(), planned[9].end), (10, 1000.0));
        assert_eq!(of(1, &settings).len(), 1);
        let still = Timeline::new(vec![0.0], 0.0).expect("one frame");
        let planned = slots(&still, &IMAGE, &settings);
        assert_eq!((planned.len(), &planned[0].clip.indices), (1, &vec![0]));
        assert_eq!(planned[0].probes, [0]);
    }

    #[test]
    fn windows_may_leave_gaps_and_need_no_probes() {
        let settings = WindowSettings { interval: 10.0, length: 2.0, most: 100, cuts: Cuts::Ignored };
        let planned = of(40, &settings);
        assert_eq!(
            planned.iter().map(|slot| (slot.start, slot.end)).collect::<Vec<_>>(),
            [(0.0, 2.0), (10.0, 12.0), (20.0, 22.0), (30.0, 32.0)]
        );
        assert!(planned.iter().all(|slot| slot.probes.is_empty()));
        let strange = WindowSettings { interval: f64::NAN, length: -1.0, most: 0, cuts: Cuts::Ignored };
        assert_eq!(of(40, &strange).len(), 1);
    }
}
