//! The pass that counts: shapes flow instead of tensors, and nothing is computed.

use crate::layers::{Activation, BatchNorm, Conv, Linear, Pool};
use crate::pass::Pass;

/// A walk with shapes; see [`crate::Network::count`].
#[derive(Clone, Debug, Default)]
pub struct CountPass {
    macs: u64,
}

impl CountPass {
    /// Multiply-accumulates so far, of convolutions and the classifier, as every published figure counts them.
    pub fn macs(&self) -> u64 {
        self.macs
    }
}

impl Pass for CountPass {
    /// `[batch, frames, height, width, channels]`
    type Features = [usize; 5];

    fn conv(&mut self, conv: &Conv, [batch, frames, height, width, channels]: [usize; 5]) -> [usize; 5] {
        let [channels_in, channels_out] = conv.spec().channels;
        assert_eq!(channels, channels_in, "a convolution of {channels_in} channels was given {channels}");
        let [frames, height, width] = conv.window([frames, height, width]).output([frames, height, width]);
        let output = [batch, frames, height, width, channels_out];
        self.macs += (output.iter().product::<usize>() * conv.spec().fan_in()) as u64;
        output
    }

    fn batch_norm(&mut self, _norm: &BatchNorm, features: [usize; 5]) -> [usize; 5] {
        features
    }

    fn activate(&mut self, _activation: Activation, features: [usize; 5]) -> [usize; 5] {
        features
    }

    fn max_pool(&mut self, pool: &Pool, features: [usize; 5]) -> [usize; 5] {
        pooled(pool, features)
    }

    fn average_pool(&mut self, pool: &Pool, features: [usize; 5]) -> [usize; 5] {
        pooled(pool, features)
    }

    fn global_average(&mut self, [batch, .., channels]: [usize; 5]) -> [usize; 5] {
        [batch, 1, 1, 1, channels]
    }

    fn multiply(&mut self, features: [usize; 5], gate: [usize; 5]) -> [usize; 5] {
        assert_eq!(gate, [features[0], 1, 1, 1, features[4]], "a gate has one value a channel");
        features
    }

    fn add(&mut self, features: [usize; 5], shortcut: [usize; 5]) -> [usize; 5] {
        assert_eq!(features, shortcut, "a residual branch and its shortcut have one shape");
        features
    }

    fn drop_path(&mut self, _rate: f64, features: [usize; 5]) -> [usize; 5] {
        features
    }

    fn dropout(&mut self, _rate: f64, features: [usize; 5]) -> [usize; 5] {
        features
    }

    fn linear(&mut self, linear: &Linear, [batch, .., channels]: [usize; 5]) -> [usize; 5] {
        let [channels_in, classes] = linear.dims();
        assert_eq!(channels, channels_in, "a classifier of {channels_in} channels was given {channels}");
        self.macs += (batch * channels * classes) as u64;
        [batch, 1, 1, 1, classes]
    }
}

fn pooled(pool: &Pool, [batch, frames, height, width, channels]: [usize; 5]) -> [usize; 5] {
    let [frames, height, width] = pool.window([frames, height, width]).output([frames, height, width]);
    [batch, frames, height, width, channels]
}
