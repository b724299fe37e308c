//! What can be wrong with a network's description.

use thiserror::Error;

/// A config that no network can be built from.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ConfigError {
    /// The name follows none of the patterns.
    #[error(
        "there is no network named `{name}`{} (`reelnet models` lists them)",
        suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
    )]
    Name {
        /// As it was typed.
        name: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
    },
    /// The depth has no layout.
    #[error("depth {depth} has no layout here, expected one of {known:?}")]
    Depth {
        /// As asked for.
        depth: usize,
        /// The depths that exist in this topology.
        known: Vec<usize>,
    },
    /// The EfficientNet is not in the table.
    #[error("there is no EfficientNet `{variant}`, expected one of {known:?}")]
    Variant {
        /// As asked for.
        variant: String,
        /// The table's names.
        known: Vec<&'static str>,
    },
    /// A width multiplier that gives no channels.
    #[error("width {width} gives no sensible network, expected a number from 0.1 to 8")]
    Width {
        /// As asked for.
        width: f64,
    },
    /// A temporal kernel without a middle.
    #[error("temporal kernel {kernel} has no middle frame, expected an odd number")]
    TemporalKernel {
        /// As asked for.
        kernel: usize,
    },
    /// A temporal stride of zero.
    #[error("a temporal stride is 0, expected at least 1")]
    TemporalStride,
    /// A classifier without outputs.
    #[error("a classifier needs at least 1 class")]
    Classes,
    /// The input does not fit the network.
    #[error("{network} cannot take clips of {frames} frames at {height}×{width}: {why}")]
    Input {
        /// What kind of network.
        network: &'static str,
        /// Frames offered.
        frames: usize,
        /// Height offered, in pixels.
        height: usize,
        /// Width offered, in pixels.
        width: usize,
        /// What would be right.
        why: &'static str,
    },
}

impl ConfigError {
    pub(crate) fn check_width(width: f64) -> Result<(), Self> {
        if (0.1..=8.0).contains(&width) { Ok(()) } else { Err(Self::Width { width }) }
    }
}
