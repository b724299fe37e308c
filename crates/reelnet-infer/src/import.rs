//! Other people's weight files become bundles.

use std::path::Path;

use burn::tensor::Device;
use reelnet_models::efficientnet::EfficientNetConfig;
use reelnet_models::weights::{
    LoadReport, Naming, StateDict, Strictness, WeightsError, WeightsErrorKind, load, rename,
};
use reelnet_models::{ConfigError, NetworkConfig, NetworkName, parameters, presets};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::bundle::Bundle;
use crate::labels::{Labels, hex};
use crate::manifest::{Manifest, Provenance};

/// A file that became no bundle.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The weights cannot be read, or are not the network's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// No network has these weights.
    #[error(
        "no network here has the {tensors} tensors of `{path}`; name the nearest with --network to see what differs \
         (`reelnet models` lists them)"
    )]
    Unrecognised {
        /// The file.
        path: String,
        /// How many tensors it holds.
        tensors: usize,
    },
    /// The labels are not as many as the classes.
    #[error("the weights have {classes} classes, and there are {labels} labels")]
    Labels {
        /// Of the weights.
        classes: usize,
        /// Given.
        labels: usize,
    },
}

/// What an import is to do.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The network; recognised from names and shapes if it is not given.
    pub network: Option<NetworkName>,
    /// Names of the classes; ImageNet's or Kinetics' by their number if they are not given.
    pub labels: Option<Labels>,
    /// Whether weights may be missing or left over.
    pub strictness: Strictness,
    /// Where the file came from, if not from the disk.
    pub source: Option<String>,
}

/// Reads a weight file in timm's, torchvision's or `efficientnet_pytorch`'s names, and makes a bundle of it.
///
/// # Errors
/// If the file cannot be read, or fits no network, or not the one that was named.
pub fn import(path: &Path, options: ImportOptions, device: &Device) -> Result<(Bundle, LoadReport), ImportError> {
    let weights = StateDict::read(path)?;
    let naming = Naming::of(&weights);
    let weights = rename(weights, naming);

    let classes = ["fc.bias", "classifier.bias"].iter().find_map(|name| weights.get(name)).map(|bias| bias.shape[0]);
    let name = match options.network {
        Some(name) => name,
        None => recognise(&weights)
            .ok_or_else(|| ImportError::Unrecognised { path: path.display().to_string(), tensors: weights.len() })?,
    };
    let mut config = name.config().clone();
    if let Some(classes) = classes {
        config = config.with_classes(classes);
    }
    // torchvision's EfficientNets pad symmetrically; only the weights' names tell.
    if let (Naming::TorchvisionEfficientnet, NetworkConfig::Efficientnet(efficientnet)) = (naming, &mut config) {
        *efficientnet = EfficientNetConfig::clone(efficientnet).torchvision();
    }

    let network = config.build(0, device)?;
    let (network, report) = load(network, weights, options.strictness)
        .map_err(|report| WeightsError { path: path.to_owned(), kind: WeightsErrorKind::Mismatch(report) })?;
    let labels = options.labels.unwrap_or_else(|| Labels::usual(config.classes()));
    if labels.len() != config.classes() {
        return Err(ImportError::Labels { classes: config.classes(), labels: labels.len() });
    }
    let bytes = std::fs::read(path).map_err(|error| WeightsError { path: path.to_owned(), kind: error.into() })?;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let provenance =
        Provenance { source: options.source.unwrap_or(file), sha256: Some(hex(&Sha256::digest(bytes))), licence: None };
    let manifest = Manifest::new(&name, config, &labels, provenance);
    Ok((Bundle { manifest, network, labels }, report))
}

/// The network whose parameters have these names and shapes, whatever the classifier's size.
fn recognise(weights: &StateDict) -> Option<NetworkName> {
    let shapes = |name: &str| weights.get(name).map(|tensor| without_time(&tensor.shape));
    presets::all().into_iter().map(|preset| preset.name).find(|name| {
        let Ok(network) = name.config().build(0, &Device::flex()) else { return false };
        let parameters = parameters::list(&network);
        let classifier = name.config().classifier();
        parameters.len() == weights.len()
            && parameters.iter().all(|parameter| {
                let wanted = without_time(&parameter.shape);
                shapes(&parameter.name).is_some_and(|shape| {
                    shape == wanted || (parameter.name.starts_with(classifier) && shape[1..] == wanted[1..])
                })
            })
    })
}

/// A pointwise or spatial kernel, whether or not it was stored with a time axis of 1.
fn without_time(shape: &[usize]) -> Vec<usize> {
    match *shape {
        [out, channels_in, 1, height, width] => vec![out, channels_in, height, width],
        _ => shape.to_vec(),
    }
}
