//! Other people's weight files become bundles.

use std::path::Path;

use burn::tensor::Device;
use reelnet_models::efficientnet::EfficientNetConfig;
use reelnet_models::weights::{
    LoadReport, Naming, StateDict, Strictness, WeightsError, WeightsErrorKind, load, rename,
};
use reelnet_models::{ConfigError, NetworkConfig, NetworkName, parameters, presets};
use thiserror::Error;

use crate::bundle::Bundle;
use crate::hub::sha256;
use crate::labels::Labels;
use crate::manifest::{ClipSettings, Manifest, Provenance};

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
    /// Not one tensor is the network's.
    #[error("not one tensor of `{path}` is of {network}; leave out --network to have it recognised")]
    NothingFits {
        /// The file.
        path: String,
        /// The network.
        network: String,
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
    /// The key that the weights stand under, where a file holds several sets.
    pub key: Option<String>,
    /// The clip that the weights were trained on; the network's usual one if it is not given.
    pub clip: Option<ClipSettings>,
    /// Where the file came from, if not from the disk.
    pub source: Option<String>,
}

/// What an import gave.
#[derive(Debug)]
pub struct Imported {
    /// The bundle.
    pub bundle: Bundle,
    /// What fitted and what did not.
    pub report: LoadReport,
    /// The file could as well be timm's own EfficientNet, whose weights look alike and are padded symmetrically.
    pub ambiguous: bool,
}

/// Reads a weight file in timm's, torchvision's, `efficientnet_pytorch`'s, pytorchvideo's or mmaction2's names, and makes a bundle
/// of it.
///
/// # Errors
/// If the file cannot be read, or fits no network, or not the one that was named.
pub fn import(path: &Path, options: ImportOptions, device: &Device) -> Result<Imported, ImportError> {
    let weights = StateDict::read_under(path, options.key.as_deref())?;
    let naming = Naming::of(&weights);
    let weights = rename(weights, naming);

    let bias = ["fc.bias", "classifier.bias"].iter().find_map(|name| weights.get(name));
    let classes = bias.and_then(|bias| bias.shape.first().copied());
    let recognised = options.network.is_none();
    let name = match options.network {
        Some(name) => name,
        None => recognise(&weights)
            .ok_or_else(|| ImportError::Unrecognised { path: path.display().to_string(), tensors: weights.len() })?,
    };
    let mut config = name.config().clone();
    if let Some(classes) = classes {
        config = config.with_classes(classes);
    }
    // What only the weights' names tell: torchvision's EfficientNets pad symmetrically, mmaction2's heads average all at once.
    match (naming, &mut config) {
        (Naming::TorchvisionEfficientnet, NetworkConfig::Efficientnet(efficientnet)) => {
            *efficientnet = EfficientNetConfig::clone(efficientnet).torchvision();
        }
        (Naming::Mmaction, NetworkConfig::Resnet(resnet)) => resnet.head_window = None,
        _ => {}
    }

    let network = config.build(0, device)?;
    let (network, report) = load(network, weights, options.strictness)
        .map_err(|report| WeightsError { path: path.to_owned(), kind: WeightsErrorKind::Mismatch(report) })?;
    let labels = options.labels.unwrap_or_else(|| Labels::usual(config.classes()));
    if labels.len() != config.classes() {
        return Err(ImportError::Labels { classes: config.classes(), labels: labels.len() });
    }
    if report.loaded.is_empty() {
        return Err(ImportError::NothingFits { path: path.display().to_string(), network: name.to_string() });
    }
    let sha256 = sha256(path).map_err(|error| WeightsError { path: path.to_owned(), kind: error.into() })?;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let provenance = Provenance { source: options.source.unwrap_or(file), sha256: Some(sha256), licence: None };
    let mut manifest = Manifest::new(&name, config, &labels, provenance);
    if naming == Naming::Mmaction {
        manifest.pixels = manifest.pixels.with_imagenets_range();
    }
    if let Some(clip) = options.clip {
        manifest.clip = clip;
    }
    let ambiguous = recognised && naming == Naming::Timm && matches!(manifest.network, NetworkConfig::Efficientnet(_));
    Ok(Imported { bundle: Bundle { manifest, network, labels }, report, ambiguous })
}

/// The network whose parameters have these names and shapes, whatever the classifier's size.
fn recognise(weights: &StateDict) -> Option<NetworkName> {
    let shapes = |name: &str| weights.get(name).map(|tensor| without_time(&tensor.shape));
    // Names without their sizes: the weights do not say which they were trained at, so the usual one is taken.
    let names = presets::all().into_iter().filter_map(|preset| preset.name.network().parse::<NetworkName>().ok());
    names.into_iter().find(|name| {
        let Ok(network) = name.config().build(0, &Device::flex()) else { return false };
        let parameters = parameters::list(&network);
        let classifier = name.config().classifier();
        parameters.len() == weights.len()
            && parameters.iter().all(|parameter| {
                let wanted = without_time(&parameter.shape);
                shapes(&parameter.name).is_some_and(|shape| {
                    shape == wanted || (parameter.name.starts_with(classifier) && shape.get(1..) == wanted.get(1..))
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
