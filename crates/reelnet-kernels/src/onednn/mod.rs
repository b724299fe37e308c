//! Convolutions by oneDNN on burn-flex's tensors.
//!
//! `problem` says what is to be convolved, `plan` holds oneDNN's kernel for it, `cache` keeps plans and packed weights,
//! `memory` lends scratch, `tensors` runs plans on tensors, and `extension` is how burn reaches all that, gradients included.
//! `team` lends its threads to others.

mod cache;
mod extension;
mod ffi;
pub(crate) mod fused;
mod library;
mod memory;
mod plan;
mod problem;
mod team;
mod tensors;

pub(crate) use extension::{conv, takes};
pub(crate) use library::{computes_bf16, library, work};
pub(crate) use team::on_its_threads;
