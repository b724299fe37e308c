//! The classifier's matrix.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::builder::{Builder, Init};

/// `x · weightᵀ + bias`, the weight stored as PyTorch stores it.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[classes, channels]`
    pub weight: Param<Tensor<2>>,
    /// `[classes]`
    pub bias: Param<Tensor<1>>,
}

impl Linear {
    pub(crate) fn build(builder: &mut Builder, channels: usize, classes: usize, weight: Init) -> Self {
        Self {
            weight: builder.parameter([classes, channels], weight),
            bias: builder.parameter([classes], Init::Constant(0.0)),
        }
    }

    /// Channels in, classes out; read without drawing fresh weights.
    pub fn dims(&self) -> [usize; 2] {
        let [classes, channels] = self.weight.lazy_shape().dims();
        [channels, classes]
    }
}
