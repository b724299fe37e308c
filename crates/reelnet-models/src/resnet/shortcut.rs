//! The path around a residual branch where shapes change.

use burn::module::Module;
use reelnet_kernels::Padding;

use super::config::ShortcutKind;
use crate::layers::{BatchNorm, Builder, Conv, ConvSpec, Init, Pool};
use crate::pass::Pass;

/// A projection, named by its places in timm's `nn.Sequential`.
#[derive(Module, Debug)]
pub(super) enum Shortcut {
    /// Place 0 is the pool.
    AveragePool(AveragePoolShortcut),
    /// Place 0 is the convolution.
    Strided(StridedShortcut),
}

#[derive(Module, Debug)]
pub(super) struct AveragePoolShortcut {
    #[module(skip)]
    pool: Option<Pool>,
    conv_1: Conv,
    bn_2: BatchNorm,
}

#[derive(Module, Debug)]
pub(super) struct StridedShortcut {
    conv_0: Conv,
    bn_1: BatchNorm,
}

impl Shortcut {
    /// `stride` is `[frames, space]`.
    pub(super) fn build(
        builder: &mut Builder,
        kind: ShortcutKind,
        channels: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
        epsilon: f64,
    ) -> Self {
        let [time, space] = stride;
        let mut conv = |stride: [usize; 3]| {
            let spec = ConvSpec { stride, padding, ..ConvSpec::pointwise(channels[0], channels[1]) };
            let conv = spec.build(builder, Init::VarianceScaling { fan: spec.fan_in() }, None);
            (conv, BatchNorm::build(builder, channels[1], epsilon))
        };
        match kind {
            ShortcutKind::AveragePool => {
                // `SAME` with a 2×2 window is PyTorch's `ceil_mode=True`; the last window of an odd size holds one column.
                let pool = Pool { kernel: [1, 2, 2], stride: [1, 2, 2], padding: Padding::Same };
                // Time is subsampled, not averaged: the residual branch takes every n-th frame too, and no published
                // network has a temporal stride here to say otherwise.
                let (conv_1, bn_2) = conv([time, 1, 1]);
                Self::AveragePool(AveragePoolShortcut { pool: (space == 2).then_some(pool), conv_1, bn_2 })
            }
            ShortcutKind::Strided => {
                let (conv_0, bn_1) = conv([time, space, space]);
                Self::Strided(StridedShortcut { conv_0, bn_1 })
            }
        }
    }

    pub(super) fn run<P: Pass>(&self, pass: &mut P, features: P::Features) -> P::Features {
        match self {
            Self::AveragePool(shortcut) => {
                let features = match &shortcut.pool {
                    Some(pool) => pass.average_pool(pool, features),
                    None => features,
                };
                pass.conv_norm(&shortcut.conv_1, &shortcut.bn_2, None, features)
            }
            Self::Strided(shortcut) => pass.conv_norm(&shortcut.conv_0, &shortcut.bn_1, None, features),
        }
    }
}
