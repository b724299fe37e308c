//! How far numbers would move with other videos: percentiles over samples that are drawn anew from the videos.

use serde::{Deserialize, Serialize};

use super::tally::mean_class_accuracy;

/// Samples that are drawn.
const SAMPLES: usize = 1000;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// 2.5 % of samples are lower.
    pub low: f64,
    /// 2.5 % are higher.
    pub high: f64,
}

/// What is remembered of each video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its first class.
    pub label: u32,
    /// Whether its best class was right.
    pub top1: bool,
    /// Whether one of its best five was.
    pub top5: bool,
}

/// Intervals of the numbers over videos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Of top-1.
    pub top1: Interval,
    /// Of top-5.
    pub top5: Interval,
    /// Of the mean class accuracy.
    pub mean_class: Interval,
}

/// A generator whose whole rule is here, so that a script can draw the same samples: `SplitMix64`.
#[derive(Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new() -> Self {
        Self(0)
    }

    /// A number below `count`, each as likely as the others but for one part in 2^32.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        #[expect(clippy::cast_possible_truncation, reason = "less than a count")]
        let place = ((u128::from(bits) * count as u128) >> 64) as usize;
        place
    }
}

/// The 95 % intervals over videos in the order of the list; all of nothing are 0.
pub fn intervals(outcomes: &[Outcome], classes: usize) -> Intervals {
    if outcomes.is_empty() {
        return Intervals::default();
    }
    let mut draws = Draws::new();
    let mut samples: [Vec<f64>; 3] = Default::default();
    let mut counts = vec![(0_u64, 0_u64); classes];
    for _ in 0..SAMPLES {
        counts.fill((0, 0));
        let (mut top1, mut top5) = (0_u64, 0_u64);
        for _ in outcomes {
            let outcome = outcomes[draws.below(outcomes.len())];
            top1 += u64::from(outcome.top1);
            top5 += u64::from(outcome.top5);
            if let Some((videos, right)) = counts.get_mut(outcome.label as usize) {
                *videos += 1;
                *right += u64::from(outcome.top1);
            }
        }
        let videos = outcomes.len() as f64;
        let values = [top1 as f64 / videos, top5 as f64 / videos, mean_class_accuracy(counts.iter().copied())];
        for (sample, value) in samples.iter_mut().zip(values) {
            sample.push(value);
        }
    }
    let [top1, top5, mean_class] = samples.map(interval);
    Intervals { top1, top5, mean_class }
}

/// From the 25th to the 975th of 1,000.
pub(crate) fn interval(mut samples: Vec<f64>) -> Interval {
    samples.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
        let rank = (share * samples.len() as f64).ceil() as usize;
        samples.get(rank.max(1) - 1).copied().unwrap_or(0.0)
    };
    Interval { low: rank(0.025), high: rank(0.975) }
}

/// The interval of the mean of paired differences.
pub(crate) fn of_mean(differences: &[f64]) -> Interval {
    if differences.is_empty() {
        return Interval::default();
    }
    let mut draws = Draws::new();
    let mean = |_| {
        let sum: f64 = differences.iter().map(|_| differences[draws.below(differences.len())]).sum();
        sum / differences.len() as f64
    };
    interval((0..SAMPLES).map(mean).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_about_two_standard_errors_wide() {
        let outcomes: Vec<Outcome> =
            (0..400).map(|video| Outcome { label: video % 4, top1: video % 5 > 0, top5: true }).collect();
        let Intervals { top1, top5, .. } = intervals(&outcomes, 4);
        // 1.96 · √(0.8 · 0.2 / 400) = 0.0392.
        assert!((top1.low - 0.7608).abs() < 0.006 && (top1.high - 0.8392).abs() < 0.006, "{top1:?}");
        assert_eq!(top5, Interval { low: 1.0, high: 1.0 });
        assert_eq!(intervals(&[], 4), Intervals::default());
    }
}
