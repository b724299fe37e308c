//! From pixels to a quarter of the resolution.

use burn::module::Module;
use reelnet_kernels::Padding;

use super::config::{StemKind, StemPool};
use crate::layers::{Activation, BatchNorm, Builder, Conv, ConvSpec, Init, Pool};
use crate::pass::Pass;

/// What a stem is, before it has weights.
pub(super) struct Stem {
    pub(super) kind: StemKind,
    pub(super) pool: StemPool,
    /// Channels out.
    pub(super) channels: usize,
    pub(super) temporal_kernel: usize,
    pub(super) temporal_stride: usize,
    pub(super) pool_temporal_stride: usize,
    pub(super) padding: Padding,
    pub(super) epsilon: f64,
}

impl Stem {
    fn conv(&self, builder: &mut Builder, channels: [usize; 2], kernel: [usize; 3], stride: [usize; 3]) -> Conv {
        let spec = ConvSpec { channels, kernel, stride, padding: self.padding, groups: 1 };
        spec.build(builder, Init::VarianceScaling { fan: spec.fan_in() }, None)
    }

    pub(super) fn build_convs(&self, builder: &mut Builder) -> StemConvs {
        let (time, stride) = (self.temporal_kernel, [self.temporal_stride, 2, 2]);
        match self.kind {
            StemKind::Plain => StemConvs::Plain(self.conv(builder, [3, self.channels], [time, 7, 7], stride)),
            StemKind::Deep => {
                let half = self.channels.div_ceil(2);
                StemConvs::Deep(DeepConvs {
                    conv_0: self.conv(builder, [3, half], [time, 3, 3], stride),
                    bn_1: BatchNorm::build(builder, half, self.epsilon),
                    conv_3: self.conv(builder, [half, half], [1, 3, 3], [1; 3]),
                    bn_4: BatchNorm::build(builder, half, self.epsilon),
                    conv_6: self.conv(builder, [half, self.channels], [1, 3, 3], [1; 3]),
                })
            }
        }
    }

    /// The convolution that takes the max-pool's place, if it does.
    pub(super) fn build_conv_pool(&self, builder: &mut Builder) -> Option<ConvPool> {
        let stride = [self.pool_temporal_stride, 2, 2];
        (self.pool == StemPool::Conv).then(|| ConvPool {
            conv_0: self.conv(builder, [self.channels; 2], [1, 3, 3], stride),
            bn_1: BatchNorm::build(builder, self.channels, self.epsilon),
        })
    }

    /// The max-pool, if it stays. Its temporal kernel is 1 without a temporal stride and 3 with one.
    pub(super) fn max_pool(&self) -> Option<Pool> {
        let (time, stride) = if self.pool_temporal_stride == 1 { (1, 1) } else { (3, self.pool_temporal_stride) };
        (self.pool == StemPool::Max).then_some(Pool {
            kernel: [time, 3, 3],
            stride: [stride, 2, 2],
            padding: self.padding,
        })
    }
}

/// The convolutions before the stem's last batch norm.
#[derive(Module, Debug)]
pub(super) enum StemConvs {
    /// One 7×7.
    Plain(Conv),
    /// Three 3×3.
    Deep(DeepConvs),
}

impl StemConvs {
    pub(super) fn run<P: Pass>(&self, pass: &mut P, features: P::Features) -> P::Features {
        match self {
            Self::Plain(conv) => pass.conv(conv, features),
            Self::Deep(convs) => {
                let features = pass.conv_norm(&convs.conv_0, &convs.bn_1, Some(Activation::Relu), features);
                let features = pass.conv_norm(&convs.conv_3, &convs.bn_4, Some(Activation::Relu), features);
                pass.conv(&convs.conv_6, features)
            }
        }
    }
}

/// Named by their places in timm's `nn.Sequential`; 2 and 5 are activations.
#[derive(Module, Debug)]
pub(super) struct DeepConvs {
    conv_0: Conv,
    bn_1: BatchNorm,
    conv_3: Conv,
    bn_4: BatchNorm,
    conv_6: Conv,
}

/// The fourth stem convolution of ResNet-RS.
#[derive(Module, Debug)]
pub(super) struct ConvPool {
    conv_0: Conv,
    bn_1: BatchNorm,
}

impl ConvPool {
    pub(super) fn run<P: Pass>(&self, pass: &mut P, features: P::Features) -> P::Features {
        pass.conv_norm(&self.conv_0, &self.bn_1, Some(Activation::Relu), features)
    }
}
