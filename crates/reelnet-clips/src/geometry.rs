//! From the size of a video to the size of a clip. Pure arithmetic, in pixels as shown: after rotation, and with the
//! sample aspect ratio applied.

use serde::{Deserialize, Serialize};

use crate::ClipErrorKind;

/// How frames become frames of a clip: first resized, then cropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameGeometry {
    /// The size before the crop.
    pub resize: Resize,
    /// The part that is kept.
    pub crop: Crop,
    /// How pixels are weighed while resizing.
    pub filter: Filter,
}

/// The size of a frame before the crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resize {
    /// The shorter side gets this many pixels, the longer one keeps the proportion, rounded.
    ShorterSide(u32),
    /// Exactly this size, whatever the proportion.
    Exact {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The size as shown.
    Native,
}

/// The part of a resized frame that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Crop {
    /// A rectangle in the middle. Where it cannot be exactly in the middle, it lies where torchvision's `CenterCrop`
    /// puts it.
    Centre {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// All of it.
    None,
}

/// How pixels are weighed while resizing. All of them take every source pixel into account when they shrink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Filter {
    /// A triangle.
    Bilinear,
    /// The cubic of Keys (a = -0.5) on RGB at full size, as Pillow and torchvision have it.
    Bicubic,
    /// The mean of the covered area.
    Area,
}

/// Sizes and offsets of one frame on its way into a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLayout {
    /// Width and height after resizing.
    pub resized: [u32; 2],
    /// Left and top edge of the crop.
    pub offset: [u32; 2],
    /// Width and height of the result.
    pub size: [u32; 2],
}

impl FrameGeometry {
    /// What becomes of frames that are shown at this size.
    ///
    /// # Errors
    /// A side of zero pixels, a crop larger than the resized frame, or more than `max_pixels` pixels.
    pub fn layout(&self, [width, height]: [u32; 2], max_pixels: u64) -> Result<FrameLayout, ClipErrorKind> {
        let resized = match self.resize {
            Resize::Native => [u64::from(width), u64::from(height)],
            Resize::Exact { width, height } => [u64::from(width), u64::from(height)],
            Resize::ShorterSide(shorter) if width < height => [u64::from(shorter), scaled(height, shorter, width)],
            Resize::ShorterSide(shorter) => [scaled(width, shorter, height), u64::from(shorter)],
        };
        let resized = within(resized, max_pixels)?;
        let size = match self.crop {
            Crop::None => resized,
            Crop::Centre { width, height } => within([u64::from(width), u64::from(height)], max_pixels)?,
        };
        if size[0] > resized[0] || size[1] > resized[1] {
            let [width, height] = resized;
            let [crop_width, crop_height] = size;
            return Err(ClipErrorKind::CropTooLarge { width, height, crop_width, crop_height });
        }
        let offset = [margin(resized[0] - size[0]), margin(resized[1] - size[1])];
        Ok(FrameLayout { resized, offset, size })
    }
}

/// `long · target / short`, rounded half up.
fn scaled(long: u32, target: u32, short: u32) -> u64 {
    let [long, target, short] = [long, target, short.max(1)].map(u64::from);
    (2 * long * target + short) / (2 * short)
}

fn within([width, height]: [u64; 2], max_pixels: u64) -> Result<[u32; 2], ClipErrorKind> {
    let too_large = || ClipErrorKind::TooLarge { width, height, max_pixels };
    let sides = [u32::try_from(width).map_err(|_| too_large())?, u32::try_from(height).map_err(|_| too_large())?];
    if width == 0 || height == 0 {
        return Err(ClipErrorKind::NoPixels { width: sides[0], height: sides[1] });
    }
    // FFmpeg's own sizes are 32-bit signed, and some of its arithmetic multiplies sides by small factors.
    if width.saturating_mul(height) > max_pixels || width.max(height) > 1 << 24 {
        return Err(too_large());
    }
    Ok(sides)
}

/// Half of a margin, an odd one rounded to the even neighbour, as Python's `round` does in torchvision.
fn margin(total: u32) -> u32 {
    let half = total / 2;
    if total % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

/// The size at which decoded frames are shown before rotation: FFmpeg's players stretch the width.
pub(crate) fn stretched(
    [width, height]: [u32; 2],
    sample_aspect_ratio: (u32, u32),
    max_pixels: u64,
) -> Result<[u32; 2], ClipErrorKind> {
    let (numerator, denominator) = sample_aspect_ratio;
    let shown_width = scaled(width, numerator, denominator).max(1);
    within([shown_width, u64::from(height)], max_pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(resize: Resize, crop: Crop, size: [u32; 2]) -> Result<FrameLayout, ClipErrorKind> {
        FrameGeometry { resize, crop, filter: Filter::Bilinear }.layout(size, 1 << 26)
    }

    #[test]
    fn the_shorter_side_rules() {
        let resized = |size| layout(Resize::ShorterSide(256), Crop::None, size).expect("a legal size").resized;
        assert_eq!(resized([1920, 1080]), [455, 256]);
        assert_eq!(resized([1080, 1920]), [256, 455]);
        assert_eq!(resized([340, 256]), [340, 256]);
        assert_eq!(resized([100, 100]), [256, 256]);
    }

    #[test]
    fn crops_lie_where_torchvision_puts_them() {
        let offset = |size| {
            let crop = Crop::Centre { width: 4, height: 4 };
            layout(Resize::Native, crop, size).expect("a legal size").offset
        };
        // Python: [round((side - 4) / 2.0) for side in (4, 5, 6, 7, 8, 9)] == [0, 0, 1, 2, 2, 2]
        assert_eq!([offset([4, 5]), offset([6, 7]), offset([8, 9])], [[0, 0], [1, 2], [2, 2]]);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let crop = Crop::Centre { width: 224, height: 224 };
        assert_eq!(layout(Resize::ShorterSide(200), crop, [400, 200]).expect_err("too small").name(), "crop_too_large");
        assert_eq!(layout(Resize::ShorterSide(0), Crop::None, [4, 2]).expect_err("no pixels").name(), "no_pixels");
        let giant = Resize::Exact { width: u32::MAX, height: 1 };
        assert_eq!(layout(giant, Crop::None, [4, 2]).expect_err("too large").name(), "too_large");
        assert_eq!(
            layout(Resize::ShorterSide(256), Crop::None, [1 << 24, 1]).expect_err("a thread").name(),
            "too_large"
        );
    }

    #[test]
    fn the_width_is_stretched() {
        assert_eq!(stretched([720, 576], (64, 45), 1 << 26), Ok([1024, 576]));
        assert_eq!(stretched([1440, 1080], (4, 3), 1 << 26), Ok([1920, 1080]));
        assert_eq!(stretched([1, 100], (1, 100), 1 << 26), Ok([1, 100]));
    }
}
