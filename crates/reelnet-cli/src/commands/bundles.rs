//! Bundles by path or name, and their labels.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use reelnet_infer::engine::Precision;
use reelnet_infer::{Bundle, Classifier, Labels, calibration};

use crate::args::PrecisionArg;
use crate::output::say;

/// Where `model pull` puts bundles, and `--model NAME` finds them.
pub(super) fn pulled_folder() -> Option<PathBuf> {
    dirs::data_dir().map(|folder| folder.join("reelnet").join("models"))
}

/// Opens a folder, or a pulled bundle of this name.
pub(super) fn open(model: &Path, device: &Device) -> anyhow::Result<Bundle> {
    Ok(Bundle::open(&located(model), device)?)
}

/// The same, or the bundle in the binary if none is named.
pub(super) fn open_or_default(model: Option<&Path>, device: &Device) -> anyhow::Result<Bundle> {
    model.map_or_else(|| Ok(Bundle::default_model(device)), |model| open(model, device))
}

/// A bundle on its device, ready to score in numbers of this kind.
pub(super) fn classifier(model: Option<&Path>, device: &Device, precision: PrecisionArg) -> anyhow::Result<Classifier> {
    with_precision(open_or_default(model, device)?, model, device, precision)
}

/// The same for a bundle that was opened, looking at crops of another size.
pub(super) fn sized_classifier(
    mut bundle: Bundle,
    model: Option<&Path>,
    device: &Device,
    precision: PrecisionArg,
    crop: u32,
) -> anyhow::Result<Classifier> {
    bundle.manifest.pixels.crop = crop;
    with_precision(bundle, model, device, precision)
}

/// Says what computed instead of what was asked for, and why, once something was scored. That there is no engine is told to who wants
/// to know everything.
pub(super) fn tell_shortfall(classifier: &Classifier, precision: PrecisionArg, verbose: bool) {
    if (verbose || precision != PrecisionArg::F32)
        && let Some(shortfall) = classifier.shortfall()
    {
        say(shortfall);
    }
}

fn with_precision(
    bundle: Bundle,
    model: Option<&Path>,
    device: &Device,
    precision: PrecisionArg,
) -> anyhow::Result<Classifier> {
    ensure!(
        precision == PrecisionArg::F32 || *device == Device::flex(),
        "--precision {} is for CPUs; a GPU computes in what its network is in",
        precision.name()
    );
    let precision = match (precision, model) {
        (PrecisionArg::F32, _) => Precision::F32,
        (PrecisionArg::Bf16, _) => Precision::Bf16,
        (PrecisionArg::Int8, Some(model)) => Precision::Int8(calibration::read(&located(model), &bundle)?),
        (PrecisionArg::Int8, None) => bail!(
            "the model in the binary is not calibrated; make a bundle that is with `reelnet model calibrate PATH… --out DIR`, and \
             name it with --model"
        ),
    };
    Ok(Classifier::with_precision(bundle, device.clone(), precision))
}

/// A folder as it is named, or where `model pull` put one of this name.
pub(super) fn located(model: &Path) -> PathBuf {
    let pulled = || pulled_folder().map(|folder| folder.join(model)).filter(|folder| folder.is_dir());
    if model.exists() || model.components().count() != 1 { None } else { pulled() }.unwrap_or_else(|| model.to_owned())
}

/// Labels from a file of one name a line.
pub(super) fn read_labels(path: &Path) -> anyhow::Result<Labels> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read the labels in `{}`", path.display()))?;
    let labels = Labels::lines(&text);
    ensure!(!labels.is_empty(), "`{}` holds no labels, expected one name a line", path.display());
    if let Some(line) = (0..labels.len()).find(|&class| labels.get(class) == Some("")) {
        anyhow::bail!("line {} of `{}` is empty, expected one name a line", line + 1, path.display());
    }
    Ok(labels)
}

/// The labels of a network of `classes`: a file's, or the usual ones of that number.
pub(super) fn labels_for(file: Option<&Path>, classes: usize) -> anyhow::Result<Labels> {
    let Some(file) = file else { return Ok(Labels::usual(classes)) };
    let labels = read_labels(file)?;
    ensure!(
        labels.len() == classes,
        "`{}` holds {} labels, and the network has {classes} classes",
        file.display(),
        labels.len()
    );
    Ok(labels)
}
