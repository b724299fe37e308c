//! Operations that look at one pixel at a time, and at most at how often bytes occur.

use ndarray::Array4;

use super::super::bytes::{histograms, look_up, look_up_by_channel, map, pixels_of, table};
use super::super::luma::{self, cut};

/// `low + factor * (high - low)`, clipped to a byte, the fraction cut off.
pub(super) fn blend(low: u8, high: u8, factor: f32) -> u8 {
    let low = f32::from(low);
    cut(low + factor * (f32::from(high) - low))
}

pub(super) fn auto_contrast(clip: &mut Array4<u8>) {
    let tables = histograms(clip).map(|counts| {
        let low = (0..=u8::MAX).find(|&byte| counts[usize::from(byte)] > 0).map_or(0.0, f32::from);
        let high = (0..=u8::MAX).rfind(|&byte| counts[usize::from(byte)] > 0).map_or(0.0, f32::from);
        if high <= low {
            return table(|byte| byte);
        }
        let scale = 255.0 / (high - low);
        table(|byte| cut(f32::from(byte) * scale + -low * scale))
    });
    look_up_by_channel(clip, &tables);
}

/// The released code divides whole numbers, so that its result depends on how many pixels there are. Counts are those of a
/// mean frame: a clip of equal frames becomes what one of them would.
pub(super) fn equalize(clip: &mut Array4<u8>) {
    let frames = clip.dim().0.max(1) as u64;
    let tables = histograms(clip).map(|counts| {
        let all: u64 = counts.iter().sum();
        let last = counts.iter().rfind(|&&count| count > 0).copied().unwrap_or(0);
        let step = (all - last) / (255 * frames);
        if step == 0 {
            return table(|byte| byte);
        }
        let mut below = 0;
        let mut entries = [0; 256];
        for (entry, count) in entries.iter_mut().zip(counts) {
            *entry = u8::try_from((below + step / 2 * frames) / (step * frames)).unwrap_or(u8::MAX);
            below += count;
        }
        entries
    });
    look_up_by_channel(clip, &tables);
}

/// Shifts that no byte has room for become those that TensorFlow's kernels make of them: 8 bits change nothing, and 0, 9 and
/// more leave one.
pub(super) fn posterize(clip: &mut Array4<u8>, bits: i64) {
    let mask = if (1..=8).contains(&bits) { u8::MAX << (8 - bits) } else { 0x80 };
    map(clip, |byte| byte & mask);
}

/// The threshold wraps to a byte, as in the released code: at magnitude 10 it is 256, so 0, and everything is inverted.
pub(super) fn solarize(clip: &mut Array4<u8>, threshold: i64) {
    let threshold = threshold.to_le_bytes()[0];
    map(clip, |byte| if byte < threshold { byte } else { !byte });
}

pub(super) fn solarize_add(clip: &mut Array4<u8>, addition: i64) {
    let addition = u8::try_from(addition).unwrap_or(u8::MAX);
    map(clip, |byte| if byte < 128 { byte.saturating_add(addition) } else { byte });
}

pub(super) fn saturation(clip: &mut Array4<u8>, factor: f32) {
    if factor == 1.0 {
        return;
    }
    for pixel in pixels_of(clip) {
        let grey = luma::tensorflow(*pixel);
        *pixel = pixel.map(|byte| blend(grey, byte, factor));
    }
}

/// Blends with the number of a frame's pixels over 256, at most 255: the released code adds up a histogram and takes that for
/// the mean.
pub(super) fn contrast(clip: &mut Array4<u8>, factor: f32) {
    let (_, height, width, _) = clip.dim();
    let grey = u8::try_from(height * width / 256).unwrap_or(u8::MAX);
    if factor != 1.0 {
        look_up(clip, |byte| blend(grey, byte, factor));
    }
}

pub(super) fn brightness(clip: &mut Array4<u8>, factor: f32) {
    if factor != 1.0 {
        look_up(clip, |byte| blend(0, byte, factor));
    }
}
