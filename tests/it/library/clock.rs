//! A wall clock that jumps: nothing is done twice, nothing waits for a time that is far away.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reelnet_tests::command::{Sandbox, signal};

use super::made::{exported, fill, json, library, numbered, prepare, status};

const FILES: usize = 40;

/// Where Debian and others keep libfaketime, which puts itself before the system's wall clock.
fn library_of_faketime() -> Option<String> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let places = folders.map(|folder| format!("{folder}/faketime/libfaketimeMT.so.1"));
    places.into_iter().find(|place| fs::exists(place).unwrap_or(false))
}

/// The program, by another clock: `shift` is `+10d` or `-10d`.
fn shifted(sandbox: &Sandbox, words: &[&str], shift: &str, faketime: &str) -> Command {
    let mut command = sandbox.command(words);
    command.env("LD_PRELOAD", faketime).env("FAKETIME", shift).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_clock_that_jumps() {
    let Some(faketime) = library_of_faketime() else { return };
    let sandbox = prepare();
    fill(&sandbox, "videos", FILES);
    let run = |words: &[&str], shift: &str| {
        let output = shifted(&sandbox, words, shift, &faketime).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("an object")
    };
    let scan = library(&["scan", "--json"]);
    sandbox.run(library(&["add", "videos", "--no-scan"])).expect_code(0);

    // The clock is ten days ahead while files are scanned and leased, and the worker is killed in the middle of it.
    assert_eq!(run(&scan, "+10d")["new"], FILES);
    let slow = library(&["work", "--model", "model", "--interval", "0.1"]);
    let mut ahead = shifted(&sandbox, &slow, "+10d", &faketime).spawn().expect("it starts");
    let begun = Instant::now();
    while status(&sandbox, "library.db")["models"][0]["counts"]["working"].as_u64().is_none() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it never leased anything");
        sleep(Duration::from_millis(20));
    }
    signal(&ahead.id().to_string(), "KILL");
    ahead.wait().expect("it ends");

    // It jumps back: the killed worker's files are there at once, and what it had written counts.
    let kept = status(&sandbox, "library.db")["models"][0]["counts"].clone();
    let kept = kept["tagged"].as_u64().unwrap_or(0) + kept["no_tag"].as_u64().unwrap_or(0);
    let slow = library(&["work", "--model", "model", "--interval", "0.1", "--json"]);
    let begun = Instant::now();
    let rest = json(&sandbox.run(&slow).expect_code(0));
    assert_eq!(rest["decoded"].as_u64(), Some(FILES as u64 - kept), "{rest}");
    assert!(begun.elapsed() < Duration::from_mins(5), "nothing waits until the other clock's lease is over");

    // Further back than anything that is known, and ahead again: nothing is new, nothing is gone, nothing is decoded.
    let before = exported(&sandbox, "library.db");
    for shift in ["-4000d", "+10d", "+0"] {
        let report = run(&scan, shift);
        let counts = ["new", "changed", "gone", "hashed"].map(|key| report[key].as_u64().expect("a count"));
        assert_eq!(counts, [0; 4], "{shift}: {report}");
        assert_eq!(run(&slow, shift)["decoded"], 0, "{shift}");
    }
    assert_eq!(exported(&sandbox, "library.db"), before);

    // What is written by a clock that is behind is a new file all the same.
    let clip = fs::read(sandbox.path("clips/lines.mp4")).expect("a clip");
    fs::write(sandbox.path("videos/00/late.mp4"), numbered(&clip, 5000)).expect("a file");
    let file = fs::File::options().write(true).open(sandbox.path("videos/00/late.mp4")).expect("a file");
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_hours(24)).expect("a time");
    assert_eq!(run(&scan, "-4000d")["new"], 1);
    assert_eq!(json(&sandbox.run(&slow).expect_code(0))["decoded"], 1);
}
