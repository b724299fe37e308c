//! Networks by name: `resnet-rs-152@256`, `resnet3d-rs-50-inflated`, `efficientnet-lite0`.

use std::fmt;
use std::str::FromStr;

use crate::efficientnet::{EfficientNetConfig, VARIANTS};
use crate::error::ConfigError;
use crate::network::NetworkConfig;
use crate::presets::RESNET_RS;
use crate::resnet::{BLOCKS, ModelGardenConfig, ResNetConfig, Temporal};

/// Frames of a 3D ResNet-RS's clip, and the step between them, in the published Kinetics recipe.
const VIDEO_CLIP: (usize, usize) = (32, 2);
/// The same of the slow networks.
const SLOW_CLIP: (usize, usize) = (8, 8);
/// Depths of plain ResNets.
const PLAIN_DEPTHS: [usize; 4] = [50, 101, 152, 200];
/// Largest side of an image, in pixels.
const MAX_SIZE: usize = 4096;
/// How the names of `SlowOnly` networks begin: pytorchvideo's own, `slow_r50`.
const SLOW: &str = "slow-r";
/// Classes of Kinetics-400.
const KINETICS_CLASSES: usize = 400;

/// A parsed name: a network, and the input it is used at.
///
/// | pattern | network |
/// |---|---|
/// | `resnet-rs-DEPTH` | 2D ResNet-RS |
/// | `resnet-DEPTH[-d][-se]` | the plain ResNet, with ResNet-D's stem and shortcuts, with squeeze-and-excitation |
/// | `resnet3d-rs-DEPTH` | 3D ResNet-RS of the Model Garden |
/// | `resnet3d-rs-DEPTH-inflated`, `resnet3d-DEPTH[-d][-se]-inflated` | the 2D network inflated |
/// | `slow-rDEPTH` | `SlowOnly`: the plain ResNet with temporal kernels in its last two stages |
/// | `efficientnet-b0` … `b7`, `efficientnet-lite0` | as released; `-symmetric` for timm's own padding and batch norm |
///
/// `@SIZE` sets the side of the image in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkName {
    network: String,
    config: NetworkConfig,
    size: usize,
}

impl NetworkName {
    /// The name without its size.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// What to build.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Side of the image, in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Frames of a clip: 1 for an image network.
    pub fn frames(&self) -> usize {
        self.clip().0
    }

    /// Step between the frames of a clip, in frames of the video.
    pub fn frame_step(&self) -> usize {
        self.clip().1
    }

    fn clip(&self) -> (usize, usize) {
        match (self.config.is_image(), self.is_slow()) {
            (true, _) => (1, 1),
            (false, true) => SLOW_CLIP,
            (false, false) => VIDEO_CLIP,
        }
    }

    /// Whether it is one of the slow networks, which have a clip and pixels of their own.
    pub fn is_slow(&self) -> bool {
        self.network.starts_with(SLOW)
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.network, self.size)
    }
}

impl FromStr for NetworkName {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let unknown = || ConfigError::Name { name: text.to_owned(), suggestion: nearest(text) };
        let (network, size) = match text.split_once('@') {
            Some((network, size)) => {
                (network, Some(number(size).filter(|size| (1..=MAX_SIZE).contains(size)).ok_or_else(unknown)?))
            }
            None => (text, None),
        };
        let (config, usual) = parse(network, size).ok_or_else(unknown)?;
        // A depth that no topology has is refused here, by name, and not when the network is built.
        if !known_depth(&config) {
            return Err(unknown());
        }
        Ok(Self { network: network.to_owned(), config, size: size.unwrap_or(usual) })
    }
}

/// The config, and the side of the image that it is usually used at.
fn parse(network: &str, size: Option<usize>) -> Option<(NetworkConfig, usize)> {
    if let Some(rest) = network.strip_prefix("efficientnet-") {
        let (variant, symmetric) = rest.strip_suffix("-symmetric").map_or((rest, false), |variant| (variant, true));
        let config = EfficientNetConfig::new(variant)?;
        let usual = config.row().ok()?.size;
        let config = if symmetric { config.symmetric() } else { config };
        return Some((NetworkConfig::Efficientnet(config), usual));
    }
    if let Some(depth) = network.strip_prefix(SLOW) {
        let depth = number(depth).filter(|depth| PLAIN_DEPTHS.contains(depth))?;
        return Some((NetworkConfig::Resnet(ResNetConfig::slow(depth)), 256));
    }
    if let Some(rest) = network.strip_prefix("resnet3d-") {
        if let Some(image) = rest.strip_suffix("-inflated") {
            let (mut config, _) = image_resnet(image, size)?;
            config.classes = KINETICS_CLASSES;
            return Some((NetworkConfig::Resnet(config.inflated(Temporal::default())), 224));
        }
        let depth = number(rest.strip_prefix("rs-")?)?;
        return Some((NetworkConfig::Resnet3dRs(ModelGardenConfig::new(depth)), 224));
    }
    let (config, usual) = image_resnet(network.strip_prefix("resnet-")?, size)?;
    Some((NetworkConfig::Resnet(config), usual))
}

/// `rs-50`, `50`, `200-d-se`.
fn image_resnet(text: &str, size: Option<usize>) -> Option<(ResNetConfig, usize)> {
    if let Some(depth) = text.strip_prefix("rs-") {
        let depth = number(depth)?;
        let of_depth = || RESNET_RS.iter().filter(move |row| row.depth == depth);
        // A published size brings its recipe; any other takes that of the depth's largest.
        let row = of_depth().find(|row| Some(row.size) == size).or_else(|| of_depth().next_back());
        let mut config = ResNetConfig::rs(depth);
        if let Some(row) = row {
            (config.dropout, config.drop_path) = (row.dropout, row.drop_path);
        }
        return Some((config, usual_size(depth)));
    }
    let mut parts = text.split('-');
    let mut config = ResNetConfig::plain(number(parts.next()?).filter(|&depth| depth <= 200)?);
    let mut rest = parts.next();
    if rest == Some("d") {
        config = config.with_d();
        rest = parts.next();
    }
    if rest == Some("se") {
        config = config.with_se();
        rest = parts.next();
    }
    rest.is_none().then_some((config, 224))
}

/// The size at which a depth's weights were published (timm's ResNet-RS), and for the scaling study's depths a near one.
fn usual_size(depth: usize) -> usize {
    match depth {
        26 | 50 => 160,
        101 => 192,
        400 | 420 => 320,
        _ => 256,
    }
}

/// Digits without a sign or zeros before them, so that a network has one name.
fn number(text: &str) -> Option<usize> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

fn known_depth(config: &NetworkConfig) -> bool {
    match config {
        NetworkConfig::Resnet(config) => BLOCKS.iter().any(|&(depth, _)| depth == config.depth),
        NetworkConfig::Resnet3dRs(config) => {
            ![26, 400, 420].contains(&config.depth) && BLOCKS.iter().any(|&(depth, _)| depth == config.depth)
        }
        NetworkConfig::Efficientnet(_) => true,
    }
}

/// The nearest name by edits, if it is near.
fn nearest(text: &str) -> Option<String> {
    let wanted = text.split('@').next().unwrap_or(text).to_lowercase().replace(['_', ' '], "-");
    candidates()
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name), name))
        .filter(|&(distance, _)| distance <= 4)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

fn candidates() -> Vec<String> {
    let depths = BLOCKS.map(|(depth, _)| depth);
    let mut names: Vec<String> = depths.iter().map(|depth| format!("resnet-rs-{depth}")).collect();
    names.extend(depths.iter().map(|depth| format!("resnet3d-rs-{depth}-inflated")));
    names.extend([50, 101, 152, 200, 270, 300, 350].map(|depth| format!("resnet3d-rs-{depth}")));
    names.extend(PLAIN_DEPTHS.map(|depth| format!("resnet-{depth}")));
    names.extend(PLAIN_DEPTHS.map(|depth| format!("{SLOW}{depth}")));
    names.extend(VARIANTS.iter().map(|row| format!("efficientnet-{}", row.name)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> NetworkName {
        text.parse().expect("a good name")
    }

    #[test]
    fn a_published_size_brings_its_recipe() {
        let NetworkConfig::Resnet(config) = parsed("resnet-rs-350@320").config().clone() else { panic!("a ResNet") };
        assert_eq!((config.dropout, config.drop_path), (0.4, 0.1));
        assert_eq!(parsed("resnet-rs-152").size(), 256);
        assert_eq!(parsed("resnet-rs-152@300").size(), 300);
    }

    #[test]
    fn plain_networks_take_switches() {
        let NetworkConfig::Resnet(config) = parsed("resnet-200-d-se").config().clone() else { panic!("a ResNet") };
        assert_eq!(config, ResNetConfig::plain(200).with_d().with_se());
    }

    #[test]
    fn video_networks_take_clips() {
        assert_eq!(parsed("resnet3d-rs-50").frames(), 32);
        assert_eq!(parsed("resnet-rs-50").frames(), 1);
        let slow = parsed("slow-r50");
        assert_eq!((slow.frames(), slow.frame_step(), slow.size(), slow.config().classes()), (8, 8, 256, 400));
        assert_eq!(parsed("resnet3d-rs-50-inflated").config().classes(), 400);
    }

    #[test]
    fn typos_are_answered() {
        let error = "resnet_rs_51".parse::<NetworkName>().expect_err("no such depth");
        assert_eq!(
            error.to_string(),
            "there is no network named `resnet_rs_51`; did you mean `resnet-rs-50`? (`reelnet models` lists them)"
        );
        assert!("resnet3d-rs-420".parse::<NetworkName>().is_err());
        assert!("efficientnet-b9".parse::<NetworkName>().is_err());
        let error = "slow_r5O".parse::<NetworkName>().expect_err("a letter for a digit").to_string();
        assert!(error.contains("did you mean `slow-r50`?"), "{error}");
        for bad in [
            "slow-r26",
            "slow-r050",
            "resnet-rs-50@0",
            "resnet-rs-50@99999",
            "resnet-rs-+50",
            "resnet-rs-050",
            "resnet-rs-50@0160",
        ] {
            assert!(bad.parse::<NetworkName>().is_err(), "{bad}");
        }
        assert!("resnet-50-se-d".parse::<NetworkName>().is_err());
        assert!("".parse::<NetworkName>().is_err());
    }
}
