//! Stem, four stages, head.

use burn::module::Module;
use reelnet_kernels::Padding;

use super::bottleneck::{Bottleneck, EXPANSION};
use super::config::{DropPathRule, ShortcutKind};
use super::stem::{ConvPool, Stem, StemConvs};
use crate::layers::{Activation, BatchNorm, Builder, DropBlock, Init, Linear, Pool};
use crate::pass::Pass;

/// One of the four stages, before it has weights.
pub(super) struct StagePlan {
    pub(super) blocks: usize,
    /// Inner channels.
    pub(super) channels: usize,
    /// `[frames, space]`, of the first block.
    pub(super) stride: [usize; 2],
    pub(super) temporal_kernel: usize,
    pub(super) shortcut: ShortcutKind,
    pub(super) se_ratio: f64,
    pub(super) self_gating: bool,
    pub(super) zero_last_norm: bool,
    pub(super) drop_block: Option<DropBlock>,
    pub(super) padding: Padding,
    pub(super) epsilon: f64,
}

/// What follows the stages, before it has weights.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Side of the windows that are averaged first.
    pub(super) window: Option<usize>,
    pub(super) dropout: f64,
    pub(super) classes: usize,
}

/// A ResNet with weights, its fields named as timm names them.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: StemConvs,
    bn1: BatchNorm,
    maxpool: Option<ConvPool>,
    #[module(skip)]
    max_pool: Option<Pool>,
    layer1: Vec<Bottleneck>,
    layer2: Vec<Bottleneck>,
    layer3: Vec<Bottleneck>,
    layer4: Vec<Bottleneck>,
    #[module(skip)]
    head_pool: Option<Pool>,
    #[module(skip)]
    dropout: f64,
    fc: Linear,
}

impl ResNet {
    pub(super) fn build(
        builder: &mut Builder,
        stem: &Stem,
        stages: &[StagePlan; 4],
        head: Head,
        (drop_path, rule): (f64, DropPathRule),
    ) -> Self {
        let conv1 = stem.build_convs(builder);
        let bn1 = BatchNorm::build(builder, stem.channels, stem.epsilon);
        let maxpool = stem.build_conv_pool(builder);

        let blocks: usize = stages.iter().map(|plan| plan.blocks).sum();
        let mut channels = stem.channels;
        let mut built = 0;
        let mut layers = stages.iter().enumerate().map(|(stage, plan)| {
            (0..plan.blocks)
                .map(|position| {
                    let rate = drop_path * rule.share(stage, built, blocks);
                    let block = Bottleneck::build(builder, plan, position, channels, rate);
                    channels = plan.channels * EXPANSION;
                    built += 1;
                    block
                })
                .collect::<Vec<_>>()
        });
        let [layer1, layer2, layer3, layer4] = std::array::from_fn(|_| layers.next().expect("there are four stages"));
        drop(layers);

        // A normal with deviation 0.01 is the released 2D code's classifier.
        let fc = Linear::build(builder, channels, head.classes, Init::Normal { deviation: 0.01 });
        let head_pool =
            head.window.map(|side| Pool { kernel: [1, side, side], stride: [1; 3], padding: Padding::Valid });
        Self {
            conv1,
            bn1,
            maxpool,
            max_pool: stem.max_pool(),
            layer1,
            layer2,
            layer3,
            layer4,
            head_pool,
            dropout: head.dropout,
            fc,
        }
    }

    /// All blocks, stage after stage.
    fn blocks(&self) -> impl Iterator<Item = &Bottleneck> {
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().flatten()
    }

    pub(crate) fn count_blocks(&self) -> usize {
        self.blocks().count()
    }

    pub(crate) fn run_block<P: Pass>(&self, block: usize, pass: &mut P, features: P::Features) -> P::Features {
        self.blocks().nth(block).expect("one of the blocks").run(pass, features)
    }

    pub(crate) fn run_stem<P: Pass>(&self, pass: &mut P, clips: P::Features) -> P::Features {
        let features = self.conv1.run(pass, clips);
        let mut features = pass.normalise(&self.bn1, Some(Activation::Relu), features);
        if let Some(pool) = &self.maxpool {
            features = pool.run(pass, features);
        }
        if let Some(pool) = &self.max_pool {
            features = pass.max_pool(pool, features);
        }
        features
    }

    pub(crate) fn run_head<P: Pass>(&self, pass: &mut P, mut features: P::Features) -> P::Features {
        if let Some(pool) = &self.head_pool {
            features = pass.average_pool(pool, features);
        }
        let features = pass.global_average(features);
        let features = pass.dropout(self.dropout, features);
        pass.linear(&self.fc, features)
    }
}

impl DropPathRule {
    /// The share of the base rate that a block takes.
    fn share(self, stage: usize, block: usize, blocks: usize) -> f64 {
        match self {
            Self::PerGroup => (stage + 2) as f64 / 5.0,
            Self::PerBlock => block as f64 / (blocks - 1).max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DropPathRule;

    #[test]
    fn the_released_rule_never_reaches_zero() {
        let shares: Vec<f64> = (0..4).map(|stage| DropPathRule::PerGroup.share(stage, 0, 16)).collect();
        assert_eq!(shares, [0.4, 0.6, 0.8, 1.0]);
    }

    #[test]
    fn the_linear_rule_runs_from_zero_to_one() {
        assert_eq!(DropPathRule::PerBlock.share(0, 0, 16), 0.0);
        assert_eq!(DropPathRule::PerBlock.share(3, 15, 16), 1.0);
    }
}
