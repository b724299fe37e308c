//! The residual block.

use burn::module::Module;

use super::config::scaled;
use super::network::StagePlan;
use super::shortcut::Shortcut;
use crate::layers::{Activation, BatchNorm, Builder, Conv, ConvSpec, DropBlock, Init, SelfGate, SqueezeExcite};
use crate::pass::Pass;

/// Outputs of a block over its inner channels.
pub(super) const EXPANSION: usize = 4;

/// Temporal (or 1×1) convolution → spatial 3×3 with the stride → pointwise; then the gates, stochastic depth, the shortcut.
#[derive(Module, Debug)]
pub(super) struct Bottleneck {
    conv1: Conv,
    bn1: BatchNorm,
    conv2: Conv,
    bn2: BatchNorm,
    conv3: Conv,
    bn3: BatchNorm,
    gate: Option<SelfGate>,
    se: Option<SqueezeExcite>,
    downsample: Option<Shortcut>,
    #[module(skip)]
    drop_path: f64,
    #[module(skip)]
    drop_block: Option<DropBlock>,
}

impl Bottleneck {
    /// The block at `position` in its stage.
    pub(super) fn build(
        builder: &mut Builder,
        plan: &StagePlan,
        position: usize,
        channels_in: usize,
        drop_path: f64,
    ) -> Self {
        let (inner, outer) = (plan.channels, plan.channels * EXPANSION);
        let [time, space] = if position == 0 { plan.stride } else { [1, 1] };
        let mut conv = |channels: [usize; 2], kernel: [usize; 3], stride: [usize; 3]| {
            let spec = ConvSpec { channels, kernel, stride, padding: plan.padding, groups: 1 };
            spec.build(builder, Init::VarianceScaling { fan: spec.fan_in() }, None)
        };
        let conv1 = conv([channels_in, inner], [plan.temporal_kernel, 1, 1], [time, 1, 1]);
        let conv2 = conv([inner, inner], [1, 3, 3], [1, space, space]);
        let conv3 = conv([inner, outer], [1, 1, 1], [1, 1, 1]);
        let last_norm = if plan.zero_last_norm { BatchNorm::build_zero } else { BatchNorm::build };
        let gated = plan.self_gating && position + 1 == plan.blocks;
        Self {
            conv1,
            bn1: BatchNorm::build(builder, inner, plan.epsilon),
            conv2,
            bn2: BatchNorm::build(builder, inner, plan.epsilon),
            conv3,
            bn3: last_norm(builder, outer, plan.epsilon),
            gate: gated.then(|| SelfGate::build(builder, outer)),
            se: (plan.se_ratio > 0.0).then(|| SqueezeExcite::build(builder, outer, scaled(outer, plan.se_ratio))),
            downsample: (position == 0).then(|| {
                let channels = [channels_in, outer];
                Shortcut::build(builder, plan.shortcut, channels, plan.stride, plan.padding, plan.epsilon)
            }),
            drop_path,
            drop_block: plan.drop_block,
        }
    }

    pub(super) fn run<P: Pass>(&self, pass: &mut P, input: P::Features) -> P::Features {
        let features = pass.conv_norm(&self.conv1, &self.bn1, Some(Activation::Relu), input.clone());
        let features = self.drop(pass, features);
        let features = pass.conv_norm(&self.conv2, &self.bn2, Some(Activation::Relu), features);
        let features = self.drop(pass, features);
        let features = pass.conv_norm(&self.conv3, &self.bn3, None, features);
        let mut features = self.drop(pass, features);
        // Gating comes first, as in the Model Garden's code; summaries of its paper have it the other way round.
        if let Some(gate) = &self.gate {
            features = gate.run(pass, features);
        }
        if let Some(se) = &self.se {
            features = se.run(pass, features);
        }
        features = pass.drop_path(self.drop_path, features);
        let shortcut = match &self.downsample {
            Some(shortcut) => {
                let shortcut = shortcut.run(pass, input);
                self.drop(pass, shortcut)
            }
            None => input,
        };
        pass.add_relu(features, shortcut)
    }

    fn drop<P: Pass>(&self, pass: &mut P, features: P::Features) -> P::Features {
        match self.drop_block {
            Some(block) => pass.drop_block(block, features),
            None => features,
        }
    }
}
