//! Which parameters decay, and how fast each of them learns.

use std::collections::{BTreeMap, BTreeSet};

use reelnet_models::Network;
use reelnet_models::parameters::{self, ParameterInfo};
use serde::{Deserialize, Serialize};

/// Weight decay, as a recipe says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightDecayConfig {
    /// How strong; 4e-5 in the papers.
    pub rate: f64,
    /// What decays.
    pub on: Decaying,
}

/// What decays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decaying {
    /// All but batch norm: ResNet-RS as released. Biases of squeeze-and-excitation and of the classifier do decay.
    AllButBatchNorm,
    /// Kernels alone: no biases, no batch norm, no self-gating; the Model Garden's video networks.
    Kernels,
    /// Everything.
    Everything,
}

/// Parameters that learn at a rate of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// What their names begin with, such as `layer1.`; if several groups fit, the last one counts.
    pub prefix: String,
    /// Multiplies the learning rate; 0 freezes them.
    pub rate: f64,
}

/// How one parameter is treated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// Multiplies the learning rate.
    pub rate: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

/// How each parameter of a network is treated.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups(BTreeMap<String, Group>);

impl Groups {
    /// The groups of a network's parameters.
    pub fn new(decay: &WeightDecayConfig, groups: &[GroupConfig], network: &Network) -> Self {
        let list = parameters::list(network);
        // Only batch norm has running statistics.
        let norms: BTreeSet<&str> = list.iter().filter_map(|info| info.name.strip_suffix(".running_mean")).collect();
        let group = |info: &ParameterInfo| {
            let rate =
                groups.iter().rev().find(|group| info.name.starts_with(&group.prefix)).map_or(1.0, |group| group.rate);
            let (layer, role) = info.name.rsplit_once('.').unwrap_or(("", &info.name));
            let decays = match decay.on {
                Decaying::Everything => true,
                Decaying::AllButBatchNorm => !norms.contains(layer),
                Decaying::Kernels => !norms.contains(layer) && role == "weight" && !layer.ends_with(".gate.conv"),
            };
            Group { rate, weight_decay: if decays { decay.rate } else { 0.0 } }
        };
        let trainable = list.iter().filter(|info| !info.is_statistic());
        Self(trainable.map(|info| (info.name.clone(), group(info))).collect())
    }

    /// How a parameter is treated.
    ///
    /// # Panics
    /// If the network has no parameter of this name.
    pub fn of(&self, name: &str) -> Group {
        self.0[name]
    }

    /// The prefixes that no parameter begins with.
    pub(crate) fn strangers<'config>(groups: &'config [GroupConfig], network: &Network) -> Vec<&'config str> {
        let list = parameters::list(network);
        let known = |prefix: &str| list.iter().any(|info| info.name.starts_with(prefix));
        groups.iter().map(|group| group.prefix.as_str()).filter(|prefix| !known(prefix)).collect()
    }

    /// How many numbers decay.
    pub fn decaying(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, group)| group.weight_decay != 0.0).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use reelnet_models::NetworkName;

    use super::*;

    fn network(name: &str) -> Network {
        let name: NetworkName = name.parse().expect("a good name");
        name.config().build(0, &Device::flex()).expect("a good config")
    }

    fn decaying(name: &str, on: Decaying) -> Vec<String> {
        let groups = Groups::new(&WeightDecayConfig { rate: 4e-5, on }, &[], &network(name));
        groups.decaying().map(str::to_owned).collect()
    }

    #[test]
    fn the_released_exclusions() {
        // ResNet-RS-50: 4 stem convolutions, 16 blocks of 3 convolutions and 4 tensors of squeeze-and-excitation, 4 shortcuts,
        // and the classifier's 2.
        let all = decaying("resnet-rs-50", Decaying::AllButBatchNorm);
        assert_eq!(all.len(), 4 + 16 * (3 + 4) + 4 + 2);
        assert!(all.contains(&"layer1.0.se.fc1.bias".to_owned()) && all.contains(&"fc.bias".to_owned()));
        assert!(!all.iter().any(|name| name.contains("bn") || name == "conv1.1.weight" || name == "maxpool.1.bias"));
        let kernels = decaying("resnet-rs-50", Decaying::Kernels);
        assert_eq!(kernels.len(), 4 + 16 * (3 + 2) + 4 + 1);
        assert!(kernels.iter().all(|name| name.ends_with(".weight")));
        assert_eq!(decaying("resnet-rs-50", Decaying::Everything).len(), 234);
    }

    #[test]
    fn self_gating_is_no_kernel() {
        let kernels = decaying("resnet3d-rs-50", Decaying::Kernels);
        assert!(!kernels.iter().any(|name| name.contains("gate")));
        let all = decaying("resnet3d-rs-50", Decaying::AllButBatchNorm);
        assert_eq!(all.iter().filter(|name| name.contains("gate")).count(), 8);
    }

    #[test]
    fn the_last_group_that_fits_counts() {
        let group = |prefix: &str, rate| GroupConfig { prefix: prefix.to_owned(), rate };
        let configs = [group("layer", 0.1), group("layer4.", 0.5), group("layr", 0.0)];
        let network = network("resnet-rs-50");
        let groups = Groups::new(&WeightDecayConfig { rate: 0.0, on: Decaying::Everything }, &configs, &network);
        let rates =
            ["conv1.0.weight", "layer1.0.conv1.weight", "layer4.0.conv1.weight"].map(|name| groups.of(name).rate);
        assert_eq!(rates, [1.0, 0.1, 0.5]);
        assert_eq!(Groups::strangers(&configs, &network), ["layr"]);
    }
}
