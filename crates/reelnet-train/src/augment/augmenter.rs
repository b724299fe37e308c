//! All steps in their order.

use ndarray::Array4;
use reelnet_clips::{Crop, Filter, FrameGeometry, Resize, Seed};
use reelnet_infer::Labels;

use super::config::{AugmentConfig, CropConfig};
use super::draws::{Draws, Purpose};
use super::error::AugmentError;
use super::flip::{mirror, mirrored_labels};
use super::{colour_jitter, crop, erasing, rand_augment};

/// Changes clips as a recipe says.
///
/// What comes out depends on the clip, the seed and the configuration, and not on what was changed before.
#[derive(Clone, Debug)]
pub struct Augmenter {
    config: AugmentConfig,
    size: usize,
    mirrored_labels: Vec<usize>,
}

impl Augmenter {
    /// Makes clips of `size` pixels squared.
    ///
    /// # Errors
    /// If a number means nothing.
    pub fn new(config: &AugmentConfig, size: usize) -> Result<Self, AugmentError> {
        config.check(size)?;
        Ok(Self { config: config.clone(), size, mirrored_labels: Vec::new() })
    }

    /// Knows what classes are called, as [`label`](Self::label) needs it where some are to be swapped.
    ///
    /// # Errors
    /// If a class to be swapped does not exist.
    pub fn with_labels(self, labels: &Labels) -> Result<Self, AugmentError> {
        let mirrored_labels = match &self.config.flip {
            Some(flip) => mirrored_labels(flip, labels)?,
            None => Vec::new(),
        };
        Ok(Self { mirrored_labels, ..self })
    }

    /// How frames that are shown at `[width, height]` are decoded for [`apply`](Self::apply) with this seed: no larger than
    /// what it cuts from them, for which the decoder has no need to make all pixels first.
    pub fn geometry(&self, [width, height]: [u32; 2], frames: usize, seed: Seed) -> FrameGeometry {
        let size = u32::try_from(self.size).expect("a side that was checked");
        let mut filter = self.config.interpolation.filter();
        let resize = match &self.config.crop {
            CropConfig::RandomResized { shorter_side, .. } => {
                let usual = (frames > 1).then(|| (size * 8).div_ceil(7));
                // What is resized once more needs no costly filter.
                filter = Filter::Bilinear;
                match shorter_side.or(usual) {
                    Some(shorter_side) if width.min(height) > shorter_side => Resize::ShorterSide(shorter_side),
                    _ => Resize::Native,
                }
            }
            CropConfig::ScaleJitter { shorter_side } => {
                Resize::ShorterSide(crop::jittered(*shorter_side, &mut Draws::new(seed, Purpose::Crop)))
            }
            CropConfig::Centre { shorter_side } => Resize::ShorterSide(*shorter_side),
            CropConfig::Whole {} => Resize::Exact { width: size, height: size },
        };
        FrameGeometry { resize, crop: Crop::None, filter }
    }

    /// Changes a clip. One that was decoded at its [`geometry`](Self::geometry) takes the least work; any other size will do.
    ///
    /// # Shapes
    /// - `clip`: `[frames, height, width, 3]`
    /// - result: `[frames, size, size, 3]`
    ///
    /// # Panics
    /// If the clip has no pixels, or other than three channels.
    pub fn apply(&self, clip: Array4<u8>, seed: Seed) -> Array4<u8> {
        let (_, height, width, channels) = clip.dim();
        assert!(height > 0 && width > 0 && channels == 3, "a clip has pixels of three channels");
        let clip = if clip.is_standard_layout() { clip } else { clip.as_standard_layout().into_owned() };
        let Self { config, size, .. } = self;
        let part = crop::part(&config.crop, [width, height], *size, &mut Draws::new(seed, Purpose::Crop));
        let mut clip = crop::cropped(clip, part, *size, config.interpolation);
        if self.flips(seed) {
            mirror(&mut clip);
        }
        if let Some(config) = &config.rand_augment {
            for step in rand_augment::draw(config, &mut Draws::new(seed, Purpose::RandAugment)) {
                step.apply(&mut clip);
            }
        }
        if let Some(config) = &config.colour_jitter {
            colour_jitter::jitter(&mut clip, config, &mut Draws::new(seed, Purpose::ColourJitter));
        }
        if let Some(config) = &config.erasing {
            erasing::erase(&mut clip, config, &mut Draws::new(seed, Purpose::Erasing));
        }
        clip
    }

    /// The class of a clip after [`apply`](Self::apply) with this seed: another one if the clip is mirrored and its class has
    /// a mirror image.
    ///
    /// # Panics
    /// If classes are to be swapped, and [`with_labels`](Self::with_labels) did not say which ones they are.
    pub fn label(&self, label: usize, seed: Seed) -> usize {
        let swaps = self.config.flip.as_ref().is_some_and(|flip| !flip.label_swaps.is_empty());
        assert!(!swaps || !self.mirrored_labels.is_empty(), "the augmenter knows the classes that it is to swap");
        match self.mirrored_labels.get(label) {
            Some(&mirrored) if mirrored != label && self.flips(seed) => mirrored,
            _ => label,
        }
    }

    fn flips(&self, seed: Seed) -> bool {
        let flip = self.config.flip.as_ref();
        flip.is_some_and(|flip| Draws::new(seed, Purpose::Flip).chance(flip.probability))
    }
}
