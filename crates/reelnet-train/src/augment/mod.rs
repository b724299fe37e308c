//! What happens to a clip's bytes between decoder and network while training.
//!
//! Every draw comes from a [`Seed`](reelnet_clips::Seed) of run, epoch and sample, and holds for all frames of a clip: a
//! crop that moved from frame to frame would be a motion that nobody filmed. Statistics (the darkest byte, a histogram)
//! are those of the whole clip for the same reason.

mod augmenter;
mod bytes;
mod colour_jitter;
mod config;
mod crop;
mod draws;
mod erasing;
mod error;
mod flip;
mod luma;
mod mixing;
pub mod rand_augment;

pub use augmenter::Augmenter;
pub use config::{
    AugmentConfig, ColourJitterConfig, CropConfig, ErasingConfig, ErasingFill, FlipConfig, RandAugmentConfig,
};
pub use error::AugmentError;
pub use mixing::{Mixing, MixingConfig, one_hot, smoothed};
