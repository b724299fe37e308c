//! Other people's names for the same weights.

use super::state_dict::StateDict;

/// Whose names a file uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// timm's, which are this project's.
    Timm,
    /// torchvision's EfficientNets: `features.1.0.block.0.0.weight`.
    TorchvisionEfficientnet,
    /// The `efficientnet_pytorch` and `efficientnet_lite_pytorch` packages': `_blocks.0._depthwise_conv.weight`.
    EfficientnetPytorch,
    /// pytorchvideo's ResNets: `blocks.1.res_blocks.0.branch2.conv_a.weight`.
    Pytorchvideo,
    /// mmaction2's: `backbone.layer1.0.conv1.conv.weight`.
    Mmaction,
}

impl Naming {
    /// Recognises a naming by names that only it has. torchvision's ResNets are named as timm's.
    pub fn of(weights: &StateDict) -> Self {
        let has = |part: &str| weights.iter().any(|(name, _)| name.starts_with(part));
        if has("_conv_stem.") {
            Self::EfficientnetPytorch
        } else if has("features.0.0.") {
            Self::TorchvisionEfficientnet
        } else if has("blocks.1.res_blocks.") {
            Self::Pytorchvideo
        } else if has("backbone.conv1.conv.") {
            Self::Mmaction
        } else {
            Self::Timm
        }
    }
}

/// Gives every tensor timm's name; what is not recognised keeps its own, and so turns up as unused when it is loaded.
pub fn rename(weights: StateDict, naming: Naming) -> StateDict {
    match naming {
        Naming::Timm => weights,
        Naming::EfficientnetPytorch => {
            let stages = stages(&weights);
            weights.into_iter().map(|(name, tensor)| (from_efficientnet_pytorch(&name, &stages), tensor)).collect()
        }
        Naming::TorchvisionEfficientnet => each(weights, from_torchvision),
        Naming::Pytorchvideo => each(weights, from_pytorchvideo),
        Naming::Mmaction => each(weights, from_mmaction),
    }
}

fn each(weights: StateDict, renamed: impl Fn(&str) -> Option<String>) -> StateDict {
    weights.into_iter().map(|(name, tensor)| (renamed(&name).unwrap_or(name), tensor)).collect()
}

/// That package numbers blocks through, timm by stage and block: a stage begins where a block's outputs change or, with
/// equal outputs, where its stride does; outputs alone tell B0's seven stages apart, since no two neighbours are equal.
fn stages(weights: &StateDict) -> Vec<(usize, usize)> {
    let outputs = (0..)
        .map_while(|block| weights.get(&format!("_blocks.{block}._project_conv.weight")))
        .map(|tensor| tensor.shape.first().copied());
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut previous = None;
    for channels in outputs {
        let place = match (places.last(), previous) {
            (Some(&(stage, block)), Some(same)) if same == channels => (stage, block + 1),
            (Some(&(stage, _)), _) => (stage + 1, 0),
            (None, _) => (0, 0),
        };
        places.push(place);
        previous = Some(channels);
    }
    places
}

fn from_efficientnet_pytorch(name: &str, stages: &[(usize, usize)]) -> String {
    let renamed = || {
        let (head, rest) = name.strip_prefix('_')?.split_once('.')?;
        if head != "blocks" {
            let head = match head {
                "conv_stem" => "conv_stem",
                "bn0" => "bn1",
                "conv_head" => "conv_head",
                "bn1" => "bn2",
                "fc" => "classifier",
                _ => return None,
            };
            return Some(format!("{head}.{rest}"));
        }
        let (block, rest) = rest.split_once('.')?;
        let (layer, kind) = rest.strip_prefix('_')?.split_once('.')?;
        let (stage, block) = *stages.get(block.parse::<usize>().ok()?)?;
        // Without expansion (the first stage) timm counts batch norms from 1 all the same.
        let layer = match (layer, stage == 0) {
            ("expand_conv", false) => "conv_pw",
            ("bn0", false) | ("bn1", true) => "bn1",
            ("depthwise_conv", _) => "conv_dw",
            ("bn1", false) | ("bn2", true) => "bn2",
            ("se_reduce", _) => "se.conv_reduce",
            ("se_expand", _) => "se.conv_expand",
            ("project_conv", true) => "conv_pw",
            ("project_conv", false) => "conv_pwl",
            ("bn2", false) => "bn3",
            _ => return None,
        };
        Some(format!("blocks.{stage}.{block}.{layer}.{kind}"))
    };
    renamed().unwrap_or_else(|| name.to_owned())
}

fn from_torchvision(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("classifier.1.") {
        return Some(format!("classifier.{rest}"));
    }
    let mut parts = name.strip_prefix("features.")?.splitn(3, '.');
    let (stage, block, rest) = (parts.next()?.parse::<usize>().ok()?, parts.next()?, parts.next()?);
    if let Some(layer) = match (stage, block) {
        (0, "0") => Some("conv_stem"),
        (0, "1") => Some("bn1"),
        (8, "0") => Some("conv_head"),
        (8, "1") => Some("bn2"),
        _ => None,
    } {
        return Some(format!("{layer}.{rest}"));
    }
    // `block.STEP.PLACE.weight`: each step is a convolution and a batch norm, or squeeze-and-excitation.
    let mut parts = rest.strip_prefix("block.")?.splitn(3, '.');
    let (step, place, kind) = (parts.next()?.parse::<usize>().ok()?, parts.next()?, parts.next()?);
    let expanded = stage > 1;
    let layer = match (step + usize::from(!expanded), place) {
        (0, "0") => "conv_pw",
        (0, "1") => "bn1",
        (1, "0") => "conv_dw",
        (1, "1") if expanded => "bn2",
        (1, "1") => "bn1",
        (2, "fc1") => "se.conv_reduce",
        (2, "fc2") => "se.conv_expand",
        (3, "0") if expanded => "conv_pwl",
        (3, "0") => "conv_pw",
        (3, "1") if expanded => "bn3",
        (3, "1") => "bn2",
        _ => return None,
    };
    Some(format!("blocks.{}.{block}.{layer}.{kind}", stage.checked_sub(1)?))
}

/// Stem, stages and head are one list of blocks there: 0, 1 to 4, and 5.
fn from_pytorchvideo(name: &str) -> Option<String> {
    let (stage, rest) = name.strip_prefix("blocks.")?.split_once('.')?;
    let (layer, kind) = match (stage, rest.split_once('.')?) {
        ("0", ("conv", kind)) => ("conv1".to_owned(), kind),
        ("0", ("norm", kind)) => ("bn1".to_owned(), kind),
        ("5", ("proj", kind)) => ("fc".to_owned(), kind),
        ("1" | "2" | "3" | "4", ("res_blocks", rest)) => {
            let (block, rest) = rest.split_once('.')?;
            let (layer, kind) = rest.rsplit_once('.')?;
            let layer = match layer {
                "branch1_conv" => "downsample.0",
                "branch1_norm" => "downsample.1",
                "branch2.conv_a" => "conv1",
                "branch2.norm_a" => "bn1",
                "branch2.conv_b" => "conv2",
                "branch2.norm_b" => "bn2",
                "branch2.conv_c" => "conv3",
                "branch2.norm_c" => "bn3",
                _ => return None,
            };
            (format!("layer{stage}.{block}.{layer}"), kind)
        }
        _ => return None,
    };
    Some(format!("{layer}.{kind}"))
}

/// A convolution and its batch norm are one module there: `conv2.conv` and `conv2.bn`.
fn from_mmaction(name: &str) -> Option<String> {
    if let Some(kind) = name.strip_prefix("cls_head.fc_cls.") {
        return Some(format!("fc.{kind}"));
    }
    let (module, kind) = name.strip_prefix("backbone.")?.rsplit_once('.')?;
    let (module, part) = module.rsplit_once('.')?;
    let (before, last) = module.rsplit_once('.').map_or(("", module), |(before, last)| (before, last));
    let layer = match (last, part) {
        ("downsample", "conv") => "downsample.0".to_owned(),
        ("downsample", "bn") => "downsample.1".to_owned(),
        ("conv1" | "conv2" | "conv3", "conv") => last.to_owned(),
        ("conv1" | "conv2" | "conv3", "bn") => last.replace("conv", "bn"),
        _ => return None,
    };
    let dot = if before.is_empty() { "" } else { "." };
    Some(format!("{before}{dot}{layer}.{kind}"))
}
