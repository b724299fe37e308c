//! One walk through a network, whatever it is for.
//!
//! A network says once, in its `run`, which operations follow each other. What an operation does is a [`Pass`]'s choice: with
//! tensors it computes ([`crate::forward::ForwardPass`]), with shapes alone it counts ([`crate::count::CountPass`]). A count
//! can therefore not describe another network than the one that runs.

use crate::layers::{Activation, BatchNorm, Conv, DropBlock, Linear, Pool};

/// The operations that networks are written in.
pub trait Pass {
    /// What flows between operations: logically `[batch, frames, height, width, channels]`.
    type Features: Clone;

    /// Convolution.
    fn conv(&mut self, conv: &Conv, features: Self::Features) -> Self::Features;
    /// Batch norm.
    fn batch_norm(&mut self, norm: &BatchNorm, features: Self::Features) -> Self::Features;
    /// An activation, element by element.
    fn activate(&mut self, activation: Activation, features: Self::Features) -> Self::Features;
    /// The largest value in each window.
    fn max_pool(&mut self, pool: &Pool, features: Self::Features) -> Self::Features;
    /// The mean of each window, padding not counted.
    fn average_pool(&mut self, pool: &Pool, features: Self::Features) -> Self::Features;
    /// The mean over frames, height and width, which become 1.
    fn global_average(&mut self, features: Self::Features) -> Self::Features;
    /// `features · gate`, the gate a value a channel.
    fn multiply(&mut self, features: Self::Features, gate: Self::Features) -> Self::Features;
    /// `features + shortcut`.
    fn add(&mut self, features: Self::Features, shortcut: Self::Features) -> Self::Features;
    /// Stochastic depth: drops a residual branch for a sample with probability `rate`; nothing outside training.
    fn drop_path(&mut self, rate: f64, features: Self::Features) -> Self::Features;
    /// Dropout on the head's features; nothing outside training.
    fn dropout(&mut self, rate: f64, features: Self::Features) -> Self::Features;
    /// The classifier, on features that were averaged globally.
    fn linear(&mut self, linear: &Linear, features: Self::Features) -> Self::Features;

    /// Drops squares of features; nothing outside training.
    fn drop_block(&mut self, _block: DropBlock, features: Self::Features) -> Self::Features {
        features
    }

    /// `max(features + shortcut, 0)`: the end of a residual block.
    fn add_relu(&mut self, features: Self::Features, shortcut: Self::Features) -> Self::Features {
        let sum = self.add(features, shortcut);
        self.activate(Activation::Relu, sum)
    }

    /// Batch norm and, if any, an activation.
    fn normalise(
        &mut self,
        norm: &BatchNorm,
        activation: Option<Activation>,
        features: Self::Features,
    ) -> Self::Features {
        let features = self.batch_norm(norm, features);
        match activation {
            Some(activation) => self.activate(activation, features),
            None => features,
        }
    }

    /// Convolution, batch norm and, if any, an activation.
    fn conv_norm(
        &mut self,
        conv: &Conv,
        norm: &BatchNorm,
        activation: Option<Activation>,
        features: Self::Features,
    ) -> Self::Features {
        let features = self.conv(conv, features);
        self.normalise(norm, activation, features)
    }
}
