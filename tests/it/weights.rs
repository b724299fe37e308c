//! Weight files: PyTorch's formats, strides, names, and what happens when they do not fit.

use std::fs;

use burn::tensor::Device;
use reelnet_models::weights::{StateDict, Strictness, WeightTensor, load};
use reelnet_models::{Network, NetworkName, parameters};
use reelnet_tests::golden;

fn network(name: &str, seed: u64) -> Network {
    let name: NetworkName = name.parse().expect("a good name");
    name.config().build(seed, &Device::flex()).expect("a good config")
}

#[test]
fn checkpoints_with_strides_come_back_in_row_order() {
    let read = |name: &str| StateDict::read(&golden::path(&format!("pth/{name}"))).expect("a file that PyTorch wrote");
    let expected = read("expected.safetensors");
    assert_eq!(expected.len(), 17, "the counter of batches is left out");
    for name in ["zip.pth", "legacy.pth", "zip-nested.pth", "legacy-nested.pth"] {
        assert_eq!(read(name), expected, "{name}");
    }
}

#[test]
fn a_file_of_our_own_loads_exactly() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let first = network("efficientnet-lite0", 1);
    StateDict::of(&first).write(&path).expect("the disk has room");
    let (second, report) =
        load(network("efficientnet-lite0", 2), StateDict::read(&path).expect("our own file"), Strictness::Exact)
            .expect("nothing missing or unused");
    assert!(report.is_exact());
    assert_eq!(parameters::values(&first), parameters::values(&second));
}

#[test]
fn a_seed_names_the_same_weights() {
    let weights = |seed| StateDict::of(&network("efficientnet-lite0", seed));
    assert_eq!(weights(7), weights(7));
    assert_ne!(weights(7), weights(8));
}

#[test]
fn what_does_not_fit_is_named_and_refused() {
    let mut weights = StateDict::of(&network("efficientnet-lite0", 1));
    weights.remove("conv_stem.weight");
    weights.insert("surplus.weight", WeightTensor::new(vec![1], vec![0.0]));
    weights.insert("classifier.bias", WeightTensor::new(vec![3], vec![0.0; 3]));
    let report = load(network("efficientnet-lite0", 1), weights.clone(), Strictness::Exact).expect_err("three wrongs");
    assert_eq!(report.missing, ["conv_stem.weight"]);
    assert_eq!(report.unused, ["surplus.weight"]);
    assert_eq!(report.mismatched[0].name, "classifier.bias");
    assert_eq!(
        report.to_string(),
        "1 missing (`conv_stem.weight`), 1 unused (`surplus.weight`), \
         1 of another shape (`classifier.bias: expected [1000], found [3]`)"
    );
    let (_, report) = load(network("efficientnet-lite0", 1), weights, Strictness::Partial).expect("partial is allowed");
    assert_eq!(report.loaded.len(), 245);
}

#[test]
fn damaged_files_are_errors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases: [(&str, &[u8]); 5] = [
        ("empty.safetensors", b""),
        ("lying.safetensors", &[0xff; 64]),
        ("empty.pth", b""),
        ("text.pth", b"this is no checkpoint"),
        ("weights.onnx", b"x"),
    ];
    for (name, bytes) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("the disk has room");
        let error = StateDict::read(&path).expect_err("a damaged file");
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(StateDict::read(&folder.path().join("absent.pth")).is_err());
}
