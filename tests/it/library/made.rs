//! A tiny model, and as many different videos as a test wants.

use std::fs;
use std::process::Command;

use reelnet_tests::command::{Ended, Sandbox};
use serde_json::Value;

use crate::REELNET;

/// Seconds of each clip.
pub(crate) const SECONDS: usize = 6;

/// A sandbox with bundles `model` and `other`, of fresh weights, and three clips in `clips`.
pub(crate) fn prepare() -> Sandbox {
    let sandbox = Sandbox::new(REELNET);
    sandbox.write("labels.txt", "grey\nlines\nnoise\n");
    for (seed, name) in ["model", "other"].into_iter().enumerate() {
        let seed = seed.to_string();
        let words = [
            "init",
            "--network",
            "efficientnet-lite0",
            "--labels",
            "labels.txt",
            "--classes",
            "3",
            "--seed",
            &seed,
            "--out",
            name,
        ];
        sandbox.run(words).expect_code(0);
        let path = sandbox.path(format!("{name}/model.toml"));
        let text = fs::read_to_string(&path).expect("a manifest");
        let small = [("resize = ", "40"), ("crop = ", "32")].iter().fold(text, |text, (key, value)| {
            let line = text.lines().find(|line| line.starts_with(key)).expect("a line").to_owned();
            text.replacen(&line, &format!("{key}{value}"), 1)
        });
        fs::write(path, small).expect("a manifest");
    }
    for (name, source) in [
        ("lines", "testsrc=size=64x48:rate=12"),
        ("noise", "mandelbrot=size=64x48:rate=12"),
        ("grey", "color=gray:size=64x48:rate=12"),
    ] {
        make(&sandbox, &format!("clips/{name}.mp4"), source);
    }
    sandbox
}

/// A made video.
pub(crate) fn make(sandbox: &Sandbox, name: &str, source: &str) {
    sandbox.write(name, "");
    let made = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-y",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            source,
            "-t",
            &SECONDS.to_string(),
            "-pix_fmt",
            "yuv420p",
        ])
        .arg(sandbox.path(name))
        .status()
        .expect("ffmpeg runs");
    assert!(made.success());
}

/// Copies of the clips, each another file: behind the video is a box of free bytes with a number in it.
pub(crate) fn fill(sandbox: &Sandbox, folder: &str, files: usize) {
    let clips =
        ["lines", "noise", "grey"].map(|name| fs::read(sandbox.path(format!("clips/{name}.mp4"))).expect("a clip"));
    for file in 0..files {
        sandbox.write(&format!("{folder}/{:02}/{file:05}.mp4", file % 10), numbered(&clips[file % 3], file));
    }
}

pub(crate) fn numbered(clip: &[u8], number: usize) -> Vec<u8> {
    let mut bytes = clip.to_vec();
    bytes.extend(16_u32.to_be_bytes());
    bytes.extend(b"free");
    bytes.extend((number as u64).to_be_bytes());
    bytes
}

/// `library` with the store of the sandbox.
pub(crate) fn library<'words>(words: &[&'words str]) -> Vec<&'words str> {
    [&["library", "--store", "library.db"], words].concat()
}

/// `library work` with the tiny model.
pub(crate) fn work<'words>(more: &[&'words str]) -> Vec<&'words str> {
    library(&[&["work", "--model", "model", "--interval", "1", "--json"], more].concat())
}

pub(crate) fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// All that is known of all files, but the times of writing.
pub(crate) fn exported(sandbox: &Sandbox, store: &str) -> Vec<Value> {
    let ended = sandbox.run(["library", "--store", store, "export"]).expect_code(0);
    let mut rows: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    rows.sort_by_key(|row| row["path"].to_string());
    rows
}

/// The only model of a library in `status --json`.
pub(crate) fn status(sandbox: &Sandbox, store: &str) -> Value {
    json(&sandbox.run(["library", "--store", store, "status", "--json"]).expect_code(0))
}
