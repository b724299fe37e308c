//! `reelnet check-data`: everything decoded, two lists, nothing changed, and a second run that knows of the first.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reelnet_tests::command::{Sandbox, signal};
use reelnet_tests::golden;

use crate::REELNET;

fn dog() -> Vec<u8> {
    fs::read(golden::media("white-dog.mp4")).expect("the clip is there")
}

/// Five files of which one is sound, one short and three are bad.
fn data() -> Sandbox {
    let sandbox = Sandbox::new(REELNET);
    let dog = dog();
    sandbox.write("data/a good one.mp4", &dog);
    sandbox.write("data/cut.mp4", &dog[..dog.len() / 2]);
    sandbox.write("data/empty.mp4", "");
    sandbox.write("data/text.mkv", "This is no video.\n");
    sandbox.write("data/notes.txt", "left out");
    let one_frame = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=0.2"])
        .arg(sandbox.path("data/one frame.mp4"))
        .status()
        .expect("ffmpeg runs");
    assert!(one_frame.success());
    sandbox
}

#[test]
fn a_folder_is_checked_and_a_second_run_goes_on() {
    let sandbox = data();
    let before: Vec<_> =
        fs::read_dir(sandbox.path("data")).expect("a folder").flatten().map(|entry| entry.path()).collect();
    let first = sandbox.run(["check-data", "data"]).expect_code(1);
    assert!(first.stdout.ends_with("1 ok, 1 short, 1 corrupt, 2 unreadable\n"), "{}", first.stdout);
    let ok = fs::read_to_string(sandbox.path("reelnet-check/ok.txt")).expect("the list is there");
    assert_eq!(ok, "data/a good one.mp4\n");
    let bad = fs::read_to_string(sandbox.path("reelnet-check/bad.csv")).expect("the list is there");
    let verdicts: Vec<String> =
        bad.lines().skip(1).map(|line| line.split(',').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        verdicts,
        ["data/cut.mp4 corrupt", "data/empty.mp4 unreadable", "data/one frame.mp4 short", "data/text.mkv unreadable"]
    );
    let after: Vec<_> =
        fs::read_dir(sandbox.path("data")).expect("a folder").flatten().map(|entry| entry.path()).collect();
    assert_eq!(before, after);

    let second = sandbox.run(["check-data", "data", "--jobs", "1"]).expect_code(1);
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stderr.contains("5 of 5 files were checked by an earlier run"), "{}", second.stderr);
    // What changed is looked at again, and another wish is judged anew from what is known.
    sandbox.write("data/cut.mp4", dog());
    let third = sandbox.run(["check-data", "data", "--min-frames", "1"]).expect_code(1);
    assert!(third.stdout.ends_with("3 ok, 0 short, 0 corrupt, 2 unreadable\n"), "{}", third.stdout);
    assert!(third.stderr.contains("4 of 5 files were checked"), "{}", third.stderr);
    let again = sandbox.run(["check-data", "data", "--again"]).expect_code(1);
    assert!(!again.stderr.contains("earlier run"), "{}", again.stderr);
}

#[test]
fn frames_that_build_on_damage_are_corrupt_and_not_short() {
    let sandbox = Sandbox::new(REELNET);
    let mut dog = dog();
    let middle = dog.len() / 2;
    for (number, byte) in dog[middle..middle + 400].iter_mut().enumerate() {
        *byte ^= number.wrapping_mul(151).to_le_bytes()[0];
    }
    sandbox.write("data/mended.mp4", &dog);
    for words in [&["check-data", "data"][..], &["check-data", "data", "--again", "--isolate"]] {
        let ended = sandbox.run(words).expect_code(1);
        assert!(ended.stdout.ends_with("0 ok, 0 short, 1 corrupt, 0 unreadable\n"), "{}", ended.stdout);
    }
}

#[test]
fn lists_keep_their_lines() {
    let sandbox = data();
    let list = "# train\ndata/a good one.mp4 17\n\n\"data/a good one.mp4\" 18\ndata/no such.mp4 3\n";
    sandbox.write("train.txt", list);
    let ended = sandbox.run(["check-data", "train.txt", "--out", "results of today"]).expect_code(1);
    assert!(ended.stdout.ends_with("2 ok, 0 short, 0 corrupt, 1 unreadable\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("data/no such.mp4: no such file"), "{}", ended.stdout);
    let ok = fs::read_to_string(sandbox.path("results of today/ok.txt")).expect("the list is there");
    assert_eq!(ok, "data/a good one.mp4 17\n\"data/a good one.mp4\" 18\n");

    sandbox.write("nothing.txt", "# nobody\n");
    let ended = sandbox.run(["check-data", "nothing.txt"]).expect_code(2);
    assert!(ended.stderr.contains("there is nothing to check in `nothing.txt`"), "{}", ended.stderr);
    let ended = sandbox.run(["check-data", "no such folder"]).expect_code(1);
    assert!(ended.stdout.contains("no such file"), "{}", ended.stdout);
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_ends_soon_and_the_next_one_goes_on() {
    let sandbox = Sandbox::new(REELNET);
    let dog = dog();
    for number in 0..400 {
        sandbox.write(&format!("data/{number:03}.mp4"), &dog);
    }
    let mut child = sandbox
        .command(["check-data", "data", "--jobs", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let journal = sandbox.path("reelnet-check/journal.jsonl");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    let start = Instant::now();
    while lines() < 5 && start.elapsed() < Duration::from_mins(1) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = Instant::now();
    signal(&child.id().to_string(), "INT");
    let status = child.wait().expect("it ends");
    assert!(interrupt.elapsed() < Duration::from_secs(5), "{:?}", interrupt.elapsed());
    assert_eq!(status.code(), Some(130));
    assert!(!sandbox.path("reelnet-check/ok.txt").exists(), "an unfinished list would pass for a finished one");
    let done = lines() - 1;
    assert!(done > 0);

    let ended = sandbox.run(["check-data", "data"]).expect_code(0);
    assert!(ended.stderr.contains(&format!("{done} of 400 files were checked by an earlier run")), "{}", ended.stderr);
    assert_eq!(ended.stdout, "400 ok, 0 short, 0 corrupt, 0 unreadable\n");
}
