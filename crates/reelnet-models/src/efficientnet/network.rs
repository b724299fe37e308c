//! Stem, seven stages, head.

use burn::module::Module;

use super::block::{Block, BlockSpec, conv};
use crate::layers::{Activation, BatchNorm, Builder, Conv, ConvSpec, Init, Linear};
use crate::pass::Pass;

/// An EfficientNet with weights, its fields named as timm names them.
#[derive(Module, Debug)]
pub struct EfficientNet {
    conv_stem: Conv,
    bn1: BatchNorm,
    blocks: Vec<Vec<Block>>,
    conv_head: Conv,
    bn2: BatchNorm,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    dropout: f64,
    classifier: Linear,
}

impl EfficientNet {
    pub(super) fn build(
        builder: &mut Builder,
        stages: &[Vec<BlockSpec>],
        [stem, head]: [usize; 2],
        classes: usize,
        [drop_path, dropout]: [f64; 2],
    ) -> Self {
        let first = stages[0][0];
        let last = stages.last().and_then(|stage| stage.last()).expect("the table has seven stages");
        let stem_spec =
            ConvSpec { channels: [3, stem], kernel: [1, 3, 3], stride: [1, 2, 2], padding: first.padding, groups: 1 };
        let conv_stem = conv(builder, stem_spec, None);
        let bn1 = BatchNorm::build(builder, stem, first.epsilon);

        let total: usize = stages.iter().map(Vec::len).sum();
        let mut built = 0usize;
        let blocks = stages
            .iter()
            .map(|stage| {
                let blocks = stage.iter().map(|spec| {
                    let rate = drop_path * built as f64 / total as f64;
                    built += 1;
                    spec.build(builder, rate)
                });
                blocks.collect()
            })
            .collect();

        let conv_head = conv(builder, ConvSpec::pointwise(last.channels[1], head), None);
        let bn2 = BatchNorm::build(builder, head, first.epsilon);
        let bound = 1.0 / (classes as f64).sqrt();
        let classifier = Linear::build(builder, head, classes, Init::Uniform { bound });
        Self { conv_stem, bn1, blocks, conv_head, bn2, activation: first.activation, dropout, classifier }
    }

    pub(crate) fn count_blocks(&self) -> usize {
        self.blocks.iter().flatten().count()
    }

    pub(crate) fn run_block<P: Pass>(&self, block: usize, pass: &mut P, features: P::Features) -> P::Features {
        self.blocks.iter().flatten().nth(block).expect("one of the blocks").run(pass, features)
    }

    pub(crate) fn run_stem<P: Pass>(&self, pass: &mut P, clips: P::Features) -> P::Features {
        pass.conv_norm(&self.conv_stem, &self.bn1, Some(self.activation), clips)
    }

    pub(crate) fn run_head<P: Pass>(&self, pass: &mut P, features: P::Features) -> P::Features {
        let features = pass.conv_norm(&self.conv_head, &self.bn2, Some(self.activation), features);
        let features = pass.global_average(features);
        let features = pass.dropout(self.dropout, features);
        pass.linear(&self.classifier, features)
    }
}
