//! Recipes: those of the project are good, and what is wrong with others is told.

use std::fs;
use std::path::{Path, PathBuf};

use reelnet_train::Recipe;

use crate::made::RECIPE;

fn refusal(text: &str, settings: &[&str]) -> String {
    let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    Recipe::parse(text, &settings).expect_err("it is refused").to_string()
}

fn changed(old: &str, new: &str) -> String {
    assert!(RECIPE.contains(old), "{old}");
    refusal(&RECIPE.replacen(old, new, 1), &[])
}

#[test]
fn recipes_come_back_as_they_were_written() {
    let recipe = Recipe::parse(RECIPE, &[]).expect("a good recipe");
    assert_eq!(Recipe::parse(&recipe.to_text(), &[]).expect("what was written"), recipe);
}

#[test]
fn a_recipe_without_a_precision_is_of_32_bits() {
    let recipe = Recipe::parse(&RECIPE.replacen("precision = \"f32\"\n", "", 1), &[]).expect("it is optional");
    assert!(recipe.to_text().contains("precision = \"f32\""), "what is written is complete");
    assert_eq!(recipe, Recipe::parse(RECIPE, &[]).expect("a good recipe"));
    let told = changed("precision = \"f32\"", "precision = \"fp16\"");
    assert!(told.contains("precision") && told.contains("bf16"), "{told}");
}

#[test]
fn drop_block_is_a_table_that_need_not_be_there() {
    let plain = Recipe::parse(RECIPE, &[]).expect("a good recipe");
    assert!(!plain.to_text().contains("drop_block"), "older readers of a bundle would refuse it");
    let text = RECIPE.replacen("[clip]", "[network.drop_block]\nrate = 0.1\nsize = 7\n\n[clip]", 1);
    let with = Recipe::parse(&text, &["network.drop_block.rate=0.2".to_owned()]).expect("a good recipe");
    assert_ne!(with.network, plain.network);
    assert_eq!(Recipe::parse(&with.to_text(), &[]).expect("what was written"), with);
    assert!(refusal(&text.replacen("size = 7", "size = 0", 1), &[]).contains("drop_block.size"));
    assert!(refusal(&text.replacen("size = 7", "side = 7", 1), &[]).contains("did you mean `size`?"));
}

#[test]
fn unknown_keys_wrong_types_and_missing_keys_are_told() {
    let told = changed("momentum = 0.9", "momentun = 0.9");
    assert!(told.contains("momentun") && told.contains("did you mean `momentum`?"), "{told}");
    let told = changed("every_steps = 2", "every_step = 2");
    assert!(told.contains("[checkpoint]") && told.contains("did you mean `every_steps`?"), "{told}");
    let told = changed("learning_rate = 0.1", "learning_rate = \"fast\"");
    assert!(told.contains("learning_rate") && told.contains("line "), "{told}");
    assert!(changed("label_smoothing = 0.1", "").contains("label_smoothing"));
    assert!(changed("kind = \"sgd\"", "kind = \"sdg\"").contains("did you mean `sgd`?"));
    assert!(changed("[ema]", "[emma]").contains("did you mean `ema`?"));
    assert!(changed("[ema]", "[ema").contains("line "));
}

#[test]
fn numbers_that_mean_nothing_are_told() {
    for (old, new, key) in [
        ("format = 1", "format = 2", "format"),
        ("at_once = 2", "at_once = 3", "batch.at_once"),
        ("depth = 26", "depth = 27", "depth 27"),
        ("update_rate = 1.0", "update_rate = 1.5", "batch_norm.update_rate"),
        ("decay = 0.9999", "decay = 1.0", "ema.decay"),
        ("warmup_epochs = 0.5", "warmup_epochs = 2.0", "schedule.warmup_epochs"),
        ("learning_rate = 0.1", "learning_rate = nan", "schedule.learning_rate"),
        ("frames = 4", "frames = 0", "clip.frames"),
        ("crop = 16", "crop = 32", "pixels"),
        ("clip_norm = 5.0", "clip_norm = 0.0", "clip_norm"),
        ("start = \"fresh\"", "start = \"fresh\"\n[[groups]]\nprefix = \"layr\"\nrate = 0.1", "layr"),
    ] {
        let told = if new.contains("groups") {
            // A table after the last one.
            refusal(&format!("{RECIPE}\n[[groups]]\nprefix = \"layr\"\nrate = 0.1"), &[])
        } else {
            changed(old, new)
        };
        assert!(told.contains(key), "{new}: {told}");
    }
}

#[test]
fn settings_replace_what_is_there() {
    let set = |setting: &str| Recipe::parse(RECIPE, &[setting.to_owned()]).expect("a good setting");
    assert_eq!(set("batch.size=8").batch.size, 8);
    assert_eq!(set("schedule.learning_rate=1").schedule.learning_rate, 1.0);
    assert_eq!(set("name=other bars").name, "other bars");
    assert_eq!(set("network.temporal.stage_kernels=[1, 1, 1, 1]").network.temporal_stride(), 1);
    for (setting, expected) in [
        ("batch.sise=8", "did you mean `size`?"),
        ("batsh.size=8", "no table `batsh`"),
        ("batch.size=8.5", "`batch.size` is a whole number (4), and `8.5` is not"),
        ("batch.size=eight", "whole number"),
        ("optimizer.nesterov=1", "true or false"),
        ("batch=3", "a table"),
        ("batch.size", "KEY=VALUE"),
        ("batch.size=3", "batch.at_once"),
    ] {
        let told = refusal(RECIPE, &[setting]);
        assert!(told.contains(expected), "{setting}: {told}");
    }
}

/// Every recipe of the project.
fn configs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let recipes = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    recipes.chain(folders.iter().flat_map(|folder| configs(folder))).collect()
}

#[test]
fn every_recipe_of_the_project_is_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let found = configs(&folder);
    assert!(found.len() >= 17, "{found:?}");
    for path in found {
        let recipe = Recipe::read(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
        let text = fs::read_to_string(&path).expect("a recipe");
        for word in ["#   data ", "#   command ", "#   expected ", "#   source "] {
            assert!(text.contains(word), "`{}` says no{}", path.display(), &word[3..]);
        }
        assert!(recipe.clip.frames >= 1);
    }
}
