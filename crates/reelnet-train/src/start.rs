//! What a run begins with: its data, and a network.

use std::path::Path;

use burn::tensor::Device;
use reelnet_infer::{Bundle, Provenance};
use reelnet_models::Network;
use reelnet_models::weights::{StateDict, Strictness, load};

use crate::augment::{AugmentError, Augmenter};
use crate::data::{DataSet, DataSets};
use crate::error::TrainError;
use crate::feed;
use crate::recipe::{Recipe, Start};

/// Data that fits the recipe.
pub(crate) struct Sets {
    pub(crate) sets: DataSets,
    pub(crate) steps_per_epoch: u64,
}

/// Opens the data, and checks that it fits.
pub(crate) fn data(recipe: &Recipe, root: &Path) -> Result<Sets, TrainError> {
    let sets = DataSet::open(&recipe.data, root)?;
    let (network, classes) = (recipe.network.classes(), sets.training.labels.len());
    if network != classes {
        return Err(TrainError::Classes { network, data: classes });
    }
    let (samples, batch) = (sets.training.samples.len(), recipe.batch.size);
    match feed::steps_per_epoch(samples, batch) {
        0 => Err(TrainError::FewSamples { samples, batch }),
        steps_per_epoch => Ok(Sets { sets, steps_per_epoch }),
    }
}

/// What changes the clips of this data.
pub(crate) fn augmenter(recipe: &Recipe, data: &DataSet) -> Result<Augmenter, AugmentError> {
    Augmenter::new(&recipe.augment, recipe.pixels.crop as usize)?.with_labels(&data.labels)
}

/// A network with its first weights.
pub(crate) fn network(recipe: &Recipe, from: Option<&Path>, device: &Device) -> Result<Network, TrainError> {
    let fresh = recipe.network.build(recipe.seed, device)?;
    match (recipe.start, from) {
        (Start::Fresh, None) => Ok(fresh),
        (Start::Fresh, Some(_)) => Err(TrainError::Start(
            "the recipe starts with fresh weights (start = \"fresh\"), and a bundle was named; set start = \"bundle\""
                .to_owned(),
        )),
        (Start::Bundle, None) => Err(TrainError::Start(
            "the recipe starts with the weights of a bundle (start = \"bundle\"); name it with --start-from".to_owned(),
        )),
        (Start::Bundle, Some(path)) => from_bundle(fresh, path),
    }
}

/// Where the weights of the trained bundle come from.
pub(crate) fn provenance(recipe: &Recipe, from: Option<&Path>) -> Provenance {
    let first = from.map_or_else(|| format!("seed {}", recipe.seed), |path| format!("from `{}`", path.display()));
    let source = format!("trained by reelnet {}, recipe `{}`, {first}", env!("CARGO_PKG_VERSION"), recipe.name);
    Provenance { source, sha256: None, licence: None }
}

/// Takes a bundle's weights; a classifier of another size stays as it was drawn.
fn from_bundle(fresh: Network, path: &Path) -> Result<Network, TrainError> {
    let bundle = Bundle::open(path, &Device::flex())?;
    let classifier = fresh.config().classifier();
    let (network, report) = load(fresh, StateDict::of(&bundle.network), Strictness::Partial)
        .map_err(|report| TrainError::Start(format!("`{}`: {report}", path.display())))?;
    let is_classifier = |name: &str| name.strip_prefix(classifier).is_some_and(|rest| rest.starts_with('.'));
    let other = report.mismatched.iter().map(|tensor| &tensor.name).chain(&report.missing).chain(&report.unused);
    let strangers: Vec<&String> = other.filter(|name| !is_classifier(name)).collect();
    if !strangers.is_empty() || !report.not_finite.is_empty() {
        return Err(TrainError::Start(format!(
            "`{}` holds another network than the recipe's: {report}; only the classifier may differ",
            path.display()
        )));
    }
    Ok(network)
}
