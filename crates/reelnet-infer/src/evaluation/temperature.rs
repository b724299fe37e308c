//! One number that makes confidence honest: logits are divided by it before the softmax.
//!
//! With several views the logits of a video are the logarithms of its mean scores.

use super::bootstrap::Outcome;
use super::tally::{Bin, bins, calibration_error, count_confidence};
use crate::scores::Scores;

/// Temperatures that are looked at; beyond, a fit says only that there is none.
const RANGE: (f64, f64) = (0.05, 20.0);

/// Mean scores of videos and their classes: what a temperature is fitted to.
#[derive(Clone, Debug, Default)]
pub struct Fitted {
    logits: Vec<f32>,
    labels: Vec<usize>,
    classes: usize,
}

impl Fitted {
    /// Nothing yet.
    pub fn new(classes: usize) -> Self {
        Self { classes, ..Self::default() }
    }

    /// Adds a video of one class; with several there is no single right one.
    pub fn add(&mut self, mean: &Scores, labels: &[usize]) {
        if let &[label] = labels
            && label < self.classes
        {
            self.logits.extend((0..self.classes).map(|class| log(mean.of(class).unwrap_or(0.0))));
            self.labels.push(label);
        }
    }

    /// The temperature with the least loss over the videos; `None` without videos.
    pub fn temperature(&self) -> Option<f64> {
        if self.labels.is_empty() {
            return None;
        }
        // The loss is convex in the inverse of the temperature, so its slope has one sign change.
        let (mut low, mut high) = (1.0 / RANGE.1, 1.0 / RANGE.0);
        for _ in 0..40 {
            let middle = (low * high).sqrt();
            if self.slope(middle) < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(1.0 / (low * high).sqrt())
    }

    /// Of the loss, over the inverse of the temperature.
    fn slope(&self, inverse: f64) -> f64 {
        let of_video = |(logits, &label): (&[f32], &usize)| {
            let (mut sum, mut weighed) = (0.0, 0.0);
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for &logit in logits {
                let power = (f64::from(logit - largest) * inverse).exp();
                sum += power;
                weighed += power * f64::from(logit);
            }
            weighed / sum - f64::from(logits[label])
        };
        self.logits.chunks_exact(self.classes).zip(&self.labels).map(of_video).sum()
    }
}

/// Scores as they are at another temperature.
pub fn tempered(mean: &Scores, classes: usize, temperature: f64) -> Scores {
    #[expect(clippy::cast_possible_truncation, reason = "logits are 32-bit floats")]
    let logit = |class| (f64::from(log(mean.of(class).unwrap_or(0.0))) / temperature) as f32;
    Scores::softmax(&(0..classes).map(logit).collect::<Vec<_>>())
}

/// The calibration error of videos at a temperature.
#[derive(Clone, Debug)]
pub struct Tempered {
    temperature: f64,
    bins: Vec<Bin>,
}

impl Tempered {
    /// Nothing yet.
    pub fn new(temperature: f64) -> Self {
        Self { temperature, bins: bins() }
    }

    /// Counts a video.
    pub fn add(&mut self, mean: &Scores, classes: usize, outcome: Outcome) {
        if let Some(best) = tempered(mean, classes, self.temperature).top(1, 0.0).first() {
            count_confidence(&mut self.bins, best.score, outcome.top1);
        }
    }

    /// The temperature, and the error at it.
    pub fn finish(self) -> (f64, f64) {
        (self.temperature, calibration_error(&self.bins))
    }
}

/// A logarithm that is a number, whatever a class was given.
fn log(score: f32) -> f32 {
    score.max(f32::MIN_POSITIVE).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_that_was_put_in_is_found() {
        // Classes are right as often as scores say, and the scores are sharpened to a third of the temperature.
        let honest = Scores::softmax(&[1.2, 0.3, -0.5]);
        let sharp = tempered(&honest, 3, 1.0 / 3.0);
        let mut fitted = Fitted::new(3);
        for class in 0..3 {
            let share = honest.of(class).expect("a class");
            let videos = (0_u16..10_000).filter(|video| f32::from(*video) < 10_000.0 * share);
            videos.for_each(|_| fitted.add(&sharp, &[class]));
        }
        let temperature = fitted.temperature().expect("videos");
        assert!((temperature - 3.0).abs() < 0.01, "{temperature}");
        assert_eq!(Fitted::new(3).temperature(), None);
    }
}
