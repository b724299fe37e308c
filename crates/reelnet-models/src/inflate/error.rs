//! Why an inflation was refused.

use thiserror::Error;

use crate::error::ConfigError;

/// Why an inflation was refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InflateError {
    /// The source has a time axis already.
    #[error("the network to inflate is a video network already, expected an image network")]
    NotAnImage,
    /// The target has no time axis.
    #[error("the network to inflate into is an image network, expected a 3D ResNet")]
    NotAVideo,
    /// Parameters that no rule explains: the two networks are not one network with and without time.
    #[error(
        "{} parameters cannot be explained, so these are two different networks ({})",
        names.len(),
        names.iter().take(4).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    )]
    Unexplained {
        /// Each with what is wrong.
        names: Vec<String>,
    },
    /// The target's config builds no network.
    #[error(transparent)]
    Config(#[from] ConfigError),
}
