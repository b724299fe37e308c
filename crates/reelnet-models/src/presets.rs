//! The published networks: what they are called, what they take, how they were trained, and what they reached.

use serde::Serialize;

use crate::efficientnet::VARIANTS;
use crate::names::NetworkName;

/// A row of ResNet-RS's table: one network at one resolution, with the numbers of its recipe.
#[derive(Clone, Copy, Debug)]
pub struct ResNetRsPreset {
    /// Depth.
    pub depth: usize,
    /// Side of the image in pixels, in training and evaluation.
    pub size: usize,
    /// Rate of dropout before the classifier.
    pub dropout: f64,
    /// Rate of stochastic depth.
    pub drop_path: f64,
    /// RandAugment's magnitude, at 2 layers.
    pub magnitude: u32,
    /// ImageNet top-1, in percent.
    pub top1: f64,
}

const fn row(depth: usize, size: usize, dropout: f64, drop_path: f64, magnitude: u32, top1: f64) -> ResNetRsPreset {
    ResNetRsPreset { depth, size, dropout, drop_path, magnitude, top1 }
}

/// The eleven published ResNet-RS: recipe numbers from the configs and accuracies from the README of `tensorflow/tpu`'s
/// `resnet_rs`. Common to all: weight decay 4e-5, label smoothing 0.1, EMA 0.9999, batch 4096, learning rate 1.6, 350 epochs.
pub const RESNET_RS: [ResNetRsPreset; 11] = [
    row(50, 160, 0.25, 0.0, 10, 78.8),
    row(101, 160, 0.25, 0.0, 10, 80.3),
    row(101, 192, 0.25, 0.0, 15, 81.2),
    row(152, 192, 0.25, 0.0, 15, 82.0),
    row(152, 224, 0.25, 0.0, 15, 82.2),
    row(152, 256, 0.25, 0.0, 15, 83.0),
    row(200, 256, 0.25, 0.1, 15, 83.4),
    row(270, 256, 0.25, 0.1, 15, 83.8),
    row(350, 256, 0.25, 0.1, 15, 84.0),
    row(350, 320, 0.40, 0.1, 15, 84.2),
    row(420, 320, 0.40, 0.1, 15, 84.4),
];

/// 3D ResNet-RS on Kinetics-400: depth and top-1 in percent over 30 views of 32 frames with a step of 2.
const RESNET_3D_RS: [(usize, f64); 4] = [(50, 78.2), (101, 79.5), (152, 79.9), (200, 80.4)];

/// `SlowOnly` on Kinetics-400: depth, top-1 in percent over 30 views of 8 frames with a step of 8, and who measured it.
const SLOW: [(usize, f64, &str); 2] = [
    (50, 74.58, "pytorchvideo MODEL_ZOO (arXiv 1812.03982)"),
    (101, 76.59, "mmaction2 slowonly README, with its own head (arXiv 1812.03982)"),
];

/// An accuracy somebody published.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Published {
    /// Top-1 in percent.
    pub top1: f64,
    /// What it was measured on.
    pub dataset: &'static str,
    /// Who says so.
    pub source: &'static str,
}

/// A network that can be asked for by name, at its usual input.
#[derive(Clone, Debug)]
pub struct Preset {
    /// As in `resnet-rs-152@256`.
    pub name: NetworkName,
    /// What it reached, if anybody published it.
    pub published: Option<Published>,
    /// RandAugment's magnitude in the published recipe, at 2 layers.
    pub magnitude: Option<u32>,
}

/// Every network that has a name of its own: the published ones first, then those of the studies.
pub fn all() -> Vec<Preset> {
    let mut presets = Vec::new();
    for preset in RESNET_RS {
        presets.push(Preset {
            name: name(&format!("resnet-rs-{}@{}", preset.depth, preset.size)),
            published: Some(Published {
                top1: preset.top1,
                dataset: "ImageNet-1k",
                source: "tensorflow/tpu resnet_rs README (arXiv 2103.07579)",
            }),
            magnitude: Some(preset.magnitude),
        });
    }
    for row in VARIANTS {
        presets.push(Preset {
            name: name(&format!("efficientnet-{}@{}", row.name, row.size)),
            published: Some(Published {
                top1: row.top1,
                dataset: "ImageNet-1k",
                source: "tensorflow/tpu efficientnet README (arXiv 1905.11946)",
            }),
            magnitude: None,
        });
    }
    for (depth, top1) in RESNET_3D_RS {
        presets.push(Preset {
            name: name(&format!("resnet3d-rs-{depth}@224")),
            published: Some(Published {
                top1,
                dataset: "Kinetics-400, 30 views of 32 frames at 256",
                source: "tensorflow/models MODEL_GARDEN (arXiv 2109.01696)",
            }),
            magnitude: None,
        });
    }
    for (depth, top1, source) in SLOW {
        presets.push(Preset {
            name: name(&format!("slow-r{depth}@256")),
            published: Some(Published { top1, dataset: "Kinetics-400, 30 views of 8 frames at 256", source }),
            magnitude: None,
        });
    }
    // Names that nobody published an accuracy for, or for other weights than these recipes.
    let unpublished = ["resnet3d-rs-270", "resnet3d-rs-300", "resnet3d-rs-350"]
        .into_iter()
        .map(str::to_owned)
        .chain([26, 50, 101, 152, 200, 270, 300, 350, 400, 420].map(|depth| format!("resnet3d-rs-{depth}-inflated")))
        .chain([26, 300, 400].map(|depth| format!("resnet-rs-{depth}")))
        .chain(
            ["resnet-50", "resnet-50-d", "resnet-50-se", "resnet-50-d-se", "resnet-101", "resnet-152"]
                .map(str::to_owned),
        )
        .chain(
            ["resnet-200", "resnet-200-d", "resnet-200-se", "resnet-200-d-se", "resnet3d-50-inflated"]
                .map(str::to_owned),
        );
    presets.extend(unpublished.map(|text| {
        let plain = name(&text);
        Preset { name: name(&format!("{text}@{}", plain.size())), published: None, magnitude: None }
    }));
    presets
}

fn name(text: &str) -> NetworkName {
    text.parse().expect("the tables hold names that parse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_rows_as_published() {
        assert_eq!(RESNET_RS.len(), 11);
        assert!(RESNET_RS.windows(2).all(|pair| pair[0].top1 < pair[1].top1));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<String> = all().iter().map(|preset| preset.name.to_string()).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
