//! What a network is trained on: data sets, and what becomes of their clips on the way to a step.
//!
//! This crate knows no command line and prints nothing.

pub mod augment;
pub mod data;
