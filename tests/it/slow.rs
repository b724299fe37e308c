//! `SlowOnly`: pytorchvideo's and mmaction2's weights become the network that they were, `reelnet model pull` fetches it.
//!
//! Names and logits were made with pytorchvideo itself, by `scripts/golden/slow.py`.

use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use reelnet_infer::engine::{Engine, EngineSpec};
use reelnet_infer::import::{ImportError, ImportOptions, Imported, import};
use reelnet_kernels::cpu;
use reelnet_models::NetworkConfig;
use reelnet_models::weights::{StateDict, WeightTensor};
use reelnet_tests::command::{Ended, Sandbox};
use reelnet_tests::{formula, golden};
use tempfile::TempDir;

use crate::REELNET;
use crate::hub::Hub;

/// A tensor's name here, in pytorchvideo and in mmaction2, and its shape.
struct Named {
    names: [String; 3],
    shape: Vec<usize>,
}

const PYTORCHVIDEO: usize = 1;
const MMACTION: usize = 2;

fn named() -> Vec<Named> {
    let text = fs::read_to_string(golden::path("slow-names.txt")).expect("the list of names");
    let line = |line: &str| {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let [ours, pytorchvideo, mmaction, shape] = words.try_into().expect("four words a line");
        let shape = shape.split('x').map(|side| side.parse().expect("a size")).collect();
        Named { names: [ours, pytorchvideo, mmaction], shape }
    };
    text.lines().map(line).collect()
}

/// A state dict with the formula's values of our names, under another project's names.
fn state_dict(theirs: usize) -> StateDict {
    let tensor = |Named { names, shape }: Named| {
        let values = formula::values(&names[0], &shape);
        (names[theirs].clone(), WeightTensor::new(shape, values))
    };
    named().into_iter().map(tensor).collect()
}

fn written(weights: &StateDict) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("SLOW_8x8_R50.pyth");
    weights.write(&path).expect("the disk has room");
    (folder, path)
}

fn imported(path: &Path) -> Result<Imported, ImportError> {
    import(path, ImportOptions::default(), &Device::flex())
}

/// Logits by burn and, where this build has one, by an engine.
fn check_logits(imported: &Imported, file: &str) {
    let golden = golden::read(file);
    let network = &imported.bundle.network;
    let input = formula::values("input", &golden.input_shape);
    let clips = Tensor::<5>::from_data(TensorData::new(input, golden.input_shape), &Device::flex());
    let logits = network.forward(clips.clone()).expect("the input fits").into_data();
    compare(file, logits.as_slice().expect("32-bit floats"), &golden.logits);
    if cpu::onednn().is_some() {
        let [_, _, frames, height, width] = golden.input_shape;
        let mut engine = Engine::compile(network, &EngineSpec::new([frames, height, width])).expect("an engine");
        let clips = clips.permute([0, 2, 3, 4, 1]).into_data();
        let logits = engine.run_normalised(&clips.try_to_vec::<f32>().expect("32-bit floats")).to_vec();
        compare(&format!("{file}, engine"), &logits, &golden.logits);
    }
}

fn compare(what: &str, ours: &[f32], theirs: &[f32]) {
    let largest = theirs.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let difference = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0f32, f32::max) / largest;
    assert!(difference < 1e-4, "{what}: logits differ by {difference:.1e} of the largest, {largest}");
}

#[test]
fn pytorchvideos_weights_are_its_network() {
    let (_folder, path) = written(&state_dict(PYTORCHVIDEO));
    let imported = imported(&path).expect("they are recognised");
    assert!(imported.report.is_exact(), "{}", imported.report);
    assert_eq!(imported.report.loaded.len(), 267);
    let manifest = &imported.bundle.manifest;
    assert_eq!(manifest.name, "slow-r50@256");
    assert_eq!((manifest.clip.frames, manifest.clip.frame_step), (8, 8));
    assert_eq!((manifest.pixels.resize, manifest.pixels.crop), (256, 256));
    assert_eq!((manifest.pixels.mean, manifest.pixels.deviation), ([114.75; 3], [57.375; 3]));
    assert_eq!(imported.bundle.labels.get(290), Some("sharpening knives"));
    // At 256² the last map is 8×8, and the head averages windows of 7×7 first.
    check_logits(&imported, "slow_r50-1x3x8x256x256");
    check_logits(&imported, "slow_r50-1x3x8x225x257");
}

#[test]
fn mmactions_weights_are_its_network() {
    let (_folder, path) = written(&state_dict(MMACTION));
    let clip = Some("4x16".parse().expect("a clip"));
    let imported = import(&path, ImportOptions { clip, ..ImportOptions::default() }, &Device::flex())
        .expect("they are recognised");
    assert!(imported.report.is_exact(), "{}", imported.report);
    let manifest = &imported.bundle.manifest;
    assert_eq!((manifest.clip.frames, manifest.clip.frame_step), (4, 16));
    assert_eq!((manifest.pixels.resize, manifest.pixels.crop), (256, 256));
    assert_eq!(manifest.pixels.mean, [123.675, 116.28, 103.53]);
    let NetworkConfig::Resnet(config) = &manifest.network else { panic!("a ResNet") };
    assert_eq!(config.head_window, None);
    check_logits(&imported, "slow_r50-pooled-1x3x8x225x257");
}

#[test]
fn what_is_missing_or_left_over_is_named() {
    let mut weights = state_dict(MMACTION);
    weights.remove("backbone.layer3.2.conv1.bn.bias").expect("it is there");
    weights.insert("backbone.layer3.2.conv1.bn.bais", WeightTensor::new(vec![1], vec![0.0]));
    let (_folder, path) = written(&weights);
    let name = "slow-r50".parse().expect("a network");
    let options = ImportOptions { network: Some(name), ..ImportOptions::default() };
    let told = import(&path, options, &Device::flex()).expect_err("it is refused").to_string();
    for part in ["1 missing (`layer3.2.bn1.bias`)", "1 unused", "bais"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn it_is_pulled_from_its_publisher() {
    let (_folder, path) = written(&state_dict(PYTORCHVIDEO));
    let file = fs::read(&path).expect("what was just written");
    let hub = Hub::serve_at("/model_zoo/kinetics/SLOW_8x8_R50.pyth", file);
    let sandbox = Sandbox::new(REELNET);
    let zoo = format!("{}/model_zoo", hub.endpoint);
    let pull = |endpoint: &str, words: &[&str]| {
        let words = ["model", "pull", "slow-r50"].iter().chain(words);
        Ended::of(sandbox.command(words).env("PYTORCHVIDEO_ENDPOINT", endpoint))
    };

    // The first bytes came before: the rest is appended to them.
    let bytes = fs::read(&path).expect("what was just written");
    sandbox.write("home/.cache/reelnet/SLOW_8x8_R50.pyth.part", &bytes[..1000]);
    let wrong = pull(&zoo, &["--sha256", &"0".repeat(64)]).expect_code(2);
    assert!(wrong.stderr.contains("was asked for"), "{}", wrong.stderr);
    sandbox.write("home/.cache/reelnet/SLOW_8x8_R50.pyth.part", &bytes[..1000]);
    let pulled = pull(&zoo, &[]).expect_code(0);
    for part in ["kinetics/SLOW_8x8_R50.pyth (Apache-2.0)", "gives no checksum"] {
        assert!(pulled.stderr.contains(part), "{}", pulled.stderr);
    }
    let manifest = fs::read_to_string(Path::new(pulled.stdout.trim()).join("model.toml")).expect("a bundle");
    for part in ["name = \"slow-r50@256\"", "head_window = 7", "frame_step = 8"] {
        assert!(manifest.contains(part), "{manifest}");
    }
    assert_eq!(fs::read(sandbox.path("home/.cache/reelnet/SLOW_8x8_R50.pyth")).expect("it is kept"), bytes);

    let sandbox = Sandbox::new(REELNET);
    let mut command = sandbox.command(["model", "pull", "slow-r50"]);
    let told = Ended::of(command.env("PYTORCHVIDEO_ENDPOINT", "http://127.0.0.1:9")).expect_code(2);
    for part in ["PYTORCHVIDEO_ENDPOINT", "reelnet import", "check the network"] {
        assert!(told.stderr.contains(part), "{}", told.stderr);
    }
}
