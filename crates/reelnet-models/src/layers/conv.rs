//! Convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use reelnet_kernels::{Padding, Window};

use super::builder::{Builder, Init};

/// What a convolution is, before it has weights.
#[derive(Clone, Copy, Debug)]
pub struct ConvSpec {
    /// Channels in and out.
    pub channels: [usize; 2],
    /// `[frames, height, width]`
    pub kernel: [usize; 3],
    /// `[frames, height, width]`
    pub stride: [usize; 3],
    /// How the borders are padded.
    pub padding: Padding,
    /// Groups; as many as channels for a depthwise convolution.
    pub groups: usize,
}

impl ConvSpec {
    /// A pointwise convolution with stride 1.
    pub fn pointwise(channels_in: usize, channels_out: usize) -> Self {
        Self {
            channels: [channels_in, channels_out],
            kernel: [1; 3],
            stride: [1; 3],
            padding: Padding::Symmetric,
            groups: 1,
        }
    }

    /// The inputs that one output sums over.
    pub(crate) fn fan_in(&self) -> usize {
        self.channels[0] / self.groups * self.kernel.iter().product::<usize>()
    }

    /// The outputs that one input channel's tap reaches, as EfficientNet's released code counts them.
    pub(crate) fn fan_out(&self) -> usize {
        self.channels[1] / self.groups * self.kernel.iter().product::<usize>()
    }

    pub(crate) fn build(self, builder: &mut Builder, weight: Init, bias: Option<Init>) -> Conv {
        let Self { channels: [channels_in, channels_out], kernel: [frames, height, width], .. } = self;
        Conv {
            weight: builder.parameter([channels_out, channels_in / self.groups, frames, height, width], weight),
            bias: bias.map(|init| builder.parameter([channels_out], init)),
            spec: self,
        }
    }
}

/// A convolution over `[frames, height, width]`; in an image network every temporal kernel is 1.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[channels_out, channels_in / groups, frames, height, width]`
    pub weight: Param<Tensor<5>>,
    /// `[channels_out]`
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    spec: ConvSpec,
}

impl Conv {
    /// Channels, kernel, stride, padding, groups.
    pub fn spec(&self) -> &ConvSpec {
        &self.spec
    }

    /// The window over an input of `[frames, height, width]`.
    pub fn window(&self, size: [usize; 3]) -> Window {
        Window::fit(self.spec.kernel, self.spec.stride, self.spec.padding, size)
    }
}
