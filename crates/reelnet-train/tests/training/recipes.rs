//! Recipes: those of the project are good, and what is wrong with others is told.

use std::fs;
use std::path::{Path, PathBuf};

use reelnet_models::NetworkConfig;
use reelnet_train::journal::Record;
use reelnet_train::recipe::Start;
use reelnet_train::schedule::Schedule;
use reelnet_train::{Ending, Recipe};

use crate::made::{self, RECIPE};

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
    assert!(told.contains("learning_rate") && told.contains("line ") && told.ends_with("expected a number"), "{told}");
    let told = changed("size = 4", "size = -4");
    assert!(told.contains("[batch] size") && told.ends_with("expected a whole number from 0 on"), "{told}");
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

fn folder_of_recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

#[test]
fn every_recipe_of_the_project_is_good() {
    let found = configs(&folder_of_recipes());
    assert!(found.len() >= 22, "{found:?}");
    let readme = fs::read_to_string(folder_of_recipes().join("README.md")).expect("a list of recipes");
    for path in found {
        let recipe = Recipe::read(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
        let text = fs::read_to_string(&path).expect("a recipe");
        for word in ["#   data ", "#   command ", "#   expected ", "#   source "] {
            assert!(text.contains(word), "`{}` says no{}", path.display(), &word[3..]);
        }
        let name = path.strip_prefix(folder_of_recipes()).expect("a path in the folder").display().to_string();
        assert!(text.contains(&format!("configs/{name}")), "`{name}` has another recipe's command");
        assert!(readme.contains(&format!("`{name}`")), "`{name}` is missing in configs/README.md");
        assert!(recipe.clip.frames >= 1);
    }
}

/// What makes a recipe small: everything that costs time, and nothing that decides which code runs. Depths are real.
const SMALL: [(&str, &str); 21] = [
    ("batch.size", "2"),
    ("batch.at_once", "1"),
    ("epochs", "1"),
    ("network.classes", "2"),
    ("network.width", "0.1"),
    ("pixels.resize", "32"),
    ("pixels.crop", "32"),
    ("clip.frames", "4"),
    ("clip.frame_step", "1"),
    ("augment.crop.shorter_side", "72"),
    ("schedule.warmup_epochs", "0"),
    ("validation.every_epochs", "1"),
    ("validation.clips", "1"),
    ("checkpoint.every_steps", "100"),
    // Where the made data lie.
    ("data.train.path", "train"),
    ("data.validation.path", "val"),
    ("data.test.path", "val"),
    ("data.train.csv", "train.csv"),
    ("data.train.videos", "videos"),
    ("data.validation.csv", "validate.csv"),
    ("data.validation.videos", "videos"),
];

/// A recipe of the project at a small size.
fn small(path: &Path) -> Recipe {
    let whole: toml::Table = toml::from_str(&fs::read_to_string(path).expect("a recipe")).expect("TOML");
    let is_there = |key: &str| {
        let mut parts = key.split('.');
        let first = whole.get(parts.next().expect("a word"));
        parts.fold(first, |value, part| value?.get(part)).is_some()
    };
    let is_image = whole["clip"]["frames"].as_integer() == Some(1);
    let used = SMALL.iter().filter(|(key, _)| is_there(key) && !(is_image && *key == "clip.frames"));
    let mut settings: Vec<String> = used.map(|(key, value)| format!("{key}={value}")).collect();
    if !is_image {
        // Without γ that start at zero, 200 layers make infinities of statistics that come from a handful of numbers.
        settings.extend(["pixels.resize=64", "pixels.crop=64", "batch.at_once=2"].map(str::to_owned));
    }
    Recipe::read(path, &settings).unwrap_or_else(|error| panic!("{error}"))
}

/// Two samples of each of two classes, in both forms that recipes of the project take: class folders, and the official CSV of
/// Kinetics.
fn write_every_form(root: &Path) {
    fs::create_dir_all(root.join("videos")).expect("a folder");
    for (split, list) in [("train", "train.csv"), ("val", "validate.csv")] {
        let mut rows = "label,youtube_id,time_start,time_end,split\n".to_owned();
        for (class, name) in made::CLASSES.into_iter().enumerate() {
            fs::create_dir_all(root.join(split).join(name)).expect("a folder");
            for clip in 0..2 {
                let frames = root.join("frames").join(format!("{split}-{name}-{clip}"));
                made::write_clip(&frames, class, 5 * clip);
                let id = format!("{split}_{name}_{clip}");
                // A picture is a video of one frame, and what a file holds decides what it is, whatever its name says.
                for copy in [format!("{split}/{name}/{clip}.png"), format!("videos/{id}_000003_000013.mp4")] {
                    fs::copy(frames.join("000.png"), root.join(copy)).expect("a copy");
                }
                rows += &format!("{name},{id},3,13,{split}\n");
            }
        }
        fs::write(root.join(list), rows).expect("a list");
    }
}

/// Takes a recipe's two steps, validates, and writes the bundle; gives the losses.
fn two_steps(path: &Path, root: &Path) -> Vec<f64> {
    let recipe = small(path);
    let run = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut options = made::options(root, &run);
    if recipe.start == Start::Bundle {
        let bundle = root.join(format!("{run}, first"));
        made::write_bundle(&recipe, &bundle);
        options.start_from = Some(bundle);
    }
    let (ending, records) = made::run(&recipe, &options);
    assert!(matches!(ending, Ok(Ending::Finished { .. })), "`{}`: {ending:?}", path.display());
    records.iter().filter_map(|record| if let Record::Step { loss, .. } = record { *loss } else { None }).collect()
}

/// All recipes of a folder that holds some, trained for two steps each.
fn take_two_steps(folder: &str) {
    let data = tempfile::tempdir().expect("a temporary folder");
    write_every_form(data.path());
    let found = configs(&folder_of_recipes().join(folder));
    assert!(!found.is_empty());
    for path in found {
        let losses = two_steps(&path, data.path());
        assert_eq!(losses.len(), 2, "`{}`", path.display());
        // A network that knows nothing loses the logarithm of two; what random features and dropout make of it is near.
        assert!(losses.iter().all(|loss| (0.1..4.0).contains(loss)), "`{}`: {losses:?}", path.display());
    }
}

#[test]
fn every_recipe_of_images_takes_two_steps() {
    take_two_steps("imagenet");
}

#[test]
fn every_recipe_of_kinetics_takes_two_steps() {
    take_two_steps("kinetics-400");
}

#[test]
fn every_small_recipe_takes_two_steps() {
    let others = fs::read_dir(folder_of_recipes()).expect("recipes").map(|entry| entry.expect("an entry").file_name());
    for folder in others.filter_map(|name| name.into_string().ok()) {
        if !["imagenet", "kinetics-400", "README.md"].contains(&folder.as_str()) {
            take_two_steps(&folder);
        }
    }
}

/// Steps of an epoch of ImageNet (1,281,167 images) and of Kinetics-400 (215,570 videos, as the Model Garden counts them).
#[test]
fn the_recipes_have_the_published_schedules() {
    let schedule = |name: &str, samples: usize| {
        let recipe = Recipe::read(&folder_of_recipes().join(name), &[]).unwrap_or_else(|error| panic!("{error}"));
        Schedule::new(&recipe.schedule, recipe.batch.size, (samples / recipe.batch.size) as u64, recipe.epochs)
    };
    let near = |rate: f64, expected: f64| assert!((rate - expected).abs() < 1e-6, "{rate} is {expected}");

    // resnet_rs of tensorflow/models: 109,200 steps, 1,560 of warm-up to 1.6, a cosine that counts from the first step.
    let images = schedule("imagenet/resnet-rs-50-160.toml", 1_281_167);
    assert_eq!(images.steps(), 109_200);
    near(images.learning_rate(0), 0.0);
    near(images.learning_rate(1560), 1.599_194_4);
    near(images.learning_rate(109_199), 3.3e-10);
    near(images.learning_rate(109_200), 0.0);

    // imagenet_resnet50_tpu.yaml: 28,080 steps, 1.6 until 9,360, then a tenth, and again at 18,720 and 24,960.
    let plain = schedule("imagenet/resnet-50-224.toml", 1_281_167);
    assert_eq!(plain.steps(), 28_080);
    let rates = [780, 1560, 9359, 9360, 18_719, 18_720, 24_960, 28_079].map(|step| plain.learning_rate(step));
    for (rate, expected) in rates.into_iter().zip([0.8, 1.6, 1.6, 0.16, 0.16, 0.016, 0.0016, 0.0016]) {
        near(rate, expected);
    }

    // k400_resnet3drs_50_tpu.yaml: 1,050 steps of warm-up to 0.8; it says 73,682 steps where 350 epochs of 210 are 73,500.
    let clips = schedule("kinetics-400/resnet3d-rs-50.toml", 215_570);
    assert_eq!(clips.steps(), 73_500);
    near(clips.learning_rate(0), 0.0);
    near(clips.learning_rate(1050), 0.8 * 0.5 * (1.0 + (std::f64::consts::PI / 70.0).cos()));
    near(clips.learning_rate(73_500), 0.0);
}

#[test]
fn recipes_that_are_compared_differ_in_what_is_compared_alone() {
    let read = |name: &str| {
        let folder = folder_of_recipes().join("pen-gestures");
        Recipe::read(&folder.join(format!("resnet3d-rs-26-narrow{name}.toml")), &[])
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let main = read("");

    // The control cannot know which frame comes first: nothing but the mean over all of them joins them.
    let blind = read("-order-blind");
    let NetworkConfig::Resnet(network) = &blind.network else { panic!("it is a ResNet") };
    let time = network.temporal.expect("it is 3D");
    assert_eq!((time.stem_kernel, time.stem_stride), (1, 1));
    assert_eq!((time.stage_kernels, time.stage_strides), ([1; 4], [1; 4]));
    let seeing = Recipe { name: main.name.clone(), network: main.network.clone(), ..blind };
    assert_eq!(seeing, main);

    let fine = read("-from-digits");
    assert_eq!((main.start, fine.start), (Start::Fresh, Start::Bundle));
    let (name, validation) = (main.name.clone(), main.validation.clone());
    assert_eq!(Recipe { name, validation, start: main.start, epochs: main.epochs, ..fine }, main);
}
