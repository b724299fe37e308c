//! A forward pass, by an engine or by burn.

use std::num::NonZero;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reelnet_kernels::fused::Number;
use reelnet_models::{ConfigError, Network, parameters};
use serde::Serialize;
use thiserror::Error;

use super::turns::{Patience, Turns, take_turns};
use crate::engine::{Bytes, Engine, EngineError, EngineSpec, OperationTime, Precision, Ranges};

/// Rounds that operations are timed in.
const PROFILED: usize = 5;

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// An engine compiled for the shape, as tagging uses it on a CPU.
    Engine,
    /// The network's own walk, operation by operation.
    Burn,
}

/// Which numbers features and weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Numbers {
    /// 32-bit floats.
    F32,
    /// The upper halves of floats.
    Bf16,
    /// Bytes: as a bundle was calibrated, or from the first layer on, scaled by what the features reach on the measured clips themselves.
    Int8,
}

impl Numbers {
    /// What a machine's peak is asked for.
    pub fn kind(self) -> Number {
        match self {
            Self::F32 => Number::F32,
            Self::Bf16 => Number::Bf16,
            Self::Int8 => Number::S8,
        }
    }
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct ForwardCase {
    /// `[batch, frames, height, width]` of the clips.
    pub shape: [usize; 4],
    /// Numbers in between.
    pub numbers: Numbers,
    /// How the bundle was calibrated, for bytes.
    pub calibrated: Option<Bytes>,
    /// Threads to compute with.
    pub threads: NonZero<usize>,
    /// What has to compute. Without a wish it is an engine, and burn where there is none.
    pub backend: Option<Backend>,
    /// Whether an engine's operations are timed, too, one by one.
    pub profile: bool,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct ForwardBench {
    /// How long a pass takes.
    pub turns: Turns,
    /// What computed.
    pub backend: Backend,
    /// Why no engine did, where one was tried.
    pub engine_error: Option<String>,
    /// `[batch, classes]`, of the last turn.
    pub logits: Vec<f32>,
    /// Multiply-accumulates of a turn.
    pub macs: u64,
    /// What an engine's operations take, in the order in which they run, if that was asked for.
    pub operations: Vec<OperationTime>,
}

/// A pass that cannot be measured.
#[derive(Debug, Error)]
pub enum ForwardError {
    /// The clips are not what the network takes.
    #[error(transparent)]
    Input(#[from] ConfigError),
    /// There is no engine, and nothing else will do.
    #[error("there is no engine for this network here: {0}")]
    Engine(#[from] EngineError),
    /// Burn computes, and its operations are not timed.
    #[error("only an engine's operations can be timed, and burn computes: {0}")]
    Profile(String),
    /// Burn was asked for numbers that only engines have.
    #[error("burn computes in f32, and {0:?} was asked for; leave out the backend, and an engine computes")]
    Numbers(Numbers),
}

/// Measures passes of normalised clips `[batch, 3, frames, height, width]`; nothing if it was cancelled.
///
/// # Errors
/// If the network does not take such clips, or an engine has to compute and there is none. Only engines know other numbers than
/// 32-bit floats.
///
/// # Panics
/// If there are not as many values as the shape has.
pub fn bench_forward(
    network: &Network,
    case: &ForwardCase,
    clips: &[f32],
    patience: &Patience,
) -> Result<Option<ForwardBench>, ForwardError> {
    let [batch, frames, height, width] = case.shape;
    let clip = [frames, height, width];
    network.check_input(3, clip)?;
    reelnet_kernels::cpu::set_threads(case.threads);
    let macs = network.count(clip)?.macs * batch as u64;

    // ---- By an engine ----
    let mut engine_error = None;
    if case.backend != Some(Backend::Burn) {
        let values = channels_last(clips, case.shape);
        match engine(network, case, &values) {
            Ok(mut engine) => {
                let mut logits = Vec::new();
                let turns = take_turns(patience, || {
                    logits.clear();
                    logits.extend_from_slice(engine.run_normalised(&values));
                    Ok::<_, ForwardError>(())
                })?;
                let Some(turns) = turns else { return Ok(None) };
                let operations = if case.profile { engine.profile(PROFILED) } else { Vec::new() };
                let backend = Backend::Engine;
                return Ok(Some(ForwardBench { turns, backend, engine_error, logits, macs, operations }));
            }
            Err(error) if case.backend.is_none() && case.numbers == Numbers::F32 => {
                engine_error = Some(error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }

    // ---- By burn ----
    if case.profile {
        return Err(ForwardError::Profile(engine_error.unwrap_or_else(|| "it was asked to".to_owned())));
    }
    if case.numbers != Numbers::F32 {
        return Err(ForwardError::Numbers(case.numbers));
    }
    let data = TensorData::new(clips.to_vec(), [batch, 3, frames, height, width]);
    let clips = Tensor::<5>::from_data(data, &Device::flex());
    let mut logits = Vec::new();
    let turns = take_turns(patience, || {
        let found = network.forward(clips.clone())?.into_data();
        logits = found.convert::<f32>().try_to_vec().expect("the data was just converted to f32");
        Ok::<_, ForwardError>(())
    })?;
    let (backend, operations) = (Backend::Burn, Vec::new());
    Ok(turns.map(|turns| ForwardBench { turns, backend, engine_error, logits, macs, operations }))
}

/// The network with every branch taking part: fresh residual branches end in a batch norm whose γ is 0, and what is multiplied
/// by 0 a clever kernel could leave out. Such a γ becomes a seeded tenth to three tenths, which keeps deep networks' numbers near
/// their inputs'; anything else stays.
pub fn with_all_branches(network: Network, seed: u64) -> Network {
    let silent: Vec<String> = parameters::values(&network)
        .into_iter()
        .filter(|(info, values)| info.shape.len() == 1 && values.iter().all(|&value| value == 0.0))
        .filter(|(info, _)| info.name.ends_with(".weight"))
        .map(|(info, _)| info.name)
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    parameters::replace(network, |info| {
        silent.contains(&info.name).then(|| (0..info.shape[0]).map(|_| rng.random_range(0.1..0.3)).collect())
    })
}

fn engine(network: &Network, case: &ForwardCase, values: &[f32]) -> Result<Engine, EngineError> {
    let [batch, frames, height, width] = case.shape;
    let spec =
        |precision| EngineSpec { batch, threads: case.threads, precision, ..EngineSpec::new([frames, height, width]) };
    let precision = match case.numbers {
        Numbers::F32 => Precision::F32,
        Numbers::Bf16 => Precision::Bf16,
        Numbers::Int8 => {
            let bytes = if let Some(calibrated) = &case.calibrated {
                calibrated.clone()
            } else {
                let mut ranges = Ranges::default();
                Engine::compile(network, &spec(Precision::F32))?.run_watching_ranges(values, &mut ranges);
                Bytes { ranges, floats_until: 0 }
            };
            Precision::Int8(bytes)
        }
    };
    Engine::compile(network, &spec(precision))
}

/// From `[batch, 3, frames, height, width]` to `[batch, frames, height, width, 3]`.
fn channels_last(clips: &[f32], [batch, frames, height, width]: [usize; 4]) -> Vec<f32> {
    let plane = frames * height * width;
    assert_eq!(clips.len(), batch * 3 * plane, "clips have the values of their shape");
    let mut values = Vec::with_capacity(clips.len());
    for clip in clips.chunks_exact(3 * plane) {
        for place in 0..plane {
            values.extend([0, 1, 2].map(|channel| clip[channel * plane + place]));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use reelnet_clips::CancelToken;
    use reelnet_models::{NetworkConfig, resnet::ResNetConfig};

    use super::*;

    const SHAPE: [usize; 4] = [2, 1, 32, 32];

    fn network() -> Network {
        let config = ResNetConfig { width: 0.125, classes: 5, ..ResNetConfig::rs(26) };
        let network = NetworkConfig::Resnet(config).build(0, &Device::flex()).expect("a good config");
        with_all_branches(network, 1)
    }

    fn measured(backend: Option<Backend>, numbers: Numbers) -> Result<Option<ForwardBench>, ForwardError> {
        let count: usize = SHAPE.iter().product::<usize>() * 3;
        let clips: Vec<f32> = (0..count).map(|index| (index as f32 * 0.37).sin()).collect();
        let threads = NonZero::<usize>::MIN;
        let case = ForwardCase { shape: SHAPE, numbers, calibrated: None, threads, backend, profile: false };
        bench_forward(&network(), &case, &clips, &Patience { seconds: 0.0, cancel: CancelToken::new() })
    }

    #[test]
    fn engine_and_burn_measure_the_same_network() {
        let burn = measured(Some(Backend::Burn), Numbers::F32).expect("burn runs it").expect("nobody cancels");
        assert_eq!(burn.logits.len(), 10);
        let macs = network().count([1, 32, 32]).expect("the image fits").macs;
        assert_eq!(burn.macs, 2 * macs);
        let engine = measured(None, Numbers::F32).expect("something runs it").expect("nobody cancels");
        assert_eq!(engine.backend == Backend::Burn, engine.engine_error.is_some());
        let largest = burn.logits.iter().fold(0_f32, |largest, value| largest.max(value.abs()));
        for (one, other) in burn.logits.iter().zip(&engine.logits) {
            assert!((one - other).abs() < 1e-4 * largest, "{:?} and {:?}", burn.logits, engine.logits);
        }
    }

    #[test]
    fn only_engines_have_other_numbers() {
        for numbers in [Numbers::Bf16, Numbers::Int8] {
            let found = measured(Some(Backend::Burn), numbers);
            assert!(matches!(found, Err(ForwardError::Numbers(_))), "{found:?}");
            match measured(None, numbers) {
                Ok(Some(bench)) => assert_eq!((bench.backend, bench.logits.len()), (Backend::Engine, 10)),
                // Without kernels for them nothing else stands in for an engine.
                found => assert!(matches!(found, Err(ForwardError::Engine(_))), "{found:?}"),
            }
        }
    }

    #[test]
    fn no_branch_is_silent() {
        let silent = |network: &Network| {
            let of = parameters::values(network);
            let gammas = of.iter().filter(|(info, _)| info.name.ends_with("bn3.weight"));
            gammas.filter(|(_, values)| values.iter().all(|&value| value == 0.0)).count()
        };
        let config = ResNetConfig { width: 0.125, classes: 5, ..ResNetConfig::rs(26) };
        let fresh = NetworkConfig::Resnet(config).build(0, &Device::flex()).expect("a good config");
        assert_eq!((silent(&fresh), silent(&network())), (8, 0));
    }
}
