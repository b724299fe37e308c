//! Kernels of our own on burn-flex's tensors: what burn composes of several passes over memory, each by one thread, is one pass
//! here, by all of them. Features are 32-bit floats or bfloat16, channels last; arithmetic is in 32 bits.
//!
//! `team` shares work out, `rows` walks over channels, `curve` has the activations, `tensors` are views of burn's, `batch_norm`, `pool`, `elementwise`
//! and `parameters` compute, and `extension` is how burn reaches all that, gradients included.

mod batch_norm;
pub(crate) mod curve;
mod elementwise;
mod extension;
mod parameters;
mod pool;
mod rows;
pub(crate) mod team;
pub(crate) mod tensors;

pub(crate) use extension::{
    add, add_relu, affine, average_pool, batch_norm, descend, follow, gate, global_average, max_pool, sweep, takes,
    takes_floats,
};
