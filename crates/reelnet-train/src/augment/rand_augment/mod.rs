//! `RandAugment` (Cubuk et al. 2019, arXiv 1909.13719), as it was released for TensorFlow and as the networks of
//! ResNet-RS were trained with it: sixteen operations, none of them the identity, always applied.
//!
//! What the released code does is kept where it is odd, because the published magnitudes were tuned with it: solarizing
//! compares with a threshold that wraps to a byte, contrast blends with the number of pixels instead of their mean. See
//! `docs/decisions/0030-rand-augment-as-released.md`.

mod colour;
mod geometry;
mod operation;
mod sharpness;

pub(super) use operation::draw;
pub use operation::{Operation, Step};
