//! Clips of a bar that moves left or right, a recipe that fits them, and runs.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use reelnet_clips::CancelToken;
use reelnet_infer::{Bundle, Labels, Manifest, Provenance};
use reelnet_train::journal::Record;
use reelnet_train::{Ending, Recipe, RunOptions, TrainError, train};

pub(crate) const SIDE: usize = 16;
pub(crate) const FRAMES: usize = 4;
pub(crate) const CLASSES: [&str; 2] = ["left", "right"];

/// A complete recipe: four samples a step, one step after the other until somebody says otherwise.
pub(crate) const RECIPE: &str = r#"
format = 1
name = "bars"
seed = 5
epochs = 2
start = "fresh"
precision = "f32"
clip_norm = 5.0

[batch]
size = 4
at_once = 2

[network]
family = "resnet"
depth = 26
classes = 2
width = 0.1
stem = "deep"
stem_pool = "conv"
shortcut = "average-pool"
se_ratio = 0.25
drop_path = 0.1
drop_path_rule = "per-group"
dropout = 0.1

[network.temporal]
stem_kernel = 3
stem_stride = 1
stage_kernels = [3, 1, 1, 1]
stage_strides = [1, 1, 1, 1]

[clip]
frames = 4
frame_step = 1

[pixels]
resize = 16
crop = 16
interpolation = "bilinear"
mean = [127.0, 127.0, 127.0]
deviation = [127.0, 127.0, 127.0]

[data]
train = { format = "list", file = "train.txt" }
validation = { format = "list", file = "validation.txt" }
labels = "labels.txt"
max_missing = 0.0

[augment]
interpolation = "bilinear"
crop = { kind = "whole" }

[mixing]
label_smoothing = 0.1

[optimizer]
kind = "sgd"
momentum = 0.9
nesterov = true

[schedule]
learning_rate = 0.1
for_batch = 4
warmup_epochs = 0.5
decay = { kind = "cosine" }

[weight_decay]
rate = 4e-5
on = "all-but-batch-norm"

[batch_norm]
update_rate = 1.0

[ema]
decay = 0.9999

[validation]
every_epochs = 1.0
clips = 1

[checkpoint]
every_steps = 2
keep = 2

[stop]
bad_samples = 0.2
divergence = 3.0
"#;

/// A folder of frames, which is a video: a bright bar that starts at `start` and moves a class's way.
pub(crate) fn write_clip(folder: &Path, class: usize, start: usize) {
    fs::create_dir_all(folder).expect("a folder");
    for frame in 0..FRAMES {
        let moved = 3 * frame;
        let at = if class == 0 { (start + 4 * SIDE - moved) % SIDE } else { (start + moved) % SIDE };
        let byte = |column: usize| if (column + SIDE - at) % SIDE < 3 { 255 } else { u8::try_from(start).unwrap_or(0) };
        let row: Vec<u8> = (0..SIDE).map(byte).collect();
        let file = fs::File::create(folder.join(format!("{frame:03}.png"))).expect("a file");
        let side = u32::try_from(SIDE).expect("a small number");
        let mut encoder = png::Encoder::new(file, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&row.repeat(SIDE))).expect("a picture");
    }
}

/// `train.txt` with so many clips a class, and `validation.txt` with two. Lists, because a folder of frames is one sample here.
pub(crate) fn write_data(root: &Path, clips: usize) {
    fs::write(root.join("labels.txt"), CLASSES.join("\n")).expect("a file");
    for (split, count) in [("train", clips), ("validation", 2)] {
        let mut list = String::new();
        for (class, name) in CLASSES.iter().enumerate() {
            for clip in 0..count {
                let start = (clip * 5 + usize::from(split == "validation")) % SIDE;
                let path = format!("{split}/{name}/clip {clip}");
                write_clip(&root.join(&path), class, start);
                list += &format!("{path}\t{name}\n");
            }
        }
        fs::write(root.join(format!("{split}.txt")), list).expect("a file");
    }
}

pub(crate) fn recipe(settings: &[&str]) -> Recipe {
    let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    Recipe::parse(RECIPE, &settings).expect("a good recipe")
}

pub(crate) fn options(root: &Path, run: &str) -> RunOptions {
    RunOptions {
        data_root: root.to_owned(),
        run_folder: root.join(run),
        start_from: None,
        resume: false,
        threads: 1,
        workers: 1,
        recompute: false,
        device: Device::flex(),
        cancel: CancelToken::new(),
    }
}

/// Trains, and gives what was told.
pub(crate) fn run(recipe: &Recipe, options: &RunOptions) -> (Result<Ending, TrainError>, Vec<Record>) {
    let mut records = Vec::new();
    let ending = train(recipe, options, &mut |record| records.push(record.clone()));
    (ending, records)
}

/// The tensors of the last checkpoint, byte for byte.
pub(crate) fn last_tensors(run_folder: &Path) -> Vec<u8> {
    let mut checkpoints: Vec<PathBuf> = fs::read_dir(run_folder.join("checkpoints"))
        .expect("checkpoints")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    checkpoints.sort();
    fs::read(checkpoints.last().expect("a checkpoint").join("tensors.safetensors")).expect("its tensors")
}

/// A bundle with fresh weights of the recipe's network, for a recipe that starts with one.
pub(crate) fn write_bundle(recipe: &Recipe, path: &Path) {
    let labels = Labels::numbered(recipe.network.classes());
    let looks = (recipe.clip, recipe.pixels.clone());
    let manifest =
        Manifest::described("fresh".to_owned(), recipe.network.clone(), &labels, looks, Provenance::default());
    let network = recipe.network.build(1, &Device::flex()).expect("a good network");
    Bundle { manifest, network, labels }.write(path).expect("a bundle");
}
