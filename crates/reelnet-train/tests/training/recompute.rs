//! What is computed again on the way back is what would have been kept.

use reelnet_models::NetworkName;
use reelnet_train::journal::Record;
use reelnet_train::{Ending, Recipe, RunOptions};

use crate::made;

/// Below 1, so that statistics that are moved twice are others.
const UPDATE_RATE: &str = "batch_norm.update_rate=0.3";

#[test]
fn clips_train_the_same_bit_for_bit() {
    // Stochastic depth, dropout, and two parts a step are the recipe's.
    is_the_same(&made::recipe(&[UPDATE_RATE]));
}

#[test]
fn clips_train_the_same_in_bfloat16() {
    is_the_same(&made::recipe(&[UPDATE_RATE, "precision=bf16"]));
}

#[test]
fn images_train_the_same_bit_for_bit() {
    let mut recipe = made::recipe(&[UPDATE_RATE, "clip.frames=1", "epochs=1"]);
    let name: NetworkName = "efficientnet-b0".parse().expect("a good name");
    recipe.network = name.config().clone().with_classes(made::CLASSES.len());
    is_the_same(&recipe);
}

/// Losses, and the last checkpoint with its statistics and averages.
fn is_the_same(recipe: &Recipe) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 8);
    let losses = [("kept", false), ("again", true)].map(|(run, recompute)| {
        let (ending, records) = made::run(recipe, &RunOptions { recompute, ..made::options(root, run) });
        assert!(matches!(ending, Ok(Ending::Finished { .. })), "{ending:?}");
        let loss = |record: &Record| if let Record::Step { loss, .. } = record { *loss } else { None };
        records.iter().filter_map(loss).map(f64::to_bits).collect::<Vec<_>>()
    });
    assert!(losses[0].len() >= 4 && losses[0] == losses[1], "{losses:?}");
    assert!(
        made::last_tensors(&root.join("kept")) == made::last_tensors(&root.join("again")),
        "the weights are others"
    );
}
