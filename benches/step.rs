//! Forward and backward through networks in training: `cargo bench -p reelnet-benches --bench step`.

use burn::tensor::{Device, Distribution, Tensor};
use reelnet_models::efficientnet::EfficientNetConfig;
use reelnet_models::forward::{ForwardPass, Mode, Precision};
use reelnet_models::resnet::{ResNetConfig, Temporal};
use reelnet_models::{Network, NetworkConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is trained, and the clips: batch, frames, side.
const CASES: [(&str, [usize; 3]); 4] = [
    ("pen gestures", [32, 16, 64]),
    ("3D RS-50", [2, 8, 112]),
    ("2D RS-50", [16, 1, 160]),
    ("EfficientNet-B0", [8, 1, 224]),
];

fn main() {
    divan::main();
}

fn network(name: &str, device: &Device) -> Network {
    let narrow = ResNetConfig { width: 0.25, classes: 20, ..ResNetConfig::rs(26) };
    let gestures =
        Temporal { stem_stride: 1, stage_kernels: [3; 4], stage_strides: [1, 2, 2, 2], ..Temporal::default() };
    let config = match name {
        "pen gestures" => NetworkConfig::Resnet(narrow.inflated(gestures)),
        "3D RS-50" => NetworkConfig::Resnet(ResNetConfig::rs(50).inflated(Temporal::default())),
        "2D RS-50" => NetworkConfig::Resnet(ResNetConfig::rs(50)),
        _ => NetworkConfig::Efficientnet(EfficientNetConfig::new("b0").expect("a variant")),
    };
    config.build(0, device).expect("a good config")
}

#[divan::bench(args = [Precision::F32, Precision::Bf16], consts = [0, 1, 2, 3], sample_size = 1)]
fn step<const CASE: usize>(bencher: divan::Bencher, precision: Precision) {
    let (name, [batch, frames, size]) = CASES[CASE];
    let device = Device::flex().autodiff();
    let network = network(name, &device);
    let clips = Tensor::<5>::random([batch, 3, frames, size, size], Distribution::Default, &device);
    bencher.bench(|| {
        let mut pass = ForwardPass::new(Mode::training(1, 0.1)).in_precision(precision);
        network.forward_with(&mut pass, clips.clone()).expect("the clips fit").powf_scalar(2.0).sum().backward()
    });
}
