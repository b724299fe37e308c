//! From the scores of windows to tags with times: thresholds, temperature, merging. Pure functions of what is stored; nothing is
//! decoded, and nothing is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use reelnet_infer::Scores;
use serde::{Deserialize, Serialize};

use crate::LibraryError;
use crate::windows::{Look, Window};

/// How scores become tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadingSettings {
    /// Divides logits before the softmax: above 1, scores are less sure.
    pub temperature: f64,
    /// The probability that opens a span.
    pub threshold: f32,
    /// Other thresholds, by label.
    pub thresholds: BTreeMap<String, f32>,
    /// A span goes on while the probability is at least this share of the threshold.
    pub hysteresis: f32,
    /// Spans that are shorter, in seconds, do not count; in videos shorter than that, all count.
    pub min_seconds: f64,
    /// Spans of one label that are no further apart, in seconds, are one.
    pub max_gap: f64,
    /// Labels of a file at most, the best ones.
    pub top: usize,
}

impl Default for ReadingSettings {
    /// Threshold 0.3, hysteresis 0.6, a gap of 6 seconds, 10 labels; temperature 1 and no least length.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            threshold: 0.3,
            thresholds: BTreeMap::new(),
            hysteresis: 0.6,
            min_seconds: 0.0,
            max_gap: 6.0,
            top: 10,
        }
    }
}

impl ReadingSettings {
    /// Those that a bundle brings in its `tagging.toml`, or the usual ones.
    ///
    /// # Errors
    /// If the file cannot be read, does not parse, or has numbers that make no sense.
    pub fn of_bundle(folder: &Path) -> Result<Self, LibraryError> {
        let path = folder.join("tagging.toml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(LibraryError::Disk { path, source }),
        };
        let told = |detail: &str| LibraryError::Wish(format!("`{}`: {}", path.display(), detail.trim_end()));
        let settings: Self = toml::from_str(&text).map_err(|error| told(&error.to_string()))?;
        settings.complaint().map_or(Ok(settings), |complaint| Err(told(&complaint)))
    }

    /// What is wrong with the numbers, if anything is.
    pub fn complaint(&self) -> Option<String> {
        let probability = |value: f32| (0.0..=1.0).contains(&value);
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Some(format!("temperature is {}, expected a number above 0", self.temperature));
        }
        if !probability(self.threshold) || !self.thresholds.values().all(|value| probability(*value)) {
            return Some("a threshold is no number from 0 to 1".to_owned());
        }
        if !probability(self.hysteresis) {
            return Some(format!("hysteresis is {}, expected a share from 0 to 1", self.hysteresis));
        }
        let seconds = |value: f64| value.is_finite() && value >= 0.0;
        if !seconds(self.min_seconds) || !seconds(self.max_gap) {
            return Some("min-seconds and max-gap have to be seconds from 0 on".to_owned());
        }
        (self.top == 0).then(|| "top is 0, expected a count from 1 on".to_owned())
    }
}

/// The stored scores of a file by one model.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowScores {
    /// In the order of their times.
    pub windows: Vec<Window>,
    /// `[rows, classes]`, one row after the other.
    pub logits: Vec<f16>,
    /// Classes of the model.
    pub classes: usize,
}

/// A stretch of a video that shows something.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Place of the label among the model's.
    pub class: usize,
    /// Seconds after the first frame; 0 of an image.
    pub start: f64,
    /// Where it ends; 0 of an image.
    pub end: f64,
    /// The best probability within.
    pub score: f32,
}

/// What a file shows, by label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tag {
    /// Place of the label among the model's.
    pub class: usize,
    /// The label.
    pub label: String,
    /// The best probability of all its spans.
    pub score: f32,
    /// In the order of time.
    pub spans: Vec<Span>,
}

impl Tag {
    /// Seconds in which it is to be seen.
    pub fn seconds(&self) -> f64 {
        self.spans.iter().map(|span| span.end - span.start).sum()
    }
}

impl WindowScores {
    /// Rows of logits.
    pub fn rows(&self) -> usize {
        self.logits.len() / self.classes.max(1)
    }

    /// The probabilities of each row at a temperature, `[rows][classes]`.
    pub fn probabilities(&self, temperature: f64) -> Vec<Scores> {
        #[expect(clippy::cast_possible_truncation, reason = "a temperature is near 1")]
        let scale = (1.0 / temperature) as f32;
        let mut row = vec![0.0; self.classes];
        self.logits
            .chunks_exact(self.classes.max(1))
            .map(|logits| {
                logits.convert_to_f32_slice(&mut row);
                for logit in &mut row {
                    *logit *= scale;
                }
                Scores::softmax(&row)
            })
            .collect()
    }

    /// What the file shows, best first: empty if nothing is sure enough.
    pub fn tags(&self, labels: &[String], settings: &ReadingSettings) -> Vec<Tag> {
        let rows = self.probabilities(settings.temperature);
        let duration = self.windows.last().map_or(0.0, |window| window.end);
        let min_seconds = settings.min_seconds.min(duration);
        let mut tags: Vec<Tag> = (0..self.classes)
            .filter_map(|class| {
                let label = labels.get(class)?;
                let threshold = settings.thresholds.get(label).copied().unwrap_or(settings.threshold);
                let of = |row: &Scores| row.of(class).unwrap_or(0.0);
                if !rows.iter().any(|row| of(row) >= threshold) {
                    return None;
                }
                let seen = self.windows.iter().filter_map(|window| match window.look {
                    Look::Row(row) | Look::Same(row) => Some((*window, rows.get(row).map_or(0.0, of))),
                    Look::Dark | Look::Damaged => None,
                });
                let spans = merged(class, seen, threshold, settings);
                // A microsecond is forgiven: ends are sums of fractions.
                let spans: Vec<Span> =
                    spans.into_iter().filter(|span| span.end - span.start + 1e-6 >= min_seconds).collect();
                let score = spans.iter().map(|span| span.score).reduce(f32::max)?;
                Some(Tag { class, label: label.clone(), score, spans })
            })
            .collect();
        tags.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
        tags.truncate(settings.top);
        tags
    }
}

/// Spans of one class. A window that reaches the threshold opens a span, which goes on while windows reach the lower one; then those
/// that are near each other are joined.
fn merged(
    class: usize,
    windows: impl Iterator<Item = (Window, f32)>,
    threshold: f32,
    settings: &ReadingSettings,
) -> Vec<Span> {
    let lower = threshold * settings.hysteresis;
    let mut spans: Vec<Span> = Vec::new();
    // A stretch of windows that reach the lower threshold, and whether one of them reaches the upper one.
    let mut open: Option<Span> = None;
    let mut close = |open: &mut Option<Span>| {
        let Some(span) = open.take().filter(|span| span.score >= threshold) else { return };
        match spans.last_mut() {
            Some(last) if span.start - last.end <= settings.max_gap + 1e-6 => {
                last.end = span.end;
                last.score = last.score.max(span.score);
            }
            _ => spans.push(span),
        }
    };
    for (window, score) in windows {
        if score < lower {
            close(&mut open);
            continue;
        }
        match &mut open {
            Some(span) if window.start - span.end <= settings.max_gap + 1e-6 => {
                span.end = window.end;
                span.score = span.score.max(score);
            }
            _ => {
                close(&mut open);
                open = Some(Span { class, start: window.start, end: window.end, score });
            }
        }
    }
    close(&mut open);
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of 5 seconds of a model with two classes, by the probability of class 0.
    fn scores(probabilities: &[f32]) -> WindowScores {
        let windows = (0..probabilities.len())
            .map(|row| Window { start: row as f64 * 5.0, end: row as f64 * 5.0 + 5.0, look: Look::Row(row) })
            .collect();
        let logits =
            probabilities.iter().flat_map(|p| [f16::from_f32((p / (1.0 - p)).ln()), f16::from_f32(0.0)]).collect();
        WindowScores { windows, logits, classes: 2 }
    }

    fn spans(scores: &WindowScores, settings: &ReadingSettings) -> Vec<(f64, f64)> {
        let labels = ["dog", "other"].map(str::to_owned);
        let tags = scores.tags(&labels, settings);
        tags.iter().filter(|tag| tag.class == 0).flat_map(|tag| &tag.spans).map(|span| (span.start, span.end)).collect()
    }

    fn strict() -> ReadingSettings {
        ReadingSettings { threshold: 0.8, hysteresis: 1.0, max_gap: 0.0, ..ReadingSettings::default() }
    }

    #[test]
    fn neighbours_are_one_span() {
        let scores = scores(&[0.9, 0.9, 0.1, 0.9]);
        assert_eq!(spans(&scores, &strict()), [(0.0, 10.0), (15.0, 20.0)]);
    }

    #[test]
    fn hysteresis_goes_on_but_does_not_begin() {
        let scores = scores(&[0.5, 0.9, 0.5, 0.1, 0.5]);
        assert_eq!(spans(&scores, &strict()), [(5.0, 10.0)]);
        let soft = ReadingSettings { hysteresis: 0.6, ..strict() };
        assert_eq!(spans(&scores, &soft), [(0.0, 15.0)]);
    }

    #[test]
    fn small_gaps_are_bridged() {
        let scores = scores(&[0.9, 0.1, 0.9, 0.1, 0.1, 0.9]);
        let settings = ReadingSettings { max_gap: 5.0, ..strict() };
        assert_eq!(spans(&scores, &settings), [(0.0, 15.0), (25.0, 30.0)]);
    }

    #[test]
    fn short_spans_do_not_count_unless_the_video_is_short() {
        let settings = ReadingSettings { min_seconds: 8.0, ..strict() };
        assert_eq!(spans(&scores(&[0.9, 0.1, 0.9, 0.9]), &settings), [(10.0, 20.0)]);
        assert_eq!(spans(&scores(&[0.9]), &settings), [(0.0, 5.0)]);
    }

    #[test]
    fn dark_and_damaged_windows_end_spans_and_equal_ones_go_on() {
        let mut scores = scores(&[0.9, 0.1]);
        let window = |at: usize, look| Window { start: at as f64 * 5.0, end: at as f64 * 5.0 + 5.0, look };
        scores.windows = vec![
            window(0, Look::Row(0)),
            window(1, Look::Same(0)),
            window(2, Look::Dark),
            window(3, Look::Same(0)),
            window(4, Look::Damaged),
            window(5, Look::Row(1)),
        ];
        assert_eq!(spans(&scores, &strict()), [(0.0, 10.0), (15.0, 20.0)]);
    }

    #[test]
    fn nothing_sure_is_no_tag() {
        let settings = ReadingSettings { threshold: 0.95, ..ReadingSettings::default() };
        assert!(scores(&[0.9, 0.5, 0.3]).tags(&["dog".to_owned(), "other".to_owned()], &settings).is_empty());
        // A label of its own threshold, and one that a temperature makes less sure.
        let own = ReadingSettings { thresholds: BTreeMap::from([("dog".to_owned(), 0.7)]), ..settings.clone() };
        assert_eq!(spans(&scores(&[0.9]), &own), [(0.0, 5.0)]);
        assert!(spans(&scores(&[0.9]), &ReadingSettings { temperature: 4.0, ..own }).is_empty());
    }

    #[test]
    fn the_best_labels_come_first_and_no_more_than_wanted() {
        let labels = ["dog", "other"].map(str::to_owned);
        let settings = ReadingSettings { threshold: 0.1, ..ReadingSettings::default() };
        let tags = scores(&[0.3, 0.3]).tags(&labels, &settings);
        assert_eq!(tags.iter().map(|tag| tag.label.as_str()).collect::<Vec<_>>(), ["other", "dog"]);
        assert_eq!(tags[0].seconds(), 10.0);
        assert_eq!(scores(&[0.3]).tags(&labels, &ReadingSettings { top: 1, ..settings }).len(), 1);
    }
}
