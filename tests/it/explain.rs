//! `reelnet explain`: its heat is that of PyTorch's gradients, and lies where the evidence does.

use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use reelnet_clips::{Decoder, Limits, VideoWriter};
use reelnet_infer::{Bundle, ClipSettings, Interpolation, Labels, Manifest, Pixels, Provenance};
use reelnet_models::resnet::{ResNetConfig, Temporal};
use reelnet_models::{Network, NetworkConfig, parameters};
use reelnet_tests::command::Sandbox;
use reelnet_tests::{formula, golden};
use reelnet_train::explain::{HeatMap, grad_cam};
use serde::Deserialize;
use serde_json::Value;

use crate::REELNET;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    network: String,
    input_shape: [usize; 5],
    logits: Vec<f32>,
    maps: Vec<Map>,
}

#[derive(Deserialize)]
struct Map {
    class: usize,
    shape: [usize; 3],
    heat: Vec<f32>,
}

fn narrow(name: &str) -> ResNetConfig {
    match name {
        "slow-r50, width 1/8" => ResNetConfig { width: 0.125, classes: 10, ..ResNetConfig::slow(50) },
        "resnet3d-rs-26-inflated, width 1/4" => {
            ResNetConfig { width: 0.25, classes: 10, ..ResNetConfig::rs(26) }.inflated(Temporal::default())
        }
        other => panic!("no network `{other}`"),
    }
}

#[test]
fn heat_is_that_of_pytorchs_gradients() {
    let text = fs::read_to_string(golden::path("explain.json")).expect("the golden file is there");
    let golden: Golden = serde_json::from_str(&text).expect("it parses");
    let device = Device::flex();
    for Case { network: name, input_shape, logits, maps } in golden.cases {
        let network = NetworkConfig::Resnet(narrow(&name)).build(0, &device).expect("a good config");
        let network = formula::fill(network, 1.0);
        let clips =
            Tensor::<5>::from_data(TensorData::new(formula::values("input", &input_shape), input_shape), &device);
        for Map { class, shape, heat } in maps {
            let found = grad_cam(&network, clips.clone(), class).expect("the clips fit");
            compare(&format!("{name}: logits"), &found.logits[0], &logits);
            let map = &found.maps[0].0;
            assert_eq!(map.shape(), shape, "{name}");
            compare(&format!("{name}: class {class}"), &map.iter().copied().collect::<Vec<_>>(), &heat);
        }
    }
}

/// The largest difference over the largest value.
fn compare(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let difference = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0f32, f32::max);
    assert!(difference <= 1e-4 * largest.max(1e-6), "{what}: {difference:.1e} of {largest}");
}

/// A network by hand in which brightness speaks for class 0 and against class 1: every weight is the same positive number, every batch
/// norm leaves features as they are.
fn bright(config: ResNetConfig) -> Network {
    let network = NetworkConfig::Resnet(config).build(0, &Device::flex()).expect("a good config");
    parameters::replace(network, |info| {
        let count: usize = info.shape.iter().product();
        let fan_in: usize = info.shape.iter().skip(1).product();
        Some(match info.name.as_str() {
            "fc.weight" => (0..count).map(|index| if index < count / 2 { 1.0 } else { -1.0 }).collect(),
            name if name.ends_with("running_mean") || name.ends_with("bias") => vec![0.0; count],
            _ if info.shape.len() > 1 => vec![1.0 / fan_in as f32; count],
            _ => vec![1.0; count],
        })
    })
}

const SIDE: usize = 128;

fn config() -> ResNetConfig {
    ResNetConfig { width: 0.125, classes: 2, ..ResNetConfig::slow(50) }
}

/// Whether a pixel of a frame is in a bright square that is in one quadrant at one time.
fn is_bright(at: [usize; 3], frame: usize, y: usize, x: usize) -> bool {
    let [time, down, across] = at;
    frame == time && (y / (SIDE / 4), x / (SIDE / 4)) == (down * 2 + 1 - down, across * 2 + 1 - across)
}

fn planted(at: [usize; 3], class: usize) -> HeatMap {
    let frames = 8;
    let shape = [1, 3, frames, SIDE, SIDE];
    let values = (0..shape.iter().product::<usize>()).map(|index| {
        let (x, y, frame) = (index % SIDE, index / SIDE % SIDE, index / (SIDE * SIDE) % frames);
        f32::from(u8::from(is_bright(at, frame, y, x)))
    });
    let clips = Tensor::<5>::from_data(TensorData::new(values.collect::<Vec<f32>>(), shape), &Device::flex());
    let mut found = grad_cam(&bright(config()), clips, class).expect("the clips fit");
    found.maps.pop().expect("a map")
}

#[test]
fn heat_is_greatest_where_the_evidence_is() {
    for at in [[1, 0, 0], [5, 1, 0], [6, 0, 1], [3, 1, 1]] {
        let peak = planted(at, 0).peak().expect("there is heat");
        let [time, down, across] = at;
        assert_eq!(peak.time * 8.0, time as f64 + 0.5, "{at:?}: {peak:?}");
        assert_eq!([peak.down > 0.5, peak.across > 0.5], [down == 1, across == 1], "{at:?}: {peak:?}");
    }
    assert_eq!(planted([5, 1, 0], 1).peak(), None, "brightness speaks against class 1");
}

/// A black video of 48 frames at 16 a second, grey in its lower left quadrant from frame 24 to 31.
fn video(path: &Path) {
    let side = u32::try_from(SIDE).expect("few pixels");
    let mut writer = VideoWriter::create(path, [side, side], 16.0).expect("it can be made");
    for frame in 0..48 {
        let rgb: Vec<u8> = (0..SIDE * SIDE * 3)
            .map(|index| {
                let (x, y) = (index / 3 % SIDE, index / 3 / SIDE);
                if (24..32).contains(&frame) && is_bright([0, 1, 0], 0, y, x) { 220 } else { 0 }
            })
            .collect();
        writer.write(&rgb).expect("it is written");
    }
    writer.finish().expect("it is finished");
}

fn bundle(network: Network, clip: [usize; 2], path: &Path) {
    let labels = Labels::lines("bright\ndark\n");
    let side = u32::try_from(SIDE).expect("few pixels");
    let interpolation = Interpolation::Bilinear;
    let pixels = Pixels { resize: side, crop: side, interpolation, mean: [16.0; 3], deviation: [255.0; 3] };
    let clip = ClipSettings { frames: clip[0], frame_step: clip[1] };
    let config = network.config().clone();
    let manifest = Manifest::described("bright".to_owned(), config, &labels, (clip, pixels), Provenance::default());
    Bundle { manifest, network, labels }.write(path).expect("the disk has room");
}

#[test]
fn a_video_is_explained() {
    let sandbox = Sandbox::new(REELNET);
    video(&sandbox.path("video.mp4"));
    bundle(bright(config()), [8, 2], &sandbox.path("bright"));
    let words = ["explain", "video.mp4", "--model", "bright", "--clips", "3", "--json"];
    let told: Value = serde_json::from_str(&sandbox.run(words).expect_code(0).stdout).expect("JSON");
    assert_eq!((&told["class"], &told["rank"]), (&Value::from("bright"), &Value::from(1)));
    let peak = &told["peak"];
    let number = |key: &str| peak[key].as_f64().expect("a number");
    assert!((24.0..32.0).contains(&number("frame")), "{peak}");
    assert!((1.5..2.0).contains(&number("seconds")), "{peak}");
    assert!(number("x") < 64.0 && number("y") > 64.0, "{peak}");

    // Three clips of eight frames that do not overlap; the heat is in the video.
    let limits = Limits::default();
    let mut decoder = Decoder::open(sandbox.path("reelnet-explain/heat.mp4"), &limits).expect("a video");
    assert_eq!(decoder.index().timeline().frames(), 24);
    assert!(decoder.check().expect("it is sound").error.is_none());
    let png = fs::read(sandbox.path("reelnet-explain/filmstrip.png")).expect("a picture");
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    assert_eq!([side(16), side(20)], [8 * 130 + 2, 3 * 130 + 2]);

    let text = sandbox.run(["explain", "video.mp4", "--model", "bright", "--class", "Dark", "--out", "dark"]);
    let text = text.expect_code(0).stdout;
    assert!(text.contains("class 2 by score") && text.contains("nowhere"), "{text}");

    // A network of single frames: a row of frames.
    let flat = ResNetConfig { temporal: None, ..config() };
    bundle(bright(flat), [1, 1], &sandbox.path("flat"));
    let words = ["explain", "video.mp4", "--model", "flat", "--clips", "12", "--json", "--out", "flat-out"];
    let told: Value = serde_json::from_str(&sandbox.run(words).expect_code(0).stdout).expect("JSON");
    let frame = told["peak"]["frame"].as_u64().expect("a frame");
    assert!((24..32).contains(&frame) && told["peak"]["x"].as_f64() < Some(64.0), "{}", told["peak"]);
}

#[test]
fn what_cannot_be_explained_is_told() {
    let sandbox = Sandbox::new(REELNET);
    video(&sandbox.path("video.mp4"));
    bundle(bright(config()), [8, 8], &sandbox.path("bright"));
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/reelnet-clips/tests/images/cmyk.jpg");
    fs::copy(picture, sandbox.path("still.jpg")).expect("a picture");
    sandbox.write("broken.mp4", "no video at all");
    let refused = |words: &[&str], code: i32, parts: &[&str]| {
        let words = ["explain", "--model", "bright", "--out", "out"].iter().chain(words);
        let ended = sandbox.run(words).expect_code(code);
        for part in parts {
            assert!(ended.stderr.contains(part), "{}", ended.stderr);
        }
        assert!(!sandbox.path("out").exists(), "nothing is left behind");
    };
    refused(&["video.mp4", "--class", "brihgt"], 2, &["no class `brihgt`", "did you mean `bright`?"]);
    refused(&["video.mp4"], 1, &["48 frames", "stretches over 57"]);
    refused(&["still.jpg"], 1, &["is an image", "expected a video"]);
    refused(&["broken.mp4"], 1, &["failed", "broken.mp4"]);
    refused(&["absent.mp4"], 1, &["absent.mp4"]);
}
