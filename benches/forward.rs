//! One pass through networks, in inference: `cargo bench -p reelnet-benches --bench forward`.

use burn::tensor::{Device, Distribution, Tensor};
use reelnet_models::NetworkName;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Network, and the clips: batch, frames, side.
const CASES: [(&str, [usize; 3]); 5] = [
    ("efficientnet-lite0", [1, 1, 224]),
    ("efficientnet-lite0", [8, 1, 224]),
    ("resnet-rs-50", [1, 1, 160]),
    ("resnet3d-rs-50-inflated", [1, 8, 224]),
    ("resnet3d-rs-50", [1, 8, 112]),
];

fn main() {
    divan::main();
}

#[divan::bench(args = CASES.iter().map(|(name, [batch, frames, size])| format!("{name} {batch}x{frames}x{size}")), min_time = 1)]
fn forward(bencher: divan::Bencher, case: &str) {
    let (name, shape) = case.split_once(' ').expect("a case is a name and a shape");
    let sizes: Vec<usize> = shape.split('x').map(|size| size.parse().expect("a size")).collect();
    let device = Device::flex();
    let name: NetworkName = name.parse().expect("a good name");
    let network = name.config().build(0, &device).expect("a good config");
    let clips = Tensor::<5>::random([sizes[0], 3, sizes[1], sizes[2], sizes[2]], Distribution::Default, &device);
    bencher.bench(|| network.forward(clips.clone()).expect("the clips fit").into_data());
}
