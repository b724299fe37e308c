//! `--isolate`: what a worker process gives is what the decoder gives, and a worker that dies is one failed file.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reelnet_tests::command::{Sandbox, signal};
use reelnet_tests::golden;
use serde_json::Value;

use crate::REELNET;

fn dog() -> Vec<u8> {
    fs::read(golden::media("white-dog.mp4")).expect("the clip is there")
}

#[test]
fn rows_are_the_same_with_and_without() {
    let sandbox = Sandbox::new(REELNET);
    let dog = dog();
    sandbox.write("videos/dog.mp4", &dog);
    sandbox.write("videos/cut.mp4", &dog[..dog.len() / 2]);
    sandbox.write("videos/empty.mp4", "");
    sandbox.write("videos/text.mp4", "This is no video.\n");
    let tag =
        |words: &[&str]| sandbox.run([&["tag", "--format=jsonl", "videos"], words].concat()).expect_code(1).stdout;
    assert_eq!(tag(&[]), tag(&["--isolate"]));
    let check =
        |words: &[&str]| sandbox.run([&["check-data", "videos", "--again"], words].concat()).expect_code(1).stdout;
    assert_eq!(check(&[]), check(&["--isolate", "--jobs", "3"]));
    let ended = sandbox.run(["tag", "videos", "--worker-memory", "512"]).expect_code(2);
    assert!(ended.stderr.contains("--isolate"), "{}", ended.stderr);
}

#[test]
fn too_much_memory_is_one_failed_file() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.write("videos/a.mp4", dog());
    sandbox.write("videos/c.mp4", dog());
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=8000x8000:rate=2:duration=2"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"])
        .arg(sandbox.path("videos/b.mp4"))
        .status()
        .expect("ffmpeg runs");
    assert!(made.success());
    let words = ["tag", "--format=jsonl", "--isolate", "--worker-memory", "200", "--jobs", "1", "videos"];
    let ended = sandbox.run(words).expect_code(1);
    let rows: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect();
    let statuses: Vec<&str> = rows.iter().filter_map(|row| row["status"].as_str()).collect();
    assert_eq!(statuses, ["tagged", "failed", "tagged"], "{}", ended.stdout);
    assert!(rows[1]["reason"].as_str().is_some_and(|reason| reason.contains("memory")), "{}", rows[1]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_worker_costs_one_file() {
    let sandbox = Sandbox::new(REELNET);
    let dog = dog();
    for number in 0..300 {
        sandbox.write(&format!("data/{number:03}.mp4"), &dog);
    }
    let child = sandbox
        .command(["check-data", "data", "--isolate", "--jobs", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let workers = || fs::read_to_string(&children).unwrap_or_default();
    let journal = sandbox.path("reelnet-check/journal.jsonl");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    let start = Instant::now();
    while lines() < 10 && start.elapsed() < Duration::from_mins(1) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Workers are started by the threads that need them.
    let threads = fs::read_dir(format!("/proc/{}/task", child.id())).expect("the process lives").flatten();
    let of_threads: Vec<String> =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok()).collect();
    let all = workers() + " " + &of_threads.join(" ");
    let worker = all.split_whitespace().next().expect("a worker is at work");
    signal(worker, "KILL");
    let output = child.wait_with_output().expect("it ends");
    let stdout = String::from_utf8(output.stdout).expect("text");
    let crashed = stdout.lines().filter(|line| line.contains("signal 9")).count();
    assert!(crashed <= 1, "{stdout}");
    // The signal may have come between two files; then the next file met a dead worker, and was the failed one.
    assert_eq!(crashed, 1, "{stdout}");
    assert!(stdout.ends_with("299 ok, 0 short, 0 corrupt, 1 unreadable\n"), "{stdout}");
}
