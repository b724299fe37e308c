//! From records to the numbers that are told.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::accuracy::share;
use super::bootstrap::{Intervals, Outcome, intervals};
use super::header::{Header, Shard};
use super::precision::average_precision;
use super::record::{Failed, Record, Scored};
use super::store::{Evaluation, StoreError};
use super::tally::{Bin, ClassCounts, Judged, Tally};
use super::temperature::{Fitted, Tempered};
use crate::labels::hex;
use crate::scores::{Score, Scores};

/// Videos that are told of because they went worst.
const WORST: usize = 24;
/// Pairs of classes that are told of because they are taken for one another.
const PAIRS: usize = 20;

/// All numbers of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What was measured.
    pub header: Header,
    /// How much of the list that is.
    pub coverage: Coverage,
    /// Each video once, the scores of its views averaged.
    pub video_level: VideoLevel,
    /// Each view alone.
    pub clip_level: ClipLevel,
    /// Confidence against accuracy.
    pub calibration: Calibration,
    /// Of videos with several classes.
    pub multi_label: Option<MultiLabel>,
    /// Class by class.
    pub classes: Vec<ClassRow>,
    /// Which class was taken for which, the most frequent first.
    pub confused: Vec<Confused>,
    /// Triples of what videos are, what they were taken for, and how often.
    pub confusion: super::confusion::Confusion,
    /// The videos that went worst.
    pub worst: Vec<Worst>,
    /// What exactly was scored, and with what.
    pub fingerprint: Fingerprint,
    /// What it took. Not a part of the result: another run takes other seconds.
    pub cost: Cost,
    /// Files that were not scored.
    pub failed: Vec<Failed>,
}

/// How much of a list was scored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Files of the list, each once.
    pub listed: u64,
    /// Those that are not there.
    pub missing: u64,
    /// Those that are there and gave no clips.
    pub unreadable: u64,
    /// Those that nobody tried yet.
    pub left: u64,
    /// Those that were scored.
    pub scored: u64,
    /// Those of the scored that are shorter than a clip.
    pub short: u64,
    /// Lines of the list that name a file again; they do not count.
    pub repeated: u64,
}

impl Coverage {
    /// The share of listed files that has no scores.
    pub fn missing_share(&self) -> f64 {
        share(self.listed.saturating_sub(self.scored), self.listed)
    }
}

/// Numbers over videos.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VideoLevel {
    /// Videos that were scored.
    pub videos: u64,
    /// Those whose best class was right.
    pub top1_count: u64,
    /// Those that had a right class among the best five.
    pub top5_count: u64,
    /// Shares of the scored.
    pub top1: f64,
    /// Shares of the scored.
    pub top5: f64,
    /// Shares of the listed: what is missing counts as wrong.
    pub top1_of_listed: f64,
    /// Shares of the listed.
    pub top5_of_listed: f64,
    /// The mean of the classes' top-1.
    pub mean_class_accuracy: f64,
    /// The mean negative logarithm of the right class's score.
    pub loss: f64,
    /// 95 % intervals.
    pub intervals: Intervals,
}

/// Numbers over views.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClipLevel {
    /// Views that were scored.
    pub views: u64,
    /// Those whose best class was right.
    pub top1_count: u64,
    /// Those that had a right class among the best five.
    pub top5_count: u64,
    /// Shares of the views.
    pub top1: f64,
    /// Shares of the views.
    pub top5: f64,
}

/// Confidence against accuracy, over videos.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The expected calibration error.
    pub error: f64,
    /// By confidence from 0 to 1, equally wide.
    pub bins: Vec<Bin>,
    /// A temperature that was fitted to other videos, if one was.
    pub temperature: Option<f64>,
    /// The error at that temperature.
    pub error_at_temperature: Option<f64>,
}

/// Numbers of videos with several classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MultiLabel {
    /// Videos with more than one class.
    pub videos: u64,
    /// The mean of the classes' average precisions.
    pub mean_average_precision: f64,
}

/// A class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
    /// Its name.
    pub label: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: ClassCounts,
    /// Of videos with several classes.
    pub average_precision: Option<f64>,
}

/// Two classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confused {
    /// What videos are.
    pub label: String,
    /// What they were taken for.
    pub taken_for: String,
    /// How often.
    pub videos: u64,
    /// Of how many of the class.
    pub of: u64,
}

/// A video that went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Its name.
    pub name: String,
    /// What it is.
    pub labels: Vec<usize>,
    /// The score of what it is.
    pub score: f32,
    /// What it was taken for.
    pub best: Vec<Score>,
}

/// Hashes: equal ones were computed of the same files, with the same model, decoder and views.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Of names, sizes, lengths and codecs of the scored files.
    pub files: String,
    /// Of all of it.
    pub all: String,
}

/// What an evaluation took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Multiply-accumulates of all views.
    pub macs: f64,
    /// Of each video, in the mean.
    pub macs_a_video: f64,
    /// Seconds, over all runs and parts.
    pub seconds: f64,
    /// Videos a minute.
    pub videos_a_minute: f64,
}

/// Reads all records of an evaluation once, and counts.
///
/// # Errors
/// If they cannot be read.
pub fn summarise(evaluation: &Evaluation, temperature: Option<f64>) -> Result<Summary, StoreError> {
    let mut gathering = Gathering::new(evaluation.header(), temperature);
    for record in evaluation.records()? {
        match record? {
            Record::Scored(scored) => gathering.add(&scored, None),
            Record::Failed(failed) => gathering.failed.push(failed),
        }
    }
    gathering.finish(evaluation)
}

/// The temperature with the least loss over the videos of an evaluation.
///
/// # Errors
/// If its records cannot be read.
pub fn fit_temperature(evaluation: &Evaluation) -> Result<Option<f64>, StoreError> {
    let classes = evaluation.header().labels.len();
    let mut fitted = Fitted::new(classes);
    for record in evaluation.records()? {
        if let Record::Scored(scored) = record?
            && let Some(mean) = scored.mean_scores(classes)
        {
            fitted.add(&mean, &scored.labels);
        }
    }
    Ok(fitted.temperature())
}

/// What is gathered while records go by.
pub(super) struct Gathering {
    tally: Tally,
    classes: usize,
    outcomes: Vec<Outcome>,
    files: Sha256,
    worst: Vec<Worst>,
    tempered: Option<Tempered>,
    /// Scores of every video from the first one with several classes on; of models together from the start, for no record has them.
    many: Many,
    pub(super) failed: Vec<Failed>,
}

/// Mean scores and classes of all videos, for average precision.
#[derive(Default)]
struct Many {
    scores: Vec<Vec<f32>>,
    labels: Vec<Vec<usize>>,
}

impl Gathering {
    pub(super) fn new(header: &Header, temperature: Option<f64>) -> Self {
        let classes = header.labels.len();
        Self {
            tally: Tally::new(classes),
            classes,
            outcomes: Vec::new(),
            files: Sha256::new(),
            worst: Vec::new(),
            tempered: temperature.map(Tempered::new),
            many: Many::default(),
            failed: Vec::new(),
        }
    }

    /// Counts a video; with scores that several models agreed on, where there are some.
    pub(super) fn add(&mut self, scored: &Scored, fused: Option<Scores>) {
        let is_fused = fused.is_some();
        let judged = match fused {
            Some(mean) => Some(self.tally.add_mean(mean, scored)),
            None => self.tally.add(scored),
        };
        let Some(judged) = judged else { return };
        let label = u32::try_from(scored.labels[0]).unwrap_or(u32::MAX);
        let outcome = Outcome { label, top1: judged.top1, top5: judged.top5 };
        self.outcomes.push(outcome);
        let file = &scored.file;
        // Debug output quotes names, so that no two lists have one text.
        let duration = file.duration_seconds.to_bits();
        self.files.update(format!("{:?} {} {duration:x} {:?}\n", scored.name, file.bytes, file.codec));
        if let Some(tempered) = &mut self.tempered {
            tempered.add(&judged.mean, self.classes, outcome);
        }
        if is_fused || self.tally.multi_label > 0 {
            self.many.scores.push((0..self.classes).map(|class| judged.mean.of(class).unwrap_or(0.0)).collect());
            self.many.labels.push(scored.labels.clone());
        }
        if !judged.top1 {
            self.remember(scored, judged);
        }
    }

    fn remember(&mut self, scored: &Scored, judged: Judged) {
        let score = scored.labels.iter().filter_map(|&label| judged.mean.of(label)).fold(0.0, f32::max);
        let worst = Worst { name: scored.name.clone(), labels: scored.labels.clone(), score, best: judged.best };
        // Those that stand first in the list come first.
        let place = self.worst.partition_point(|other| other.score <= worst.score);
        self.worst.insert(place, worst);
        self.worst.truncate(WORST);
    }

    pub(super) fn finish(mut self, evaluation: &Evaluation) -> Result<Summary, StoreError> {
        let header = {
            let mut header = evaluation.header().clone();
            if evaluation.parts.len() as u64 == header.shard.of {
                header.shard = Shard::WHOLE;
            }
            header
        };
        if self.tally.multi_label > 0 {
            self.gather_before_the_first(evaluation)?;
        }
        let (tally, labels) = (&self.tally, &header.labels);
        let videos = &tally.videos;
        let missing = evaluation.missing();
        let listed = evaluation.listed();
        let coverage = Coverage {
            listed,
            missing: missing.len() as u64,
            unreadable: self.failed.len() as u64,
            left: listed.saturating_sub(missing.len() as u64 + self.failed.len() as u64 + videos.files),
            scored: videos.files,
            short: tally.short,
            repeated: header.data.repeated,
        };
        let precisions = if tally.multi_label > 0 { self.many.precisions(self.classes) } else { Vec::new() };
        let name = |class: usize| labels.get(class).cloned().unwrap_or_default();
        let found: Vec<f64> = precisions.iter().copied().flatten().collect();
        let multi_label = (tally.multi_label > 0).then(|| MultiLabel {
            videos: tally.multi_label,
            mean_average_precision: found.iter().sum::<f64>() / found.len().max(1) as f64,
        });
        let class = |(class, counts): (usize, &ClassCounts)| ClassRow {
            label: name(class),
            counts: *counts,
            average_precision: precisions.get(class).copied().flatten(),
        };
        let confused = |&(is, taken_for, videos): &(usize, usize, u64)| Confused {
            label: name(is),
            taken_for: name(taken_for),
            videos,
            of: tally.confusion.files_of(is),
        };
        let (temperature, error_at_temperature) = self.tempered.map(Tempered::finish).unzip();
        let absent = missing.into_iter().map(|name| Failed {
            position: 0,
            name: name.clone(),
            kind: "missing".to_owned(),
            reason: "there is no such file".to_owned(),
        });
        let macs = header.model.macs as f64 * tally.views.files as f64;
        Ok(Summary {
            video_level: VideoLevel {
                videos: videos.files,
                top1_count: videos.top1,
                top5_count: videos.top5,
                top1: videos.top1_share(),
                top5: videos.top5_share(),
                top1_of_listed: share(videos.top1, listed),
                top5_of_listed: share(videos.top5, listed),
                mean_class_accuracy: tally.mean_class_accuracy(),
                loss: videos.loss(),
                intervals: intervals(&self.outcomes, self.classes),
            },
            clip_level: ClipLevel {
                views: tally.views.files,
                top1_count: tally.views.top1,
                top5_count: tally.views.top5,
                top1: tally.views.top1_share(),
                top5: tally.views.top5_share(),
            },
            calibration: Calibration {
                error: tally.calibration_error(),
                bins: tally.confidence.clone(),
                temperature,
                error_at_temperature,
            },
            multi_label,
            classes: tally.classes.iter().enumerate().map(class).collect(),
            confused: tally.confusion.mistakes().iter().take(PAIRS).map(confused).collect(),
            confusion: tally.confusion.clone(),
            worst: self.worst,
            fingerprint: fingerprint(&header, self.files),
            cost: Cost {
                macs,
                macs_a_video: macs / videos.files.max(1) as f64,
                seconds: tally.seconds,
                videos_a_minute: if tally.seconds > 0.0 { videos.files as f64 / tally.seconds * 60.0 } else { 0.0 },
            },
            failed: absent.chain(self.failed).collect(),
            coverage,
            header,
        })
    }

    /// Videos before the first one with several classes count for average precision too.
    fn gather_before_the_first(&mut self, evaluation: &Evaluation) -> Result<(), StoreError> {
        let wanted = self.outcomes.len() - self.many.scores.len();
        if wanted == 0 {
            return Ok(());
        }
        let mut first = Many::default();
        for record in evaluation.records()? {
            if first.scores.len() == wanted {
                break;
            }
            if let Record::Scored(scored) = record?
                && let Some(mean) = scored.mean_scores(self.classes)
            {
                first.scores.push((0..self.classes).map(|class| mean.of(class).unwrap_or(0.0)).collect());
                first.labels.push(scored.labels);
            }
        }
        first.scores.append(&mut self.many.scores);
        first.labels.append(&mut self.many.labels);
        self.many = first;
        Ok(())
    }
}

impl Many {
    /// The average precision of each class.
    fn precisions(&self, classes: usize) -> Vec<Option<f64>> {
        let of_class = |class: usize| {
            let scores: Vec<f32> = self.scores.iter().map(|scores| scores[class]).collect();
            let is_of_class: Vec<bool> = self.labels.iter().map(|labels| labels.contains(&class)).collect();
            average_precision(&scores, &is_of_class)
        };
        (0..classes).map(of_class).collect()
    }
}

fn fingerprint(header: &Header, files: Sha256) -> Fingerprint {
    let files = hex(&files.finalize());
    let mut all = Sha256::new();
    all.update(format!("{files} {} {:?} {:?}", header.model.sha256, header.model.precision, header.decoder));
    all.update(serde_json::to_string(&header.views).expect("numbers and names"));
    Fingerprint { files, all: hex(&all.finalize()) }
}
