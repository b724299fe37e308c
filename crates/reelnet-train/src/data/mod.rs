//! Which files there are to train on and to measure with, and which class each of them is of.
//!
//! A [`DataSet`] is read whole before anything is trained: what is missing, twice there or of an unknown class is found
//! in the first second and not in the third week. Nothing is ever left out in silence; [`Findings`] says what was.

mod config;
mod error;
mod findings;
mod folders;
mod imagenet;
mod kinetics;
mod label_map;
mod list;
mod rows;
mod sample;
mod set;
mod shards;
mod split;
mod text;

pub use config::{Column, DataConfig, HoldOut, SourceConfig};
pub use error::{DataError, DataErrorKind};
pub use findings::Findings;
pub(crate) use sample::plans_within;
pub use sample::{EmptySpan, Sample, Section, Span};
pub use set::{DataSet, DataSets};
