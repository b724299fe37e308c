//! What can be wrong with a recipe.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A recipe that cannot be used.
#[derive(Debug, Error)]
#[error("cannot use the recipe `{}`: {kind}", path.display())]
pub struct RecipeError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: RecipeErrorKind,
}

/// What is wrong with the recipe.
#[derive(Debug, Error)]
pub enum RecipeErrorKind {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is no TOML, a key is unknown or missing, or a value has the wrong type.
    #[error("{place}{message}{}", suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Words {
        /// Line and table, as far as they are known.
        place: String,
        /// What the parser says.
        message: String,
        /// The legal word that is nearest to the one that stands there.
        suggestion: Option<String>,
    },
    /// A number means nothing.
    #[error("{key} is {value}, expected {expected}")]
    Value {
        /// The key.
        key: String,
        /// What it is.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// No bundle could hold what comes out.
    #[error("{0}")]
    Bundle(String),
    /// `--set` does not fit.
    #[error("--set {words}: {why}")]
    Set {
        /// As they were typed.
        words: String,
        /// What is wrong with them.
        why: String,
    },
}

impl RecipeErrorKind {
    pub(super) fn at(self, path: &Path) -> RecipeError {
        RecipeError { path: path.to_owned(), kind: self }
    }
}
