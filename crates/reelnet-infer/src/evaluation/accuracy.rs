//! What was right, in counts and sums.

use serde::{Deserialize, Serialize};

use super::sum::Sum;
use crate::scores::Scores;

/// What a network got right. Counts and sums, so that several of them can be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Files that were scored.
    pub files: u64,
    /// Files that could not be.
    pub failed: u64,
    /// Those whose best class was right: one of theirs.
    pub top1: u64,
    /// Those whose class was among the best five.
    pub top5: u64,
    /// The sum of the negative logarithms of the right class's probability.
    pub loss_sum: Sum,
}

impl Accuracy {
    /// The share of scored files whose best class was right; 0 without files.
    pub fn top1_share(&self) -> f64 {
        share(self.top1, self.files)
    }

    /// The share of scored files whose class was among the best five; 0 without files.
    pub fn top5_share(&self) -> f64 {
        share(self.top5, self.files)
    }

    /// The mean loss; 0 without files.
    pub fn loss(&self) -> f64 {
        if self.files == 0 { 0.0 } else { self.loss_sum.value() / self.files as f64 }
    }

    /// Counts the scores of something that is of these classes, at least one.
    pub fn add(&mut self, scores: &Scores, labels: &[usize]) {
        let best = scores.top(5, 0.0);
        self.files += 1;
        self.top1 += u64::from(best.first().is_some_and(|score| labels.contains(&score.class)));
        self.top5 += u64::from(best.iter().any(|score| labels.contains(&score.class)));
        // The smallest float bounds the loss of a class that was given up altogether.
        let loss = |label: &usize| -f64::from(scores.of(*label).unwrap_or(0.0).max(f32::MIN_POSITIVE)).ln();
        self.loss_sum += labels.iter().map(loss).sum::<f64>() / labels.len().max(1) as f64;
    }

    /// Adds what another part counted.
    pub fn merge(&mut self, other: &Self) {
        self.files += other.files;
        self.failed += other.failed;
        self.top1 += other.top1;
        self.top5 += other.top5;
        self.loss_sum += other.loss_sum;
    }
}

/// A part of a whole; 0 of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
