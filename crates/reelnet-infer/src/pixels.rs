//! From a frame's bytes to a network's numbers: the part of a model that is not in its weights.

use reelnet_clips::{Crop, Filter, FrameGeometry, Resize};
use reelnet_models::{NetworkConfig, NetworkName};
use serde::{Deserialize, Serialize};

/// ImageNet's mean and deviation, a channel, for bytes from 0 to 255.
const IMAGENET: ([f32; 3], [f32; 3]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]);
/// EfficientNet-Lite maps bytes to about -1 to 1.
const LITE: ([f32; 3], [f32; 3]) = ([127.0; 3], [128.0; 3]);
/// `SlowFast`'s and pytorchvideo's networks: 0.45 and 0.225 of the range, in all channels alike.
const SLOW: ([f32; 3], [f32; 3]) = ([114.75; 3], [57.375; 3]);
/// The Model Garden's video networks see numbers from 0 to 1.
const UNIT: ([f32; 3], [f32; 3]) = ([0.0; 3], [255.0; 3]);

/// How frames are prepared: shorter side to `resize`, a centre crop of `crop` squared, then `(byte - mean) / deviation`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pixels {
    /// Shorter side after resizing, in pixels.
    pub resize: u32,
    /// Side of the centre crop, in pixels.
    pub crop: u32,
    /// How frames are resized.
    pub interpolation: Interpolation,
    /// Subtracted from the bytes, by channel: red, green, blue.
    pub mean: [f32; 3],
    /// Divides what is left.
    pub deviation: [f32; 3],
}

/// How frames are resized; all weigh every source pixel when they shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Linear.
    Bilinear,
    /// Cubic.
    Bicubic,
}

impl Interpolation {
    /// The decoder's word for it.
    pub fn filter(self) -> Filter {
        match self {
            Self::Bilinear => Filter::Bilinear,
            Self::Bicubic => Filter::Bicubic,
        }
    }
}

impl Pixels {
    /// What a network of this name was trained with.
    pub fn of(name: &NetworkName) -> Self {
        let side = u32::try_from(name.size()).unwrap_or(u32::MAX);
        let resize = match name.config() {
            // Whole frames along the shorter side, as the published evaluation sees them.
            _ if name.is_slow() => side,
            // The released EfficientNets leave 32 pixels around the crop, whatever its size.
            NetworkConfig::Efficientnet(_) => side.saturating_add(32),
            // All others crop 87.5 % of the shorter side: 224 of 256.
            _ => u32::try_from((u64::from(side) * 8).div_ceil(7)).unwrap_or(u32::MAX),
        };
        let (mean, deviation) = match name.config() {
            NetworkConfig::Efficientnet(config) if config.variant.starts_with("lite") => LITE,
            NetworkConfig::Resnet3dRs(_) => UNIT,
            NetworkConfig::Resnet(_) if name.is_slow() => SLOW,
            NetworkConfig::Resnet(_) | NetworkConfig::Efficientnet(_) => IMAGENET,
        };
        let interpolation = if name.config().is_image() { Interpolation::Bicubic } else { Interpolation::Bilinear };
        Self { resize, crop: side, interpolation, mean, deviation }
    }

    /// The same with ImageNet's mean and deviation.
    #[must_use]
    pub(crate) fn with_imagenets_range(self) -> Self {
        let (mean, deviation) = IMAGENET;
        Self { mean, deviation, ..self }
    }

    /// What the decoder is to do.
    pub fn geometry(&self) -> FrameGeometry {
        FrameGeometry {
            resize: Resize::ShorterSide(self.resize),
            crop: Crop::Centre { width: self.crop, height: self.crop },
            filter: self.interpolation.filter(),
        }
    }

    /// Says what is wrong with the numbers, if anything is.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.crop == 0 || self.crop > self.resize {
            return Some(format!("pixels.crop is {}, expected 1 to pixels.resize ({})", self.crop, self.resize));
        }
        if self.resize > 8192 {
            return Some(format!("pixels.resize is {}, expected at most 8192", self.resize));
        }
        if !self.mean.iter().all(|mean| mean.is_finite())
            || !self.deviation.iter().all(|value| (1e-3..=1e6).contains(value))
        {
            return Some("pixels.mean has to be finite, and pixels.deviation from 0.001 to 1000000".to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_crops() {
        let pixels = |name: &str| Pixels::of(&name.parse().expect("a good name"));
        assert_eq!((pixels("efficientnet-lite0").resize, pixels("efficientnet-lite0").crop), (256, 224));
        assert_eq!(pixels("efficientnet-b7").resize, 632);
        assert_eq!(pixels("resnet-rs-50@160").resize, 183);
        assert_eq!(pixels("resnet3d-rs-50").deviation, [255.0; 3]);
        let slow = pixels("slow-r50");
        assert_eq!((slow.resize, slow.crop), (256, 256));
        assert_eq!((slow.mean[0] / 255.0, slow.deviation[2] / 255.0), (0.45, 0.225));
    }
}
