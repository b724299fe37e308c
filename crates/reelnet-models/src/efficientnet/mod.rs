//! EfficientNet B0 to B7 and Lite0 (arXiv 1905.11946, and the code released with it): the comparison, and the default model.

mod block;
mod config;
mod network;

pub use config::{BorderPadding, EfficientNetConfig, EfficientNetVariant, VARIANTS};
pub use network::EfficientNet;
