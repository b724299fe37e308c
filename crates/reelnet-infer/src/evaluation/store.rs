//! Evaluations on disk: a folder that grows while files are scored, or a dump; and shards of one evaluation as one.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::dump;
use super::header::Header;
use super::record::{Record, Records};

/// What the folder of an evaluation holds.
pub const HEADER_FILE: &str = "evaluation.json";
/// The records of its files.
pub const RECORDS_FILE: &str = "scores.records";

/// An evaluation that cannot be read or written.
#[derive(Debug, Error)]
#[error("cannot use the evaluation `{}`: {kind}", path.display())]
pub struct StoreError {
    /// The folder or file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: StoreErrorKind,
}

/// What is wrong with an evaluation.
#[derive(Debug, Error)]
pub enum StoreErrorKind {
    /// There is nothing.
    #[error("there is no such folder or file; `reelnet eval --out DIR` makes folders, and --dump makes files")]
    NotFound,
    /// The disk says no.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is something else.
    #[error("{0}; expected a folder of `reelnet eval`, or a file of its --dump")]
    Form(String),
    /// It does not go with the others.
    #[error("{0}")]
    Stranger(String),
}

impl StoreErrorKind {
    pub(crate) fn at(self, path: &Path) -> StoreError {
        StoreError { path: path.to_owned(), kind: self }
    }
}

/// Records one by one.
pub type RecordStream = Box<dyn Iterator<Item = Result<Record, StoreError>>>;

/// A folder or a dump: one shard of an evaluation, or all of it.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// What it measures.
    pub header: Header,
}

impl Part {
    /// Reads what a folder or a dump measures.
    ///
    /// # Errors
    /// If it is neither.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let header = if path.is_dir() {
            read_header(path)
        } else if path.exists() {
            dump::read_header(path)
        } else {
            Err(StoreErrorKind::NotFound)
        };
        let header = header.map_err(|kind| kind.at(path))?;
        match header.complaint() {
            Some(complaint) => Err(StoreErrorKind::Form(complaint).at(path)),
            None => Ok(Self { path: path.to_owned(), header }),
        }
    }

    /// What became of its files, in the order of the list.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn records(&self) -> Result<RecordStream, StoreError> {
        let path = self.path.clone();
        if path.is_dir() {
            let classes = self.header.labels.len();
            let records =
                Records::open(&path.join(RECORDS_FILE)).map_err(|error| StoreErrorKind::from(error).at(&path))?;
            let sound = move |record: io::Result<Record>| {
                let record = record.map_err(StoreErrorKind::File).and_then(|record| checked(record, classes));
                record.map_err(|kind| kind.at(&path))
            };
            return Ok(Box::new(records.map(sound)));
        }
        let classes = self.header.labels.len();
        let records = dump::read(&path).map_err(|kind| kind.at(&path))?;
        let sound = move |record: Result<Record, StoreErrorKind>| {
            record.and_then(|record| checked(record, classes)).map_err(|kind| kind.at(&path))
        };
        Ok(Box::new(records.map(sound)))
    }
}

/// One evaluation, in one part or in several.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// In the order of their numbers.
    pub parts: Vec<Part>,
}

impl Evaluation {
    /// Opens folders and dumps, and puts the shards of an evaluation together.
    ///
    /// # Errors
    /// If one cannot be read, or a shard is there twice.
    pub fn open_all(paths: &[PathBuf]) -> Result<Vec<Self>, StoreError> {
        let mut evaluations: Vec<Self> = Vec::new();
        for path in paths {
            let part = Part::open(path)?;
            let same = |evaluation: &&mut Self| {
                let first = &evaluation.parts[0].header;
                part.header.shard.of > 1
                    && first.shard.of == part.header.shard.of
                    && first.differences(&part.header).is_empty()
            };
            match evaluations.iter_mut().find(same) {
                Some(evaluation) => evaluation.add(part)?,
                None => evaluations.push(Self { parts: vec![part] }),
            }
        }
        Ok(evaluations)
    }

    /// Opens one evaluation, of which there may be several shards.
    ///
    /// # Errors
    /// If they are not shards of one.
    pub fn open(paths: &[PathBuf]) -> Result<Self, StoreError> {
        let mut evaluations = Self::open_all(paths)?;
        match (evaluations.pop(), evaluations.first()) {
            (Some(evaluation), None) => Ok(evaluation),
            (Some(evaluation), Some(first)) => {
                let differences = first.header().differences(evaluation.header()).join("; ");
                let why =
                    format!("it is no shard of the same evaluation as `{}` ({differences})", first.path().display());
                Err(StoreErrorKind::Stranger(why).at(evaluation.path()))
            }
            (None, _) => Err(StoreErrorKind::NotFound.at(Path::new(""))),
        }
    }

    /// What it measures: the header of its first part.
    pub fn header(&self) -> &Header {
        &self.parts[0].header
    }

    /// What it is called in errors.
    pub fn path(&self) -> &Path {
        &self.parts[0].path
    }

    /// Files of all parts, whether they are there or not.
    pub fn listed(&self) -> u64 {
        self.parts.iter().map(|part| part.header.listed()).sum()
    }

    /// Names of the missing files of all parts, in the order of the list.
    pub fn missing(&self) -> Vec<&String> {
        let data = &self.header().data;
        let of_part = |place: u64| self.parts.iter().any(|part| part.header.shard.holds(place));
        (0..).zip(&data.missing).filter(|(place, _)| of_part(*place)).map(|(_, name)| name).collect()
    }

    /// What became of the files, in the order of the list.
    ///
    /// # Errors
    /// If a part cannot be read.
    pub fn records(&self) -> Result<RecordStream, StoreError> {
        let mut parts = self.parts.iter().map(Part::records).collect::<Result<Vec<_>, _>>()?;
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        Ok(Box::new(Merged { heads: parts.iter_mut().map(Iterator::next).collect(), parts }))
    }

    fn add(&mut self, part: Part) -> Result<(), StoreError> {
        let number = part.header.shard.number;
        if let Some(other) = self.parts.iter().find(|other| other.header.shard.number == number) {
            let why =
                format!("it is part {number} of the evaluation, as `{}` is; name each part once", other.path.display());
            return Err(StoreErrorKind::Stranger(why).at(&part.path));
        }
        let place = self.parts.partition_point(|other| other.header.shard.number < number);
        self.parts.insert(place, part);
        Ok(())
    }
}

/// Records of several parts, the one that stands first in the list coming first.
struct Merged {
    heads: VecDeque<Option<Result<Record, StoreError>>>,
    parts: Vec<RecordStream>,
}

impl Iterator for Merged {
    type Item = Result<Record, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        // An error comes before all.
        let place = |head: &Option<Result<Record, StoreError>>| match head {
            Some(Ok(record)) => Some(record.position()),
            Some(Err(_)) => Some(0),
            None => None,
        };
        let first = (0..self.heads.len()).filter_map(|part| Some((place(&self.heads[part])?, part))).min()?.1;
        let next = self.parts[first].next();
        std::mem::replace(&mut self.heads[first], next)
    }
}

fn read_header(folder: &Path) -> Result<Header, StoreErrorKind> {
    let text = match fs::read_to_string(folder.join(HEADER_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreErrorKind::Form(format!("there is no {HEADER_FILE} in it")));
        }
        Err(error) => return Err(error.into()),
    };
    serde_json::from_str(&text)
        .map_err(|error| StoreErrorKind::Form(format!("its {HEADER_FILE} does not parse: {error}")))
}

/// A record that could not be of this evaluation is refused before it is counted.
fn checked(record: Record, classes: usize) -> Result<Record, StoreErrorKind> {
    if let Record::Scored(scored) = &record {
        let fits = scored.logits.len() == scored.views.len() * classes && !scored.views.is_empty();
        if !fits || scored.labels.is_empty() || scored.labels.iter().any(|&label| label >= classes) {
            return Err(StoreErrorKind::Form(format!("the scores of `{}` are not of {classes} classes", scored.name)));
        }
        if !scored.logits.iter().all(|logit| logit.is_finite()) {
            return Err(StoreErrorKind::Form(format!("the scores of `{}` are no finite numbers", scored.name)));
        }
    }
    Ok(record)
}
