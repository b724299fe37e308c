//! A training step: forward, backward, and the optimizer's part, through the very code that trains.

use burn::tensor::Device;
use ndarray::Array5;
use reelnet_infer::bench::{Patience, Turns, take_turns};
use reelnet_infer::{ClipSettings, Pixels};
use reelnet_models::Network;
use reelnet_models::forward::Precision;
use reelnet_models::weights::{StateDict, Strictness, load};

use super::plain_recipe;
use crate::error::TrainError;
use crate::state::{State, Taken};

/// A learning rate at which no network leaves the numbers that it was given, however many turns are taken.
const LEARNING_RATE: f64 = 1e-3;
/// A forward pass costs its multiply-accumulates; a backward pass as many for the gradients of what went in, and as many for
/// those of the weights.
const PASSES: u64 = 3;

/// What to measure.
#[derive(Debug)]
pub struct StepCase {
    /// With weights; copied onto the device.
    pub network: Network,
    /// `[clips, frames, side, side, 3]`; clip `i` is of class `i`, or of what is left of it over the number of classes.
    pub clips: Array5<u8>,
    /// How bytes become numbers.
    pub pixels: Pixels,
    /// Numbers between the layers.
    pub precision: Precision,
    /// Keeps only what goes into each block, and computes the rest again on the way back.
    pub recompute: bool,
    /// Threads that compute; only written down.
    pub threads: usize,
    /// Where to compute.
    pub device: Device,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct StepBench {
    /// How long a step takes.
    pub turns: Turns,
    /// The mean loss of each step, those of the warm-up first.
    pub losses: Vec<f64>,
    /// Multiply-accumulates of a step: three times those of the forward pass.
    pub macs: u64,
}

/// Measures steps of SGD with momentum 0.9 against labels smoothed by 0.1, all clips through the network at once; nothing if it
/// was cancelled.
///
/// # Errors
/// If the clips do not fit the network, or a step ends in something that is no number.
pub fn bench_step(case: StepCase, patience: &Patience) -> Result<Option<StepBench>, TrainError> {
    let StepCase { network, clips, pixels, precision, recompute, threads, device } = case;
    let (batch, frames, height, width, _) = clips.dim();
    let macs = network.count([frames, height, width])?.macs * batch as u64 * PASSES;

    let mut recipe = plain_recipe().expect("the recipe of the bench is good");
    recipe.network = network.config().clone();
    recipe.clip = ClipSettings { frames, ..recipe.clip };
    recipe.pixels = pixels;
    recipe.precision = precision;
    (recipe.batch.size, recipe.batch.at_once) = (batch, batch);

    let device = device.autodiff();
    let trained = recipe.network.build(recipe.seed, &device)?;
    let weights = StateDict::of(&network);
    drop(network);
    let (trained, _) = load(trained, weights, Strictness::Exact)
        .map_err(|report| TrainError::Start(format!("the network's weights cannot be trained: {report}")))?;
    let classes = recipe.network.classes();
    let labels = (0..batch).map(|clip| vec![clip % classes]).collect();
    let taken = Taken::new(clips, labels);
    let mut state = State::new(&recipe, trained, device, String::new(), threads).recomputing(recompute);

    let mut losses = Vec::new();
    let turns = take_turns(patience, || {
        let outcome = state.step(&recipe, taken.clone(), LEARNING_RATE)?;
        losses.extend(outcome.loss);
        Ok::<_, TrainError>(())
    })?;
    Ok(turns.map(|turns| StepBench { turns, losses, macs }))
}

#[cfg(test)]
mod tests {
    use reelnet_clips::CancelToken;
    use reelnet_models::{NetworkConfig, NetworkName, resnet::ResNetConfig};

    use super::*;

    #[test]
    fn steps_are_those_of_training() {
        for precision in [Precision::F32, Precision::Bf16] {
            check(precision);
        }
    }

    fn check(precision: Precision) {
        let device = Device::flex();
        let config = ResNetConfig { width: 0.125, classes: 3, dropout: 0.0, ..ResNetConfig::rs(26) };
        let network = NetworkConfig::Resnet(config).build(0, &device).expect("a good config");
        let macs = network.count([1, 32, 32]).expect("the image fits").macs;
        let name: NetworkName = "resnet-rs-50@32".parse().expect("a good name");
        let clips = Array5::from_shape_fn((4, 1, 32, 32, 3), |(clip, _, y, x, c)| {
            u8::try_from((clip * 40 + y * 3 + x * 5 + c) % 256).expect("a byte")
        });
        let case =
            StepCase { network, clips, pixels: Pixels::of(&name), precision, recompute: false, threads: 1, device };
        let patience = Patience { seconds: 0.0, cancel: CancelToken::new() };
        let found = bench_step(case, &patience).expect("the clips fit").expect("nobody cancels");
        assert_eq!(found.losses.len(), found.turns.turns + 2);
        assert_eq!(found.macs, macs * 4 * 3);
        // It starts with a network that knows nothing, and learns.
        assert!((found.losses[0] - 3_f64.ln()).abs() < 0.7, "{:?}", found.losses);
        assert!(found.losses.last() < found.losses.first(), "{:?}", found.losses);
    }
}
