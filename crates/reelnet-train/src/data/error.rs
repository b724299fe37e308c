//! What can be wrong with data.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Data that cannot be used.
#[derive(Debug, Error)]
#[error("cannot use the data in `{}`: {kind}", path.display())]
pub struct DataError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: DataErrorKind,
}

/// What is wrong with the data.
#[derive(Debug, Error)]
pub enum DataErrorKind {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// A line does not say what it should.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1 on.
        line: usize,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// The whole of it does not say what it should.
    #[error("{0}")]
    Form(String),
    /// There are no samples.
    #[error("there are no samples in it{0}")]
    Empty(String),
    /// Classes that nobody knows.
    #[error("{count} samples are of unknown classes, such as {}", several(examples))]
    UnknownClass {
        /// How many samples.
        count: usize,
        /// Some of them.
        examples: Vec<String>,
    },
    /// Classes without any sample to learn them from.
    #[error("{count} of {classes} classes have no samples, such as {}", several(examples))]
    MissingClass {
        /// How many.
        count: usize,
        /// Of so many.
        classes: usize,
        /// Some of them.
        examples: Vec<String>,
    },
    /// One sample with different classes.
    #[error(
        "{count} samples are there twice, and of different classes, such as {}; put all classes of a sample into one row",
        several(examples)
    )]
    Contradiction {
        /// How many.
        count: usize,
        /// Some of them.
        examples: Vec<String>,
    },
    /// Too many files that are not there.
    #[error(
        "{count} of {samples} files are missing, such as {}; at most {allowed} may be (data.max_missing)",
        several(examples)
    )]
    Missing {
        /// How many.
        count: usize,
        /// Of so many.
        samples: usize,
        /// How many may be.
        allowed: usize,
        /// Some of them.
        examples: Vec<String>,
    },
    /// A setting of the recipe means nothing.
    #[error("{key} is {value}, expected {expected}")]
    Setting {
        /// The key.
        key: &'static str,
        /// What it is.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
}

impl DataErrorKind {
    pub(super) fn at(self, path: &Path) -> DataError {
        DataError { path: path.to_owned(), kind: self }
    }
}

/// How many examples an error names.
pub(super) const EXAMPLES: usize = 5;

fn several(examples: &[String]) -> String {
    examples.iter().map(|example| format!("`{example}`")).collect::<Vec<_>>().join(", ")
}
