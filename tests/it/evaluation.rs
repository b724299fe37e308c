//! `reelnet eval`, `metrics` and `compare` from the outside: what is missing is told, what was killed goes on, parts are the whole.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reelnet_tests::command::{Ended, Sandbox};
use reelnet_tests::golden;
use serde_json::Value;

use crate::REELNET;

const SIDE: usize = 40;

/// A bundle of a small 3D network that sees three classes, and videos of them.
fn prepare(videos: usize) -> Sandbox {
    let sandbox = Sandbox::new(REELNET);
    sandbox.write("labels.txt", "grey\nlines\nnoise\n");
    sandbox
        .run(["init", "--network", "resnet3d-rs-50", "--labels", "labels.txt", "--classes", "3", "--out", "model"])
        .expect_code(0);
    // The usual network on clips so small that a test can wait for it.
    let path = sandbox.path("model/model.toml");
    let text = fs::read_to_string(&path).expect("a manifest");
    let small = ["frames = ", "frame_step = ", "resize = ", "crop = "].iter().zip(["4", "2", "40", "32"]);
    let text = small.fold(text, |text, (key, value)| {
        let line =
            text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("no {key} in {text}")).to_owned();
        text.replacen(&line, &format!("{key}{value}"), 1)
    });
    fs::write(path, text).expect("a manifest");
    for (class, source) in [("grey", "color=gray"), ("lines", "testsrc"), ("noise", "mandelbrot")] {
        for video in 0..videos {
            let name = format!("data/{class}/{video}.mp4");
            sandbox.write(&name, "");
            let (width, seconds) = (SIDE + 8 * (video % 3), 1 + video % 2);
            let made = Command::new("ffmpeg")
                .args(["-nostdin", "-y", "-v", "error", "-f", "lavfi", "-i"])
                .arg(format!("{source}{}size={width}x{SIDE}:rate=12", if source.contains('=') { ":" } else { "=" }))
                .args(["-t", &seconds.to_string(), "-pix_fmt", "yuv420p"])
                .arg(sandbox.path(&name))
                .status()
                .expect("ffmpeg runs");
            assert!(made.success());
        }
    }
    sandbox
}

fn json(ended: &Ended) -> Value {
    let mut value: Value = serde_json::from_str(&ended.stdout).expect("a JSON object");
    // What it took is not what came out.
    value.as_object_mut().expect("an object").remove("cost");
    value
}

const EVAL: [&str; 7] = ["eval", "--model", "model", "--data", "data", "--json", "--out"];

fn words<'words>(out: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    [&EVAL[..], &[out], more].concat()
}

#[test]
fn workers_parts_dumps_and_kills_change_nothing() {
    let sandbox = prepare(4);
    let views = ["--protocol", "tf", "--views", "4x3"];
    let whole = json(&sandbox.run(words("whole", &[&views[..], &["--workers", "1"]].concat())).expect_code(0));
    assert_eq!(whole["coverage"]["scored"], 12);
    assert_eq!(whole["clip_level"]["views"], 12 * 12);
    let four = json(&sandbox.run(words("four", &[&views[..], &["--workers", "4"]].concat())).expect_code(0));
    assert_eq!(four, whole);

    let parts = ["1/3", "2/3", "3/3"];
    let dumps = parts.map(|part| format!("part{}.parquet", &part[..1]));
    for (part, dump) in parts.iter().zip(&dumps) {
        let out = format!("out{}", &part[..1]);
        sandbox.run(words(&out, &[&views[..], &["--shard", part, "--dump", dump]].concat())).expect_code(0);
    }
    let merged = sandbox.run(["metrics", "out1", "part2.parquet", "out3", "--json"]).expect_code(0);
    assert_eq!(json(&merged), whole);
    let dumped =
        sandbox.run(["metrics", &dumps[2], &dumps[0], &dumps[1], "--json", "--dump", "all.parquet"]).expect_code(0);
    assert_eq!(json(&dumped), whole);
    assert_eq!(json(&sandbox.run(["metrics", "all.parquet", "--json"]).expect_code(0)), whole);
    let some = sandbox.run(["metrics", "out1", "out2"]).expect_code(0);
    assert!(some.stderr.contains("2 of 3 parts"), "{}", some.stderr);

    // Killed as soon as something was written, and begun again until it is done.
    let records = sandbox.path("killed/scores.records");
    for _ in 0..3 {
        let before = fs::metadata(&records).map_or(0, |metadata| metadata.len());
        let mut child = sandbox
            .command(words("killed", &views))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let began = Instant::now();
        while child.try_wait().expect("a child").is_none()
            && fs::metadata(&records).map_or(0, |metadata| metadata.len()) <= before
            && began.elapsed() < Duration::from_mins(1)
        {
            sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        child.wait().expect("it ended");
    }
    let resumed = sandbox.run(words("killed", &views)).expect_code(0);
    assert!(resumed.stderr.contains("of 12 files were tried by an earlier run"), "{}", resumed.stderr);
    assert_eq!(json(&resumed), whole);

    // The folder of another evaluation is not written to.
    let other = sandbox.run(words("whole", &["--views", "1x1"])).expect_code(2);
    assert!(other.stderr.contains("holds another evaluation (views: "), "{}", other.stderr);
    let again = json(&sandbox.run(words("whole", &["--views", "1x1", "--again"])).expect_code(0));
    assert_eq!(again["clip_level"]["views"], 12);
    assert_eq!(again["clip_level"]["top1_count"], again["video_level"]["top1_count"]);
}

#[test]
fn what_is_missing_bad_or_short_is_told() {
    let sandbox = prepare(1);
    let sound = fs::read(sandbox.path("data/lines/0.mp4")).expect("a video");
    sandbox.write("data/cut.mp4", &sound[..sound.len() / 2]);
    sandbox.write("data/empty.mp4", "");
    let dog = fs::read(golden::media("white-dog.mp4")).expect("the clip is there");
    sandbox.write("data/dog.mp4", dog);
    let one_frame = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=0.4"])
        .arg(sandbox.path("data/short.mp4"))
        .status()
        .expect("ffmpeg runs");
    assert!(one_frame.success());
    sandbox.write(
        "data/list.txt",
        "grey/0.mp4 0\nlines/0.mp4 1\nnoise/0.mp4 noise\ncut.mp4 1\nempty.mp4 1\nshort.mp4 1\ndog.mp4 2\ngone.mp4 0\ndog.mp4 2\n",
    );
    let list = ["eval", "--model", "model", "--data", "data/list.txt"];
    let ended = sandbox.run(list).expect_code(1);
    let lines: Vec<&str> = ended.stdout.lines().map(str::trim).collect();
    for (name, value) in [
        ("listed", "8"),
        ("missing", "1"),
        ("unreadable", "2"),
        ("scored", "5, of these 1 shorter than a clip"),
        ("listed again", "1"),
    ] {
        let line = lines.iter().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim() == value));
        assert!(line.is_some(), "no {name} of {value} in\n{}", ended.stdout);
    }
    assert!(
        ended.stderr.contains("3 of 8 listed files have no scores: 37.50 %, more than 0.50 % (--max-missing)"),
        "{}",
        ended.stderr
    );
    let failed = fs::read_to_string(sandbox.path("reelnet-eval/failed.csv")).expect("a table");
    let kinds: Vec<String> =
        failed.lines().skip(1).map(|line| line.splitn(3, ',').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(kinds.len(), 3, "{failed}");
    for kind in ["gone.mp4 missing", "empty.mp4 empty"] {
        assert!(kinds.iter().any(|found| found == kind), "{failed}");
    }
    assert!(kinds.iter().any(|found| found.starts_with("cut.mp4 ")), "{failed}");
    // A run that finds everything done only tells it again.
    let again = sandbox.run([&list[..], &["--max-missing", "0.4", "--json"]].concat()).expect_code(0);
    let told: Value = serde_json::from_str(&again.stdout).expect("a JSON object");
    let video = &told["video_level"];
    assert_eq!(video["videos"], 5);
    let of_listed = video["top1_count"].as_f64().expect("a count") / 8.0;
    assert_eq!(video["top1_of_listed"].as_f64(), Some(of_listed));
}

#[test]
fn other_copies_of_a_data_set_are_no_fair_comparison() {
    let sandbox = prepare(2);
    sandbox.run(words("a", &[])).expect_code(0);
    sandbox.run(words("a2", &[])).expect_code(0);
    let same = sandbox.run(["compare", "a", "a2"]).expect_code(0);
    assert!(!same.stderr.contains("WARNING"), "{}", same.stderr);
    assert!(same.stdout.contains("videos that both scored   6\n"), "{}", same.stdout);
    fs::copy(sandbox.path("data/noise/0.mp4"), sandbox.path("data/noise/1.mp4")).expect("a copy");
    fs::remove_file(sandbox.path("data/grey/1.mp4")).expect("a file");
    sandbox.run(words("b", &["--views", "2x1"])).expect_code(0);
    let other = sandbox.run(["compare", "a", "b"]).expect_code(1);
    for told in [
        "WARNING: these two measured different things",
        "WARNING: views: 1x1",
        "WARNING: list: 6 files there",
        "WARNING: 1 videos were scored by the first one only",
        "WARNING: 1 videos are other files of the same name (size, length or codec), such as `noise/1.mp4`",
    ] {
        assert!(other.stderr.contains(told), "{told} is not in\n{}", other.stderr);
    }
    let error = sandbox.run(["metrics", "a", "b"]).expect_code(2);
    assert!(error.stderr.contains("another list of files"), "{}", error.stderr);
    let fused = sandbox.run(["metrics", "a", "a2", "--json"]).expect_code(0);
    let one = sandbox.run(["metrics", "a", "--json"]).expect_code(0);
    assert_eq!(json(&fused)["video_level"], json(&one)["video_level"]);
    let swept = sandbox.run(["metrics", "a", "--sweep", "--temperature-from", "b"]).expect_code(0);
    assert!(swept.stdout.contains("fewer views") && swept.stdout.contains("at temperature"), "{}", swept.stdout);
}

#[test]
fn words_that_mean_nothing_are_answered() {
    let sandbox = prepare(1);
    for (more, told) in [
        (&["--views", "3"][..], "such as 10x3"),
        (&["--protocol", "fast"], "expected tf, slowfast, mmaction, pytorchvideo or reelnet"),
        (&["--protocol", "tf", "--views", "2x2"], "has 1 or 3 crops"),
        (&["--shard", "4/3"], "such as 1/4"),
        (&["--split", "validate"], "--split is for lists"),
        (&["--max-missing", "2"], "from 0 to 1"),
        (&["--temperature-from", "absent"], "no such folder or file"),
    ] {
        let ended = sandbox.run(words("out", more)).expect_code(2);
        assert!(ended.stderr.contains(told), "{more:?}: {}", ended.stderr);
    }
    let absent = sandbox.run(["eval", "--data", "absent"]).expect_code(2);
    assert!(absent.stderr.contains("there is no `absent`"), "{}", absent.stderr);
    let strange = sandbox.run(["metrics", "labels.txt"]).expect_code(2);
    assert!(strange.stderr.contains("no Parquet file of scores"), "{}", strange.stderr);
    sandbox.write("strange/unknown/0.mp4", "");
    let strange = sandbox.run(["eval", "--model", "model", "--data", "strange"]).expect_code(2);
    assert!(strange.stderr.contains("unknown classes, such as `unknown`"), "{}", strange.stderr);
}
