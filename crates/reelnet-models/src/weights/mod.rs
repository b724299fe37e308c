//! Weights on their way in and out: safetensors both ways, PyTorch's `.pth` in, and the check that a file is a network's.

mod error;
mod file;
mod load;
mod rename;
mod state_dict;

pub use error::{WeightsError, WeightsErrorKind};
pub use load::{LoadReport, Mismatch, Strictness, load};
pub use rename::{Naming, rename};
pub use state_dict::{StateDict, WeightTensor};
