//! Scores: what a model says of a clip, and of all clips of a video.

use serde::{Deserialize, Serialize};

/// A probability a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores(Vec<f32>);

/// One class and its probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The class's place in the labels.
    pub class: usize,
    /// From 0 to 1.
    pub score: f32,
}

impl Scores {
    /// The softmax of one clip's logits: computed in 64 bits, and kept in 32.
    pub fn softmax(logits: &[f32]) -> Self {
        let largest = f64::from(logits.iter().fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit)));
        let powers: Vec<f64> = logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        #[expect(clippy::cast_possible_truncation, reason = "a probability")]
        Self(powers.into_iter().map(|power| (power / sum) as f32).collect())
    }

    /// The mean over the clips of a video: the published video-level protocol. `None` without clips.
    pub fn mean(clips: &[Self]) -> Option<Self> {
        let classes = clips.first()?.0.len();
        let mut sums = vec![0f64; classes];
        for clip in clips {
            assert_eq!(clip.0.len(), classes, "clips were scored by one model");
            for (sum, &score) in sums.iter_mut().zip(&clip.0) {
                *sum += f64::from(score);
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "a probability")]
        Some(Self(sums.into_iter().map(|sum| (sum / clips.len() as f64) as f32).collect()))
    }

    /// The probability of a class.
    pub fn of(&self, class: usize) -> Option<f32> {
        self.0.get(class).copied()
    }

    /// The `count` best of at least `threshold`, best first; the first in the labels wins a tie.
    pub fn top(&self, count: usize, threshold: f32) -> Vec<Score> {
        let mut best: Vec<Score> = Vec::with_capacity(count.min(self.0.len()) + 1);
        for (class, &score) in self.0.iter().enumerate().filter(|(_, score)| **score >= threshold) {
            // Most classes are worse than the best few, and are passed over with one comparison.
            if best.len() < count || best.last().is_some_and(|last| score > last.score) {
                let place = best.partition_point(|other| other.score >= score);
                best.insert(place, Score { class, score });
                best.truncate(count);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_survives_large_logits() {
        let scores = Scores::softmax(&[1000.0, 1000.0, -1000.0]);
        assert_eq!(scores, Scores(vec![0.5, 0.5, 0.0]));
    }

    #[test]
    fn views_are_averaged_after_the_softmax() {
        let mean = Scores::mean(&[Scores(vec![1.0, 0.0]), Scores(vec![0.5, 0.5])]).expect("two clips");
        assert_eq!(mean, Scores(vec![0.75, 0.25]));
        assert_eq!(Scores::mean(&[]), None);
    }

    #[test]
    fn top_takes_the_best_above_the_threshold() {
        let scores = Scores(vec![0.2, 0.5, 0.2, 0.1]);
        let classes =
            |count, threshold| scores.top(count, threshold).iter().map(|score| score.class).collect::<Vec<_>>();
        assert_eq!(classes(3, 0.0), [1, 0, 2]);
        assert_eq!(classes(5, 0.15), [1, 0, 2]);
        assert_eq!(classes(5, 0.6), [] as [usize; 0]);
        assert_eq!(classes(0, 0.0), [] as [usize; 0]);
    }
}
