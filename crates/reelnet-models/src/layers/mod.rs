//! The layers that networks are made of: weights and geometry. What is done with them is a [`crate::pass::Pass`]'s affair.

mod batch_norm;
mod builder;
mod conv;
mod drop_block;
mod linear;
mod squeeze_excite;

pub use batch_norm::BatchNorm;
pub(crate) use builder::{Builder, Init};
pub use conv::{Conv, ConvSpec};
pub use drop_block::DropBlock;
pub use linear::Linear;
pub(crate) use squeeze_excite::excite;
pub use squeeze_excite::{SelfGate, SqueezeExcite};

use reelnet_kernels::{Padding, Window};

/// What follows a batch norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`: EfficientNet-Lite, made for quantisation.
    Relu6,
    /// `x · sigmoid(x)`: EfficientNet.
    Swish,
    /// `1 / (1 + exp(-x))`: the gates.
    Sigmoid,
}

/// A pooling layer: a window without weights.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// `[frames, height, width]`
    pub kernel: [usize; 3],
    /// `[frames, height, width]`
    pub stride: [usize; 3],
    /// How the borders are padded.
    pub padding: Padding,
}

impl Pool {
    /// The window over an input of `[frames, height, width]`; without padding it is no larger than the input.
    pub fn window(&self, size: [usize; 3]) -> Window {
        let kernel = match self.padding {
            Padding::Valid => std::array::from_fn(|axis| self.kernel[axis].min(size[axis])),
            Padding::Symmetric | Padding::Same => self.kernel,
        };
        Window::fit(kernel, self.stride, self.padding, size)
    }
}
