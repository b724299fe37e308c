//! Tensor operations that a video network needs and burn lacks or does slowly.
//!
//! Every function takes *features*: a contiguous tensor `[batch, frames, height, width, channels]`. An image is a clip of
//! one frame, so 2D networks use the same operations. Channels come last because batch norm, activations and pointwise
//! convolutions then walk memory in order, on every backend.
//!
//! This crate knows no networks, no files and no videos.

mod composed;
mod conv;
pub mod cpu;
mod flex;
pub mod fused;
mod layout;
mod norm;
#[cfg(onednn)]
mod onednn;
pub mod parameters;
pub mod peak;
mod pool;
mod sums;
mod window;

pub use conv::conv;
pub use layout::channels_last;
pub use norm::{BatchStatistics, Then, affine, batch_norm_train};
pub use pool::{average_pool, global_average, max_pool};
pub use sums::{add, add_relu, gate};
pub use window::{Border, Padding, Window};
