//! Two training steps of a narrow 3D ResNet-RS-26 against PyTorch: stem, squeeze-and-excitation, statistics of batch norm, label
//! smoothing, every parameter's gradient, SGD with momentum.
//!
//! The file was made by `scripts/golden/step.py`, in 64-bit floats. PyTorch's own gradients in 32 bits are within 3.5e-6 of those in
//! 64, relative to the norm of each parameter's; the file has that number for each parameter, and a parameter of ours may be
//! [`ROOM`] times as far. Sums over tens of thousands of numbers come out differently by about that much in another order, and a
//! mistake (a factor, a missing term, a shifted window) by five powers of ten more.

use std::collections::HashMap;
use std::fs;

use burn::tensor::{Device, Tensor, TensorData};
use reelnet_models::forward::{ForwardPass, Mode};
use reelnet_models::resnet::{ResNetConfig, Temporal};
use reelnet_models::{Network, NetworkConfig, parameters};
use reelnet_tests::{formula, golden};
use reelnet_train::GradientSum;
use reelnet_train::augment::{one_hot, smoothed};
use reelnet_train::groups::{Decaying, Groups, WeightDecayConfig};
use reelnet_train::loss::cross_entropies;
use reelnet_train::optimizer::{Optimizer, OptimizerConfig};
use safetensors::SafeTensors;

/// How many times PyTorch's own distance from 64 bits, or [`LEAST`] where that is less, a gradient may be away.
const ROOM: f64 = 30.0;
/// A gradient's share of rounding: some ten times what 24 bits hold.
const LEAST: f64 = 1e-6;
/// Of losses, logits and statistics, relative to the largest: sums of far fewer roundings than gradients have.
const FORWARD: f64 = 2e-5;
/// Of weights after two steps, relative to their largest: they moved by hundredths, with gradients right to 1e-4.
const WEIGHTS: f64 = 2e-5;

struct GoldenStep {
    numbers: HashMap<String, Vec<f64>>,
    metadata: HashMap<String, String>,
}

impl GoldenStep {
    fn read() -> Self {
        let bytes = fs::read(golden::path("step-inflated-26.safetensors")).expect("the golden file");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let numbers = file.iter().map(|(name, tensor)| {
            let values = tensor.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            (name.to_owned(), values)
        });
        Self { numbers: numbers.collect(), metadata: header.metadata().clone().expect("metadata") }
    }

    fn of(&self, name: &str) -> &[f64] {
        self.numbers.get(name).unwrap_or_else(|| panic!("the golden file has no `{name}`"))
    }

    fn setting(&self, name: &str) -> f64 {
        self.metadata[name].parse().expect("a number")
    }

    fn list(&self, name: &str) -> Vec<usize> {
        self.metadata[name].split(',').map(|number| number.parse().expect("a number")).collect()
    }

    fn count(&self, prefix: &str) -> usize {
        self.numbers.keys().filter(|name| name.starts_with(prefix)).count()
    }
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    let values: Vec<f32> = tensor.into_data().try_to_vec().expect("32-bit floats");
    values.into_iter().map(f64::from).collect()
}

/// The entries that the script keeps of a tensor.
fn spread(values: &[f64], samples: usize) -> Vec<f64> {
    (0..samples).map(|sample| values[sample * values.len() / samples]).collect()
}

/// The largest difference.
fn apart(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let difference = apart(found, expected) / largest(expected);
    assert!(difference <= tolerance, "{what}: differs by {difference:.1e} of the largest, expected {tolerance:.0e}");
}

fn network(golden: &GoldenStep, device: &Device) -> Network {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let classes = golden.setting("classes") as usize;
    let config = ResNetConfig { width: golden.setting("width"), classes, dropout: 0.0, ..ResNetConfig::rs(26) };
    let network = NetworkConfig::Resnet(config.inflated(Temporal::default())).build(0, device).expect("a good config");
    #[expect(clippy::cast_possible_truncation, reason = "a power of two")]
    formula::fill(network, golden.setting("bn3_scale") as f32)
}

/// Each clip's loss, the logits, and the gradient of the mean loss.
fn backward(golden: &GoldenStep, network: &Network, device: &Device) -> (Vec<f64>, Vec<f64>, GradientSum) {
    let shape: [usize; 5] = golden.list("input_shape").try_into().expect("five axes");
    let clips = Tensor::from_data(TensorData::new(formula::values("input", &shape), shape), device);
    let labels: Vec<[usize; 1]> = golden.list("labels").into_iter().map(|label| [label]).collect();
    let classes = network.config().classes();
    let (targets, _) = smoothed(one_hot(&labels, classes), golden.setting("label_smoothing")).into_raw_vec_and_offset();
    let targets = Tensor::from_data(TensorData::new(targets, [labels.len(), classes]), device);
    let mut pass = ForwardPass::new(Mode::training(0, golden.setting("bn_update_rate")));
    let logits = network.forward_with(&mut pass, clips).expect("the clips fit");
    let losses = cross_entropies(logits.clone(), targets);
    let mut gradients = GradientSum::default();
    gradients.add(network, losses.clone().mean().backward());
    (values(losses), values(logits.flatten(0, 1)), gradients)
}

#[test]
fn two_steps_are_pytorchs() {
    let golden = GoldenStep::read();
    let device = Device::flex().autodiff();
    let mut network = network(&golden, &device);
    let trainable = parameters::list(&network).iter().filter(|info| !info.is_statistic()).count();
    let none = WeightDecayConfig { rate: 0.0, on: Decaying::AllButBatchNorm };
    let rule = OptimizerConfig::Sgd { momentum: golden.setting("momentum"), nesterov: false };
    let mut optimizer = Optimizer::new(rule, Groups::new(&none, &[], &network));
    let losses = golden.of("losses");
    let clips = golden.list("labels").len();

    for (step, expected) in (1..).zip(losses.chunks(clips)) {
        let (found, logits, gradients) = backward(&golden, &network, &device);
        assert_near(&found, expected, if step == 1 { FORWARD } else { WEIGHTS }, &format!("losses of step {step}"));
        let gradients = gradients.clipped(0.0, None);
        if step == 1 {
            assert_near(&logits, golden.of("logits"), FORWARD, "logits");
            assert_eq!([gradients.len(), golden.count("gradient.")], [trainable; 2], "every parameter learns");
            for (name, gradient) in &gradients {
                check_gradient(&golden, name, &values(gradient.clone()));
            }
            check_statistics(&golden, &network);
        }
        network = optimizer.step(network, gradients, golden.setting("learning_rate"), step);
    }
    for (info, tensor) in parameters::tensors(&network) {
        if !info.is_statistic() {
            let expected = golden.of(&format!("weight.{}", info.name));
            let found = spread(&values(tensor), expected.len());
            assert_near(&found, expected, WEIGHTS, &format!("{} after the steps", info.name));
        }
    }
}

fn check_gradient(golden: &GoldenStep, name: &str, found: &[f64]) {
    let of = |kind: &str| golden.of(&format!("{kind}.{name}"));
    let norm = of("norm")[0];
    let tolerance = ROOM * of("f32")[0].max(LEAST);
    let found_norm = found.iter().map(|value| value * value).sum::<f64>().sqrt();
    let difference = (found_norm - norm).abs() / norm;
    assert!(difference <= tolerance, "the gradient of {name} has the norm {found_norm:e}, expected {norm:e}");
    let samples = spread(found, of("gradient").len());
    let difference = apart(&samples, of("gradient")) / norm;
    assert!(
        difference <= tolerance,
        "the gradient of {name} differs by {difference:.1e} of its norm, expected {tolerance:.1e}"
    );
}

fn check_statistics(golden: &GoldenStep, network: &Network) {
    let mut checked = 0;
    for (info, tensor) in parameters::tensors(network) {
        if info.is_statistic() {
            assert_near(&values(tensor), golden.of(&format!("statistic.{}", info.name)), FORWARD, &info.name);
            checked += 1;
        }
    }
    assert_eq!(checked, golden.count("statistic."), "every statistic is compared");
}
