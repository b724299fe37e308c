//! What can be wrong with a bundle.

use std::io;
use std::path::{Path, PathBuf};

use reelnet_models::ConfigError;
use reelnet_models::weights::WeightsError;
use thiserror::Error;

/// A bundle that cannot be used.
#[derive(Debug, Error)]
#[error("cannot use the bundle `{}`: {kind}", path.display())]
pub struct BundleError {
    /// The folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: BundleErrorKind,
}

/// What is wrong with the bundle.
#[derive(Debug, Error)]
pub enum BundleErrorKind {
    /// There is no such folder.
    #[error("there is no such folder; `reelnet init`, `import` and `model pull` make bundles")]
    NotFound,
    /// A part is missing or unreadable.
    #[error("{file} cannot be read or written: {source}")]
    File {
        /// The part.
        file: &'static str,
        /// The disk's words.
        source: io::Error,
    },
    /// The manifest does not parse.
    #[error("model.toml: {0}")]
    Manifest(String),
    /// The labels are not the manifest's.
    #[error("labels.txt: {0}")]
    Labels(String),
    /// The network cannot be built.
    #[error("model.toml: {0}")]
    Network(#[from] ConfigError),
    /// The weights do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// There is something in the way.
    #[error("the folder exists and is not empty; name a new one")]
    Exists,
}

impl BundleErrorKind {
    pub(crate) fn at(self, path: &Path) -> BundleError {
        BundleError { path: path.to_owned(), kind: self }
    }
}
