//! Engines against the same networks run operation by operation.

use std::num::NonZero;

use burn::tensor::{Device, Tensor, TensorData};
use reelnet_infer::engine::{Bytes, Engine, EngineSpec, Precision, Ranges};
use reelnet_infer::{Pixels, clip_batch};
use reelnet_kernels::cpu;
use reelnet_models::resnet::ResNetConfig;
use reelnet_models::{Network, NetworkConfig, NetworkName, parameters};

/// Numbers from 0 to 1 that depend on `seed` alone.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f32::from(u16::try_from(state >> 48).expect("sixteen bits")) / 65536.0
        })
        .collect()
}

/// A network in which every branch has a say: no γ is zero, and statistics are not those of a fresh network.
fn network(config: &NetworkConfig) -> Network {
    let mut seed = 0;
    let fresh = config.build(1, &Device::flex()).expect("a good config");
    parameters::replace(fresh, |info| {
        seed += 1;
        let count = info.shape.iter().product();
        let between = |low: f32, high: f32| Some(numbers(count, seed).iter().map(|x| low + (high - low) * x).collect());
        match info.name.rsplit('.').next()? {
            "running_mean" | "bias" => between(-0.1, 0.1),
            "running_var" => between(0.75, 1.25),
            "weight" if info.shape.len() > 1 => None,
            "weight" if info.name.contains("bn3") => between(0.2, 0.4),
            _ => between(0.75, 1.25),
        }
    })
}

fn named(name: &str) -> Network {
    let name: NetworkName = name.parse().expect("a good name");
    network(&name.config().clone().with_classes(19))
}

/// Clips `[batch, frames, height, width, 3]`.
fn clips(shape: [usize; 5], seed: u64) -> Vec<f32> {
    numbers(shape.iter().product(), seed).iter().map(|x| 4.0 * x - 2.0).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 255")]
fn to_byte(number: f32) -> u8 {
    (number * 255.0) as u8
}

fn by_burn(network: &Network, clips: &[f32], shape: [usize; 5]) -> Vec<f32> {
    let tensor = Tensor::<5>::from_data(TensorData::new(clips.to_vec(), shape), &Device::flex());
    let logits = network.forward(tensor.permute([0, 4, 1, 2, 3])).expect("the clips fit");
    logits.into_data().try_to_vec().expect("32-bit floats")
}

fn spec(shape: [usize; 5], threads: usize) -> EngineSpec {
    let [batch, frames, height, width, _] = shape;
    let threads = NonZero::new(threads).expect("some threads");
    EngineSpec { batch, threads, ..EngineSpec::new([frames, height, width]) }
}

/// The largest difference over the largest logit.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    found.iter().zip(expected).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

/// Whether there can be engines, and in numbers other than 32-bit floats.
fn has_engines(narrow: bool) -> bool {
    cpu::onednn().is_some_and(|library| !narrow || library.instructions.starts_with("AVX-512 with"))
}

/// Every family, 2D and 3D, even and odd sizes.
const NETWORKS: [(&str, [usize; 5]); 12] = [
    ("resnet-rs-50", [2, 1, 64, 64, 3]),
    ("resnet-rs-50", [1, 1, 45, 53, 3]),
    ("resnet-rs-101", [1, 1, 64, 64, 3]),
    ("resnet-50", [1, 1, 63, 65, 3]),
    ("resnet-50-d", [3, 1, 40, 40, 3]),
    ("resnet3d-rs-50-inflated", [2, 6, 48, 48, 3]),
    ("resnet3d-rs-50-inflated", [1, 7, 45, 53, 3]),
    ("resnet3d-rs-50", [2, 6, 48, 48, 3]),
    ("resnet3d-rs-50", [1, 7, 45, 53, 3]),
    ("efficientnet-b0", [2, 1, 64, 64, 3]),
    ("efficientnet-b0-symmetric", [1, 1, 45, 53, 3]),
    ("efficientnet-lite0", [2, 1, 64, 50, 3]),
];

#[test]
fn floats_are_the_networks() {
    if !has_engines(false) {
        return;
    }
    for (name, shape) in NETWORKS {
        let (network, clips) = (named(name), clips(shape, 7));
        let expected = by_burn(&network, &clips, shape);
        // No chunks, chunks of one frame, and of some.
        for (winograd, chunk_bytes) in [(false, usize::MAX), (true, 1), (true, 1 << 20)] {
            let spec = EngineSpec { winograd, chunk_bytes, ..spec(shape, 2) };
            let mut engine = Engine::compile(&network, &spec).expect("there is an engine");
            let found = difference(engine.run_normalised(&clips), &expected);
            assert!(found < 1e-5, "{name} at {shape:?}, {spec:?}: {found:.1e}");
            // What the last run left behind changes nothing.
            engine.run_normalised(&self::clips(shape, 8));
            let found = difference(engine.run_normalised(&clips), &expected);
            assert!(found < 1e-5, "{name} at {shape:?}, again: {found:.1e}");
        }
    }
}

/// A reference kernel takes a hundred times as long as a compiled one. Of every generation of vectors: `scripts/test.sh` runs this
/// with AVX2's too.
#[test]
fn nothing_runs_on_a_reference_kernel() {
    if !has_engines(false) {
        return;
    }
    for (name, shape) in [
        ("resnet-rs-50", [1, 1, 64, 64, 3]),
        ("resnet-50", [1, 1, 64, 64, 3]),
        ("resnet3d-rs-50", [1, 8, 64, 64, 3]),
        ("slow-r50", [1, 8, 64, 64, 3]),
        ("efficientnet-b0", [1, 1, 64, 64, 3]),
        ("efficientnet-lite0", [1, 1, 64, 64, 3]),
    ] {
        let mut engine = Engine::compile(&named(name), &spec(shape, 2)).expect("there is an engine");
        for time in engine.profile(1) {
            assert!(!time.kernel.starts_with("ref"), "{name}: {time:?}");
        }
    }
}

#[test]
fn halves_and_bytes_are_near() {
    if !has_engines(true) {
        return;
    }
    for (name, shape) in NETWORKS {
        let network = named(name);
        let [batch, frames, height, width, channels] = shape;
        let bytes = numbers(shape.iter().product(), 7).iter().map(|x| to_byte(*x)).collect::<Vec<_>>();
        let clips: Vec<f32> = bytes.iter().map(|byte| (f32::from(*byte) - 128.0) / 64.0).collect();
        let pixels =
            Pixels { mean: [128.0; 3], deviation: [64.0; 3], ..Pixels::of(&"resnet-rs-50".parse().expect("a name")) };
        let expected = by_burn(&network, &clips, shape);
        let mut ranges = Ranges::new();
        let mut floats = Engine::compile(&network, &spec([1, frames, height, width, channels], 2)).expect("an engine");
        for clip in bytes.chunks(bytes.len() / batch) {
            let clip =
                ndarray::ArrayView4::from_shape((frames, height, width, channels), clip).expect("a clip's bytes");
            floats.watch_ranges(&clip, &pixels, &mut ranges);
        }
        for (precision, limit) in [(Precision::Bf16, 0.02), (Precision::Int8(Bytes { ranges, floats_until: 0 }), 0.1)] {
            let spec = EngineSpec { precision, ..spec(shape, 2) };
            let mut engine = Engine::compile(&network, &spec).expect("there is an engine");
            let found = difference(engine.run_normalised(&clips), &expected);
            assert!(found < limit, "{name} at {shape:?}: {found:.1e} in {:?}", spec.precision);
            assert!(found > 1e-5, "{name}: narrow numbers were not used");
        }
    }
}

#[test]
fn bytes_may_begin_anywhere_after_floats() {
    if !has_engines(true) {
        return;
    }
    // One with gates and thin early layers, one whose borders lie between frames.
    let chosen = |(name, _): &&(&str, [usize; 5])| ["efficientnet-b0", "resnet3d-rs-50"].contains(name);
    for &(name, shape) in NETWORKS.iter().filter(chosen) {
        let (network, clips) = (named(name), clips(shape, 7));
        let expected = by_burn(&network, &clips, shape);
        let mut ranges = Ranges::new();
        let mut floats = Engine::compile(&network, &spec(shape, 2)).expect("there is an engine");
        floats.run_watching_ranges(&clips, &mut ranges);
        let difference_at = |floats_until: usize| {
            let precision = Precision::Int8(Bytes { ranges: ranges.clone(), floats_until });
            // In chunks, so that what is made narrow is made so chunk by chunk too.
            let spec = EngineSpec { precision, chunk_bytes: 1 << 18, ..spec(shape, 2) };
            let mut engine = Engine::compile(&network, &spec).expect("there is an engine");
            difference(engine.run_normalised(&clips), &expected)
        };
        let borders = floats.borders();
        assert!(borders[0] == 0 && borders.len() > 4, "{name}: {borders:?}");
        let chosen = [borders[0], borders[1], borders[borders.len() / 2], borders[borders.len() - 1]];
        let found = chosen.map(difference_at);
        assert!(found.iter().all(|&found| found < 0.1 && found > 0.0), "{name} at {shape:?}: {found:?}");
        let (first, last) = (found[0], found[found.len() - 1]);
        assert!(last < first / 2.0, "{name} at {shape:?}: fewer layers of bytes are nearer to floats: {found:?}");
        // Where other values pass by, nothing can go over.
        let place = (0..borders[borders.len() - 1])
            .find(|place| !borders.contains(place))
            .expect("not every value is a border");
        let precision = Precision::Int8(Bytes { ranges: ranges.clone(), floats_until: place });
        let error = Engine::compile(&network, &EngineSpec { precision, ..spec(shape, 2) }).expect_err("no border");
        assert!(error.to_string().contains("other values pass by"), "{error}");
    }
}

#[test]
fn threads_and_sharing_change_no_bit() {
    if !has_engines(false) {
        return;
    }
    for (name, shape) in NETWORKS {
        let (network, clips) = (named(name), clips(shape, 7));
        let mut two = Engine::compile(&network, &spec(shape, 2)).expect("there is an engine");
        let mut one = two.again(NonZero::<usize>::MIN).expect("there is an engine");
        assert_eq!(two.run_normalised(&clips), one.run_normalised(&clips), "{name} at {shape:?}");
    }
}

#[test]
fn bytes_are_normalised_as_they_are_for_burn() {
    if !has_engines(false) {
        return;
    }
    let network = named("resnet-rs-50");
    let pixels = Pixels::of(&"resnet-rs-50".parse().expect("a good name"));
    let byte =
        |(_, y, x, c): (usize, usize, usize, usize)| u8::try_from((y * 7 + x * 5 + c * 90) % 256).expect("a byte");
    let clip = ndarray::Array4::from_shape_fn((1, 40, 48, 3), byte);
    let batch = clip_batch(&[clip.view()], &pixels, &Device::flex());
    let expected: Vec<f32> =
        network.forward(batch).expect("the clip fits").into_data().try_to_vec().expect("32-bit floats");
    let mut engine = Engine::compile(&network, &spec([1, 1, 40, 48, 3], 2)).expect("there is an engine");
    let found = difference(engine.run(&[clip.view()], &pixels), &expected);
    assert!(found < 1e-5, "{found:.1e}");
}

#[test]
fn a_clip_that_does_not_fit_is_refused() {
    let network = named("resnet-rs-50");
    let error = Engine::compile(&network, &spec([1, 2, 32, 32, 3], 1)).expect_err("an image network takes one frame");
    assert!(error.to_string().contains("one frame"), "{error}");
}

#[test]
fn a_block_is_three_convolutions_and_nothing_else() {
    if !has_engines(false) {
        return;
    }
    let config = ResNetConfig { se_ratio: 0.0, classes: 5, ..ResNetConfig::rs(26) };
    let network = network(&NetworkConfig::Resnet(config));
    let mut engine = Engine::compile(&network, &spec([1, 1, 32, 32, 3], 1)).expect("there is an engine");
    let operations = engine.profile(1);
    let count = |what: &str| operations.iter().filter(|time| time.operation.starts_with(what)).count();
    // Four in the stem, three a block, a shortcut a stage, the classifier.
    assert_eq!(count("conv"), 4 + 8 * 3 + 4 + 1, "{operations:#?}");
    assert_eq!((count("average pool"), count("mean"), count("gate")), (3, 1, 0), "{operations:#?}");
}

#[test]
fn gates_join_the_convolution_that_they_multiply() {
    if !has_engines(false) {
        return;
    }
    let mut engine = Engine::compile(&named("resnet3d-rs-50"), &spec([1, 4, 32, 32, 3], 1)).expect("an engine");
    let operations = engine.profile(1);
    let ends = |end: &str| operations.iter().filter(|time| time.operation.ends_with(end)).count();
    assert_eq!(ends(", gate, sum, Relu"), 16, "{operations:#?}");
    // What is multiplied on its own are gates with gates: twice where a stage ends in self-gating.
    let alone = |time: &&reelnet_infer::engine::OperationTime| time.operation.starts_with("gate over");
    assert!(operations.iter().filter(alone).all(|time| time.operation.contains("[1, 1, 1, 1, ")), "{operations:#?}");
}
