//! A run that goes on is the run that was never stopped.

use std::fs;

use reelnet_clips::CancelToken;
use reelnet_train::journal::Record;
use reelnet_train::{Ending, RunOptions, TrainError, train};

use crate::made;

#[test]
fn an_interrupted_run_goes_on_bit_for_bit() {
    goes_on_bit_for_bit("precision=f32");
}

#[test]
fn an_interrupted_run_in_bfloat16_goes_on_bit_for_bit() {
    goes_on_bit_for_bit("precision=bf16");
}

fn goes_on_bit_for_bit(precision: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 8);
    let recipe = made::recipe(&[precision]);
    let (ending, records) = made::run(&recipe, &made::options(root, "whole"));
    assert!(matches!(ending, Ok(Ending::Finished { .. })), "{ending:?}");
    let steps = records.iter().filter(|record| matches!(record, Record::Step { .. })).count();
    assert_eq!(steps, 8);

    // Interrupted at a step without a checkpoint of its own, between two parts of an epoch, and gone on with four workers.
    let cancel = CancelToken::new();
    let options = RunOptions { cancel: cancel.clone(), ..made::options(root, "parts") };
    let ending = train(&recipe, &options, &mut |record| {
        if matches!(record, Record::Step { step: 5, .. }) {
            cancel.cancel();
        }
    });
    assert!(matches!(ending, Ok(Ending::Interrupted { step: 5 })), "{ending:?}");
    let options = RunOptions { resume: true, workers: 4, ..made::options(root, "parts") };
    let (ending, _) = made::run(&recipe, &options);
    assert!(matches!(ending, Ok(Ending::Finished { .. })), "{ending:?}");
    assert!(
        made::last_tensors(&root.join("whole")) == made::last_tensors(&root.join("parts")),
        "the weights are others"
    );
    let bundle = |run: &str| fs::read(root.join(run).join("bundle/weights.safetensors")).expect("weights");
    assert!(bundle("whole") == bundle("parts"), "the bundles are others");

    // A run that is done is done.
    let (ending, records) = made::run(&recipe, &options);
    assert!(matches!(ending, Ok(Ending::Finished { .. })), "{ending:?}");
    assert!(!records.iter().any(|record| matches!(record, Record::Step { .. })));
}

#[test]
fn only_the_same_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 2);
    let recipe = made::recipe(&["epochs=1"]);
    let refusal = |recipe, options: &RunOptions| made::run(recipe, options).0.expect_err("it is refused").to_string();

    let resumed = RunOptions { resume: true, ..made::options(root, "run") };
    assert!(matches!(made::run(&recipe, &resumed).0, Err(TrainError::NothingToResume { .. })));
    made::run(&recipe, &made::options(root, "run")).0.expect("it trains");
    assert!(matches!(made::run(&recipe, &made::options(root, "run")).0, Err(TrainError::Taken { .. })));
    // A folder from before recipes had a precision.
    let written = root.join("run/recipe.toml");
    let text = fs::read_to_string(&written).expect("a recipe");
    assert!(text.contains("precision = \"f32\"\n"), "{text}");
    fs::write(&written, text.replace("precision = \"f32\"\n", "")).expect("a file");
    made::run(&recipe, &resumed).0.expect("it is the same");
    let other = made::recipe(&["epochs=1", "optimizer.momentum=0.8"]);
    let told = refusal(&other, &resumed);
    assert!(told.contains("optimizer.momentum = 0.9") && told.contains("0.8"), "{told}");
    let threads = RunOptions { threads: 2, ..resumed.clone() };
    assert!(refusal(&recipe, &threads).contains("--threads 1"));
    made::write_clip(&root.join("train/left/one more"), 0, 3);
    let list = fs::read_to_string(root.join("train.txt")).expect("a list");
    fs::write(root.join("train.txt"), list + "train/left/one more\tleft\n").expect("a file");
    assert!(refusal(&recipe, &resumed).contains("files or classes"));
}
