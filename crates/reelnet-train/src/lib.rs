//! A recipe and a data set in, a trained bundle out: one gradient step at a time, resumable at any of them.
//!
//! A [`Recipe`] holds everything that decides what is computed; [`RunOptions`] hold what belongs to a machine. [`train`] is the
//! loop. Clips come from `reelnet-clips`, scores in validation from `reelnet-infer`: the code that tags is the code that
//! measures.
//!
//! This crate knows no command line and prints nothing.

pub mod augment;
pub mod bench;
pub mod checkpoint;
mod contact_sheet;
pub mod data;
mod dry_run;
pub mod ema;
mod error;
mod evaluation;
pub mod explain;
mod feed;
#[cfg(test)]
mod golden;
mod gradients;
pub mod groups;
mod inspection;
pub mod journal;
pub mod loss;
pub mod optimizer;
mod order;
pub mod recipe;
mod recompute;
mod report;
mod run_folder;
pub mod schedule;
mod start;
mod state;
mod tensorboard;
mod tensors;
mod trainer;
mod validation;

pub use contact_sheet::ContactSheet;
pub use dry_run::{DryRun, dry_run};
pub use error::TrainError;
pub use evaluation::{Evaluated, EvaluationError, data_id, evaluate};
pub use feed::Batches;
pub use gradients::GradientSum;
pub use inspection::{ClassCount, InspectOptions, Inspection, Lengths, SeenClip, SetSummary, inspect};
pub use recipe::{Recipe, RecipeError, RecipeErrorKind};
pub use reelnet_infer::evaluation::{Accuracy, Confusion};
pub use report::{ComparedRun, Comparison, Thumbnail, compare, evaluation_page};
pub use trainer::{Ending, RunOptions, train};
