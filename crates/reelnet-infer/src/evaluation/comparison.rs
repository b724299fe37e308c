//! Two evaluations side by side: whether one model is better, and whether the question was put to both in the same way.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, of_mean};
use super::record::{FileFacts, Record};
use super::store::{Evaluation, StoreError};
use super::tally::Judged;

/// Two evaluations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideBySide {
    /// In what they measured different things, in words. Nothing: the numbers can be compared.
    pub warnings: Vec<String>,
    /// Videos that both scored: everything below is over them.
    pub both: u64,
    /// Videos that only the first one scored.
    pub only_first: u64,
    /// Videos that only the second one scored.
    pub only_second: u64,
    /// Top-1 of the first one.
    pub first: f64,
    /// Top-1 of the second one.
    pub second: f64,
    /// What the second one has more.
    pub difference: f64,
    /// A 95 % interval of it, over videos that are drawn anew.
    pub interval: Interval,
    /// Videos that only the first one has right.
    pub first_alone_right: u64,
    /// Videos that only the second one has right.
    pub second_alone_right: u64,
    /// How likely so uneven a split of these is if neither is better: `McNemar`'s test, exact, two-sided.
    pub p_value: f64,
    /// Class by class, by its name, the largest differences first.
    pub classes: Vec<ClassPair>,
}

/// A class in both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassPair {
    /// Its name.
    pub label: String,
    /// Videos of it that both scored.
    pub videos: u64,
    /// Of these, those that the first one has right.
    pub first: u64,
    /// Those that the second one has right.
    pub second: u64,
}

/// What is remembered of a video.
struct Seen {
    labels: Vec<String>,
    is_right: bool,
    file: FileFacts,
}

/// Puts two evaluations side by side, video by video.
///
/// # Errors
/// If one cannot be read.
pub fn compare(first: &Evaluation, second: &Evaluation) -> Result<SideBySide, StoreError> {
    let mut seen = HashMap::new();
    let mut unfinished = [0_u64; 2];
    unfinished[0] = each_video(first, |name, video| {
        seen.insert(name, video);
    })?;
    let (mut differences, mut split) = (Vec::new(), [0_u64; 2]);
    let (mut right, mut only_second) = ([0_u64; 2], 0);
    let (mut other_files, mut other_labels) = (Vec::new(), Vec::new());
    let mut classes: HashMap<String, [u64; 3]> = HashMap::new();
    unfinished[1] = each_video(second, |name, two| {
        let Some(one) = seen.remove(&name) else {
            only_second += 1;
            return;
        };
        right[0] += u64::from(one.is_right);
        right[1] += u64::from(two.is_right);
        split[0] += u64::from(one.is_right && !two.is_right);
        split[1] += u64::from(two.is_right && !one.is_right);
        differences.push(f64::from(i8::from(two.is_right) - i8::from(one.is_right)));
        for label in &one.labels {
            let class = classes.entry(label.clone()).or_default();
            class[0] += 1;
            class[1] += u64::from(one.is_right);
            class[2] += u64::from(two.is_right);
        }
        let facts = |file: &FileFacts| (file.bytes, file.duration_seconds.to_bits(), file.codec.clone());
        if facts(&one.file) != facts(&two.file) {
            other_files.push(name.clone());
        }
        if one.labels != two.labels {
            other_labels.push(name);
        }
    })?;
    let both = differences.len() as u64;
    let only_first = seen.len() as u64;
    let mut warnings = differing(first, second);
    let mut warn = |count: u64, what: &str, examples: &[String]| {
        if count > 0 {
            let examples = examples.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let such_as = if examples.is_empty() { String::new() } else { format!(", such as {examples}") };
            warnings.push(format!("{count} {what}{such_as}"));
        }
    };
    warn(only_first, "videos were scored by the first one only", &[]);
    warn(only_second, "videos were scored by the second one only", &[]);
    warn(other_files.len() as u64, "videos are other files of the same name (size, length or codec)", &other_files);
    warn(other_labels.len() as u64, "videos are of other classes in one list than in the other", &other_labels);
    warn(unfinished[0], "files of the first one have not been tried yet", &[]);
    warn(unfinished[1], "files of the second one have not been tried yet", &[]);
    let mut classes: Vec<ClassPair> = classes
        .into_iter()
        .map(|(label, [videos, first, second])| ClassPair { label, videos, first, second })
        .collect();
    let gap = |class: &ClassPair| (class.second as f64 - class.first as f64) / class.videos as f64;
    classes.sort_by(|a, b| gap(b).abs().total_cmp(&gap(a).abs()).then_with(|| a.label.cmp(&b.label)));
    let share = |count: u64| count as f64 / both.max(1) as f64;
    Ok(SideBySide {
        warnings,
        both,
        only_first,
        only_second,
        first: share(right[0]),
        second: share(right[1]),
        difference: share(right[1]) - share(right[0]),
        interval: of_mean(&differences),
        first_alone_right: split[0],
        second_alone_right: split[1],
        p_value: mcnemar(split),
        classes,
    })
}

/// Hands on what became of each video, and says how many files are left.
fn each_video(evaluation: &Evaluation, mut each: impl FnMut(String, Seen)) -> Result<u64, StoreError> {
    let labels = &evaluation.header().labels;
    let mut tried = 0;
    for record in evaluation.records()? {
        tried += 1;
        if let Record::Scored(scored) = record?
            && let Some(mean) = scored.mean_scores(labels.len())
        {
            let is_right = Judged::new(mean, &scored.labels).top1;
            let labels = scored.labels.iter().filter_map(|&label| labels.get(label).cloned()).collect();
            each(scored.name, Seen { labels, is_right, file: scored.file });
        }
    }
    Ok(evaluation.listed().saturating_sub(evaluation.missing().len() as u64 + tried))
}

/// What else than the model is another one.
fn differing(first: &Evaluation, second: &Evaluation) -> Vec<String> {
    let (one, two) = (first.header(), second.header());
    let mut told = one.differences_beside_the_model(two);
    if first.parts.len() as u64 != one.shard.of || second.parts.len() as u64 != two.shard.of {
        told.push("not all parts of an evaluation are here".to_owned());
    }
    told
}

/// The probability of a split at least as uneven, of a fair coin.
fn mcnemar([one, two]: [u64; 2]) -> f64 {
    let (few, all) = (one.min(two), one + two);
    let mut logarithm = -(all as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for count in 0..=few {
        if count > 0 {
            logarithm += ((all - count + 1) as f64).ln() - (count as f64).ln();
        }
        sum += logarithm.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_a_binomial_one() {
        // scipy.stats.binomtest(k, n).pvalue
        for (split, expected) in [
            ([0, 0], 1.0),
            ([3, 3], 1.0),
            ([1, 9], 0.021_484_375),
            ([10, 25], 0.016_673_847_800_120_71),
            ([400, 500], 0.000_956_444_136_918_946_1),
        ] {
            let p_value = mcnemar(split);
            assert!((p_value - expected).abs() < 1e-9, "{split:?}: {p_value}");
        }
        assert_eq!(mcnemar([9, 1]), mcnemar([1, 9]));
    }
}
