//! Small networks learn.

use reelnet_train::journal::{Record, SetName, WeightsOf};
use reelnet_train::{Ending, Recipe, RunOptions};

use crate::made;

/// What learns eight clips by heart.
const BY_HEART: [&str; 8] = [
    "epochs=40",
    "batch.size=8",
    "batch.at_once=8",
    "network.drop_path=0",
    "network.dropout=0",
    // Every batch is all there is: its statistics are what validation has to see.
    "batch_norm.update_rate=0.5",
    "ema.decay=0.9",
    "validation.every_epochs=40",
];

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
    let recipe = made::recipe(&[&BY_HEART[..], &[&precision, "data.validation.file=train.txt"]].concat());
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
fn the_trained_network_is_measured_once_with_what_nothing_was_chosen_by() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 4);
    // The test set holds three right clips and one whose class is wrong.
    let list = std::fs::read_to_string(root.join("train.txt")).expect("a list");
    let lines: Vec<&str> = list.lines().collect();
    let wrong = lines[3].replace("\tleft", "\tright");
    std::fs::write(root.join("test.txt"), [lines[0], lines[1], lines[7], &wrong].join("\n")).expect("a list");
    let text = made::RECIPE.replacen("[data]\n", "[data]\ntest = { format = \"list\", file = \"test.txt\" }\n", 1);
    let recipe = Recipe::parse(&text, &BY_HEART.map(str::to_owned)).expect("a good recipe");
    let options = made::options(root, "run");
    let (ending, records) = made::run(&recipe, &options);
    assert!(matches!(ending, Ok(Ending::Finished { .. })), "{ending:?}");
    let tests: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Test { step, weights, accuracy, .. } => Some((*step, *weights, accuracy.top1, accuracy.files)),
            _ => None,
        })
        .collect();
    assert_eq!(tests, [(40, WeightsOf::Ema, 3, 4)]);
    let confusions: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Confusion { set, classes, counts, .. } => Some((*set, classes.clone(), counts.mistakes())),
            _ => None,
        })
        .collect();
    assert_eq!(confusions, [(SetName::Test, vec!["left".to_owned(), "right".to_owned()], vec![(1, 0, 1)])]);
    let report = std::fs::read_to_string(root.join("run/report.html")).expect("a report");
    for part in [
        "<td>top-1 on the test set<td>0.7500",
        "title=\"right taken for left: 1 of 2\"",
        "<tr><td>right<td>left<td>1 of 2",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }

    // A run that goes on goes on with its test set.
    std::fs::write(root.join("test.txt"), lines[0]).expect("a list");
    let (changed, _) = made::run(&recipe, &RunOptions { resume: true, ..options });
    assert!(changed.expect_err("another test set").to_string().contains("the lists of files or classes"));
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
