//! What can be wrong with a file of weights.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::load::LoadReport;

/// A file of weights that cannot be used.
#[derive(Debug, Error)]
#[error("cannot use the weights in `{}`: {kind}", path.display())]
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
    /// The name ends in nothing known.
    #[error("expected a name that ends in .safetensors, .pth, .pt or .bin")]
    Format,
    /// There is nothing in it.
    #[error("it holds no tensors")]
    Empty,
    /// A tensor has a type that weights do not have.
    #[error("tensor `{name}` holds {dtype}, expected a floating-point type of 16 to 64 bits")]
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// The file asked for a tensor that is not there, or that has another shape.
    #[error("expected a tensor `{name}` of shape {expected}, found {found}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What it should be.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The file's tensors are not the network's.
    #[error("they are not this network's: {0}")]
    Mismatch(Box<LoadReport>),
}

impl WeightsErrorKind {
    pub(super) fn at(self, path: &std::path::Path) -> WeightsError {
        WeightsError { path: path.to_owned(), kind: self }
    }
}
