//! Which part of a frame is seen, and its way to the network's size.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::Array4;
use reelnet_infer::Interpolation;

use super::bytes::bytes_of;
use super::config::CropConfig;
use super::draws::Draws;

/// How often a rectangle is drawn before there is none.
const ATTEMPTS: usize = 10;

/// Which pixels become a square of the network's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A rectangle, resized to that square.
    Resized(Rectangle),
    /// The square itself, out of a frame that has been resized as a whole.
    Cut {
        /// Width and height of the resized frame.
        scaled: [usize; 2],
        left: usize,
        top: usize,
    },
}

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The part of frames of this size that becomes a square of `size`.
pub(super) fn part(config: &CropConfig, frame: [usize; 2], size: usize, draws: &mut Draws) -> Part {
    let [width, height] = frame;
    match config {
        CropConfig::RandomResized { area, aspect, .. } => {
            Part::Resized(rectangle(frame, *area, *aspect, draws).unwrap_or_else(|| largest(frame, *aspect)))
        }
        CropConfig::ScaleJitter { shorter_side } => {
            let scaled = with_shorter_side(frame, jittered(*shorter_side, draws) as usize);
            let [left, top] = scaled.map(|side| draws.below(side.saturating_sub(size) + 1));
            Part::Cut { scaled, left, top }
        }
        CropConfig::Centre { shorter_side } => {
            let scaled = with_shorter_side(frame, *shorter_side as usize);
            let [left, top] = scaled.map(|side| middle(side.saturating_sub(size)));
            Part::Cut { scaled, left, top }
        }
        CropConfig::Whole {} => Part::Resized(Rectangle { left: 0, top: 0, width, height }),
    }
}

/// The shorter side of this clip's frames: the first draw of its crop.
pub(super) fn jittered([low, high]: [u32; 2], draws: &mut Draws) -> u32 {
    let drawn = draws.below((high - low + 1) as usize);
    low + u32::try_from(drawn).expect("below a difference of two u32")
}

/// Half of a margin, rounded as torchvision's centre crop and the decoder's do: to the even neighbour.
fn middle(margin: usize) -> usize {
    let half = margin / 2;
    if margin % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

/// A random rectangle within a frame, each place as likely as the others; `None` if none of ten fitted.
pub(super) fn rectangle(
    [width, height]: [usize; 2],
    area: [f64; 2],
    aspect: [f64; 2],
    draws: &mut Draws,
) -> Option<Rectangle> {
    let whole = (width * height) as f64;
    let logarithms = aspect.map(f64::ln);
    (0..ATTEMPTS).find_map(|_| {
        let area = whole * draws.between(area);
        let aspect = draws.between(logarithms).exp();
        let [wanted_width, wanted_height] = [(area * aspect).sqrt(), (area / aspect).sqrt()].map(to_pixels);
        let fits = (1..=width).contains(&wanted_width) && (1..=height).contains(&wanted_height);
        fits.then(|| Rectangle {
            left: draws.below(width - wanted_width + 1),
            top: draws.below(height - wanted_height + 1),
            width: wanted_width,
            height: wanted_height,
        })
    })
}

/// The largest rectangle in the middle whose aspect is legal.
fn largest([width, height]: [usize; 2], [low, high]: [f64; 2]) -> Rectangle {
    let aspect = width as f64 / height as f64;
    let (inner_width, inner_height) = if aspect < low {
        (width, to_pixels(width as f64 / low).clamp(1, height))
    } else if aspect > high {
        (to_pixels(height as f64 * high).clamp(1, width), height)
    } else {
        (width, height)
    };
    let [left, top] = [(width - inner_width) / 2, (height - inner_height) / 2];
    Rectangle { left, top, width: inner_width, height: inner_height }
}

fn with_shorter_side([width, height]: [usize; 2], shorter_side: usize) -> [usize; 2] {
    // Rounded half up, as the decoder does it.
    let longer = |long: usize, short: usize| ((2 * long * shorter_side + short) / (2 * short)).max(shorter_side);
    if width < height { [shorter_side, longer(height, width)] } else { [longer(width, height), shorter_side] }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths are not negative, and small")]
fn to_pixels(length: f64) -> usize {
    length.round() as usize
}

/// The part of each frame, as a square of `size`.
///
/// # Panics
/// If the part does not lie within the frames, or a resized frame is smaller than the square.
pub(super) fn cropped(clip: Array4<u8>, part: Part, size: usize, interpolation: Interpolation) -> Array4<u8> {
    match part {
        Part::Resized(rectangle) => resized(cut(clip, rectangle), [size, size], interpolation),
        Part::Cut { scaled, left, top } => {
            let rectangle = Rectangle { left, top, width: size, height: size };
            cut(resized(clip, scaled, interpolation), rectangle)
        }
    }
}

/// A copy of a rectangle of each frame.
///
/// `fast_image_resize` could read the rectangle where it lies, but its version 6.1 reads past the ends of rows for some of
/// them (its AVX2 code for three bytes a pixel, rectangles at the right edge); the copy costs a twentieth of the resizing.
fn cut(mut clip: Array4<u8>, rectangle: Rectangle) -> Array4<u8> {
    let Rectangle { left, top, width, height } = rectangle;
    let (frames, from_height, from_width, channels) = clip.dim();
    if [width, height] == [from_width, from_height] {
        return clip;
    }
    let (from_row, row) = (from_width * channels, width * channels);
    let mut bytes = Vec::with_capacity(frames * height * row);
    for frame in bytes_of(&mut clip).chunks_exact(from_height * from_row) {
        for line in frame.chunks_exact(from_row).skip(top).take(height) {
            bytes.extend_from_slice(&line[left * channels..left * channels + row]);
        }
    }
    Array4::from_shape_vec([frames, height, width, channels], bytes).expect("a rectangle within the frames")
}

/// All of each frame, at `[width, height]`.
fn resized(mut clip: Array4<u8>, [to_width, to_height]: [usize; 2], interpolation: Interpolation) -> Array4<u8> {
    let (frames, height, width, channels) = clip.dim();
    if [width, height] == [to_width, to_height] {
        return clip;
    }
    let mut target = Array4::zeros([frames, to_height, to_width, channels]);
    let filter = match interpolation {
        Interpolation::Bilinear => FilterType::Bilinear,
        // Keys' cubic with a = -0.5: what Pillow and torchvision call bicubic.
        Interpolation::Bicubic => FilterType::CatmullRom,
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    let mut resizer = Resizer::new();
    let [width, height, to_width, to_height] =
        [width, height, to_width, to_height].map(|side| u32::try_from(side).expect("sides are small"));
    let (from_bytes, to_bytes) = (clip.len() / frames.max(1), target.len() / frames.max(1));
    let sources = bytes_of(&mut clip).chunks_exact(from_bytes);
    for (source, target) in sources.zip(bytes_of(&mut target).chunks_exact_mut(to_bytes)) {
        let source = ImageRef::new(width, height, source, PixelType::U8x3).expect("bytes of a whole frame");
        let mut target =
            Image::from_slice_u8(to_width, to_height, target, PixelType::U8x3).expect("room for a whole frame");
        resizer.resize(&source, &mut target, &options).expect("frames with pixels, both of one kind");
    }
    target
}

#[cfg(test)]
mod tests {
    use reelnet_clips::Seed;

    use super::super::draws::Purpose;
    use super::*;

    fn draws(sample: u64) -> Draws {
        Draws::new(Seed { run: 1, epoch: 0, sample }, Purpose::Crop)
    }

    #[test]
    fn rectangles_have_the_area_and_aspect_that_were_asked_for() {
        let (mut areas, mut aspects) = (Vec::new(), Vec::new());
        for sample in 0..2000 {
            let Rectangle { left, top, width, height } =
                rectangle([400, 300], [0.08, 1.0], [0.75, 4.0 / 3.0], &mut draws(sample)).expect("one fits");
            assert!(left + width <= 400 && top + height <= 300);
            areas.push((width * height) as f64 / 120_000.0);
            aspects.push((width as f64 / height as f64).ln());
        }
        let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
        assert!(areas.iter().all(|area| (0.078..=1.0).contains(area)));
        assert!(aspects.iter().all(|aspect| aspect.abs() < (4.0_f64 / 3.0).ln() + 0.02));
        // A simulation of the same rule in Python: 0.433 (large ones often do not fit) and 0.031 (flat ones fit better).
        assert!((0.41..0.455).contains(&mean(&areas)), "{}", mean(&areas));
        assert!((0.015..0.047).contains(&mean(&aspects)), "{}", mean(&aspects));
    }

    #[test]
    fn where_nothing_fits_the_middle_is_taken() {
        let config = CropConfig::RandomResized { area: [1.0, 1.0], aspect: [0.75, 4.0 / 3.0], shorter_side: None };
        let of = |frame| match part(&config, frame, 8, &mut draws(0)) {
            Part::Resized(rectangle) => rectangle,
            Part::Cut { .. } => panic!("nothing is resized as a whole"),
        };
        assert_eq!(of([1000, 10]), Rectangle { left: 493, top: 0, width: 13, height: 10 });
        assert_eq!(of([10, 1000]), Rectangle { left: 0, top: 493, width: 10, height: 13 });
        assert_eq!(of([1, 1]), Rectangle { left: 0, top: 0, width: 1, height: 1 });
    }

    #[test]
    fn squares_lie_within_the_frame_at_every_scale() {
        for frame in [[340, 256], [256, 340], [224, 224], [31, 7], [1, 900], [1920, 1080]] {
            let mut sides = Vec::new();
            for sample in 0..50 {
                let config = CropConfig::ScaleJitter { shorter_side: [224, 320] };
                let Part::Cut { scaled: [width, height], left, top } = part(&config, frame, 224, &mut draws(sample))
                else {
                    panic!("jitter resizes whole frames")
                };
                assert!(left + 224 <= width && top + 224 <= height, "{frame:?} {width} {height} {left} {top}");
                assert_eq!(jittered([224, 320], &mut draws(sample)) as usize, width.min(height));
                sides.push(width.min(height));
            }
            sides.sort_unstable();
            assert!(sides[0] >= 224 && sides[0] < 240 && sides[49] > 304 && sides[49] <= 320, "{sides:?}");
        }
        for (frame, scaled, left, top) in [([512, 256], [512, 256], 144, 16), ([100, 51], [502, 256], 139, 16)] {
            let part = part(&CropConfig::Centre { shorter_side: 256 }, frame, 224, &mut draws(0));
            assert_eq!(part, Part::Cut { scaled, left, top });
        }
        assert_eq!([0, 1, 2, 3, 4, 5].map(middle), [0, 0, 1, 2, 2, 2]);
    }

    fn ramp(shape: [usize; 4]) -> Array4<u8> {
        Array4::from_shape_fn(shape, |(frame, y, x, channel)| {
            u8::try_from((frame * 100 + y * 7 + x * 3 + channel) % 256).expect("a remainder")
        })
    }

    #[test]
    fn a_part_without_scaling_is_copied_to_the_byte() {
        let clip = ramp([2, 9, 11, 3]);
        let expected = clip.slice(ndarray::s![.., 2..7, 4..9, ..]);
        let rectangle = Part::Resized(Rectangle { left: 4, top: 2, width: 5, height: 5 });
        for part in [rectangle, Part::Cut { scaled: [11, 9], left: 4, top: 2 }] {
            for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic] {
                assert_eq!(cropped(clip.clone(), part, 5, interpolation), expected);
            }
        }
    }

    #[test]
    fn what_lies_outside_of_a_rectangle_does_not_matter() {
        let clip = ramp([2, 30, 40, 3]);
        for rectangle in [
            Rectangle { left: 0, top: 0, width: 13, height: 17 },
            Rectangle { left: 27, top: 13, width: 13, height: 17 },
            Rectangle { left: 39, top: 29, width: 1, height: 1 },
            Rectangle { left: 5, top: 3, width: 31, height: 22 },
        ] {
            let Rectangle { left, top, width, height } = rectangle;
            let mut other = Array4::from_elem(clip.dim(), 255);
            let place = ndarray::s![.., top..top + height, left..left + width, ..];
            other.slice_mut(place).assign(&clip.slice(place));
            for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic] {
                let of = |clip: &Array4<u8>| cropped(clip.clone(), Part::Resized(rectangle), 24, interpolation);
                assert_eq!(of(&clip), of(&other), "{rectangle:?}");
            }
        }
    }
}
