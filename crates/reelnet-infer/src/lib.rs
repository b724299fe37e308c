//! A bundle and clips in, scores out.
//!
//! A [`Bundle`] is a network with everything that its numbers depend on: the clip it looks at, how pixels are prepared, what
//! its classes are called. A [`Classifier`] scores clips with it, and [`tag::tag_file`] goes from a path to scores.
//! Evaluation and tagging both come through here, so they cannot disagree.
//!
//! This crate knows no gradients, no optimisers and no terminal.

mod batch;
pub mod bench;
mod bundle;
pub mod calibration;
mod classifier;
mod default_model;
pub mod engine;
mod error;
pub mod evaluation;
pub mod groups;
pub mod hub;
pub mod import;
mod labels;
mod manifest;
mod pixels;
mod scores;
pub mod tag;

pub use batch::clip_batch;
pub use bundle::Bundle;
pub use classifier::{Classifier, ScoreError};
pub use error::{BundleError, BundleErrorKind};
pub use labels::Labels;
pub use manifest::{ClipSettings, Manifest, Provenance};
pub use pixels::{Interpolation, Pixels};
pub use scores::{Score, Scores};
