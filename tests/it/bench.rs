//! `reelnet bench`: the numbers that scripts read, and that the work is the work that is done elsewhere. No time is compared.

use reelnet_tests::command::Sandbox;
use reelnet_tests::golden;
use serde_json::Value;

use crate::REELNET;

fn measured(sandbox: &Sandbox, words: &[&str]) -> Value {
    let ended = sandbox.run([&["bench"], words, &["--json"]].concat()).expect_code(0);
    serde_json::from_str(&ended.stdout).expect("one JSON object")
}

fn number(found: &Value, key: &str) -> f64 {
    found[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {found}"))
}

#[test]
fn a_forward_pass_is_measured() {
    let sandbox = Sandbox::new(REELNET);
    let words = ["forward", "--network", "efficientnet-lite0", "--size", "32", "--seconds", "0", "--threads", "1"];
    let found = measured(&sandbox, &words);
    assert_eq!(
        (found["bench"].as_str(), found["size"].as_u64(), found["turns"].as_u64()),
        (Some("forward"), Some(32), Some(3))
    );
    assert!(number(&found, "best_seconds") <= number(&found, "median_seconds"));
    let share = number(&found, "gflops") / number(&found, "peak_gflops");
    assert!((share - number(&found, "share_of_peak")).abs() < 1e-9 && share > 0.0, "{found}");
    assert_eq!(number(&found, "peak_bytes") > 1e6, cfg!(target_os = "linux"));
}

#[test]
fn a_step_is_measured_and_moves_the_weights() {
    let sandbox = Sandbox::new(REELNET);
    let words =
        ["step", "--network", "resnet-rs-26", "--size", "32", "--batch", "2", "--seconds", "0", "--threads", "1"];
    let found = measured(&sandbox, &words);
    let losses: Vec<f64> = found["losses"].as_array().expect("losses").iter().filter_map(Value::as_f64).collect();
    assert_eq!(losses.len(), 2, "{found}");
    // Dropout draws anew, so a loss may rise; a step that left the weights as they were would leave batch statistics too.
    assert!(losses.iter().all(|loss| loss.is_finite() && *loss > 0.0) && losses[0] != losses[1], "{losses:?}");
    // Computed again on the way back, it is the same step.
    let again = measured(&sandbox, &[&words[..], &["--recompute"]].concat());
    assert_eq!(again["losses"], found["losses"]);
    assert_eq!([&found, &again].map(|step| step["recompute"].as_bool()), [Some(false), Some(true)]);
}

#[test]
fn loading_is_accounted_for() {
    let sandbox = Sandbox::new(REELNET);
    let video = golden::media("white-dog.mp4");
    let found =
        measured(&sandbox, &["data", "--data", video.to_str().expect("a path that is text"), "--seconds", "0.5"]);
    let parts = ["reading", "decoding", "scaling", "augmenting", "idle", "other"].map(|key| number(&found, key));
    assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{found}");
    assert!(number(&found, "samples") >= 1.0 && found["waited"].is_null(), "{found}");
}

#[test]
fn what_cannot_be_measured_says_why() {
    let sandbox = Sandbox::new(REELNET);
    let refused = |words: &[&str]| sandbox.run([&["bench"], words].concat()).expect_code(2).stderr;
    let image = ["forward", "--network", "resnet-rs-50", "--frames", "8"];
    assert!(refused(&image).contains("it looks at one frame at a time"));
    assert!(refused(&["forward", "--network", "resnet-rs-51"]).contains("did you mean"));
    assert!(refused(&["step"]).contains("--network"));
    sandbox.write("notes.mp4", "no video");
    assert!(refused(&["data", "--data", "notes.mp4", "--seconds", "0.1"]).contains("not one file could be used"));
}
