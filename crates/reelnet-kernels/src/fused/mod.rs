//! Operations of inference on plain memory: a convolution with all that follows it as one kernel, pooling, and the few passes
//! that are left.
//!
//! Nothing here is tracked for gradients, and nothing is allocated while an operation runs: memory is the caller's, laid out
//! `[batch, frames, height, width, channels]`, as bytes on cache lines ([`Arena`]). Without oneDNN in the build no operation
//! can be made ([`FusedError`]).

mod arena;
mod conv;
mod element;
mod finish;
mod number;
mod passes;
mod pool;

pub use arena::Arena;
pub use conv::{FusedConv, FusedConvSpec, Quantised, Residual, Weights};
pub use number::{After, Number};
pub use passes::{Mean, convert, copy, multiply, normalise};
pub use pool::{FusedPool, FusedPoolSpec};

use thiserror::Error;

/// An operation that cannot be had.
#[derive(Debug, Error)]
#[error("no fused kernel: {0}")]
pub struct FusedError(pub(crate) String);

#[cfg(not(onednn))]
impl FusedError {
    fn without_onednn() -> Self {
        Self("this build has no oneDNN".to_owned())
    }
}
