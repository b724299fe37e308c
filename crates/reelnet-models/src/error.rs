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
    /// A temporal kernel without a middle, or longer than any clip.
    #[error("temporal kernel {kernel} is no odd number from 1 to 63")]
    TemporalKernel {
        /// As asked for.
        kernel: usize,
    },
    /// A temporal stride of zero, or longer than any clip.
    #[error("temporal stride {stride} is no number from 1 to 16")]
    TemporalStride {
        /// As asked for.
        stride: usize,
    },
    /// A share that is none.
    #[error("{name} is {rate}, expected a number from 0 to below 1")]
    Rate {
        /// The key.
        name: &'static str,
        /// As asked for.
        rate: f64,
    },
    /// Squares without a side.
    #[error("drop_block.size is {size}, expected 1 to 1024")]
    DropBlock {
        /// As asked for.
        size: usize,
    },
    /// Windows without a side, or larger than any map.
    #[error("head_window is {side}, expected 1 to 1024")]
    HeadWindow {
        /// As asked for.
        side: usize,
    },
    /// A classifier without outputs.
    #[error("a classifier of {classes} classes is none, expected 1 to 1000000")]
    Classes {
        /// As asked for.
        classes: usize,
    },
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

    pub(crate) fn check_temporal_kernel(kernel: usize) -> Result<(), Self> {
        if kernel % 2 == 1 && kernel <= 63 { Ok(()) } else { Err(Self::TemporalKernel { kernel }) }
    }

    pub(crate) fn check_temporal_stride(stride: usize) -> Result<(), Self> {
        if (1..=16).contains(&stride) { Ok(()) } else { Err(Self::TemporalStride { stride }) }
    }

    pub(crate) fn check_drop_block(size: usize) -> Result<(), Self> {
        if (1..=1024).contains(&size) { Ok(()) } else { Err(Self::DropBlock { size }) }
    }

    pub(crate) fn check_head_window(side: usize) -> Result<(), Self> {
        if (1..=1024).contains(&side) { Ok(()) } else { Err(Self::HeadWindow { side }) }
    }

    pub(crate) fn check_rate(name: &'static str, rate: f64) -> Result<(), Self> {
        if (0.0..1.0).contains(&rate) { Ok(()) } else { Err(Self::Rate { name, rate }) }
    }
}
