//! SIGKILL at any moment: nothing is lost, nothing is done twice.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use reelnet_tests::command::signal;

use super::made::{exported, fill, json, library, prepare, status, work};

const FILES: usize = 320;
const KILLS: u64 = 20;
/// So many windows that work goes on through all kills.
const INTERVAL: &str = "0.1";

#[test]
fn twenty_kills_change_nothing() {
    let sandbox = prepare();
    fill(&sandbox, "videos", FILES);
    sandbox.run(["library", "--store", "whole.db", "add", "videos"]).expect_code(0);
    let words = ["library", "--store", "whole.db", "work", "--model", "model", "--interval", INTERVAL];
    sandbox.run(words).expect_code(0);
    let whole = exported(&sandbox, "whole.db");
    assert_eq!(whole.len(), FILES);

    sandbox.run(library(&["add", "videos", "--no-scan"])).expect_code(0);
    let mut seed = 8_u64;
    let (mut kills, mut early) = (0, 0);
    while kills < KILLS {
        // SplitMix64's step: the moments are random, and the same in every run.
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let moment = Duration::from_millis(20 + (mixed >> 32) % 500);
        // Scanning too, so that kills come there as well.
        let words = library(&["run", "--model", "model", "--interval", INTERVAL, "--jobs", "2"]);
        let mut child = sandbox.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        sleep(moment);
        if child.try_wait().expect("a child").is_none() {
            signal(&child.id().to_string(), "KILL");
        } else {
            early += 1;
        }
        child.wait().expect("it ends");
        kills += 1;
        let doctor = sandbox.run(library(&["doctor"])).expect_code(0);
        assert!(doctor.stdout.contains("integrity of the database: ok"), "{}", doctor.stdout);
    }
    assert!(early < KILLS / 2, "{early} of {KILLS} runs had ended before they were to be killed");
    // While there are files that nobody has tried, no file is tried a third time, and so none fails for having been killed thrice.
    let waiting = status(&sandbox, "library.db")["models"][0]["counts"]["waiting"].as_u64().expect("a count");
    assert!(waiting > 2 * KILLS, "{waiting} files were left after the kills; more work is needed for so many");
    // The killed workers' files come back at once: this is the same machine, and they are dead.
    let last = library(&["run", "--model", "model", "--interval", INTERVAL, "--json"]);
    let last = json(&sandbox.run(last).expect_code(0));
    assert!(last["decoded"].as_u64() < Some(FILES as u64), "something was kept of what killed workers did: {last}");
    let found = status(&sandbox, "library.db");
    assert_eq!(found["files"], FILES, "no file is lost: {found}");
    let after = exported(&sandbox, "library.db");
    assert_eq!(after.len(), FILES);
    for (found, expected) in after.iter().zip(&whole) {
        assert_eq!(found, expected, "after {last}");
    }
    let counts = &found["models"][0]["counts"];
    assert_eq!(counts["tagged"].as_u64().unwrap_or(0) + counts["no_tag"].as_u64().unwrap_or(0), FILES as u64);
}

#[test]
fn ctrl_c_ends_in_order() {
    let sandbox = prepare();
    fill(&sandbox, "videos", 200);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    let child = sandbox
        .command(work(&["--jobs", "1"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    sleep(Duration::from_millis(700));
    signal(&child.id().to_string(), "INT");
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("the same command goes on"), "{stderr}");
    let counts = status(&sandbox, "library.db")["models"][0]["counts"].clone();
    assert_eq!(counts["working"].as_u64(), None, "nothing is left leased: {counts}");
    let rest = json(&sandbox.run(work(&[])).expect_code(0))["decoded"].as_u64().expect("a count");
    assert!(rest < 200, "{rest}");
}
