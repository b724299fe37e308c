//! Everything that is counted over the scores of an evaluation. Counts and sums: parts of an evaluation add up exactly.

use serde::{Deserialize, Serialize};

use super::accuracy::Accuracy;
use super::confusion::Confusion;
use super::record::Scored;
use super::sum::Sum;
use crate::scores::{Score, Scores};

/// Bins of confidence.
const BINS: usize = 15;

/// What is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// Video by video: the views of each averaged first.
    pub videos: Accuracy,
    /// View by view, each alone.
    pub views: Accuracy,
    /// Videos shorter than a clip; they are scored.
    pub short: u64,
    /// Videos with several classes.
    pub multi_label: u64,
    /// By class.
    pub classes: Vec<ClassCounts>,
    /// Of videos with one class.
    pub confusion: Confusion,
    /// By confidence, from 0 to 1.
    pub confidence: Vec<Bin>,
    /// What all of it took.
    pub seconds: f64,
}

/// The videos of a class. A video of several classes counts for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCounts {
    /// Videos of it.
    pub videos: u64,
    /// Those whose best class it was.
    pub top1: u64,
    /// Those that had it among their best five.
    pub top5: u64,
}

/// The videos of one range of confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bin {
    /// How many.
    pub videos: u64,
    /// Those whose best class was right.
    pub right: u64,
    /// Probabilities of their best classes.
    pub confidence_sum: Sum,
}

/// What is said of one video.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The mean over its views, after the softmax.
    pub mean: Scores,
    /// The best five classes.
    pub best: Vec<Score>,
    /// Whether the best one is right.
    pub top1: bool,
    /// Whether one of the five is.
    pub top5: bool,
}

impl Judged {
    /// Judges the mean over views.
    pub fn new(mean: Scores, labels: &[usize]) -> Self {
        let best = mean.top(5, 0.0);
        let top1 = best.first().is_some_and(|score| labels.contains(&score.class));
        let top5 = best.iter().any(|score| labels.contains(&score.class));
        Self { mean, best, top1, top5 }
    }
}

impl Scored {
    /// The softmax of each view.
    pub fn view_scores(&self, classes: usize) -> Vec<Scores> {
        self.logits.chunks_exact(classes.max(1)).map(Scores::softmax).collect()
    }

    /// The mean over its views, each after the softmax; nothing without views.
    pub fn mean_scores(&self, classes: usize) -> Option<Scores> {
        Scores::mean(&self.view_scores(classes))
    }
}

impl Tally {
    /// Nothing yet, of so many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            videos: Accuracy::default(),
            views: Accuracy::default(),
            short: 0,
            multi_label: 0,
            classes: vec![ClassCounts::default(); classes],
            confusion: Confusion::default(),
            confidence: bins(),
            seconds: 0.0,
        }
    }

    /// Counts a video. Without views there is nothing to count.
    pub fn add(&mut self, scored: &Scored) -> Option<Judged> {
        let views = scored.view_scores(self.classes.len());
        let mean = Scores::mean(&views)?;
        for view in &views {
            self.views.add(view, &scored.labels);
        }
        Some(self.add_mean(mean, scored))
    }

    /// Counts a video whose views were averaged elsewhere.
    pub fn add_mean(&mut self, mean: Scores, scored: &Scored) -> Judged {
        let labels = &scored.labels;
        self.videos.add(&mean, labels);
        self.short += u64::from(scored.file.is_short);
        self.multi_label += u64::from(labels.len() > 1);
        self.seconds += scored.seconds;
        let judged = Judged::new(mean, labels);
        for &label in labels {
            if let Some(class) = self.classes.get_mut(label) {
                class.videos += 1;
                class.top1 += u64::from(judged.best.first().is_some_and(|score| score.class == label));
                class.top5 += u64::from(judged.best.iter().any(|score| score.class == label));
            }
        }
        if let (&[label], Some(best)) = (labels.as_slice(), judged.best.first()) {
            self.confusion.add(label, best.class);
        }
        if let Some(best) = judged.best.first() {
            count_confidence(&mut self.confidence, best.score, judged.top1);
        }
        judged
    }

    /// Adds what another part counted.
    pub fn merge(&mut self, other: &Self) {
        self.videos.merge(&other.videos);
        self.views.merge(&other.views);
        self.short += other.short;
        self.multi_label += other.multi_label;
        for (class, other) in self.classes.iter_mut().zip(&other.classes) {
            class.videos += other.videos;
            class.top1 += other.top1;
            class.top5 += other.top5;
        }
        self.confusion.merge(&other.confusion);
        for (bin, other) in self.confidence.iter_mut().zip(&other.confidence) {
            bin.videos += other.videos;
            bin.right += other.right;
            bin.confidence_sum += other.confidence_sum;
        }
        self.seconds += other.seconds;
    }

    /// The mean over classes that have videos of the share that was right; 0 without any.
    pub fn mean_class_accuracy(&self) -> f64 {
        mean_class_accuracy(self.classes.iter().map(|class| (class.videos, class.top1)))
    }

    /// The expected calibration error: how far confidence and accuracy lie apart, over bins, weighed by their videos.
    pub fn calibration_error(&self) -> f64 {
        calibration_error(&self.confidence)
    }
}

/// Empty bins.
pub(crate) fn bins() -> Vec<Bin> {
    vec![Bin::default(); BINS]
}

pub(crate) fn count_confidence(bins: &mut [Bin], confidence: f32, is_right: bool) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bin")]
    let bin = ((f64::from(confidence) * bins.len() as f64) as usize).min(bins.len() - 1);
    bins[bin].videos += 1;
    bins[bin].right += u64::from(is_right);
    bins[bin].confidence_sum += f64::from(confidence);
}

pub(crate) fn calibration_error(bins: &[Bin]) -> f64 {
    let videos: u64 = bins.iter().map(|bin| bin.videos).sum();
    let gaps: f64 = bins.iter().map(|bin| (bin.right as f64 - bin.confidence_sum.value()).abs()).sum();
    if videos == 0 { 0.0 } else { gaps / videos as f64 }
}

pub(crate) fn mean_class_accuracy(classes: impl Iterator<Item = (u64, u64)>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for (videos, right) in classes.filter(|(videos, _)| *videos > 0) {
        sum += right as f64 / videos as f64;
        count += 1;
    }
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

#[cfg(test)]
mod tests {
    use super::super::record::{FileFacts, View};
    use super::*;

    fn scored(position: u64, labels: Vec<usize>, logits: Vec<f32>) -> Scored {
        let views = vec![View { clip: 0, crop: 0, start_seconds: 0.0 }; logits.len() / 3];
        let name = position.to_string();
        Scored { position, name, labels, file: FileFacts::default(), views, logits, seconds: 0.0 }
    }

    #[test]
    fn views_alone_and_together_are_counted_apart() {
        let mut tally = Tally::new(3);
        // One view is right and sure, two are wrong and unsure.
        tally.add(&scored(0, vec![2], vec![0.0, 0.0, 9.0, 0.1, 0.0, 0.0, 0.1, 0.0, 0.0])).expect("views");
        assert_eq!((tally.views.files, tally.views.top1), (3, 1));
        assert_eq!((tally.videos.files, tally.videos.top1), (1, 1));
        tally.add(&scored(1, vec![0], vec![0.0, 5.0, 0.0])).expect("a view");
        assert_eq!(tally.confusion.mistakes(), [(0, 1, 1)]);
        assert_eq!(tally.mean_class_accuracy(), 0.5);
        assert!(Tally::new(3).add(&scored(0, vec![0], vec![])).is_none());
    }

    proptest::proptest! {
        #[test]
        fn parts_add_up_to_the_whole(
            videos in proptest::collection::vec((0_usize..3, proptest::collection::vec(-9.0_f32..9.0, 3)), 0..40),
            parts in 1_usize..5,
        ) {
            let scored = |(at, (label, logits)): (usize, &(usize, Vec<f32>))| {
                scored(at as u64, vec![*label], logits.clone())
            };
            let mut whole = Tally::new(3);
            for video in videos.iter().enumerate() {
                whole.add(&scored(video));
            }
            let mut merged = Tally::new(3);
            for part in (0..parts).rev() {
                let mut tally = Tally::new(3);
                for video in videos.iter().enumerate().filter(|(at, _)| at % parts == part) {
                    tally.add(&scored(video));
                }
                merged.merge(&tally);
            }
            assert_eq!(merged, whole);
            assert!((0.0..=1.0).contains(&whole.calibration_error()));
        }
    }
}
