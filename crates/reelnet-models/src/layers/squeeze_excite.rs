//! Gates that weigh channels by what the whole clip holds: squeeze-and-excitation, and S3D-G's self-gating.

use burn::module::Module;

use super::builder::{Builder, Init};
use super::{Activation, Conv, ConvSpec};
use crate::pass::Pass;

/// Squeeze-and-excitation (arXiv 1709.01507) with two pointwise convolutions, named as timm's ResNets name them.
#[derive(Module, Debug)]
pub struct SqueezeExcite {
    fc1: Conv,
    fc2: Conv,
}

impl SqueezeExcite {
    pub(crate) fn build(builder: &mut Builder, channels: usize, reduced: usize) -> Self {
        let (reduce, expand) = (ConvSpec::pointwise(channels, reduced), ConvSpec::pointwise(reduced, channels));
        let bias = Some(Init::Constant(0.0));
        Self {
            fc1: reduce.build(builder, Init::VarianceScaling { fan: reduce.fan_in() }, bias),
            fc2: expand.build(builder, Init::VarianceScaling { fan: expand.fan_in() }, bias),
        }
    }

    pub(crate) fn run<P: Pass>(&self, pass: &mut P, features: P::Features) -> P::Features {
        excite(pass, features, &self.fc1, Activation::Relu, &self.fc2)
    }
}

/// S3D-G's self-gating (arXiv 1712.04851), named as this project's weight files name it.
#[derive(Module, Debug)]
pub struct SelfGate {
    conv: Conv,
}

impl SelfGate {
    pub(crate) fn build(builder: &mut Builder, channels: usize) -> Self {
        let spec = ConvSpec::pointwise(channels, channels);
        Self { conv: spec.build(builder, Init::TruncatedNormal { deviation: 0.01 }, Some(Init::Constant(0.0))) }
    }

    pub(crate) fn run<P: Pass>(&self, pass: &mut P, features: P::Features) -> P::Features {
        let context = pass.global_average(features.clone());
        let gate = pass.conv(&self.conv, context);
        let gate = pass.activate(Activation::Sigmoid, gate);
        pass.multiply(features, gate)
    }
}

/// Pools, squeezes by `reduce`, expands by `expand`, and multiplies the features by the sigmoid of it.
pub(crate) fn excite<P: Pass>(
    pass: &mut P,
    features: P::Features,
    reduce: &Conv,
    activation: Activation,
    expand: &Conv,
) -> P::Features {
    let context = pass.global_average(features.clone());
    let reduced = pass.conv(reduce, context);
    let reduced = pass.activate(activation, reduced);
    let gate = pass.conv(expand, reduced);
    let gate = pass.activate(Activation::Sigmoid, gate);
    pass.multiply(features, gate)
}
