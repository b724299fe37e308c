//! The gradient of every parameter is what finite differences say, in 64 bits, and training's kernels find the same in 32.

use burn::tensor::{DType, Device, Tensor, TensorData};
use reelnet_models::forward::{ForwardPass, Mode, Precision};
use reelnet_models::parameters::ParameterInfo;
use reelnet_models::resnet::{ResNetConfig, Temporal};
use reelnet_models::{Network, NetworkConfig, parameters};
use reelnet_train::augment::{one_hot, smoothed};
use reelnet_train::loss::cross_entropies;

const CLASSES: usize = 3;
const BATCH: usize = 3;
/// Small enough that hardly any activation changes its side within it.
const STEP: f64 = 1e-7;
/// Two losses near 4, each right to some 1e-14 after thousands of additions, apart by two steps.
const ROUNDING: f64 = 1e-6;
/// What an activation that does change its side takes of a slope: one of thousands.
const CROSSING: f64 = 1e-3;
/// 24 bits are 6e-8; some 80 layers, each with sums over thousands of numbers and a norm over few, leave four digits.
const SINGLE: f64 = 1e-3;
/// Of the cosine between all gradients in bfloat16 and the exact ones: 8 bits are 2e-3 a rounding, some 80 layers have two of them each,
/// norms of the last ones see a dozen numbers, and activations near zero change their side. It is about 0.95 then, for every
/// parameter alike; without one of its terms a gradient points elsewhere.
const HALF: f64 = 0.9;

fn network(device: &Device, dtype: DType) -> Network {
    let temporal = Temporal { stem_kernel: 3, stem_stride: 1, ..Temporal::default() };
    let config = ResNetConfig { width: 0.1, classes: CLASSES, drop_path: 0.1, ..ResNetConfig::rs(26) };
    let network = NetworkConfig::Resnet(config.inflated(temporal)).build(3, device).expect("a good config");
    // A γ of zero would hide the branch behind it.
    let network = parameters::replace(network, |info| {
        info.name.ends_with("bn3.weight").then(|| vec![0.5; info.shape.iter().product()])
    });
    parameters::update(network, |_, weight| weight.cast(dtype))
}

fn loss(network: &Network, device: &Device, dtype: DType, precision: Precision) -> Tensor<1> {
    let shape = [BATCH, 3, 4, 32, 32];
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|index: usize| ((index * 37 % 101) as f32 * 0.7).sin()).collect();
    let clips = Tensor::from_data(TensorData::new(values, shape), (device, dtype));
    let (targets, _) = smoothed(one_hot(&[[0], [1], [2]], CLASSES), 0.1).into_raw_vec_and_offset();
    let targets = Tensor::from_data(TensorData::new(targets, [BATCH, CLASSES]), (device, dtype));
    // The same draws every time.
    let mut pass = ForwardPass::new(Mode::training(7, 1.0)).in_precision(precision);
    cross_entropies(network.forward_with(&mut pass, clips).expect("the clips fit"), targets).sum()
}

fn gradients(dtype: DType, precision: Precision) -> Vec<(ParameterInfo, Tensor<1>)> {
    let device = Device::flex().autodiff();
    let network = network(&device, dtype);
    let found = parameters::gradients(&network, loss(&network, &device, dtype, precision).backward());
    assert_eq!(found.len(), parameters::list(&network).iter().filter(|info| !info.is_statistic()).count());
    found
}

fn dot(one: &Tensor<1>, other: &Tensor<1>) -> f64 {
    (one.clone() * other.clone()).sum().into_scalar()
}

#[test]
fn gradients_are_finite_differences() {
    let device = Device::flex();
    let network = network(&device, DType::F64);
    let at = |name: &str, direction: &Tensor<1>, step: f64| -> f64 {
        let moved = parameters::update(network.clone(), |info, weight| {
            if info.name == name { weight + direction.clone() * step } else { weight }
        });
        loss(&moved, &device, DType::F64, Precision::F32).into_scalar()
    };
    for (info, gradient) in gradients(DType::F64, Precision::F32) {
        let norm = dot(&gradient, &gradient).sqrt();
        assert!(norm > 0.0, "{}: nothing can be learned", info.name);
        // Half along the gradient, half across it, so that a gradient with something added to it is found too.
        let count = gradient.dims()[0];
        let wave: Vec<f64> = (0..count).map(|index| (index as f64 * 1.7 + 0.3).sin()).collect();
        let wave = Tensor::<1>::from_data(TensorData::new(wave, [count]), (&device, DType::F64));
        let direction = gradient.clone() / norm + wave.clone() / dot(&wave, &wave).sqrt();
        let slope = dot(&gradient, &direction);
        let found = (at(&info.name, &direction, STEP) - at(&info.name, &direction, -STEP)) / (2.0 * STEP);
        let bound = ROUNDING + CROSSING * norm;
        assert!((found - slope).abs() <= bound, "{}: {found} is {slope}, within {bound}", info.name);
    }
}

#[test]
fn gradients_of_32_bits_are_those_of_64() {
    are_near(&gradients(DType::F32, Precision::F32), SINGLE);
}

#[test]
fn gradients_of_bfloat16_are_those_of_64() {
    let found = gradients(DType::F32, Precision::Bf16);
    // What the optimizer sees keeps its 32 bits.
    assert!(found.iter().all(|(_, gradient)| gradient.dtype() == DType::F32));
    // Of one parameter little may be left of what cancels; all of them together point where the exact gradient points. A gradient that
    // lost one of its terms would not.
    let exact = gradients(DType::F64, Precision::F32);
    let (mut product, mut exact_square, mut found_square) = (0.0, 0.0, 0.0);
    for ((info, exact), (of, found)) in exact.iter().zip(&found) {
        assert_eq!(info.name, of.name);
        let found = found.clone().cast(DType::F64);
        product += dot(exact, &found);
        exact_square += dot(exact, exact);
        found_square += dot(&found, &found);
        let cosine = dot(exact, &found) / (dot(exact, exact) * dot(&found, &found)).sqrt();
        assert!(cosine > 0.5, "{}: a cosine of {cosine} with the exact gradient", info.name);
    }
    let cosine = product / (exact_square * found_square).sqrt();
    assert!(cosine > HALF, "a cosine of {cosine} with the exact gradient");
}

/// Holds gradients against those of 64 bits.
fn are_near(found: &[(ParameterInfo, Tensor<1>)], share: f64) {
    let exact = gradients(DType::F64, Precision::F32);
    let largest = exact.iter().map(|(_, gradient)| dot(gradient, gradient).sqrt()).fold(0.0, f64::max);
    for ((info, exact), (of, found)) in exact.iter().zip(found) {
        assert_eq!(info.name, of.name);
        let difference = found.clone().cast(DType::F64) - exact.clone();
        let (off, norm) = (dot(&difference, &difference).sqrt(), dot(exact, exact).sqrt());
        // Small gradients are sums of larger ones, and as wrong as those.
        assert!(off <= share * (norm + 0.01 * largest), "{}: off by {off}, of {norm}", info.name);
    }
}
