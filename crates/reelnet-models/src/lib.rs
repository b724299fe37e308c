//! ResNet-RS in 2D and 3D, and EfficientNets: networks from a config, their weights in and out, inflation, counts.
//!
//! A network is described by a [`NetworkConfig`], which a name gives ([`NetworkName`]) or a file holds. It says once, as a walk
//! of operations, what follows what; a [`pass::Pass`] decides what an operation does. Images are clips of one frame, so a
//! 2D network is the one whose temporal kernels are all 1.
//!
//! This crate knows no videos, no labels, no optimisers, and no files but weights.

pub mod count;
pub mod efficientnet;
mod error;
pub mod forward;
pub mod inflate;
pub mod layers;
mod names;
mod network;
pub mod parameters;
pub mod pass;
pub mod presets;
pub mod resnet;
pub mod weights;

pub use error::ConfigError;
pub use names::NetworkName;
pub use network::{Cost, Network, NetworkConfig};
pub use reelnet_kernels::Border;
