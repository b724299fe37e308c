//! 3D ResNet-RS as the TensorFlow Model Garden released it (arXiv 2109.01696).

use reelnet_kernels::Padding;
use serde::{Deserialize, Serialize};

use super::config::{DropPathRule, ShortcutKind, StemKind, StemPool, repeats, scaled};
use super::network::{Head, ResNet, StagePlan};
use super::stem::Stem;
use crate::error::ConfigError;
use crate::layers::Builder;

/// 3D ResNet-RS: not an inflation. It keeps the max-pool, strides its shortcuts, gates the last block of each stage before
/// squeeze-and-excitation, pads as TensorFlow's `SAME`, and starts no γ at zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelGardenConfig {
    /// 50, 101, 152, 200, 270, 300 or 350.
    pub depth: usize,
    /// Outputs of the classifier.
    pub classes: usize,
    /// Multiplies every channel count.
    pub width: f64,
    /// Temporal kernel of the first convolution.
    pub stem_kernel: usize,
    /// Temporal stride of the first convolution.
    pub stem_stride: usize,
    /// Temporal stride of the max-pool, whose temporal kernel is 1 without a stride and 3 with one.
    pub pool_stride: usize,
    /// Temporal kernel of the first convolution of every block, by stage.
    pub stage_kernels: [usize; 4],
    /// Whether the last block of a stage gates itself, by stage.
    pub self_gating: [bool; 4],
    /// Share of a block's outputs that squeeze-and-excitation squeezes to; 0 for none.
    pub se_ratio: f64,
    /// Rate of stochastic depth, by the per-group rule.
    pub drop_path: f64,
    /// Rate of dropout before the classifier.
    pub dropout: f64,
}

impl ModelGardenConfig {
    const DEPTHS: [usize; 7] = [50, 101, 152, 200, 270, 300, 350];
    const EPSILON: f64 = 1e-5;

    /// The released configuration at a depth, with the numbers of its Kinetics-400 recipe.
    pub fn new(depth: usize) -> Self {
        Self {
            depth,
            classes: 400,
            width: 1.0,
            stem_kernel: 5,
            stem_stride: 2,
            pool_stride: 1,
            stage_kernels: [1, 1, 3, 3],
            self_gating: [true; 4],
            se_ratio: 0.25,
            drop_path: 0.1,
            dropout: 0.5,
        }
    }

    pub(crate) fn build(&self, builder: &mut Builder) -> Result<ResNet, ConfigError> {
        ConfigError::check_width(self.width)?;
        if !Self::DEPTHS.contains(&self.depth) {
            return Err(ConfigError::Depth { depth: self.depth, known: Self::DEPTHS.to_vec() });
        }
        let kernels = [self.stem_kernel].into_iter().chain(self.stage_kernels);
        kernels.into_iter().try_for_each(ConfigError::check_temporal_kernel)?;
        [self.stem_stride, self.pool_stride].into_iter().try_for_each(ConfigError::check_temporal_stride)?;
        ConfigError::check_rate("drop_path", self.drop_path)?;
        ConfigError::check_rate("dropout", self.dropout)?;
        ConfigError::check_rate("se_ratio", self.se_ratio)?;
        let repeats = repeats(self.depth)?;
        let base = scaled(64, self.width);
        let stem = Stem {
            kind: StemKind::Deep,
            pool: StemPool::Max,
            channels: base,
            temporal_kernel: self.stem_kernel,
            temporal_stride: self.stem_stride,
            pool_temporal_stride: self.pool_stride,
            padding: Padding::Same,
            epsilon: Self::EPSILON,
        };
        let stages = std::array::from_fn(|stage| StagePlan {
            blocks: repeats[stage],
            channels: base << stage,
            stride: [1, if stage == 0 { 1 } else { 2 }],
            temporal_kernel: self.stage_kernels[stage],
            shortcut: ShortcutKind::Strided,
            se_ratio: self.se_ratio,
            self_gating: self.self_gating[stage],
            zero_last_norm: false,
            drop_block: None,
            padding: Padding::Same,
            epsilon: Self::EPSILON,
        });
        let drop_path = (self.drop_path, DropPathRule::PerGroup);
        let head = Head { window: None, dropout: self.dropout, classes: self.classes };
        Ok(ResNet::build(builder, &stem, &stages, head, drop_path))
    }
}
