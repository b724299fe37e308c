//! `reelnet train` from the outside: from a recipe to a bundle that tags, killed and gone on with, on a disk that is full.

use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reelnet_tests::command::{Ended, Sandbox};

const SIDE: usize = 16;

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_reelnet-under-test"))
}

/// Grey pictures that are bright on one side, and a recipe for them.
fn prepare(sandbox: &Sandbox) {
    for (split, count) in [("train", 16), ("validation", 2), ("test", 3)] {
        for (class, name) in ["left", "right"].into_iter().enumerate() {
            for picture in 0..count {
                let byte = |column: usize| if (column < SIDE / 2) == (class == 0) { 200 + picture } else { picture };
                let mut bytes = format!("P5\n{SIDE} {SIDE}\n255\n").into_bytes();
                let row: Vec<u8> = (0..SIDE).map(byte).collect();
                bytes.extend(row.repeat(SIDE));
                sandbox.write(&format!("data/{split}/{name}/{picture:02}.pgm"), bytes);
            }
        }
    }
    let recipe = include_str!("../../configs/digits/resnet-rs-26-narrow.toml");
    let small = [
        ("classes = 10", "classes = 2"),
        ("width = 0.25", "width = 0.1"),
        ("epochs = 48", "epochs = 4"),
        ("size = 64", "size = 8"),
        ("at_once = 64", "at_once = 4"),
        ("resize = 56", "resize = 16"),
        ("crop = 56", "crop = 16"),
        ("every_steps = 200", "every_steps = 3"),
        ("every_epochs = 12.0", "every_epochs = 4.0"),
        ("learning_rate = 0.4", "learning_rate = 1.6"),
    ];
    let recipe = small.iter().fold(recipe.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replacen(old, new, 1)
    });
    sandbox.write("recipe.toml", recipe);
}

const TRAIN: [&str; 7] = ["train", "recipe.toml", "--data-root", "data", "--threads", "2", "--run-dir"];

fn words<'words>(run: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    [&TRAIN[..], &[run], more].concat()
}

/// Kills of the test below.
const KILLS: usize = 10;

/// SIGKILL at random moments: while data are read, in a step, in the middle of a checkpoint. `REELNET_TEST_SEED` repeats a run's
/// draws, though not the moments that the machine makes of them.
#[test]
fn a_run_that_is_killed_ten_times_goes_on_to_the_same_bundle_and_it_tags() {
    let sandbox = sandbox();
    prepare(&sandbox);
    let long = ["--set", "epochs=12", "--set", "validation.every_epochs=3.0"];
    let one_worker = [&long[..], &["--workers", "1"]].concat();
    let whole = sandbox.run(words("whole", &one_worker)).expect_code(0);
    assert!(whole.stderr.contains("32 samples, 4 to validate with, 6 to test with, 2 classes"), "{}", whole.stderr);
    assert!(whole.stderr.contains("made `whole/bundle`"), "{}", whole.stderr);
    let steps = |run: &str| {
        let journal = fs::read_to_string(sandbox.path(run).join("journal.jsonl")).unwrap_or_default();
        journal.matches("\"event\":\"step\"").count()
    };
    assert_eq!(steps("whole"), 48);

    let seed = std::env::var("REELNET_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let mut draws = Draws(seed);
    let mut runs = vec!["killed-0".to_owned()];
    let (mut kills, mut workers) = (0, ["4", "1"].into_iter().cycle());
    while kills < KILLS {
        let run = runs.last().expect("there is one").clone();
        let seen = steps(&run) + draws.below(6);
        let mut child = start(&sandbox, &run, &long, workers.next().expect("they are endless"));
        let patience = Instant::now();
        let is_over = |child: &mut Child| child.try_wait().expect("the child can be asked").is_some();
        while steps(&run) < seen && !is_over(&mut child) {
            assert!(patience.elapsed() < Duration::from_mins(2), "no step was taken");
            sleep(Duration::from_millis(2));
        }
        sleep(Duration::from_millis(draws.below(120) as u64));
        if is_over(&mut child) {
            // Faster than its killer: the rest is for another run.
            runs.push(format!("killed-{}", runs.len()));
            continue;
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        kills += 1;
    }
    let weights = |run: &str| fs::read(sandbox.path(run).join("bundle/weights.safetensors")).expect("weights");
    for run in &runs {
        let ended = start(&sandbox, run, &long, "1").wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "REELNET_TEST_SEED={seed}: {told}");
        assert!(weights("whole") == weights(run), "the weights are others; REELNET_TEST_SEED={seed}");
        let left = fs::read_dir(sandbox.path(run).join("checkpoints")).expect("checkpoints").flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert!(left.iter().all(|name| name.to_string_lossy().starts_with("step-")), "{left:?}");
    }

    let killed = runs[0].as_str();
    let compare = ["compare-runs", "whole", killed, "--target", "0.5", "--out", "runs.html"];
    let compared = sandbox.run(compare).expect_code(0);
    let rows: Vec<Vec<&str>> = compared.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!([rows[1][0], rows[2][0]], ["whole", killed], "{}", compared.stdout);
    // Steps, steps to the target, both accuracies; hours may differ.
    assert_eq!([0, 2, 3, 4].map(|column| rows[1][1 + column]), [0, 2, 3, 4].map(|column| rows[2][1 + column]));
    let test = whole.stderr.lines().find(|line| line.contains("test, average top-1")).expect("the test set");
    assert!(test.contains(&format!("{} (", rows[1][5])) && test.contains(" of 6)"), "{test}");
    let page = fs::read_to_string(sandbox.path("runs.html")).expect("a page");
    assert!(page.contains("<tr><td>whole<td>") && page.matches("<svg").count() == 3, "{page}");
    let told = sandbox.run(["compare-runs", "nowhere"]).expect_code(2).stderr;
    assert!(told.contains("nowhere/journal.jsonl"), "{told}");

    let model = format!("{}/bundle", runs[0]);
    let rows = sandbox.run(["tag", "data/validation", "--model", &model, "--format", "csv", "--top", "1"]);
    let rows = rows.expect_code(0).stdout;
    for class in ["left", "right"] {
        let row = rows.lines().find(|row| row.contains(&format!("{class}/00.pgm"))).expect("a row");
        assert!(row.contains(&format!("tagged,1,{class},")), "{row}");
    }
}

/// Begins a run, or goes on with it if it has been begun.
fn start(sandbox: &Sandbox, run: &str, more: &[&str], workers: &str) -> Child {
    let more = [more, &["--workers", workers]].concat();
    let mut words = words(run, &more);
    if sandbox.path(run).join("recipe.toml").exists() {
        words.push("--resume");
    }
    sandbox.command(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command starts")
}

/// Numbers that nobody has to guess: `SplitMix64`.
struct Draws(u64);

impl Draws {
    fn below(&mut self, count: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % count).expect("a small number")
    }
}

#[test]
fn what_cannot_be_trained_is_told() {
    let sandbox = sandbox();
    prepare(&sandbox);
    let refused = |more: &[&str]| sandbox.run(words("run", more)).expect_code(2).stderr;
    let told = refused(&["--set", "optimizer.momentun=0.8"]);
    assert!(told.contains("did you mean `momentum`?"), "{told}");
    assert!(refused(&["--resume"]).contains("holds no run to go on with"));
    assert!(refused(&["--start-from", "nowhere"]).contains("start = \"bundle\""));
    let told = refused(&["--set", "data.train.path=missing"]);
    assert!(told.contains("missing"), "{told}");
    assert!(!sandbox.path("run").exists());

    let plan = ["train", "recipe.toml", "--data-root", "data", "--dry-run"];
    let mut halves = sandbox.command([&plan[..], &["--set", "precision=bf16"]].concat());
    let told = Ended::of(halves.env("ONEDNN_MAX_CPU_ISA", "AVX2")).expect_code(0).stderr;
    assert!(!cfg!(target_arch = "x86_64") || told.contains("no kernels of bfloat16"), "{told}");
    let plan = sandbox.run(plan).expect_code(0).stdout;
    for row in ["parameters", "multiply-accumulates", "16, 4 an epoch", "▁", "a step on it", "memory"] {
        assert!(plan.contains(row), "{row}: {plan}");
    }
}

#[test]
fn data_are_counted_and_shown_as_the_network_gets_them() {
    let sandbox = sandbox();
    prepare(&sandbox);
    sandbox.write("data/train/left/00.pgm", "no picture");
    sandbox.write("data/validation/left/notes.txt", "no picture");
    let words = ["data", "inspect", "recipe.toml", "--data-root", "data", "--clips", "32", "--sheet", "sheet.png"];
    // The broken file is told, and everything else is shown.
    let told = sandbox.run(words).expect_code(1);
    for row in
        ["samples     32", "most        left (16), right (16)", "1 to 1 frames", "unreadable", "passed over 1 files"]
    {
        assert!(told.stdout.contains(row), "{row}: {}", told.stdout);
    }
    assert_eq!(told.stdout.matches("  left  train/left/").count(), 15, "{}", told.stdout);
    assert!(told.stderr.contains("train/left/00.pgm"), "{}", told.stderr);
    let sheet = fs::read(sandbox.path("sheet.png")).expect("a picture");
    assert!(sheet.starts_with(b"\x89PNG"));
    // 31 pictures of 16 pixels and their gaps: eight in a row, four rows.
    let side = |at: usize| u32::from_be_bytes(sheet[at..at + 4].try_into().expect("four bytes"));
    assert_eq!([side(16), side(20)], [8 * 18 + 2, 4 * 18 + 2]);
    let json = sandbox.run([&words[..], &["--json"]].concat()).expect_code(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["training"]["classes"][1]["samples"], 16);
}

/// Files may not grow beyond some kilobytes, which is what a full disk looks like to whoever writes one.
#[test]
fn a_full_disk_is_told_and_leaves_no_half_of_a_checkpoint() {
    let sandbox = sandbox();
    prepare(&sandbox);
    let inner = sandbox.command(words("run", &[]));
    let mut line = vec![inner.get_program().to_os_string()];
    line.extend(inner.get_args().map(ToOwned::to_owned));
    let mut command = std::process::Command::new("bash");
    // The limit's own signal would kill; without it, writing fails as on a full disk.
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "bash"]).args(&line);
    command.current_dir(inner.get_current_dir().expect("the sandbox"));
    let output = command.output().expect("bash is there");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("cannot write `run/checkpoints/step-"), "{told}");
    let left = fs::read_dir(sandbox.path("run/checkpoints")).expect("the folder").count();
    assert_eq!(left, 0);
}
