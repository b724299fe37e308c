//! The part of a recipe that says how clips are changed.

use reelnet_infer::Interpolation;
use serde::{Deserialize, Serialize};

use super::error::{AugmentError, require};

/// How clips are changed while training, in this order: crop, flip, RandAugment, colours, erasing. What is absent is off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentConfig {
    /// Which part of the frames the network sees.
    pub crop: CropConfig,
    /// How that part is resized; each source pixel is weighed when it shrinks.
    pub interpolation: Interpolation,
    /// Mirrors clips left to right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip: Option<FlipConfig>,
    /// `RandAugment` (Cubuk et al. 2019).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rand_augment: Option<RandAugmentConfig>,
    /// Changes brightness, contrast, saturation and hue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour_jitter: Option<ColourJitterConfig>,
    /// Covers a rectangle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasing: Option<ErasingConfig>,
}

/// Which part of the frames the network sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CropConfig {
    /// A rectangle of random area and aspect at a random place; where none fits in ten attempts, the largest one in the
    /// middle whose aspect is legal.
    RandomResized {
        /// Smallest and largest share of the frame's area.
        area: [f64; 2],
        /// Smallest and largest width over height. The logarithm is drawn evenly.
        aspect: [f64; 2],
        /// Frames are decoded at this shorter side if theirs is longer, in pixels: what the rectangle is cut from. Absent: 8/7
        /// of the network's size (256 for 224, as Kinetics is usually kept) for clips of several frames, and all pixels
        /// that there are for images.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shorter_side: Option<u32>,
    },
    /// A square at a random place, after the shorter side got a random length.
    ScaleJitter {
        /// Smallest and largest length of the shorter side, in pixels.
        shorter_side: [u32; 2],
    },
    /// A square in the middle, after the shorter side got this length: nothing random.
    Centre {
        /// Length of the shorter side, in pixels.
        shorter_side: u32,
    },
    /// All of the frame, whatever its proportions: nothing random.
    Whole {},
}

/// Mirrors clips left to right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlipConfig {
    /// How likely a clip is mirrored.
    pub probability: f64,
    /// Pairs of classes that are each other's mirror image, such as `["turning left", "turning right"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_swaps: Vec<[String; 2]>,
}

/// `RandAugment`: so many operations of sixteen, one after the other, all equally strong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandAugmentConfig {
    /// Operations a clip. The paper has 2.
    pub layers: usize,
    /// How strong they are. The paper has 10 and 15; 10 is no limit.
    pub magnitude: f64,
    /// How far a clip is moved at magnitude 10, in pixels. As released: 100.
    pub translate_pixels: f64,
    /// Half of the side of what is cut out at magnitude 10, in pixels. As released: 40.
    pub cutout_pixels: f64,
}

impl RandAugmentConfig {
    /// As released for ImageNet, two layers of it.
    pub fn released(magnitude: f64) -> Self {
        Self { layers: 2, magnitude, translate_pixels: 100.0, cutout_pixels: 40.0 }
    }
}

/// Changes colours, in a random order. Each number is how far a factor may be from 1; 0 is off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColourJitterConfig {
    /// 0.4 draws factors from 0.6 to 1.4.
    pub brightness: f64,
    /// As for brightness.
    pub contrast: f64,
    /// As for brightness.
    pub saturation: f64,
    /// How far the hue may turn, in turns: at most 0.5.
    pub hue: f64,
}

/// Covers a rectangle, the same in all frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasingConfig {
    /// How likely a clip gets one.
    pub probability: f64,
    /// Smallest and largest share of the area.
    pub area: [f64; 2],
    /// Smallest and largest width over height. The logarithm is drawn evenly.
    pub aspect: [f64; 2],
    /// What it is covered with.
    pub fill: ErasingFill,
}

/// What is put in the place of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasingFill {
    /// 128 in each channel.
    Grey,
    /// A random byte a channel and pixel, the same in all frames.
    Noise,
}

impl AugmentConfig {
    /// Says what is wrong with the numbers, if anything is, for clips of `size` pixels squared.
    pub(crate) fn check(&self, size: usize) -> Result<(), AugmentError> {
        require((1..=8192).contains(&size), "the size of the network's input", size, "1 to 8192 pixels")?;
        self.crop.check(size)?;
        if let Some(flip) = &self.flip {
            probability("augment.flip.probability", flip.probability)?;
        }
        if let Some(config) = &self.rand_augment {
            config.check()?;
        }
        if let Some(config) = &self.colour_jitter {
            config.check()?;
        }
        if let Some(erasing) = &self.erasing {
            probability("augment.erasing.probability", erasing.probability)?;
            shares("augment.erasing.area", erasing.area)?;
            range("augment.erasing.aspect", erasing.aspect)?;
        }
        Ok(())
    }
}

impl CropConfig {
    fn check(&self, size: usize) -> Result<(), AugmentError> {
        let long_enough = |side: u32| side as usize >= size && side <= 16_384;
        match self {
            Self::RandomResized { area, aspect, shorter_side } => {
                shares("augment.crop.area", *area)?;
                range("augment.crop.aspect", *aspect)?;
                require(
                    shorter_side.is_none_or(long_enough),
                    "augment.crop.shorter_side",
                    shorter_side,
                    &format!("the network's {size} to 16384 pixels"),
                )
            }
            Self::ScaleJitter { shorter_side: [low, high] } => require(
                low <= high && long_enough(*low) && long_enough(*high),
                "augment.crop.shorter_side",
                [low, high],
                &format!("two lengths in ascending order, from the network's {size} to 16384 pixels"),
            ),
            Self::Centre { shorter_side } => require(
                long_enough(*shorter_side),
                "augment.crop.shorter_side",
                shorter_side,
                &format!("the network's {size} to 16384 pixels"),
            ),
            Self::Whole {} => Ok(()),
        }
    }
}

impl RandAugmentConfig {
    fn check(&self) -> Result<(), AugmentError> {
        let strength = |value: f64| (0.0..=1000.0).contains(&value);
        require(self.layers <= 16, "augment.rand_augment.layers", self.layers, "at most 16")?;
        for (key, value) in [
            ("augment.rand_augment.magnitude", self.magnitude),
            ("augment.rand_augment.translate_pixels", self.translate_pixels),
            ("augment.rand_augment.cutout_pixels", self.cutout_pixels),
        ] {
            require(strength(value), key, value, "a number from 0 to 1000")?;
        }
        Ok(())
    }
}

impl ColourJitterConfig {
    fn check(&self) -> Result<(), AugmentError> {
        for (key, value) in [
            ("augment.colour_jitter.brightness", self.brightness),
            ("augment.colour_jitter.contrast", self.contrast),
            ("augment.colour_jitter.saturation", self.saturation),
        ] {
            require((0.0..=100.0).contains(&value), key, value, "a number from 0 to 100")?;
        }
        require((0.0..=0.5).contains(&self.hue), "augment.colour_jitter.hue", self.hue, "a number from 0 to 0.5")
    }
}

pub(super) fn probability(key: &'static str, value: f64) -> Result<(), AugmentError> {
    require((0.0..=1.0).contains(&value), key, value, "a probability from 0 to 1")
}

fn shares(key: &'static str, [low, high]: [f64; 2]) -> Result<(), AugmentError> {
    require(
        0.0 < low && low <= high && high <= 1.0,
        key,
        [low, high],
        "two shares in ascending order, above 0 and at most 1",
    )
}

fn range(key: &'static str, [low, high]: [f64; 2]) -> Result<(), AugmentError> {
    let legal = (0.001..=1000.0).contains(&low) && (low..=1000.0).contains(&high);
    require(legal, key, [low, high], "two numbers in ascending order, from 0.001 to 1000")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        interpolation = "bicubic"
        crop = { kind = "random-resized", area = [0.08, 1.0], aspect = [0.75, 1.3333333333333333] }
        flip = { probability = 0.5, label_swaps = [["left", "right"]] }
        rand_augment = { layers = 2, magnitude = 15, translate_pixels = 100, cutout_pixels = 40 }
        colour_jitter = { brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0.1 }
        erasing = { probability = 0.25, area = [0.02, 0.33], aspect = [0.3, 3.3], fill = "noise" }
    "#;

    #[test]
    fn recipes_come_back_as_they_were_written() {
        let config: AugmentConfig = toml::from_str(WHOLE).expect("a good recipe");
        config.check(224).expect("good numbers");
        let text = toml::to_string(&config).expect("it can be written");
        assert_eq!(toml::from_str::<AugmentConfig>(&text).expect("what was written can be read"), config);
        let least = "interpolation = \"bilinear\"\ncrop = { kind = \"whole\" }";
        assert_eq!(toml::from_str::<AugmentConfig>(least).expect("a good recipe").flip, None);
    }

    #[test]
    fn numbers_that_mean_nothing_are_refused() {
        for (good, bad, key) in [
            ("area = [0.08, 1.0]", "area = [0.0, 1.0]", "augment.crop.area"),
            ("area = [0.08, 1.0]", "area = [0.9, 0.1]", "augment.crop.area"),
            ("area = [0.08, 1.0]", "area = [0.1, nan]", "augment.crop.area"),
            ("aspect = [0.75,", "aspect = [inf,", "augment.crop.aspect"),
            ("aspect = [0.75,", "shorter_side = 223, aspect = [0.75,", "augment.crop.shorter_side"),
            ("probability = 0.5", "probability = 1.5", "augment.flip.probability"),
            ("magnitude = 15", "magnitude = -1", "augment.rand_augment.magnitude"),
            ("layers = 2", "layers = 17", "augment.rand_augment.layers"),
            ("hue = 0.1", "hue = 0.6", "augment.colour_jitter.hue"),
            ("area = [0.02, 0.33]", "area = [0.02, 1.1]", "augment.erasing.area"),
            (
                "kind = \"random-resized\", area = [0.08, 1.0], aspect = [0.75, 1.3333333333333333]",
                "kind = \"scale-jitter\", shorter_side = [200, 320]",
                "augment.crop.shorter_side",
            ),
        ] {
            assert!(WHOLE.contains(good), "{good}");
            let config: AugmentConfig = toml::from_str(&WHOLE.replace(good, bad)).expect("it parses");
            assert_eq!(config.check(224).expect_err(bad).key, key, "{bad}");
        }
        for bad in [
            WHOLE.replace("hue", "huge"),
            WHOLE.replace("aspect = [0.75", "side = 300, aspect = [0.75"),
            WHOLE.replace("\"noise\"", "\"pink\""),
            WHOLE.replace("flip", "flop"),
        ] {
            toml::from_str::<AugmentConfig>(&bad).expect_err("an unknown word");
        }
    }
}
