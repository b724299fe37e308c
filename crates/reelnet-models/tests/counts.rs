//! Parameters and multiply-accumulates against the published counts.

use burn::tensor::Device;
use reelnet_models::{Cost, NetworkName};

fn count(name: &str, size: [usize; 3]) -> Cost {
    let name: NetworkName = name.parse().expect("a good name");
    let network = name.config().build(0, &Device::flex()).expect("a good config");
    network.count(size).expect("a good size")
}

#[test]
fn parameters_are_the_published_ones() {
    let published = [
        ("resnet-rs-50", 35_691_912),
        ("resnet-rs-101", 63_618_696),
        ("resnet-rs-152", 86_621_576),
        ("resnet-rs-200", 93_209_992),
        ("resnet-rs-270", 129_861_448),
        ("resnet-rs-350", 163_956_168),
        ("resnet-rs-420", 191_891_656),
        ("efficientnet-b0", 5_288_548),
        ("efficientnet-b1", 7_794_184),
        ("efficientnet-b2", 9_109_994),
        ("efficientnet-b3", 12_233_232),
        ("efficientnet-b4", 19_341_616),
        ("efficientnet-b5", 30_389_784),
        ("efficientnet-b6", 43_040_704),
        ("efficientnet-b7", 66_347_960),
        ("efficientnet-lite0", 4_652_008),
        // torchvision's ResNet-50.
        ("resnet-50", 25_557_032),
    ];
    for (name, parameters) in published {
        assert_eq!(count(name, [1, 224, 224]).parameters, parameters, "{name}");
    }
    assert_eq!(count("resnet3d-rs-50", [32, 224, 224]).parameters, 48_129_840);
    assert_eq!(count("slow-r50", [8, 256, 256]).parameters, 32_454_096);
}

#[test]
fn macs_are_the_published_ones() {
    // In units of 10 million multiply-accumulates.
    let published = [
        ("resnet-rs-50", [1, 160, 160], 228),
        ("resnet-rs-101", [1, 192, 192], 601),
        ("resnet-rs-152", [1, 256, 256], 1553),
        ("resnet-rs-420", [1, 320, 320], 6394),
        ("resnet3d-rs-50", [32, 224, 224], 8800),
        ("resnet3d-rs-200", [32, 224, 224], 31210),
        ("slow-r50", [8, 256, 256], 5452),
        ("efficientnet-b0", [1, 224, 224], 39),
    ];
    for (name, size, macs) in published {
        let counted = count(name, size).macs;
        // Published figures have three digits or so.
        let rounding = (macs * 10_000_000 / 1000).max(5_000_000);
        assert!(counted.abs_diff(macs * 10_000_000) <= rounding, "{name}: {counted}");
    }
}

#[test]
fn macs_of_slow_r50_are_those_of_pytorchvideos_layers() {
    // `scripts/golden/slow.py` counts the convolutions of its modules while they run.
    assert_eq!(count("slow-r50", [8, 256, 256]).macs, 54_517_563_392 + 2048 * 400);
}

#[test]
fn counting_draws_no_weights() {
    // 190 million parameters would take seconds and 760 MB.
    let start = std::time::Instant::now();
    count("resnet-rs-420", [1, 320, 320]);
    assert!(start.elapsed().as_secs_f64() < 2.0);
}
