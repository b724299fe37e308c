//! The 2D topology as released, and the same inflated to 3D.

use reelnet_kernels::Padding;
use serde::{Deserialize, Serialize};

use super::network::{Head, ResNet, StagePlan};
use super::stem::Stem;
use crate::error::ConfigError;
use crate::layers::{Builder, DropBlock};

/// Residual blocks in each of the four stages, by depth.
///
/// 50 to 200 are the layouts of He et al. and of the 200-layer ResNet; the rest are ResNet-RS, appendix D and E
/// (arXiv 2103.07579) and its released code. 26 is the scaling study's smallest, with bottlenecks.
pub const BLOCKS: [(usize, [usize; 4]); 10] = [
    (26, [2, 2, 2, 2]),
    (50, [3, 4, 6, 3]),
    (101, [3, 4, 23, 3]),
    (152, [3, 8, 36, 3]),
    (200, [3, 24, 36, 3]),
    (270, [4, 29, 53, 4]),
    (300, [4, 36, 54, 4]),
    (350, [4, 36, 72, 4]),
    (400, [6, 48, 72, 6]),
    (420, [4, 44, 87, 4]),
];

/// The blocks of each stage at a depth of [`BLOCKS`].
///
/// # Errors
/// If the depth is not in the table.
pub fn repeats(depth: usize) -> Result<[usize; 4], ConfigError> {
    BLOCKS
        .iter()
        .find_map(|&(known, repeats)| (known == depth).then_some(repeats))
        .ok_or_else(|| ConfigError::Depth { depth, known: BLOCKS.map(|(known, _)| known).to_vec() })
}

/// The first convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StemKind {
    /// Three 3×3 convolutions, the first with stride 2: ResNet-D.
    Deep,
    /// One 7×7 convolution with stride 2.
    Plain,
}

/// What halves the resolution after the first convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StemPool {
    /// A fourth 3×3 convolution with stride 2, as the released ResNet-RS has it (the paper's text places it elsewhere).
    Conv,
    /// A 3×3 max-pool with stride 2.
    Max,
}

/// How a shortcut changes its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShortcutKind {
    /// A 2×2 average where the stride is 2, then a pointwise convolution: ResNet-D.
    AveragePool,
    /// A pointwise convolution with the stride.
    Strided,
}

/// How the rate of stochastic depth grows with depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropPathRule {
    /// `rate · (stage + 1) / 5` for stages 1 to 4, the same for all blocks of a stage: the released code.
    PerGroup,
    /// From 0 at the first block to `rate` at the last: the rule of the stochastic depth paper, and timm's.
    PerBlock,
}

/// The time axis of an inflated network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Temporal {
    /// Temporal kernel of the first convolution.
    pub stem_kernel: usize,
    /// Temporal stride of the first convolution.
    pub stem_stride: usize,
    /// Temporal kernel of the first convolution of every block, by stage.
    pub stage_kernels: [usize; 4],
    /// Temporal stride of each stage's first block.
    pub stage_strides: [usize; 4],
}

impl Default for Temporal {
    /// Stem 5 with stride 2, stages 1, 1, 3, 3 without a stride: 3D ResNet-RS's plan.
    fn default() -> Self {
        Self { stem_kernel: 5, stem_stride: 2, stage_kernels: [1, 1, 3, 3], stage_strides: [1; 4] }
    }
}

impl Temporal {
    /// An image network: no extent in time.
    const NONE: Self = Self { stem_kernel: 1, stem_stride: 1, stage_kernels: [1; 4], stage_strides: [1; 4] };
}

/// ResNet, ResNet-D, SE-ResNet and ResNet-RS in 2D, and each of them inflated to 3D.
///
/// Symmetric zero padding; the last γ of each block starts at zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// A depth of [`BLOCKS`].
    pub depth: usize,
    /// Outputs of the classifier.
    pub classes: usize,
    /// Multiplies every channel count.
    pub width: f64,
    /// The first convolutions.
    pub stem: StemKind,
    /// What halves the resolution after them.
    pub stem_pool: StemPool,
    /// How shortcuts change their shape.
    pub shortcut: ShortcutKind,
    /// Share of a block's outputs that squeeze-and-excitation squeezes to; 0 for none.
    pub se_ratio: f64,
    /// Rate of stochastic depth.
    pub drop_path: f64,
    /// How that rate grows with depth.
    pub drop_path_rule: DropPathRule,
    /// Rate of dropout before the classifier.
    pub dropout: f64,
    /// Present in a 3D network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporal: Option<Temporal>,
    /// DropBlock after the convolutions of the last two stages, a quarter of the rate in the third, as the released code has it;
    /// off where it is missing, as in every published recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_block: Option<DropBlock>,
    /// Side of the windows, one step apart, that the head averages before it averages the rest; everything at once where it is
    /// missing. pytorchvideo's is 7, all of the last map at 224² but not at 256², where the middle then counts more than the rim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_window: Option<usize>,
}

impl ResNetConfig {
    /// Added to variances before their root is taken.
    const EPSILON: f64 = 1e-5;

    /// ResNet-RS as released: four-convolution stem, SE, average-pool shortcuts.
    pub fn rs(depth: usize) -> Self {
        Self {
            depth,
            classes: 1000,
            width: 1.0,
            stem: StemKind::Deep,
            stem_pool: StemPool::Conv,
            shortcut: ShortcutKind::AveragePool,
            se_ratio: 0.25,
            drop_path: 0.0,
            drop_path_rule: DropPathRule::PerGroup,
            dropout: 0.25,
            temporal: None,
            drop_block: None,
            head_window: None,
        }
    }

    /// The plain ResNet (v1.5: the stride is on the 3×3).
    pub fn plain(depth: usize) -> Self {
        Self {
            stem: StemKind::Plain,
            stem_pool: StemPool::Max,
            shortcut: ShortcutKind::Strided,
            se_ratio: 0.0,
            dropout: 0.0,
            ..Self::rs(depth)
        }
    }

    /// The slow pathway of `SlowFast` alone (arXiv 1812.03982), as pytorchvideo has it: the plain ResNet with temporal kernels in its
    /// last two stages, for Kinetics-400.
    pub fn slow(depth: usize) -> Self {
        let config = Self { classes: 400, dropout: 0.5, head_window: Some(7), ..Self::plain(depth) };
        config.inflated(Temporal { stem_kernel: 1, stem_stride: 1, ..Temporal::default() })
    }

    /// The same with ResNet-D's stem and shortcuts.
    #[must_use]
    pub fn with_d(self) -> Self {
        Self { stem: StemKind::Deep, shortcut: ShortcutKind::AveragePool, ..self }
    }

    /// The same with squeeze-and-excitation at ResNet-RS's ratio.
    #[must_use]
    pub fn with_se(self) -> Self {
        Self { se_ratio: 0.25, ..self }
    }

    /// The same topology in 3D.
    #[must_use]
    pub fn inflated(self, temporal: Temporal) -> Self {
        Self { temporal: Some(temporal), ..self }
    }

    pub(crate) fn build(&self, builder: &mut Builder) -> Result<ResNet, ConfigError> {
        ConfigError::check_width(self.width)?;
        ConfigError::check_rate("drop_path", self.drop_path)?;
        ConfigError::check_rate("dropout", self.dropout)?;
        ConfigError::check_rate("se_ratio", self.se_ratio)?;
        if let Some(DropBlock { rate, size }) = self.drop_block {
            ConfigError::check_rate("drop_block.rate", rate)?;
            ConfigError::check_drop_block(size)?;
        }
        if let Some(side) = self.head_window {
            ConfigError::check_head_window(side)?;
        }
        let repeats = repeats(self.depth)?;
        let temporal = self.temporal.unwrap_or(Temporal::NONE);
        temporal.validate()?;
        let base = scaled(64, self.width);
        let stem = Stem {
            kind: self.stem,
            pool: self.stem_pool,
            channels: base,
            temporal_kernel: temporal.stem_kernel,
            temporal_stride: temporal.stem_stride,
            pool_temporal_stride: 1,
            padding: Padding::Symmetric,
            epsilon: Self::EPSILON,
        };
        let stages = std::array::from_fn(|stage| StagePlan {
            blocks: repeats[stage],
            channels: base << stage,
            stride: [temporal.stage_strides[stage], if stage == 0 { 1 } else { 2 }],
            temporal_kernel: temporal.stage_kernels[stage],
            shortcut: self.shortcut,
            se_ratio: self.se_ratio,
            self_gating: false,
            zero_last_norm: true,
            drop_block: self.drop_block.and_then(|block| match stage {
                2 => Some(DropBlock { rate: block.rate / 4.0, ..block }),
                3 => Some(block),
                _ => None,
            }),
            padding: Padding::Symmetric,
            epsilon: Self::EPSILON,
        });
        let head = Head { window: self.head_window, dropout: self.dropout, classes: self.classes };
        Ok(ResNet::build(builder, &stem, &stages, head, (self.drop_path, self.drop_path_rule)))
    }
}

impl Temporal {
    fn validate(&self) -> Result<(), ConfigError> {
        let kernels = [self.stem_kernel].into_iter().chain(self.stage_kernels);
        let strides = [self.stem_stride].into_iter().chain(self.stage_strides);
        kernels.into_iter().try_for_each(ConfigError::check_temporal_kernel)?;
        strides.into_iter().try_for_each(ConfigError::check_temporal_stride)
    }
}

pub(super) fn scaled(channels: usize, width: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few thousand channels, never negative"
    )]
    let scaled = (channels as f64 * width).round() as usize;
    scaled.max(1)
}
