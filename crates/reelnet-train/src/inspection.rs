//! A look at data before anything is trained on them: what there is, how long it is, and what the network will see of it.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::Array4;
use reelnet_clips::{CancelToken, ClipErrorKind, Limits, LoaderOptions, MediaIndex};
use serde::Serialize;

use crate::contact_sheet::ContactSheet;
use crate::data::{DataSet, Findings};
use crate::error::TrainError;
use crate::feed;
use crate::recipe::Recipe;
use crate::start;

/// Files of a set whose lengths are looked up, spread evenly over it.
const LOOKED_AT: usize = 200;

/// What was seen.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// What is trained on.
    pub training: SetSummary,
    /// What is measured with while training.
    pub validation: SetSummary,
    /// What is measured with at the end.
    pub test: Option<SetSummary>,
    /// The first clips of the first epoch, as the network gets them.
    pub seen: Vec<SeenClip>,
}

/// What a data set holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetSummary {
    /// Samples that are used.
    pub samples: usize,
    /// Samples of each class, in the order of the classes.
    pub classes: Vec<ClassCount>,
    /// What is not used, and why.
    pub findings: Findings,
    /// How long samples are, by those that were looked at.
    pub lengths: Lengths,
}

/// How often a class occurs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassCount {
    /// Its name.
    pub name: String,
    /// Its samples.
    pub samples: usize,
}

/// How long files are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lengths {
    /// Files that were opened.
    pub looked_at: usize,
    /// Those that could not be, and why.
    pub failed: Vec<String>,
    /// Shortest, median and longest, in frames.
    pub frames: [usize; 3],
    /// Shortest, median and longest, in seconds; of whole files, also where a sample is a part of one.
    pub seconds: [f64; 3],
}

/// A clip as the network gets it, or why there is none.
#[derive(Clone, Debug, Serialize)]
pub struct SeenClip {
    /// The sample's name.
    pub name: String,
    /// Its classes, after the augmentation.
    pub classes: Vec<String>,
    /// The file, if it could not be used, and what is wrong with it.
    pub failure: Option<(PathBuf, String)>,
    /// `[frames, side, side, 3]`; without frames if the file could not be used.
    #[serde(skip)]
    pub frames: Array4<u8>,
}

/// How to look.
#[derive(Clone, Debug)]
pub struct InspectOptions {
    /// The folder that the recipe's data lies in.
    pub data_root: PathBuf,
    /// Clips to make.
    pub clips: usize,
    /// Threads that load.
    pub workers: usize,
    /// Ends the look early; what was not seen is missing.
    pub cancel: CancelToken,
}

impl Inspection {
    /// The clips as one picture: a row a clip with up to eight of its frames, or eight images a row.
    pub fn contact_sheet(&self) -> Option<ContactSheet> {
        let clips = self.seen.iter().filter(|clip| clip.failure.is_none()).map(|clip| &clip.frames);
        ContactSheet::new(&clips.collect::<Vec<_>>())
    }
}

/// Opens a recipe's data, looks some lengths up, and makes the first clips of the first epoch.
///
/// # Errors
/// If the data cannot be used or do not fit the recipe.
pub fn inspect(recipe: &Recipe, options: &InspectOptions) -> Result<Inspection, TrainError> {
    let sets = start::data(recipe, &options.data_root)?.sets;
    let limits = Limits { cancel: options.cancel.clone(), ..Limits::default() };
    let [training, validation] = [&sets.training, &sets.validation].map(|set| summary(set, &limits));
    let test = sets.test.as_ref().map(|set| summary(set, &limits));

    let data = Arc::new(sets.training);
    let augmenter = start::augmenter(recipe, &data)?;
    let loader_options = LoaderOptions { workers: options.workers, limits, ..LoaderOptions::default() };
    let fed = feed::feed(recipe, &data, augmenter, &loader_options).take(options.clips);
    // A loader that was cancelled has no more.
    let seen = fed.map_while(Result::ok).map(|sample| {
        let name = |class: &usize| data.labels.get(*class).unwrap_or_default().to_owned();
        let (frames, failure) = match sample.result {
            Ok(clips) => (clips.into_iter().next().map(|clip| clip.frames), None),
            Err(error) => (None, Some((error.path.clone(), error.kind.to_string()))),
        };
        SeenClip {
            name: data.samples[sample.payload.sample()].name.clone(),
            classes: sample.payload.labels.iter().map(name).collect(),
            failure,
            frames: frames.unwrap_or_else(|| Array4::zeros([0, 1, 1, 3])),
        }
    });
    Ok(Inspection { training, validation, test, seen: seen.collect() })
}

fn summary(set: &DataSet, limits: &Limits) -> SetSummary {
    let class = |(class, samples)| ClassCount { name: set.labels.get(class).unwrap_or_default().to_owned(), samples };
    SetSummary {
        samples: set.samples.len(),
        classes: set.class_counts().into_iter().enumerate().map(class).collect(),
        findings: set.findings.clone(),
        lengths: lengths(set, limits),
    }
}

fn lengths(set: &DataSet, limits: &Limits) -> Lengths {
    let count = set.samples.len().min(LOOKED_AT);
    let mut lengths = Lengths::default();
    let (mut frames, mut seconds) = (Vec::new(), Vec::new());
    for place in 0..count {
        match MediaIndex::open(set.samples[place * set.samples.len() / count].media(), limits) {
            Ok(index) => {
                frames.push(index.frames());
                seconds.push(index.info.duration_seconds);
            }
            Err(error) if matches!(error.kind, ClipErrorKind::Cancelled) => break,
            Err(error) => lengths.failed.push(error.to_string()),
        }
        lengths.looked_at += 1;
    }
    frames.sort_unstable();
    seconds.sort_by(f64::total_cmp);
    if let Some(last) = frames.len().checked_sub(1) {
        lengths.frames = [0, last / 2, last].map(|place| frames[place]);
        lengths.seconds = [0, last / 2, last].map(|place| seconds[place]);
    }
    lengths
}
