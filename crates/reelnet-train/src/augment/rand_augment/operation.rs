//! Which operations there are, how strong a magnitude makes them, and what applies them.

use ndarray::Array4;

use super::super::bytes::map;
use super::super::config::RandAugmentConfig;
use super::super::draws::Draws;
use super::geometry::{self, Affine};
use super::{colour, sharpness};

/// One of the sixteen operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Stretches each channel so that its darkest byte is 0 and its brightest 255.
    AutoContrast,
    /// Flattens the histogram of each channel.
    Equalize,
    /// 255 minus each byte.
    Invert,
    /// Turns around the middle. Strength: degrees.
    Rotate,
    /// Keeps so many bits of each byte. Strength: bits.
    Posterize,
    /// Inverts bytes from a threshold on. Strength: the threshold.
    Solarize,
    /// Blends with grey. Strength: 0 is grey, 1 changes nothing, more exaggerates.
    Colour,
    /// Blends with an even grey. Strength: as of [`Self::Colour`].
    Contrast,
    /// Blends with black. Strength: as of [`Self::Colour`].
    Brightness,
    /// Blends with a smoothed clip. Strength: as of [`Self::Colour`].
    Sharpness,
    /// Shifts rows in proportion to their height. Strength: pixels a row.
    ShearX,
    /// Shifts columns in proportion to their place. Strength: pixels a column.
    ShearY,
    /// Moves to the left. Strength: pixels.
    TranslateX,
    /// Moves up. Strength: pixels.
    TranslateY,
    /// Covers a square with grey. Strength: half of its side, in pixels.
    Cutout,
    /// Adds to bytes below 128. Strength: what is added.
    SolarizeAdd,
}

impl Operation {
    /// All of them. Draws count on the order.
    pub const ALL: [Self; 16] = [
        Self::AutoContrast,
        Self::Equalize,
        Self::Invert,
        Self::Rotate,
        Self::Posterize,
        Self::Solarize,
        Self::Colour,
        Self::Contrast,
        Self::Brightness,
        Self::Sharpness,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Cutout,
        Self::SolarizeAdd,
    ];

    /// How strong a magnitude makes it, in its own unit; 0 where there is nothing to be strong in.
    pub fn strength(self, config: &RandAugmentConfig) -> f64 {
        let level = config.magnitude / 10.0;
        match self {
            Self::AutoContrast | Self::Equalize | Self::Invert => 0.0,
            Self::Rotate => level * 30.0,
            Self::Posterize => (level * 4.0).trunc(),
            Self::Solarize => (level * 256.0).trunc(),
            Self::Colour | Self::Contrast | Self::Brightness | Self::Sharpness => level * 1.8 + 0.1,
            Self::ShearX | Self::ShearY => level * 0.3,
            Self::TranslateX | Self::TranslateY => level * config.translate_pixels,
            Self::Cutout => (level * config.cutout_pixels).trunc(),
            Self::SolarizeAdd => (level * 110.0).trunc(),
        }
    }

    /// Whether it goes either way, as often this as that.
    fn is_signed(self) -> bool {
        matches!(self, Self::Rotate | Self::ShearX | Self::ShearY | Self::TranslateX | Self::TranslateY)
    }
}

/// One operation, with all that was drawn for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Which one.
    pub operation: Operation,
    /// How strong, in the operation's unit, with its sign.
    pub strength: f64,
    /// Where [`Operation::Cutout`] has its middle: row and column as fractions of height and width.
    pub place: [f64; 2],
}

/// The steps for one clip.
pub(in super::super) fn draw(config: &RandAugmentConfig, draws: &mut Draws) -> Vec<Step> {
    let step = |_| {
        let operation = Operation::ALL[draws.below(Operation::ALL.len())];
        // Drawn whether they are used or not, so that a layer takes as many numbers whatever its operation.
        let is_negative = draws.chance(0.5);
        let place = [draws.fraction(), draws.fraction()];
        let strength = operation.strength(config);
        let strength = if operation.is_signed() && is_negative { -strength } else { strength };
        Step { operation, strength, place }
    };
    (0..config.layers).map(step).collect()
}

impl Step {
    /// Changes a clip, `[frames, height, width, 3]`, all frames alike.
    ///
    /// # Panics
    /// If the clip does not lie in its standard layout.
    #[expect(clippy::cast_possible_truncation, reason = "the released code computes with f32 and with whole numbers")]
    pub fn apply(&self, clip: &mut Array4<u8>) {
        let (strength, factor) = (self.strength, self.strength as f32);
        let (_, height, width, _) = clip.dim();
        let whole = strength as i64;
        match self.operation {
            Operation::AutoContrast => colour::auto_contrast(clip),
            Operation::Equalize => colour::equalize(clip),
            Operation::Invert => map(clip, |byte| !byte),
            Operation::Posterize => colour::posterize(clip, whole),
            Operation::Solarize => colour::solarize(clip, whole),
            Operation::SolarizeAdd => colour::solarize_add(clip, whole),
            Operation::Colour => colour::saturation(clip, factor),
            Operation::Contrast => colour::contrast(clip, factor),
            Operation::Brightness => colour::brightness(clip, factor),
            Operation::Sharpness => sharpness::sharpness(clip, factor),
            Operation::Rotate => geometry::warp(clip, &Affine::rotation(strength, [height, width])),
            Operation::ShearX => geometry::warp(clip, &Affine([1.0, factor, 0.0, 0.0, 1.0, 0.0])),
            Operation::ShearY => geometry::warp(clip, &Affine([1.0, 0.0, 0.0, factor, 1.0, 0.0])),
            Operation::TranslateX => geometry::warp(clip, &Affine([1.0, 0.0, factor, 0.0, 1.0, 0.0])),
            Operation::TranslateY => geometry::warp(clip, &Affine([1.0, 0.0, 0.0, 0.0, 1.0, factor])),
            Operation::Cutout => geometry::cut_out(clip, whole, self.place),
        }
    }
}
