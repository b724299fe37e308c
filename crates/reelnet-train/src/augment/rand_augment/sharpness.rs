//! Blending with a smoothed clip.

use ndarray::Array4;

use super::super::bytes::bytes_of;
use super::colour::blend;

/// Each pixel that has eight neighbours is blended with the mean of itself, five times, and those. The outermost keep theirs.
pub(super) fn sharpness(clip: &mut Array4<u8>, factor: f32) {
    let (frames, height, width, channels) = clip.dim();
    if factor == 1.0 || height < 3 || width < 3 || frames == 0 {
        return;
    }
    let row = width * channels;
    let mut above = vec![0; row];
    let mut here = vec![0; row];
    let mut smooth = vec![0; row - 2 * channels];
    for frame in bytes_of(clip).chunks_exact_mut(height * row) {
        // Rows are overwritten while their neighbours still need them.
        above.copy_from_slice(&frame[..row]);
        for y in 1..height - 1 {
            let (rows, below) = frame.split_at_mut((y + 1) * row);
            let target = &mut rows[y * row..];
            here.copy_from_slice(target);
            smoothed(&mut smooth, [&above, &here, &below[..row]]);
            for (byte, smooth) in target[channels..row - channels].iter_mut().zip(&smooth) {
                *byte = blend(*smooth, *byte, factor);
            }
            std::mem::swap(&mut above, &mut here);
        }
    }
}

/// The mean of nine bytes each, the middle one counting five times; bytes of one channel are three apart.
fn smoothed(target: &mut [u8], [above, here, below]: [&[u8]; 3]) {
    let count = target.len();
    let taps = [above, here, below].map(|row| [&row[..count], &row[3..count + 3], &row[6..count + 6]]);
    for (at, target) in target.iter_mut().enumerate() {
        let sum = |row: usize| u16::from(taps[row][0][at]) + u16::from(taps[row][1][at]) + u16::from(taps[row][2][at]);
        let total = sum(0) + sum(1) + sum(2) + 4 * u16::from(taps[1][1][at]);
        *target = u8::try_from(total / 13).unwrap_or(u8::MAX);
    }
}
