//! Bundles on their way through the command line: made, imported, inflated, run, refused.

use std::fs;

use reelnet_models::weights::{StateDict, WeightTensor};
use reelnet_tests::command::Sandbox;
use reelnet_tests::{formula, golden};

use crate::REELNET;

#[test]
fn a_fresh_bundle_is_complete_and_runs() {
    let sandbox = Sandbox::new(REELNET);
    sandbox
        .run(["init", "--network", "efficientnet-lite0", "--classes", "7", "--seed", "3", "--out", "b"])
        .expect_code(0);
    let mut files: Vec<String> = fs::read_dir(sandbox.path("b"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().display().to_string())
        .collect();
    files.sort();
    assert_eq!(files, ["labels.txt", "model.toml", "weights.safetensors"]);

    let mut input = StateDict::new();
    let shape = [3, 3, 1, 65, 49];
    input.insert("clips", WeightTensor::new(shape.to_vec(), formula::values("input", &shape)));
    input.write(&sandbox.path("x.safetensors")).expect("the disk has room");
    sandbox.run(["forward", "--model", "b", "--input", "x.safetensors", "--output", "y.safetensors"]).expect_code(0);
    let output = StateDict::read(&sandbox.path("y.safetensors")).expect("an output");
    let logits = output.get("logits").expect("logits");
    assert_eq!(logits.shape, [3, 7]);
    assert!(logits.values.iter().all(|value| value.is_finite()));
}

#[test]
fn a_seed_makes_the_same_bytes() {
    let sandbox = Sandbox::new(REELNET);
    for out in ["a", "b"] {
        sandbox.run(["init", "--network", "efficientnet-lite0", "--seed", "5", "--out", out]).expect_code(0);
    }
    let read = |out: &str| fs::read(sandbox.path(out).join("weights.safetensors")).expect("weights");
    assert!(read("a") == read("b"));
}

#[test]
fn the_weights_in_the_binary_import_as_the_network_they_are() {
    let sandbox = Sandbox::new(REELNET);
    let weights = golden::path("../../crates/reelnet-infer/assets/efficientnet-lite0/weights.safetensors");
    let ended =
        sandbox.run(["import".as_ref(), weights.as_os_str(), "--out".as_ref(), "lite0".as_ref()]).expect_code(0);
    assert!(ended.stderr.contains("efficientnet-lite0@224, all 247 tensors fit"), "{}", ended.stderr);
    let dog = golden::media("white-dog.mp4").display().to_string();
    let tag = |more: &[&str]| {
        let words = ["tag", "--format", "csv", "--clips", "1", &dog].iter().chain(more).copied().collect::<Vec<_>>();
        sandbox.run(words).expect_code(0).stdout
    };
    assert_eq!(tag(&["--model", "lite0"]), tag(&[]), "an imported bundle and the built-in model agree");
}

#[test]
fn inflation_reports_and_proves() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.run(["init", "--network", "resnet-rs-26", "--classes", "5", "--out", "2d"]).expect_code(0);
    for (method, stride) in [("mean", "1"), ("centre", "2")] {
        let ended = sandbox
            .run(["inflate", "--model", "2d", "--out", method, "--method", method, "--stem-stride", stride])
            .expect_code(0);
        assert!(ended.stdout.contains("inflated  conv1.0.weight"), "{}", ended.stdout);
        assert!(ended.stdout.contains("5 inflated, 0 new, 0 dropped"), "{}", ended.stdout);
        assert!(ended.stdout.contains("proof holds"), "{}", ended.stdout);
        assert!(sandbox.path(method).join("weights.safetensors").is_file());
    }
    let again = sandbox.run(["inflate", "--model", "2d", "--out", "mean"]).expect_code(2);
    assert!(again.stderr.contains("not an empty folder"), "{}", again.stderr);
    let twice = sandbox.run(["inflate", "--model", "mean", "--out", "twice"]).expect_code(2);
    assert!(twice.stderr.contains("3D network already"), "{}", twice.stderr);
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.run(["init", "--network", "efficientnet-lite0", "--classes", "2", "--out", "b"]).expect_code(0);
    let refused = |expected: &str| {
        let ended = sandbox.run(["tag", "--model", "b", "x.mp4"]).expect_code(2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    };
    let labels = fs::read(sandbox.path("b/labels.txt")).expect("labels");
    sandbox.write("b/labels.txt", "one\ntwo\n");
    refused("not the list that the model was made with");
    sandbox.write("b/labels.txt", "one\n");
    refused("it has 1 names, and the network 2 classes");
    sandbox.write("b/labels.txt", labels);
    let manifest = fs::read_to_string(sandbox.path("b/model.toml")).expect("a manifest");
    sandbox.write("b/model.toml", manifest.replace("crop = 224", "crop = 224\ncorp = 3"));
    refused("unknown field `corp`");
    sandbox.write("b/model.toml", manifest.replace("classes = 2", "classes = 3"));
    refused("it has 2 names, and the network 3 classes");
    sandbox.write("b/model.toml", manifest.replace("frames = 1", "frames = 4"));
    refused("an image network takes 1");
    sandbox.write("b/model.toml", &manifest);
    sandbox.write("b/weights.safetensors", "cut off");
    refused("not a readable safetensors file");
    fs::remove_dir_all(sandbox.path("b")).expect("a folder");
    refused("there is no such folder");
}

#[test]
fn forward_says_what_is_wrong_with_its_input() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.run(["init", "--network", "efficientnet-lite0", "--classes", "2", "--out", "b"]).expect_code(0);
    let refused = |name: &str, shape: &[usize], expected: &str| {
        let mut input = StateDict::new();
        input.insert(name, WeightTensor::new(shape.to_vec(), vec![0.0; shape.iter().product()]));
        input.write(&sandbox.path("x.safetensors")).expect("the disk has room");
        let ended = sandbox.run(["forward", "--model", "b", "--input", "x.safetensors", "--output", "y.safetensors"]);
        let ended = ended.expect_code(2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert!(!sandbox.path("y.safetensors").exists());
    };
    refused("clip", &[1, 3, 1, 8, 8], "holds no tensor `clips` (it holds clip)");
    refused("clips", &[3, 8, 8], "expected [N, 3, T, H, W]");
    refused("clips", &[1, 4, 1, 8, 8], "expected 3 channels");
    refused("clips", &[1, 3, 2, 8, 8], "one frame at a time");
    refused("clips", &[0, 3, 1, 8, 8], "every axis to be at least 1");
}

#[test]
fn odd_checkpoints_are_errors_and_not_crashes() {
    let sandbox = Sandbox::new(REELNET);
    let refused = |tensors: &[(&str, Vec<usize>)], expected: &str| {
        let mut weights = StateDict::new();
        for (name, shape) in tensors {
            weights.insert(*name, WeightTensor::new(shape.clone(), vec![1.0; shape.iter().product()]));
        }
        weights.write(&sandbox.path("odd.safetensors")).expect("the disk has room");
        let ended = sandbox.run(["import", "odd.safetensors", "--partial", "--out", "odd"]).expect_code(2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    };
    refused(&[("fc.bias", vec![])], "no network here has the 1 tensors");
    refused(&[("fc.weight", vec![]), ("fc.bias", vec![4])], "no network here has the 2 tensors");
    refused(&[("_conv_stem.weight", vec![1]), ("_blocks.0._project_conv.weight", vec![])], "no network here");
    refused(&[("features.0.0.weight", vec![1]), ("features.0.2.block.0.0.weight", vec![1])], "no network here");
    let ended = sandbox
        .run(["import", "odd.safetensors", "--partial", "--network", "resnet-50", "--out", "odd"])
        .expect_code(2);
    assert!(ended.stderr.contains("not one tensor"), "{}", ended.stderr);
}

#[test]
fn a_state_dict_is_found_beside_an_optimisers_state() {
    let sandbox = Sandbox::new(REELNET);
    let name: reelnet_models::NetworkName = "efficientnet-lite0".parse().expect("a good name");
    let network = |seed| name.config().build(seed, &burn::tensor::Device::flex()).expect("a good config");
    let mut file = StateDict::new();
    for (prefix, seed) in [("state_dict.module.", 1), ("state_dict_ema.module.", 2)] {
        for (name, tensor) in StateDict::of(&network(seed)) {
            file.insert(format!("{prefix}{name}"), tensor);
        }
    }
    file.insert("optimizer.state.0.momentum_buffer", WeightTensor::new(vec![2], vec![0.0; 2]));
    file.write(&sandbox.path("checkpoint.safetensors")).expect("the disk has room");
    for (out, more, seed) in [("raw", &[][..], 1), ("ema", &["--key", "state_dict_ema"][..], 2)] {
        let ended = sandbox.run(["import", "checkpoint.safetensors", "--out", out].iter().chain(more)).expect_code(0);
        assert!(ended.stderr.contains("all 247 tensors fit") && ended.stderr.contains("hint:"), "{}", ended.stderr);
        let read = StateDict::read(&sandbox.path(out).join("weights.safetensors")).expect("weights");
        assert!(read == StateDict::of(&network(seed)), "{out}");
    }
}

#[test]
fn sizes_beyond_memory_are_refused() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.run(["init", "--network", "resnet-rs-26", "--classes", "2", "--out", "b"]).expect_code(0);
    for more in [["--stem-kernel", "1000000001"], ["--stem-stride", "18446744073709551615"], ["--stem-kernel", "4"]] {
        let ended = sandbox.run(["inflate", "--model", "b", "--out", "x"].iter().chain(&more)).expect_code(2);
        assert!(ended.stderr.contains("temporal"), "{}", ended.stderr);
        assert!(!sandbox.path("x").exists());
    }
    let manifest = fs::read_to_string(sandbox.path("b/model.toml")).expect("a manifest");
    for (from, to, expected) in [
        ("crop = 160", "crop = 0", "pixels.crop is 0"),
        ("dropout = 0.25", "dropout = 7.0", "dropout is 7"),
        ("width = 1.0", "width = 1e9", "width 1000000000"),
    ] {
        sandbox.write("b/model.toml", manifest.replace(from, to));
        let ended = sandbox.run(["tag", "--model", "b", "x.mp4"]).expect_code(2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
}

#[test]
fn a_network_that_answers_the_same_to_all_proves_nothing() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.run(["init", "--network", "resnet-rs-26", "--classes", "2", "--out", "b"]).expect_code(0);
    let path = sandbox.path("b/weights.safetensors");
    let mut weights = StateDict::read(&path).expect("weights");
    weights.insert("fc.weight", WeightTensor::new(vec![2, 2048], vec![0.0; 4096]));
    weights.insert("fc.bias", WeightTensor::new(vec![2], vec![1.0; 2]));
    weights.write(&path).expect("the disk has room");
    let ended = sandbox.run(["inflate", "--model", "b", "--out", "x"]).expect_code(1);
    assert!(ended.stdout.contains("proof FAILS"), "{}", ended.stdout);
    assert!(!sandbox.path("x").exists());
}

#[test]
fn only_files_are_replaced() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.run(["init", "--network", "efficientnet-lite0", "--classes", "2", "--out", "b"]).expect_code(0);
    let mut input = StateDict::new();
    input.insert("clips", WeightTensor::new(vec![1, 3, 1, 8, 8], vec![0.0; 192]));
    input.write(&sandbox.path("x.safetensors")).expect("the disk has room");
    fs::create_dir(sandbox.path("folder")).expect("a folder");
    let forward =
        |output: &str| sandbox.run(["forward", "--model", "b", "--input", "x.safetensors", "--output", output]);
    assert!(forward("folder").expect_code(2).stderr.contains("no regular file"));
    sandbox.write("target.safetensors", "old");
    std::os::unix::fs::symlink("target.safetensors", sandbox.path("link.safetensors")).expect("a link");
    forward("link.safetensors").expect_code(0);
    assert!(sandbox.path("link.safetensors").is_symlink(), "a link is followed");
    assert!(StateDict::read(&sandbox.path("target.safetensors")).is_ok());
}
