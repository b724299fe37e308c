//! Colour jitter as torchvision has it: brightness, contrast, saturation and hue, in a random order.

use ndarray::Array4;

use super::bytes::{look_up, pixels_of};
use super::config::ColourJitterConfig;
use super::draws::Draws;
use super::luma::{self, cut};

/// Each change with what was drawn for it, in the order in which they are made.
pub(super) fn jitter(clip: &mut Array4<u8>, config: &ColourJitterConfig, draws: &mut Draws) {
    let mut factor = |distance: f64| draws.between([(1.0 - distance).max(0.0), 1.0 + distance]);
    let [brightness, contrast, saturation] = [config.brightness, config.contrast, config.saturation].map(&mut factor);
    let turn = draws.between([-config.hue, config.hue]);
    let mut changes = [
        Change::Brightness(to_f32(brightness)),
        Change::Contrast(to_f32(contrast)),
        Change::Saturation(to_f32(saturation)),
        Change::Hue(to_f32(turn)),
    ];
    for last in (1..changes.len()).rev() {
        changes.swap(last, draws.below(last + 1));
    }
    for change in changes {
        change.apply(clip);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a factor of a colour needs no more digits")]
fn to_f32(factor: f64) -> f32 {
    factor as f32
}

/// One change of all colours.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Brightness(f32),
    Contrast(f32),
    Saturation(f32),
    /// In turns.
    Hue(f32),
}

impl Change {
    fn apply(self, clip: &mut Array4<u8>) {
        match self {
            Self::Brightness(1.0) | Self::Contrast(1.0) | Self::Saturation(1.0) | Self::Hue(0.0) => {}
            Self::Brightness(factor) => look_up(clip, |byte| blend(f32::from(byte), 0.0, factor)),
            Self::Contrast(factor) => {
                let mean = mean_luma(clip);
                look_up(clip, |byte| blend(f32::from(byte), mean, factor));
            }
            Self::Saturation(factor) => {
                for pixel in pixels_of(clip) {
                    let grey = f32::from(luma::torchvision(*pixel));
                    *pixel = pixel.map(|byte| blend(f32::from(byte), grey, factor));
                }
            }
            Self::Hue(turn) => {
                for pixel in pixels_of(clip) {
                    *pixel = turned(*pixel, turn);
                }
            }
        }
    }
}

fn blend(value: f32, other: f32, factor: f32) -> u8 {
    cut(factor * value + (1.0 - factor) * other)
}

#[expect(clippy::cast_possible_truncation, reason = "a mean of bytes needs no more digits")]
fn mean_luma(clip: &mut Array4<u8>) -> f32 {
    let pixels = pixels_of(clip);
    let sum: u64 = pixels.iter().map(|pixel| u64::from(luma::torchvision(*pixel))).sum();
    (sum as f64 / pixels.len().max(1) as f64) as f32
}

/// A colour whose hue is turned, by way of hue, saturation and value.
fn turned(pixel: [u8; 3], turn: f32) -> [u8; 3] {
    let [red, green, blue] = pixel.map(|byte| f32::from(byte) / 255.0);
    let value = red.max(green).max(blue);
    let range = value - red.min(green).min(blue);
    if range == 0.0 {
        return pixel;
    }
    let saturation = range / value;
    let sixths = if value == red {
        (green - blue) / range
    } else if value == green {
        2.0 + (blue - red) / range
    } else {
        4.0 + (red - green) / range
    };
    let sixths = (sixths / 6.0 + turn).rem_euclid(1.0) * 6.0;
    let part = sixths.fract();
    let low = value * (1.0 - saturation);
    let falling = value * (1.0 - saturation * part);
    let rising = value * (1.0 - saturation * (1.0 - part));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 6")]
    let colour = match sixths as u8 % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    };
    // torchvision's way back to bytes: 256 equal steps.
    colour.map(|level| cut(level * 255.999))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels, turns, and what Python 3.11's `colorsys` makes of them: `int(255.999 * c)` of `hsv_to_rgb((h + turn) % 1, s, v)`.
    const TURNED: [([u8; 3], f32, [u8; 3]); 8] = [
        ([255, 0, 0], 0.10, [255, 153, 0]),
        ([10, 200, 30], -0.30, [200, 68, 10]),
        ([12, 34, 250], 0.50, [250, 228, 12]),
        ([200, 180, 20], 0.25, [20, 200, 90]),
        ([90, 91, 92], -0.50, [92, 91, 90]),
        ([128, 128, 128], 0.20, [128, 128, 128]),
        ([250, 10, 240], 0.05, [250, 10, 168]),
        ([3, 60, 55], -0.11, [3, 60, 17]),
    ];

    #[test]
    fn hues_turn_as_in_python() {
        for (pixel, turn, expected) in TURNED {
            let ours = turned(pixel, turn);
            assert!(ours.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 1), "{pixel:?} {turn}: {ours:?}");
        }
    }

    #[test]
    fn each_change_does_what_it_says() {
        let clip = Array4::from_shape_fn([2, 2, 2, 3], |(frame, y, x, channel)| {
            u8::try_from(frame * 120 + y * 40 + x * 20 + channel * 10).expect("small")
        });
        let after = |change: Change| {
            let mut clip = clip.clone();
            change.apply(&mut clip);
            clip
        };
        assert_eq!(after(Change::Brightness(0.5)), clip.mapv(|byte| byte / 2));
        assert_eq!(after(Change::Brightness(2.0)), clip.mapv(|byte| byte.saturating_mul(2)));
        assert_eq!(after(Change::Brightness(1.0)), clip);
        let flat = after(Change::Contrast(0.0));
        assert!(flat.iter().all(|byte| *byte == flat[[0, 0, 0, 0]]), "one grey for all frames");
        let grey = after(Change::Saturation(0.0));
        assert!(grey.lanes(ndarray::Axis(3)).into_iter().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
    }
}
