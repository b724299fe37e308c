//! `reelnet library run --watch`: what comes is tagged as it comes.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use reelnet_tests::command::signal;

use super::made::{fill, library, numbered, prepare, status};

#[test]
fn new_files_are_tagged_as_they_come() {
    let sandbox = prepare();
    fill(&sandbox, "videos", 3);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    let words = library(&["run", "--model", "model", "--interval", "1", "--watch"]);
    let child = sandbox.command(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let scored = || {
        let counts = status(&sandbox, "library.db")["models"][0]["counts"].clone();
        counts["tagged"].as_u64().unwrap_or(0) + counts["no_tag"].as_u64().unwrap_or(0)
    };
    let wait = |files: u64| {
        let began = Instant::now();
        while scored() < files && began.elapsed() < Duration::from_mins(1) {
            sleep(Duration::from_millis(200));
        }
        assert_eq!(scored(), files);
    };
    wait(3);
    let clip = fs::read(sandbox.path("clips/lines.mp4")).expect("a clip");
    fs::create_dir_all(sandbox.path("videos/new folder")).expect("a folder");
    fs::write(sandbox.path("videos/new folder/a.mp4"), numbered(&clip, 77)).expect("a file");
    wait(4);
    signal(&child.id().to_string(), "TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
}
