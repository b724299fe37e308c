//! MBConv: expand, convolve each channel alone, squeeze and excite, project.

use burn::module::Module;
use reelnet_kernels::Padding;

use crate::layers::{Activation, BatchNorm, Builder, Conv, ConvSpec, Init, excite};
use crate::pass::Pass;

/// What a block is, before it has weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockSpec {
    pub(super) channels: [usize; 2],
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) expansion: usize,
    pub(super) se_ratio: f64,
    pub(super) activation: Activation,
    pub(super) padding: Padding,
    pub(super) epsilon: f64,
}

/// A block, its fields named as timm names them: the two kinds number their batch norms differently.
#[derive(Module, Debug)]
pub(super) enum Block {
    /// Without expansion: the first stage.
    DepthwiseSeparable(DepthwiseSeparable),
    /// With expansion: all others.
    InvertedResidual(InvertedResidual),
}

#[derive(Module, Debug)]
pub(super) struct DepthwiseSeparable {
    conv_dw: Conv,
    bn1: BatchNorm,
    se: Option<SqueezeExcite>,
    conv_pw: Conv,
    bn2: BatchNorm,
    #[module(skip)]
    residual: Residual,
}

#[derive(Module, Debug)]
pub(super) struct InvertedResidual {
    conv_pw: Conv,
    bn1: BatchNorm,
    conv_dw: Conv,
    bn2: BatchNorm,
    se: Option<SqueezeExcite>,
    conv_pwl: Conv,
    bn3: BatchNorm,
    #[module(skip)]
    residual: Residual,
}

/// EfficientNet's squeeze-and-excitation: its width follows the block's input, not its expansion.
#[derive(Module, Debug)]
struct SqueezeExcite {
    conv_reduce: Conv,
    conv_expand: Conv,
}

#[derive(Clone, Copy, Debug)]
struct Residual {
    activation: Activation,
    /// Rate of drop-connect where a shortcut exists.
    shortcut: Option<f64>,
}

impl BlockSpec {
    pub(super) fn build(&self, builder: &mut Builder, drop_path: f64) -> Block {
        let [channels_in, channels_out] = self.channels;
        let inner = channels_in * self.expansion;
        let shortcut = (self.stride == 1 && channels_in == channels_out).then_some(drop_path);
        let residual = Residual { activation: self.activation, shortcut };
        let depthwise = ConvSpec {
            channels: [inner, inner],
            kernel: [1, self.kernel, self.kernel],
            stride: [1, self.stride, self.stride],
            padding: self.padding,
            groups: inner,
        };
        let conv_dw = conv(builder, depthwise, None);
        let se = (self.se_ratio > 0.0).then(|| self.build_se(builder, inner));
        let project = conv(builder, ConvSpec::pointwise(inner, channels_out), None);
        let mut norm = |channels| BatchNorm::build(builder, channels, self.epsilon);
        if self.expansion == 1 {
            let (bn1, bn2) = (norm(inner), norm(channels_out));
            return Block::DepthwiseSeparable(DepthwiseSeparable { conv_dw, bn1, se, conv_pw: project, bn2, residual });
        }
        let (bn1, bn2, bn3) = (norm(inner), norm(inner), norm(channels_out));
        let conv_pw = conv(builder, ConvSpec::pointwise(channels_in, inner), None);
        Block::InvertedResidual(InvertedResidual { conv_pw, bn1, conv_dw, bn2, se, conv_pwl: project, bn3, residual })
    }

    fn build_se(&self, builder: &mut Builder, inner: usize) -> SqueezeExcite {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a few thousand channels"
        )]
        let reduced = ((self.channels[0] as f64 * self.se_ratio) as usize).max(1);
        let bias = Some(Init::Constant(0.0));
        SqueezeExcite {
            conv_reduce: conv(builder, ConvSpec::pointwise(inner, reduced), bias),
            conv_expand: conv(builder, ConvSpec::pointwise(reduced, inner), bias),
        }
    }
}

impl Block {
    pub(super) fn run<P: Pass>(&self, pass: &mut P, input: P::Features) -> P::Features {
        let (features, residual) = match self {
            Self::DepthwiseSeparable(block) => (block.run(pass, input.clone()), block.residual),
            Self::InvertedResidual(block) => (block.run(pass, input.clone()), block.residual),
        };
        match residual.shortcut {
            Some(rate) => {
                let features = pass.drop_path(rate, features);
                pass.add(features, input)
            }
            None => features,
        }
    }
}

impl DepthwiseSeparable {
    fn run<P: Pass>(&self, pass: &mut P, input: P::Features) -> P::Features {
        let activation = self.residual.activation;
        let features = pass.conv_norm(&self.conv_dw, &self.bn1, Some(activation), input);
        let features = squeeze_excite(pass, self.se.as_ref(), activation, features);
        pass.conv_norm(&self.conv_pw, &self.bn2, None, features)
    }
}

impl InvertedResidual {
    fn run<P: Pass>(&self, pass: &mut P, input: P::Features) -> P::Features {
        let activation = self.residual.activation;
        let features = pass.conv_norm(&self.conv_pw, &self.bn1, Some(activation), input);
        let features = pass.conv_norm(&self.conv_dw, &self.bn2, Some(activation), features);
        let features = squeeze_excite(pass, self.se.as_ref(), activation, features);
        pass.conv_norm(&self.conv_pwl, &self.bn3, None, features)
    }
}

fn squeeze_excite<P: Pass>(
    pass: &mut P,
    se: Option<&SqueezeExcite>,
    activation: Activation,
    features: P::Features,
) -> P::Features {
    match se {
        Some(se) => excite(pass, features, &se.conv_reduce, activation, &se.conv_expand),
        None => features,
    }
}

/// EfficientNet draws every convolution from a normal of variance `2 / fan_out`.
pub(super) fn conv(builder: &mut Builder, spec: ConvSpec, bias: Option<Init>) -> Conv {
    spec.build(builder, Init::Normal { deviation: (2.0 / spec.fan_out() as f64).sqrt() }, bias)
}
