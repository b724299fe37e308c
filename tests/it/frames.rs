//! `reelnet frames`: exact frames by number, time and clip; their hashes and their pictures.

use std::fs;
use std::process::Command;

use reelnet_tests::command::{Ended, Sandbox};
use reelnet_tests::golden;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::REELNET;

fn rows(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

fn frames(sandbox: &Sandbox, words: &[&str]) -> Ended {
    let video = golden::media("white-dog.mp4");
    let video = video.to_str().expect("the repository's path is text");
    sandbox.run([&["frames", video], words].concat())
}

fn index(row: &Value) -> u64 {
    row["index"].as_u64().expect("a number")
}

#[test]
fn some_frames_are_those_of_all_frames() {
    let sandbox = Sandbox::new(REELNET);
    let all = rows(&frames(&sandbox, &["--all", "--json"]).expect_code(0));
    assert!(all.iter().enumerate().all(|(number, row)| index(row) == number as u64));
    assert!(all.windows(2).all(|pair| pair[0]["pts_seconds"].as_f64() < pair[1]["pts_seconds"].as_f64()));
    let some = rows(&frames(&sandbox, &["--indices", "20,0,5,20", "--json"]).expect_code(0));
    assert_eq!(some, [20, 0, 5, 20].map(|number| all[number].clone()), "in the order in which they were asked for");

    let at = all[7]["pts_seconds"].as_f64().expect("a time");
    let timed = rows(&frames(&sandbox, &["--at", &format!("{at},0"), "--json"]).expect_code(0));
    assert_eq!(timed, [7, 0].map(|number| all[number].clone()));

    let clips = rows(&frames(&sandbox, &["--clips", "3", "--frames", "4", "--step", "2", "--json"]).expect_code(0));
    assert_eq!(clips.len(), 12);
    for (number, row) in clips.iter().enumerate() {
        assert_eq!(
            (row["clip"].as_u64(), row["position"].as_u64()),
            (Some(number as u64 / 4), Some(number as u64 % 4))
        );
        assert_eq!(index(row), index(&clips[number / 4 * 4]) + 2 * (number as u64 % 4));
        assert_eq!(row["sha256"], all[usize::try_from(index(row)).expect("small")]["sha256"]);
    }
}

#[test]
fn native_hashes_are_those_of_ffmpeg() {
    let sandbox = Sandbox::new(REELNET);
    let ours = rows(&frames(&sandbox, &["--native", "--json"]).expect_code(0));
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-noautorotate", "-i"])
        .arg(golden::media("white-dog.mp4"))
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framehash", "-hash", "sha256", "-"])
        .output()
        .expect("ffmpeg runs");
    let text = String::from_utf8(output.stdout).expect("framehash writes text");
    let theirs: Vec<&str> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit(", ").next()).collect();
    let ours: Vec<&str> = ours.iter().filter_map(|row| row["sha256"].as_str()).map(str::trim).collect();
    assert!(!ours.is_empty());
    assert_eq!(ours, theirs.iter().map(|hash| hash.trim()).collect::<Vec<_>>());
}

#[test]
fn pictures_hold_the_hashed_pixels() {
    let sandbox = Sandbox::new(REELNET);
    let words = ["--indices", "3,3,9", "--size", "64x48", "--out", "my pictures", "--json"];
    let rows = rows(&frames(&sandbox, &words).expect_code(0));
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let file = sandbox.path(row["file"].as_str().expect("a file"));
        // What a decoder of another house reads in the picture.
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-i"])
            .arg(&file)
            .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
            .output()
            .expect("ffmpeg runs");
        assert_eq!(output.stdout.len(), 64 * 48 * 3);
        let hash: String = Sha256::digest(&output.stdout).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(row["sha256"], hash);
    }
    let files = fs::read_dir(sandbox.path("my pictures")).expect("the folder was made").count();
    assert_eq!(files, 2, "no half-written files, and no picture twice");
    let again = frames(&sandbox, &words).expect_code(2);
    assert!(again.stderr.contains("not an empty folder"), "{}", again.stderr);

    let shorter = frames(&sandbox, &["--indices", "0", "--size", "90"]).expect_code(0);
    assert!(shorter.stdout.contains("SHA-256"), "{}", shorter.stdout);
}

#[test]
fn wishes_that_cannot_be_granted_say_why() {
    let sandbox = Sandbox::new(REELNET);
    for (words, told) in [
        (&["--indices", "0,9999"][..], "frame 9999 is asked for, but the frames go from 0 to"),
        (&["--indices", "1,x"], "invalid value 'x'"),
        (&["--at", "1e9"], "the video lasts"),
        (&["--size", "0x5"], "is no size"),
        (&["--all", "--clips", "3"], "cannot be used with"),
        (&["--frames", "8"], "--clips"),
        (&["--native", "--size", "8"], "cannot be used with"),
    ] {
        let ended = frames(&sandbox, words).expect_code(2);
        assert!(ended.stderr.contains(told), "{words:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{words:?}: {}", ended.stdout);
    }
    sandbox.write("empty.mp4", "");
    let ended = sandbox.run(["frames", "empty.mp4"]).expect_code(1);
    assert!(ended.stderr.contains("is empty"), "{}", ended.stderr);
}

#[test]
fn damaged_files_give_what_they_have_and_say_so() {
    let sandbox = Sandbox::new(REELNET);
    let dog = fs::read(golden::media("white-dog.mp4")).expect("the clip is there");
    sandbox.write("cut.mp4", &dog[..dog.len() / 2]);
    let whole = rows(&frames(&sandbox, &["--json"]).expect_code(0));
    let ended = sandbox.run(["frames", "cut.mp4", "--json"]).expect_code(1);
    let cut = rows(&ended);
    assert!(!cut.is_empty() && cut.len() < whole.len());
    assert!(whole.starts_with(&cut));
    assert!(ended.stderr.contains("damaged"), "{}", ended.stderr);
}
