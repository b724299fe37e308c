//! Small networks learn.

use reelnet_train::Ending;
use reelnet_train::journal::Record;

use crate::made;

#[test]
fn eight_clips_are_learned_by_heart_and_tagged_alike() {
    learns_by_heart("f32");
}

#[test]
fn eight_clips_are_learned_by_heart_in_bfloat16() {
    learns_by_heart("bf16");
}

fn learns_by_heart(precision: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 4);
    let precision = format!("precision={precision}");
    let recipe = made::recipe(&[
        &precision,
        "epochs=40",
        "batch.size=8",
        "batch.at_once=8",
        "network.drop_path=0",
        "network.dropout=0",
        // Every batch is all there is: its statistics are what validation has to see.
        "batch_norm.update_rate=0.5",
        "ema.decay=0.9",
        "validation.every_epochs=40",
        "data.validation.file=train.txt",
    ]);
    let (ending, records) = made::run(&recipe, &made::options(root, "run"));
    let Ok(Ending::Finished { bundle, accuracy }) = ending else { panic!("{ending:?}") };
    let losses: Vec<f64> =
        records.iter().filter_map(|record| if let Record::Step { loss, .. } = record { *loss } else { None }).collect();
    // Label smoothing leaves 0.1985 to a network that is as sure as it should be.
    assert!(losses[0] > 0.5 && losses[losses.len() - 1] < 0.3, "{losses:?}");
    let accuracy = accuracy.expect("it was measured");
    assert_eq!((accuracy.top1, accuracy.files), (8, 8), "{losses:?}");
    assert!(bundle.join("model.toml").is_file());
    let report = std::fs::read_to_string(root.join("run/report.html")).expect("a report");
    for part in ["<h1>bars</h1>", "<td>top-1 of the average<td>1.0000", "validation, network", "update_rate = 0.5"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let precision_told = format!("\"precision\":\"{}\"", recipe.precision);
    let journal = std::fs::read_to_string(root.join("run/journal.jsonl")).expect("a journal");
    assert!(journal.lines().next().is_some_and(|start| start.contains(&precision_told)), "{journal}");
    assert_eq!(report.matches("<svg").count(), 4);
}

#[test]
fn a_run_that_diverges_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 2);
    let recipe =
        made::recipe(&["epochs=300", "schedule.learning_rate=1000", "clip_norm=1e30", "validation.every_epochs=300"]);
    let (ending, records) = made::run(&recipe, &made::options(root, "run"));
    let told = ending.expect_err("it cannot go well").to_string();
    assert!(told.contains("not finite") || told.contains("diverges"), "{told}");
    assert!(matches!(records.last(), Some(Record::Stopped { .. })));
}
