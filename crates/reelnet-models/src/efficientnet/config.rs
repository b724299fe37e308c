//! One table for the family.

use reelnet_kernels::Padding;
use serde::{Deserialize, Serialize};

use super::block::BlockSpec;
use super::network::EfficientNet;
use crate::error::ConfigError;
use crate::layers::{Activation, Builder};

/// A row of the family's table.
#[derive(Clone, Copy, Debug)]
pub struct EfficientNetVariant {
    /// As in `efficientnet-b0`.
    pub name: &'static str,
    /// Multiplies channels.
    pub width: f64,
    /// Multiplies repeats.
    pub depth: f64,
    /// Side of the image, in pixels.
    pub size: usize,
    /// Rate of dropout before the classifier.
    pub dropout: f64,
    /// Published ImageNet top-1, in percent; with AutoAugment from B0 to B7.
    pub top1: f64,
}

/// The released variants; accuracies from the READMEs of `tensorflow/tpu`'s `efficientnet` and `efficientnet/lite`.
pub const VARIANTS: [EfficientNetVariant; 9] = [
    EfficientNetVariant { name: "b0", width: 1.0, depth: 1.0, size: 224, dropout: 0.2, top1: 77.1 },
    EfficientNetVariant { name: "b1", width: 1.0, depth: 1.1, size: 240, dropout: 0.2, top1: 79.1 },
    EfficientNetVariant { name: "b2", width: 1.1, depth: 1.2, size: 260, dropout: 0.3, top1: 80.1 },
    EfficientNetVariant { name: "b3", width: 1.2, depth: 1.4, size: 300, dropout: 0.3, top1: 81.6 },
    EfficientNetVariant { name: "b4", width: 1.4, depth: 1.8, size: 380, dropout: 0.4, top1: 82.9 },
    EfficientNetVariant { name: "b5", width: 1.6, depth: 2.2, size: 456, dropout: 0.4, top1: 83.6 },
    EfficientNetVariant { name: "b6", width: 1.8, depth: 2.6, size: 528, dropout: 0.5, top1: 84.0 },
    EfficientNetVariant { name: "b7", width: 2.0, depth: 3.1, size: 600, dropout: 0.5, top1: 84.3 },
    EfficientNetVariant { name: "lite0", width: 1.0, depth: 1.0, size: 224, dropout: 0.2, top1: 75.1 },
];

/// Repeats, kernel, stride, expansion, channels in and out of B0's seven stages.
const STAGES: [(usize, usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
];
const STEM_CHANNELS: usize = 32;
const HEAD_CHANNELS: usize = 1280;

/// How borders are padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BorderPadding {
    /// TensorFlow's `SAME`: as released; timm's `tf_efficientnet_*`.
    Same,
    /// `(kernel - 1) / 2` on both sides: timm's own `efficientnet_*`, and torchvision's.
    Symmetric,
}

/// An EfficientNet of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetConfig {
    /// A name of [`VARIANTS`].
    pub variant: String,
    /// Outputs of the classifier.
    pub classes: usize,
    /// How borders are padded.
    pub padding: BorderPadding,
    /// Added to variances before their root is taken.
    pub bn_epsilon: f64,
    /// Rate of drop-connect at the end of the network; it grows from 0 at the first block.
    pub drop_path: f64,
    /// Rate of dropout before the classifier.
    pub dropout: f64,
}

impl EfficientNetConfig {
    /// A released variant, if there is one of that name.
    pub fn new(variant: &str) -> Option<Self> {
        let row = VARIANTS.iter().find(|row| row.name == variant)?;
        Some(Self {
            variant: row.name.to_owned(),
            classes: 1000,
            padding: BorderPadding::Same,
            bn_epsilon: 1e-3,
            drop_path: 0.2,
            dropout: row.dropout,
        })
    }

    /// The same with timm's own padding and batch norm.
    #[must_use]
    pub fn symmetric(self) -> Self {
        Self { padding: BorderPadding::Symmetric, bn_epsilon: 1e-5, ..self }
    }

    /// The same as torchvision has it: symmetric padding, and ε 1e-3 from B5 on.
    #[must_use]
    pub fn torchvision(self) -> Self {
        let bn_epsilon = if ["b5", "b6", "b7"].contains(&self.variant.as_str()) { 1e-3 } else { 1e-5 };
        Self { padding: BorderPadding::Symmetric, bn_epsilon, ..self }
    }

    /// The table's row.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn row(&self) -> Result<&'static EfficientNetVariant, ConfigError> {
        VARIANTS.iter().find(|row| row.name == self.variant).ok_or_else(|| ConfigError::Variant {
            variant: self.variant.clone(),
            known: VARIANTS.map(|row| row.name).to_vec(),
        })
    }

    pub(crate) fn build(&self, builder: &mut Builder) -> Result<EfficientNet, ConfigError> {
        let row = self.row()?;
        ConfigError::check_rate("drop_path", self.drop_path)?;
        ConfigError::check_rate("dropout", self.dropout)?;
        ConfigError::check_rate("bn_epsilon", self.bn_epsilon)?;
        // The Lite nets are made for fixed-point hardware: no squeeze-and-excitation, and an activation that saturates.
        let lite = row.name.starts_with("lite");
        let (activation, se_ratio) = if lite { (Activation::Relu6, 0.0) } else { (Activation::Swish, 0.25) };
        let epsilon = self.bn_epsilon;
        let padding = match self.padding {
            BorderPadding::Same => Padding::Same,
            BorderPadding::Symmetric => Padding::Symmetric,
        };
        let channels = |channels| round_channels(channels, row.width);
        let stages: Vec<Vec<BlockSpec>> = STAGES
            .iter()
            .map(|&(repeats, kernel, stride, expansion, channels_in, channels_out)| {
                let (first, rest) = (channels(channels_in), channels(channels_out));
                (0..round_repeats(repeats, row.depth))
                    .map(|position| BlockSpec {
                        channels: [if position == 0 { first } else { rest }, rest],
                        kernel,
                        stride: if position == 0 { stride } else { 1 },
                        expansion,
                        se_ratio,
                        activation,
                        padding,
                        epsilon,
                    })
                    .collect()
            })
            .collect();
        let ends = [channels(STEM_CHANNELS), channels(HEAD_CHANNELS)];
        Ok(EfficientNet::build(builder, &stages, ends, self.classes, [self.drop_path, self.dropout]))
    }
}

/// Channels to the nearest multiple of 8, but never below 90 % of what was asked for.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand channels, never negative")]
fn round_channels(channels: usize, width: f64) -> usize {
    let wanted = channels as f64 * width;
    let rounded = ((wanted + 4.0) as usize / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * wanted { rounded + 8 } else { rounded }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen blocks, never negative")]
fn round_repeats(repeats: usize, depth: f64) -> usize {
    (repeats as f64 * depth).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::{round_channels, round_repeats};

    #[test]
    fn channels_round_as_released() {
        // B2's stem (35.2 → 32 is above 90 %), B4's stages, B7's head.
        assert_eq!(round_channels(32, 1.1), 32);
        assert_eq!([16, 24, 40, 80, 112, 192, 320].map(|c| round_channels(c, 1.4)), [24, 32, 56, 112, 160, 272, 448]);
        assert_eq!(round_channels(1280, 2.0), 2560);
        assert_eq!(round_repeats(4, 1.8), 8);
    }
}
