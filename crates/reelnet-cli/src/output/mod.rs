//! What is shown while work goes on, and how rows look.

mod columns;
mod progress;
mod words;

pub(crate) use columns::{Align, Columns};
pub(crate) use progress::Progress;
pub(crate) use words::say;
