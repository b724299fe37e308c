//! What can be wrong with a file of weights.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::load::LoadReport;

/// A file of weights that cannot be used.
#[derive(Debug, Error)]
#[error("cannot use `{}` as a file of tensors: {kind}", path.display())]
pub struct WeightsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: WeightsErrorKind,
}

/// What is wrong with the file.
#[derive(Debug, Error)]
pub enum WeightsErrorKind {
    /// The disk said no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a safetensors file, or a damaged one.
    #[error("not a readable safetensors file ({0})")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// Not a PyTorch checkpoint, or a damaged one.
    #[error("not a readable PyTorch checkpoint ({0})")]
    Pytorch(String),
    /// There is nothing in it, or nothing under the key that was named.
    #[error("it holds no tensors{}", key.as_ref().map(|key| format!(" under `{key}`")).unwrap_or_default())]
    Empty {
        /// The key.
        key: Option<String>,
    },
    /// A tensor has a type that weights do not have.
    #[error("tensor `{name}` holds {dtype}, expected a floating-point type of 16 to 64 bits")]
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// There is something in the way that is no file.
    #[error("it is no regular file; name a new file, or one that may be replaced")]
    NotAFile,
    /// The file's tensors are not the network's.
    #[error("they are not this network's: {0}")]
    Mismatch(Box<LoadReport>),
}

impl WeightsErrorKind {
    pub(super) fn at(self, path: &std::path::Path) -> WeightsError {
        WeightsError { path: path.to_owned(), kind: self }
    }
}
