//! Forward and backward through networks in training: `cargo bench -p reelnet-benches --bench step`.

use burn::tensor::{Device, Distribution, Tensor};
use reelnet_models::forward::{ForwardPass, Mode};
use reelnet_models::resnet::{ResNetConfig, Temporal};
use reelnet_models::{Network, NetworkConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Depth and width of an inflated ResNet-RS, and the clips: batch, frames, side.
const CASES: [(usize, f64, [usize; 3]); 2] = [(26, 0.25, [8, 16, 64]), (50, 1.0, [2, 8, 112])];

fn main() {
    divan::main();
}

fn network(depth: usize, width: f64, device: &Device) -> Network {
    let config = ResNetConfig { width, classes: 10, ..ResNetConfig::rs(depth) };
    NetworkConfig::Resnet(config.inflated(Temporal::default())).build(0, device).expect("a good config")
}

#[divan::bench(args = 0..CASES.len(), min_time = 1)]
fn step(bencher: divan::Bencher, case: usize) {
    let (depth, width, [batch, frames, size]) = CASES[case];
    let device = Device::flex().autodiff();
    let network = network(depth, width, &device);
    let clips = Tensor::<5>::random([batch, 3, frames, size, size], Distribution::Default, &device);
    bencher.bench(|| {
        let mut pass = ForwardPass::new(Mode::training(1, 0.1));
        network.forward_with(&mut pass, clips.clone()).expect("the clips fit").powf_scalar(2.0).sum().backward()
    });
}
