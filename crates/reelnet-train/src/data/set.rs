//! Data sets: opened, checked, split.

use std::path::{Path, PathBuf};

use reelnet_infer::Labels;
use sha2::{Digest, Sha256};

use super::config::{DataConfig, HoldOut, SourceConfig};
use super::error::{DataError, DataErrorKind as Kind, EXAMPLES};
use super::findings::Findings;
use super::label_map::LabelMap;
use super::list::List;
use super::rows::Rows;
use super::sample::Sample;
use super::split::held_out;
use super::{folders, imagenet, kinetics, shards};

/// Samples and what their classes are called.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// In the order of the source.
    pub samples: Vec<Sample>,
    /// Names of the classes, in the order of the classifier's outputs.
    pub labels: Labels,
    /// What was noticed while reading.
    pub findings: Findings,
}

/// The data sets of a run.
#[derive(Clone, Debug)]
pub struct DataSets {
    /// What is trained on.
    pub training: DataSet,
    /// What is measured with while training, and chosen by.
    pub validation: DataSet,
    /// What is measured with once, at the end.
    pub test: Option<DataSet>,
}

impl DataSets {
    /// SHA-256 of each of them; see [`DataSet::fingerprint`].
    pub fn fingerprint(&self) -> String {
        let sets = [&self.training, &self.validation].into_iter().chain(&self.test);
        sets.map(DataSet::fingerprint).collect::<Vec<_>>().join("+")
    }
}

impl DataSet {
    /// What is trained on, and what is measured with.
    ///
    /// # Errors
    /// If a source cannot be read or contradicts itself, files are missing, a class is unknown or has nothing to be learned
    /// from, or a set is empty.
    pub fn open(config: &DataConfig, root: &Path) -> Result<DataSets, DataError> {
        check(config).map_err(|kind| kind.at(root))?;
        let map = config.labels.as_ref().map(|labels| LabelMap::read(&root.join(labels))).transpose()?;
        let place = root.join(config.train.path());
        let rows = rows(&config.train, root, map.as_ref())?;
        let map = match map {
            Some(map) => map,
            None => rows.label_map().map_err(|kind| kind.at(&place))?,
        };
        let training = Self::of(rows, &map, config.max_missing).map_err(|kind| kind.at(&place))?;
        let other = |source: &SourceConfig| {
            let place = root.join(source.path());
            let rows = self::rows(source, root, Some(&map))?;
            Self::of(rows, &map, config.max_missing).map_err(|kind| kind.at(&place))
        };
        let (training, validation) = match (&config.validation, &config.hold_out) {
            (Some(source), _) => {
                require_every_class(&training).map_err(|kind| kind.at(&place))?;
                (training, other(source)?)
            }
            (None, Some(hold_out)) => training.split(hold_out).map_err(|kind| kind.at(&place))?,
            (None, None) => unreachable!("`check` wants one of them"),
        };
        // What was held out may have been all of a class.
        require_every_class(&training).map_err(|kind| kind.at(&place))?;
        let test = config.test.as_ref().map(other).transpose()?;
        Ok(DataSets { training, validation, test })
    }

    /// What a model with these classes is measured with. Missing files are no reason to stop here; whoever measures says what they are.
    ///
    /// # Errors
    /// If the source cannot be read or contradicts itself, a class is not the model's, other names of the classes are not of the
    /// model's, or no file is there.
    pub fn open_to_measure(
        source: &SourceConfig,
        root: &Path,
        classes: &Labels,
        names: Option<&Path>,
    ) -> Result<Self, DataError> {
        let map = match names {
            None => LabelMap::of_model(classes),
            Some(names) => {
                let map = LabelMap::read(names)?;
                if map.labels != *classes {
                    return Err(Kind::Form(other_classes(&map.labels, classes)).at(names));
                }
                map
            }
        };
        let place = root.join(source.path());
        let rows = rows(source, root, Some(&map))?;
        Self::of(rows, &map, 1.0).map_err(|kind| kind.at(&place))
    }

    /// SHA-256 over names, classes and spans, in hexadecimal: whether a run that goes on has the data that it began with. Not
    /// the files' bytes, and not where they lie.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.labels.to_text());
        for sample in &self.samples {
            let span = sample.span.map(|span| [span.start_seconds.to_bits(), span.end_seconds.to_bits()]);
            // Debug output quotes names, so that no two lists have one text.
            hash.update(format!("{:?} {:?} {span:?} {:?}\n", sample.name, sample.labels(), sample.section));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// How many samples each class has, in the order of the classes. One of several classes counts for each.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.labels.len()];
        for sample in &self.samples {
            for label in sample.labels() {
                counts[label] += 1;
            }
        }
        counts
    }

    fn of(rows: Rows, map: &LabelMap, max_missing: f64) -> Result<Self, Kind> {
        let (samples, findings) = rows.samples(map, max_missing)?;
        Ok(Self { samples, labels: map.labels.clone(), findings })
    }

    fn split(self, hold_out: &HoldOut) -> Result<(Self, Self), Kind> {
        let groups: Vec<&str> = self.samples.iter().map(|sample| sample.group.as_str()).collect();
        let held = held_out(&groups, hold_out.share, hold_out.seed);
        let (held, kept): (Vec<_>, Vec<_>) = self.samples.into_iter().zip(held).partition(|(_, held)| *held);
        let part = |samples: Vec<(Sample, bool)>, findings: Findings| {
            let samples = samples.into_iter().map(|(sample, _)| sample).collect();
            let mut part = Self { samples, labels: self.labels.clone(), findings };
            let counts = part.class_counts();
            let empty = counts.iter().enumerate().filter(|(_, count)| **count == 0);
            part.findings.empty_classes =
                empty.filter_map(|(class, _)| part.labels.get(class).map(str::to_owned)).collect();
            part
        };
        let sets = (part(kept, self.findings), part(held, Findings::default()));
        if sets.0.samples.is_empty() || sets.1.samples.is_empty() {
            let of = if sets.1.samples.is_empty() { "held out" } else { "left" };
            return Err(Kind::Empty(format!(" when a share of {} is held out: none is {of}", hold_out.share)));
        }
        Ok(sets)
    }
}

/// Where two lists of classes part.
fn other_classes(file: &Labels, model: &Labels) -> String {
    let other = (0..file.len().max(model.len())).find(|&class| file.get(class) != model.get(class)).unwrap_or(0);
    let name = |labels: &Labels| labels.get(other).map_or_else(|| "none".to_owned(), |name| format!("{name:?}"));
    format!(
        "it does not name the model's classes: class {other} is {} in it and {} in the model; expected the model's names in its order",
        name(file),
        name(model)
    )
}

/// A class without samples cannot be learned.
fn require_every_class(training: &DataSet) -> Result<(), Kind> {
    let empty = &training.findings.empty_classes;
    if empty.is_empty() {
        return Ok(());
    }
    let examples = empty.iter().take(EXAMPLES).cloned().collect();
    Err(Kind::MissingClass { count: empty.len(), classes: training.labels.len(), examples })
}

fn check(config: &DataConfig) -> Result<(), Kind> {
    let setting = |key, value: String, expected| Err(Kind::Setting { key, value, expected });
    if config.validation.is_some() == config.hold_out.is_some() {
        let value = if config.validation.is_some() { "there beside hold_out" } else { "absent, as is hold_out" };
        return setting("data.validation", value.to_owned(), "one of data.validation and data.hold_out");
    }
    if let Some(hold_out) = &config.hold_out
        && !(hold_out.share > 0.0 && hold_out.share < 1.0)
    {
        return setting("data.hold_out.share", hold_out.share.to_string(), "a share above 0 and below 1, such as 0.02");
    }
    if let SourceConfig::Shards { shuffle_window: Some(0), .. } = config.train {
        return setting("data.train.shuffle_window", "0".to_owned(), "a number of samples, at least 1");
    }
    if !(0.0..1.0).contains(&config.max_missing) {
        return setting("data.max_missing", config.max_missing.to_string(), "a share from 0 to below 1");
    }
    Ok(())
}

fn rows(source: &SourceConfig, root: &Path, map: Option<&LabelMap>) -> Result<Rows, DataError> {
    match source {
        SourceConfig::Folders { path } => folders::rows(root, path),
        SourceConfig::List { file, files, columns } => List { root, file, files, columns, map }.rows(),
        SourceConfig::Kinetics { csv, videos, split } => kinetics::rows(root, csv, videos, split.as_deref()),
        SourceConfig::ImagenetValidation { images, truth, synsets } => {
            imagenet::rows(root, images, truth, synsets.as_deref())
        }
        SourceConfig::Shards { paths, .. } => shards::rows(root, paths),
    }
}

impl SourceConfig {
    /// What an error about the whole of it names.
    fn path(&self) -> PathBuf {
        match self {
            Self::Folders { path } | Self::List { file: path, .. } | Self::Kinetics { csv: path, .. } => path.clone(),
            Self::ImagenetValidation { images, .. } => images.clone(),
            Self::Shards { paths, .. } => paths.first().cloned().unwrap_or_default(),
        }
    }
}
