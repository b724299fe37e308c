//! `reelnet tag`: real videos in, tags out; broken files are rows with a reason.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use reelnet_tests::command::{Sandbox, signal};
use reelnet_tests::golden;
use serde_json::Value;

use crate::REELNET;

fn rows(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

#[test]
fn a_real_video_gets_its_tag() {
    let sandbox = Sandbox::new(REELNET);
    let ended = sandbox.run(["tag".as_ref(), "--format=jsonl".as_ref(), golden::media("white-dog.mp4").as_os_str()]);
    let rows = rows(&ended.expect_code(0).stdout);
    let tag = &rows[0]["tags"][0];
    assert_eq!(tag["label"], "Samoyed");
    // PyTorch with Pillow's resizing: 0.869 (scripts/golden/classify.py).
    let score = tag["score"].as_f64().expect("a number");
    assert!((score - 0.869).abs() < 0.02, "{score}");
    assert_eq!(rows[0]["clips"], 8);
}

#[test]
fn broken_files_are_rows_and_the_rest_is_tagged() {
    let sandbox = Sandbox::new(REELNET);
    let dog = fs::read(golden::media("white-dog.mp4")).expect("the clip is there");
    for index in 0..20 {
        sandbox.write(&format!("my videos/{index:02} good.mp4"), &dog);
    }
    sandbox.write("my videos/empty.mp4", "");
    sandbox.write("my videos/zeros.mp4", vec![0; 100_000]);
    sandbox.write("my videos/text.mp4", "This is no video.\n".repeat(100));
    sandbox.write("my videos/sound.wav", wav());
    sandbox.write("my videos/cut.mp4", &dog[..dog.len() / 2]);
    sandbox.write("my videos/notes.txt", "left out");
    let ended = sandbox.run(["tag", "--format", "jsonl", "--clips", "2", "my videos"]).expect_code(1);
    let rows = rows(&ended.stdout);
    assert_eq!(rows.len(), 25);
    let (good, bad): (Vec<&Value>, Vec<&Value>) =
        rows.iter().partition(|row| row["path"].as_str().is_some_and(|path| path.ends_with("good.mp4")));
    assert!(good.iter().all(|row| row["tags"][0]["label"] == "Samoyed" && row["status"] == "tagged"));
    let names: Vec<&str> = good.iter().filter_map(|row| row["path"].as_str()).collect();
    assert!(names.is_sorted(), "rows come in the order of the names");
    for row in bad {
        assert!(["failed", "partial"].contains(&row["status"].as_str().expect("a status")), "{row}");
        assert!(row["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{row}");
    }
    assert!(ended.stderr.contains("20 tagged"), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 left out"), "{}", ended.stderr);
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_keeps_its_rows_and_says_where_it_stopped() {
    let sandbox = Sandbox::new(REELNET);
    let dog = fs::read(golden::media("white-dog.mp4")).expect("the clip is there");
    for index in 0..500 {
        sandbox.write(&format!("videos/{index:03}.mp4"), &dog);
    }
    let words = ["tag", "--format=jsonl", "--clips=1", "--jobs=1", "videos"];
    let mut child =
        sandbox.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.next().is_some(), "a first row");
    signal(&child.id().to_string(), "INT");
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert!(rest.iter().all(|row| row.contains("\"tagged\"")), "{rest:?}");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let told = format!("interrupted: {} of 500 files are done", rest.len() + 1);
    assert!(rest.len() < 499 && stderr.contains(&told), "{stderr}");
}

#[test]
fn every_format_tells_the_same() {
    let sandbox = Sandbox::new(REELNET);
    let dog = fs::read(golden::media("white-dog.mp4")).expect("the clip is there");
    let name = "a \"quoted\", name\nof two lines.mp4";
    sandbox.write(name, &dog);
    sandbox.write("-dash.mp4", "");
    let run = |format: &str| {
        sandbox
            .run(["tag", "--format", format, "--clips", "1", "--top", "1", "--", name, "-dash.mp4"])
            .expect_code(1)
            .stdout
    };
    let jsonl = rows(&run("jsonl"));
    assert_eq!(jsonl[0]["path"], name);
    assert_eq!((&jsonl[1]["status"], &jsonl[1]["kind"]), (&"failed".into(), &"empty".into()));
    let csv = run("csv");
    assert!(csv.starts_with("path,status,rank,label,class,score,reason\n\"a \"\"quoted\"\", name\nof two lines.mp4\",tagged,1,Samoyed,258,0."), "{csv}");
    let table = run("table");
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.contains("Samoyed") && table.contains("failed: is empty"), "{table}");
}

#[test]
fn thresholds_and_counts_are_kept() {
    let sandbox = Sandbox::new(REELNET);
    let dog = golden::media("white-dog.mp4").display().to_string();
    let none = sandbox.run(["tag", "--threshold", "0.99", "--clips", "1", "--format", "jsonl", &dog]).expect_code(0);
    assert_eq!(rows(&none.stdout)[0]["status"], "none");
    let many = sandbox
        .run(["tag", "--threshold", "0", "--top", "7", "--clips", "1", "--format", "jsonl", &dog])
        .expect_code(0);
    assert_eq!(rows(&many.stdout)[0]["tags"].as_array().map(Vec::len), Some(7));
}

#[test]
fn nothing_to_tag_is_an_error() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.write("folder/notes.txt", "x");
    let ended = sandbox.run(["tag", "folder"]).expect_code(2);
    assert!(ended.stderr.contains("nothing to tag in `folder`"), "{}", ended.stderr);
    let ended = sandbox.run(["tag", "--format", "jsonl", "absent.mp4"]).expect_code(1);
    assert_eq!(rows(&ended.stdout)[0]["kind"], "not_found");
}

/// A second of silence: a sound without pictures.
fn wav() -> Vec<u8> {
    let samples = vec![0u8; 16_000];
    let length = u32::try_from(samples.len()).expect("a short sound");
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    wav.extend([1u16, 1].map(u16::to_le_bytes).concat());
    wav.extend([8000u32, 16_000].map(u32::to_le_bytes).concat());
    wav.extend([2u16, 16].map(u16::to_le_bytes).concat());
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    wav.extend(samples);
    wav
}
