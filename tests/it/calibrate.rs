//! `reelnet model calibrate`, and tagging in narrow numbers.

use std::fs;

use reelnet_kernels::cpu;
use reelnet_tests::command::{Ended, Sandbox};
use reelnet_tests::golden;
use serde_json::Value;

use crate::REELNET;

/// Whether this machine computes in bytes.
fn has_bytes() -> bool {
    cpu::onednn().is_some_and(|library| library.instructions.starts_with("AVX-512 with"))
}

fn sandbox_with_dog() -> Sandbox {
    let sandbox = Sandbox::new(REELNET);
    sandbox.write("my clips/Samoyed/dog.mp4", fs::read(golden::media("white-dog.mp4")).expect("the clip is there"));
    sandbox
}

fn best(stdout: &str) -> String {
    let row: Value = serde_json::from_str(stdout.lines().next().expect("a row")).expect("a JSON object");
    row["tags"][0]["label"].as_str().expect("a label").to_owned()
}

#[test]
fn a_calibrated_bundle_tags_in_bytes() {
    if !has_bytes() {
        return;
    }
    let sandbox = sandbox_with_dog();
    sandbox.write("my clips/Samoyed/broken.mp4", "This is no video.\n");
    let calibrate = ["model", "calibrate", "my clips", "--out", "my bytes", "--clips", "12", "--json"];
    // The broken file is told, and the rest is done.
    let ended = sandbox.run(calibrate).expect_code(1);
    assert!(ended.stderr.contains("broken.mp4"), "{}", ended.stderr);
    let rows: Vec<Value> = serde_json::from_str(&ended.stdout).expect("one array");
    let of =
        |precision: &str| rows.iter().find(|row| row["precision"] == precision).expect("a row for each kind").clone();
    for precision in ["f32", "bf16", "int8"] {
        let row = of(precision);
        // Half of the clips are compared; the folder is called as their class is.
        assert_eq!((row["clips"].as_u64(), row["labelled"].as_u64()), (Some(6), Some(6)), "{row}");
    }
    assert_eq!(of("f32")["same_top1"], 6);
    assert!(of("int8")["same_top1"].as_u64().expect("a count") >= 5);

    let tag = ["tag", "--format", "jsonl", "--model", "my bytes", "--precision", "int8", "my clips/Samoyed/dog.mp4"];
    assert_eq!(best(&sandbox.run(tag).expect_code(0).stdout), "Samoyed");
    let bench = |model: &str| {
        let words = ["bench", "forward", "--model", model, "--precision", "int8", "--seconds", "0", "--json"];
        sandbox.run(words)
    };
    // It is measured as it tags; without a calibration every layer is in bytes, and that is told.
    assert_eq!(bench("my bytes").expect_code(0).stderr, "");
    sandbox.run(["init", "--network", "efficientnet-lite0", "--out", "fresh"]).expect_code(0);
    assert!(bench("fresh").expect_code(0).stderr.contains("bytes from the first layer on"));
    sandbox.write("fresh/int8.toml", "what?");
    assert!(bench("fresh").expect_code(2).stderr.contains("does not parse"));
    // A second time it is in the way.
    let again = sandbox.run(calibrate).expect_code(2);
    assert!(again.stderr.contains("my bytes"), "{}", again.stderr);
}

#[test]
fn bfloat16_needs_no_calibration() {
    let sandbox = sandbox_with_dog();
    let ended = sandbox.run(["tag", "--format", "jsonl", "--precision", "bf16", "my clips"]).expect_code(0);
    assert_eq!(best(&ended.stdout), "Samoyed");
}

#[test]
fn where_there_are_no_kernels_of_bfloat16_floats_compute_and_that_is_told() {
    let sandbox = sandbox_with_dog();
    let mut tag = sandbox.command(["tag", "--format", "jsonl", "--precision", "bf16", "my clips"]);
    let ended = Ended::of(tag.env("ONEDNN_MAX_CPU_ISA", "AVX2")).expect_code(0);
    assert_eq!(best(&ended.stdout), "Samoyed");
    // The variable is for x86 alone.
    if cfg!(target_arch = "x86_64") {
        assert!(ended.stderr.contains("in 32-bit floats: ") && ended.stderr.contains("AVX-512"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("without an engine"), "{}", ended.stderr);
    }
}

#[test]
fn bytes_without_calibration_are_refused() {
    let sandbox = sandbox_with_dog();
    let ended = sandbox.run(["tag", "--precision", "int8", "my clips"]).expect_code(2);
    assert!(ended.stderr.contains("reelnet model calibrate"), "{}", ended.stderr);
    sandbox.run(["init", "--network", "efficientnet-lite0", "--out", "fresh"]).expect_code(0);
    let tag = ["tag", "--model", "fresh", "--precision", "int8", "my clips"];
    let ended = sandbox.run(tag).expect_code(2);
    assert!(ended.stderr.contains("int8.toml") && ended.stderr.contains("fresh"), "{}", ended.stderr);
    // Of other weights, or no TOML.
    for (text, complaint) in [
        ("format = 2\nweights_sha256 = \"00\"\nfloats_until = 0\nranges = []\n", "other weights"),
        // Of an earlier reelnet.
        ("format = 1\nweights_sha256 = \"00\"\nranges = []\n", "format 1"),
        ("format = 9\nweights_sha256 = \"00\"\nranges = []\n", "format 9"),
        ("what?", "does not parse"),
    ] {
        sandbox.write("fresh/int8.toml", text);
        let ended = sandbox.run(tag).expect_code(2);
        assert!(ended.stderr.contains(complaint), "{}", ended.stderr);
    }
}

#[test]
fn nothing_to_look_at_is_said() {
    if !has_bytes() {
        return;
    }
    let sandbox = Sandbox::new(REELNET);
    sandbox.write("empty.mp4", "");
    let ended = sandbox.run(["model", "calibrate", "empty.mp4", "--out", "bytes"]).expect_code(2);
    assert!(ended.stderr.contains("could be decoded"), "{}", ended.stderr);
    assert!(!sandbox.path("bytes").exists(), "nothing is left behind");
}
