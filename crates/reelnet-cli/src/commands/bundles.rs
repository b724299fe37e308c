//! Bundles by path or name, and their labels.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use reelnet_infer::{Bundle, Labels};

/// Where `model pull` puts bundles, and `--model NAME` finds them.
pub(super) fn pulled_folder() -> Option<PathBuf> {
    dirs::data_dir().map(|folder| folder.join("reelnet").join("models"))
}

/// Opens a folder, or a pulled bundle of this name.
pub(super) fn open(model: &Path, device: &Device) -> anyhow::Result<Bundle> {
    if !model.exists()
        && model.components().count() == 1
        && let Some(pulled) = pulled_folder().map(|folder| folder.join(model)).filter(|folder| folder.is_dir())
    {
        return Ok(Bundle::open(&pulled, device)?);
    }
    Ok(Bundle::open(model, device)?)
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
