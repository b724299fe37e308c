//! The words of the command line: help, typos, closed pipes.

use std::io::Read;
use std::process::Stdio;

use reelnet_tests::command::Sandbox;
use reelnet_tests::golden;
use serde_json::Value;

use crate::REELNET;

#[test]
fn help_names_every_command_and_exit_code() {
    let help = Sandbox::new(REELNET).run(["--help"]).expect_code(0).stdout;
    for word in [
        "tag",
        "library",
        "probe",
        "frames",
        "check-data",
        "models",
        "init",
        "import",
        "inflate",
        "forward",
        "model",
        "eval",
        "metrics",
        "compare",
        "doctor",
        "completions",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{help}");
    }
}

#[test]
fn typos_are_answered_with_what_is_near() {
    let sandbox = Sandbox::new(REELNET);
    let ended = sandbox.run(["inflat"]).expect_code(2);
    assert!(ended.stderr.contains("'inflate'"), "{}", ended.stderr);
    let ended = sandbox.run(["init", "--network", "resnet-rs-51", "--out", "x"]).expect_code(2);
    assert!(ended.stderr.contains("did you mean `resnet-rs-50`?"), "{}", ended.stderr);
    let ended = sandbox.run(["tag", "--threshold", "7", "x.mp4"]).expect_code(2);
    assert!(ended.stderr.contains("expected a number from 0 to 1"), "{}", ended.stderr);
    let ended = sandbox.run(["tag", "--device", "gpu", "x.mp4"]).expect_code(2);
    assert!(ended.stderr.contains("expected cpu, cuda or cuda:N"), "{}", ended.stderr);
}

#[test]
fn models_are_counted() {
    let stdout = Sandbox::new(REELNET).run(["models", "--json"]).expect_code(0).stdout;
    let models: Vec<Value> = serde_json::from_str(&stdout).expect("a JSON array");
    let row = |name: &str| models.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(row("resnet-rs-420@320")["parameters"], 191_891_656);
    assert_eq!(row("resnet-rs-50@160")["published"]["top1"], 78.8);
    assert_eq!(row("resnet3d-rs-50@224")["parameters"], 48_129_840);
    assert_eq!(row("resnet3d-rs-50@224")["input"], serde_json::json!([3, 32, 224, 224]));
    assert_eq!(row("efficientnet-lite0@224")["parameters"], 4_652_008);
}

#[test]
fn probe_tells_what_a_file_holds() {
    let sandbox = Sandbox::new(REELNET);
    sandbox.write("empty.mp4", "");
    let dog = golden::media("white-dog.mp4").display().to_string();
    let ended = sandbox.run(["probe", "--json", &dog, "empty.mp4"]).expect_code(1);
    let rows: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect();
    assert_eq!((&rows[0]["status"], &rows[0]["width"], &rows[0]["frames"]), (&"ok".into(), &480.into(), &41.into()));
    assert_eq!((&rows[1]["status"], &rows[1]["kind"]), (&"failed".into(), &"empty".into()));
}

#[test]
fn doctor_finds_this_machine_well() {
    let ended = Sandbox::new(REELNET).run(["doctor"]);
    assert!(ended.stdout.contains("arithmetic     right"), "{}", ended.stdout);
    assert!(ended.stdout.contains("libavcodec"), "{}", ended.stdout);
}

#[test]
fn completions_are_scripts() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Sandbox::new(REELNET).run(["completions", shell]).expect_code(0).stdout;
        assert!(script.contains("reelnet") && script.contains("inflate"), "{shell}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let sandbox = Sandbox::new(REELNET);
    let mut child =
        sandbox.command(["models", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(stderr, "");
}

#[test]
fn words_that_nobody_can_read_are_no_failure() {
    let sandbox = Sandbox::new(REELNET);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
    let dog = golden::media("white-dog.mp4").display().to_string();
    let code = |words: &[&str]| {
        sandbox.command(words).stdout(Stdio::null()).stderr(full()).status().expect("it starts").code()
    };
    assert_eq!(code(&["tag", "--clips", "1", &dog]), Some(0));
    assert_eq!(code(&["init", "--network", "efficientnet-lite0", "--out", "b"]), Some(0));
    assert_eq!(code(&["tag", "--model", "absent", &dog]), Some(2));
    // Data that cannot be written is another matter.
    let ended = sandbox.command(["models"]).stdout(full()).output().expect("it starts");
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn a_file_without_permission_is_told_from_one_that_is_not_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new(REELNET);
    let locked = sandbox.write("locked.mp4", "anything");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).expect("it is ours");
    // The superuser may read everything, unless that right is taken away.
    let reelnet = sandbox.command(["probe", "locked.mp4", "missing.mp4", "--json"]);
    let mut command = if std::fs::File::open(&locked).is_ok() {
        let mut weaker = std::process::Command::new("setpriv");
        weaker.arg("--bounding-set=-dac_override,-dac_read_search").arg(reelnet.get_program()).args(reelnet.get_args());
        weaker.current_dir(sandbox.path("")).env("HOME", sandbox.path("home"));
        weaker
    } else {
        reelnet
    };
    let output = command.output().expect("util-linux has setpriv");
    let rows: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .expect("stdout is text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("rows are JSON"))
        .collect();
    let kinds: Vec<_> = rows.iter().map(|row| row["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["permission_denied", "not_found"], "{rows:?}");
}
