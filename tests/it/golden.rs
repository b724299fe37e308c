//! Whole networks against PyTorch: timm's own, and an independent version of the 3D topologies.
//!
//! The files were made by `scripts/golden/generate.py`, in 64-bit floats; each says with which versions and when. Weights
//! and inputs come from a formula that both sides compute.

use burn::tensor::{Device, Tensor, TensorData};
use reelnet_infer::engine::{Engine, EngineSpec};
use reelnet_kernels::cpu;
use reelnet_models::resnet::ResNetConfig;
use reelnet_models::{NetworkConfig, NetworkName};
use reelnet_tests::{formula, golden};

/// Largest difference over the largest logit. Most networks stay below 3e-6; the plain formula drives ResNet-RS-50 and
/// SE-ResNet-50 so far into saturation that PyTorch's own 32-bit run differs from its 64-bit run by 1.6e-5.
const TOLERANCE: f32 = 1e-4;

fn check(network: &str, file: &str) {
    let name: NetworkName = network.parse().expect("a good name");
    check_config(name.config(), file);
}

fn check_config(config: &NetworkConfig, file: &str) {
    let golden = golden::read(file);
    let config = config.clone().with_classes(golden.classes);
    let device = Device::flex();
    let network = formula::fill(config.build(0, &device).expect("a good config"), golden.bn3_scale);

    let input = formula::values("input", &golden.input_shape);
    let clips = Tensor::<5>::from_data(TensorData::new(input, golden.input_shape), &device);
    let logits = network.forward(clips.clone()).expect("the input fits").into_data();
    check_logits(file, logits.as_slice().expect("32-bit floats"), &golden.logits);

    // The same by the engine, where this build has one.
    let [batch, _, frames, height, width] = golden.input_shape;
    let spec = EngineSpec { batch, ..EngineSpec::new([frames, height, width]) };
    if cpu::onednn().is_some() {
        let mut engine = Engine::compile(&network, &spec).expect("there is an engine for every network");
        let clips = clips.permute([0, 2, 3, 4, 1]).into_data();
        let logits = engine.run_normalised(&clips.try_to_vec::<f32>().expect("32-bit floats")).to_vec();
        check_logits(&format!("{file}, engine"), &logits, &golden.logits);
    }
}

fn check_logits(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let differences = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs());
    let difference = differences.fold(0f32, f32::max) / largest;
    assert!(difference < TOLERANCE, "{what}: logits differ by {difference:.1e} of the largest, {largest}");
}

#[test]
fn se_resnet_50() {
    // timm's SE-ResNet squeezes to a sixteenth, as its paper does; ResNet-RS to a quarter.
    let config = ResNetConfig { se_ratio: 1.0 / 16.0, ..ResNetConfig::plain(50) };
    check_config(&NetworkConfig::Resnet(config), "seresnet50-1x3x1x97x129");
}

macro_rules! parity {
    ($($test:ident: $network:literal = $($file:literal),+;)+) => {
        $(#[test] fn $test() { $(check($network, $file);)+ })+
    };
}

parity! {
    resnet_rs_50: "resnet-rs-50" = "resnetrs50-2x3x1x160x160", "resnetrs50-1x3x1x127x97";
    resnet_rs_101: "resnet-rs-101" = "resnetrs101-damped-1x3x1x160x160", "resnetrs101-damped-1x3x1x97x131";
    plain_resnet_50: "resnet-50" = "resnet50-1x3x1x97x129";
    resnet_d_50: "resnet-50-d" = "resnet50d-1x3x1x97x129";
    resnet_3d_rs_50: "resnet3d-rs-50" = "model-garden-50-1x3x8x64x64", "model-garden-50-1x3x7x45x53";
    resnet_rs_50_inflated: "resnet3d-rs-50-inflated" = "inflated-50-1x3x8x64x64", "inflated-50-1x3x7x45x53";
    efficientnet_b0: "efficientnet-b0" = "tf_efficientnet_b0-1x3x1x224x224", "tf_efficientnet_b0-1x3x1x97x131";
    efficientnet_b4: "efficientnet-b4" = "tf_efficientnet_b4-1x3x1x190x190", "tf_efficientnet_b4-1x3x1x97x131";
    efficientnet_b0_symmetric: "efficientnet-b0-symmetric" =
        "efficientnet_b0-1x3x1x224x224", "efficientnet_b0-1x3x1x97x131";
    efficientnet_lite0: "efficientnet-lite0" =
        "tf_efficientnet_lite0-1x3x1x224x224", "tf_efficientnet_lite0-1x3x1x131x97";
}
