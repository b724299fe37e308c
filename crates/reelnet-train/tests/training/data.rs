//! Files that cannot be used are counted and told, and end a run when they are too many.

use std::fs;
use std::path::Path;

use reelnet_train::journal::{Record, SetName};
use reelnet_train::{Ending, TrainError};

use crate::made;

/// Replaces some clips of `train` by files that are none.
fn spoil(root: &Path, clips: std::ops::Range<usize>) {
    for clip in clips {
        let path = root.join("train/left").join(format!("clip {clip}"));
        fs::remove_dir_all(&path).expect("a clip");
        fs::write(&path, "no video").expect("a file");
    }
}

#[test]
fn a_few_bad_files_are_told_and_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 20);
    spoil(root, 0..2);
    let recipe = made::recipe(&["epochs=1", "batch.size=8", "batch.at_once=8"]);
    let (ending, records) = made::run(&recipe, &made::options(root, "run"));
    assert!(matches!(ending, Ok(Ending::Finished { .. })), "{ending:?}");
    let bad: Vec<&Record> = records.iter().filter(|record| matches!(record, Record::BadSample { .. })).collect();
    assert_eq!(bad.len(), 2, "{bad:?}");
    let clips: usize =
        records.iter().map(|record| if let Record::Step { clips, .. } = record { *clips } else { 0 }).sum();
    assert_eq!(clips, 38, "nothing stands in for what is bad");
    let journal = fs::read_to_string(root.join("run/journal.jsonl")).expect("a journal");
    assert_eq!(journal.matches("\"event\":\"bad_sample\"").count(), 2);
}

#[test]
fn many_bad_files_end_the_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 20);
    spoil(root, 0..20);
    let recipe = made::recipe(&["epochs=20", "batch.size=8", "batch.at_once=8", "validation.every_epochs=20"]);
    let (ending, _) = made::run(&recipe, &made::options(root, "run"));
    let error = ending.expect_err("half of the files are bad");
    assert!(matches!(error, TrainError::BadSamples { .. }), "{error}");
    assert!(error.to_string().contains("stop.bad_samples (0.2)"), "{error}");
}

#[test]
fn data_and_recipe_have_to_fit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 2);
    let refusal = |settings: &[&str]| {
        made::run(&made::recipe(settings), &made::options(root, "run")).0.expect_err("refused").to_string()
    };
    assert_eq!(
        refusal(&["network.classes=3"]),
        "the recipe's network has 3 classes, and the data 2; set network.classes to 2"
    );
    assert!(refusal(&["batch.size=64"]).contains("4 samples"));
    assert!(refusal(&["data.train.file=nowhere"]).contains("nowhere"));
    fs::remove_dir_all(root.join("validation/left/clip 1")).expect("a clip");
    assert!(refusal(&[]).contains("1 of 4 files are missing, such as `validation/left/clip 1`"));
    let found = made::run(&made::recipe(&["epochs=1", "data.max_missing=0.5"]), &made::options(root, "left out"));
    assert!(
        found.1.iter().any(|record| matches!(record, Record::Findings { set: SetName::Validation, .. })),
        "{found:?}"
    );
    fs::write(root.join("validation.txt"), "").expect("a list");
    assert!(refusal(&[]).contains("validation.txt"));
    fs::write(root.join("train.txt"), "train/left/clip 0\tleft\ntrain/left/clip 1\tleft\n").expect("a list");
    assert!(refusal(&[]).contains("1 of 2 classes have no samples, such as `right`"));
    assert!(!root.join("run").exists(), "a run that cannot begin leaves nothing");
}
