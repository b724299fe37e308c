//! What is shown while work goes on, and how rows look.

mod columns;
mod picture;
mod progress;
mod whole;
mod words;

pub(crate) use columns::{Align, Columns};
pub(crate) use picture::{encode_png, write_png};
pub(crate) use progress::Progress;
pub(crate) use whole::write_whole;
pub(crate) use words::{counted, say};
