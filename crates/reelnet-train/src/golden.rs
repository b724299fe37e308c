//! What an independent implementation says of the same numbers; see `scripts/golden/training.py`.

use burn::tensor::{Device, Tensor, TensorData};
use reelnet_models::resnet::ResNetConfig;
use reelnet_models::{Network, NetworkConfig, parameters};
use serde_json::Value;

use crate::augment::{one_hot, smoothed};
use crate::ema::{self, Ema, EmaConfig};
use crate::groups::{Decaying, Groups, WeightDecayConfig};
use crate::loss::cross_entropies;
use crate::optimizer::{Optimizer, OptimizerConfig};
use crate::schedule::{Decay, Schedule, ScheduleConfig};
use crate::tensors::{self, Named};

const NAMES: [&str; 2] = ["fc.bias", "bn1.weight"];

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/training.json")).expect("the file is JSON")
}

fn floats(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn narrowed(values: impl IntoIterator<Item = f64>) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit floats")]
    values.into_iter().map(|value| value as f32).collect()
}

/// A network whose classifier's biases and last stem norm (10 channels) are the script's.
fn network() -> Network {
    let config = ResNetConfig { width: 10.0 / 64.0, classes: 10, ..ResNetConfig::rs(26) };
    let network = NetworkConfig::Resnet(config).build(0, &Device::flex()).expect("a good config");
    parameters::replace(network, |info| {
        let phase = NAMES.contains(&info.name.as_str()).then(|| if info.name == NAMES[0] { 0.3 } else { 1.1 })?;
        Some(narrowed((0..10).map(|index| (f64::from(index) + phase).sin())))
    })
}

fn gradients(step: u32) -> Named {
    let of = |name: &str| {
        let phase = if name == NAMES[0] { 0.7 } else { 0.2 };
        let values = narrowed((0..10).map(|index| (f64::from(index) * 0.7 + phase + f64::from(step)).cos()));
        (name.to_owned(), tensors::tensor(values, &Device::flex()))
    };
    NAMES.map(of).into_iter().collect()
}

fn assert_near(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() <= tolerance, "{what}: {found} is {expected}");
    }
}

#[test]
fn optimizers_step_as_published() {
    let golden = golden();
    let cases = [
        ("sgd", OptimizerConfig::Sgd { momentum: 0.9, nesterov: false }),
        ("nesterov", OptimizerConfig::Sgd { momentum: 0.9, nesterov: true }),
        ("adamw", OptimizerConfig::AdamW { beta1: 0.9, beta2: 0.99, epsilon: 1e-6 }),
        ("rms-prop", OptimizerConfig::RmsProp { decay: 0.9, momentum: 0.9, epsilon: 1e-3 }),
    ];
    let decay = golden["weight_decay"].as_f64().expect("a number");
    for (case, config) in cases {
        let mut network = network();
        let decaying = WeightDecayConfig { rate: decay, on: Decaying::AllButBatchNorm };
        let mut optimizer = Optimizer::new(config, Groups::new(&decaying, &[], &network));
        for (step, rate) in (0..).zip(floats(&golden["rates"])) {
            network = optimizer.step(network, gradients(step), rate, u64::from(step) + 1);
            let mut found = tensors::of(&network);
            for name in NAMES {
                let expected = floats(&golden[case][name][step as usize]);
                let values = tensors::values(found.remove(name).expect("the network has it"));
                assert_near(&values, &expected, 2e-6, &format!("{case}, {name}, step {step}"));
            }
        }
    }
}

#[test]
fn schedules_are_the_published_ones() {
    let golden = golden();
    let schedule = |learning_rate, warmup_epochs, decay, batch, steps_per_epoch, epochs| {
        let config = ScheduleConfig { learning_rate, for_batch: 256, warmup_epochs, decay };
        Schedule::new(&config, batch, steps_per_epoch, epochs)
    };
    let stairs = Decay::Step { at_epochs: vec![30.0, 60.0, 80.0], factor: 0.1 };
    let cases = [
        ("cosine", schedule(0.1, 5.0, Decay::Cosine {}, 4096, 312, 350)),
        ("stairs", schedule(0.1, 0.0, stairs, 256, 10, 90)),
    ];
    for (case, schedule) in cases {
        for (step, expected) in golden[case].as_object().expect("a table") {
            let found = schedule.learning_rate(step.parse().expect("a step"));
            let expected = expected.as_f64().expect("a number");
            assert!((found - expected).abs() <= 1e-12, "{case}, step {step}: {found} is {expected}");
        }
    }
}

#[test]
fn the_average_follows_as_published() {
    let golden = &golden()["average"];
    for (step, expected) in golden["decays_of_0.9999"].as_object().expect("a table") {
        let found = ema::decay_at(0.9999, step.parse().expect("a step"));
        assert!((found - expected.as_f64().expect("a number")).abs() < 1e-15, "step {step}: {found} is {expected}");
    }
    // Everything in the network is the same number, statistics included.
    let filled = |value: f64| {
        let fill = narrowed([value])[0];
        parameters::replace(network(), |info| Some(vec![fill; info.shape.iter().product()]))
    };
    let mut ema = Ema::new(&EmaConfig { decay: golden["decay"].as_f64().expect("a number") }, &filled(1.0));
    for (step, expected) in (1_u32..).zip(floats(&golden["of_cosines"])) {
        let network = filled(f64::from(step).cos());
        ema.update(&network, u64::from(step));
        let average = ema.weights(&network);
        for name in ["fc.weight", "layer1.0.bn1.running_mean", "conv1.1.running_var"] {
            assert_near(&average.get(name).expect("the network has it").values[..1], &[expected], 1e-6, name);
        }
    }
}

#[test]
fn label_smoothing_is_pytorchs() {
    let golden = &golden()["smoothing"];
    let logits: Vec<f64> = golden["logits"].as_array().expect("rows").iter().flat_map(floats).collect();
    let labels: Vec<usize> = golden["labels"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_u64)
        .map(|label| usize::try_from(label).expect("a class"))
        .collect();
    let classes: Vec<[usize; 1]> = labels.iter().map(|&label| [label]).collect();
    let (targets, _) = smoothed(one_hot(&classes, 4), 0.1).into_raw_vec_and_offset();
    let device = Device::flex();
    let table = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [3, 4]), &device);
    let losses = cross_entropies(table(narrowed(logits)), table(targets));
    assert_near(&tensors::values(losses), &floats(&golden["losses"]), 1e-5, "losses");
}
