//! Operations that move pixels: to the nearest place, grey where nothing comes from.

use ndarray::Array4;

use super::super::bytes::bytes_of;

/// What is put where there is no pixel.
const GREY: u8 = 128;

/// Where the pixel at `(x, y)` comes from: `(a x + b y + c, d x + e y + f)`.
pub(super) struct Affine(pub(super) [f32; 6]);

impl Affine {
    /// Around the middle of a frame.
    #[expect(clippy::cast_possible_truncation, reason = "as released: f32 from here on")]
    pub(super) fn rotation(degrees: f64, [height, width]: [usize; 2]) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let [right, bottom] = [width, height].map(|side| side.saturating_sub(1) as f64);
        let x_offset = (right - (cos * right - sin * bottom)) / 2.0;
        let y_offset = (bottom - (sin * right + cos * bottom)) / 2.0;
        Self([cos, -sin, x_offset, sin, cos, y_offset].map(|number| number as f32))
    }

    /// For each pixel of a frame the number of the one that it comes from; `height * width` for none.
    #[expect(clippy::cast_possible_truncation, reason = "a frame has less than 2^32 pixels")]
    #[expect(clippy::many_single_char_names, reason = "as everybody writes an affine map")]
    fn sources(&self, [height, width]: [usize; 2]) -> Vec<u32> {
        let [a, b, c, d, e, f] = self.0;
        let [right, bottom] = [width, height].map(|side| side as f32 - 0.5);
        let nowhere = (height * width) as u32;
        let mut sources = Vec::with_capacity(height * width);
        for y in 0..height {
            let y = y as f32;
            sources.extend((0..width).map(|x| {
                let x = x as f32;
                let [from_x, from_y] = [a * x + b * y + c, d * x + e * y + f];
                // Rounds half away from zero, so -0.5 is outside, and the last place ends before a half too.
                let is_within = -0.5 < from_x && from_x < right && -0.5 < from_y && from_y < bottom;
                let [column, row] = [from_x, from_y].map(nearest);
                if is_within { row * width as u32 + column } else { nowhere }
            }));
        }
        sources
    }
}

/// Rounds half up, for places above -0.5. `f32::round` is a call into a library on x86-64 without SSE 4.1, which is what is built for.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places within the frame are small")]
fn nearest(place: f32) -> u32 {
    let whole = place as u32;
    whole.wrapping_add(u32::from(place - whole as f32 >= 0.5))
}

pub(super) fn warp(clip: &mut Array4<u8>, affine: &Affine) {
    let (_, height, width, _) = clip.dim();
    let sources = affine.sources([height, width]);
    // One pixel more than a frame has: the one that all places without a source share.
    let mut before = vec![[GREY; 3]; height * width + 1];
    for frame in bytes_of(clip).as_chunks_mut().0.chunks_exact_mut((height * width).max(1)) {
        before[..height * width].copy_from_slice(frame);
        for (pixel, &source) in frame.iter_mut().zip(&sources) {
            *pixel = before[source as usize];
        }
    }
}

/// A square of twice `half`, as much of it as lies within the frame.
pub(super) fn cut_out(clip: &mut Array4<u8>, half: i64, place: [f64; 2]) {
    let (_, height, width, channels) = clip.dim();
    let half = usize::try_from(half).unwrap_or(0);
    let [rows, columns] = [(place[0], height), (place[1], width)].map(|(fraction, side)| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a side")]
        let middle = ((fraction * side as f64) as usize).min(side.saturating_sub(1));
        middle.saturating_sub(half)..middle.saturating_add(half).min(side)
    });
    let row_bytes = width * channels;
    for frame in bytes_of(clip).chunks_exact_mut((height * row_bytes).max(1)) {
        for row in frame[rows.start * row_bytes..rows.end * row_bytes].chunks_exact_mut(row_bytes) {
            row[columns.start * channels..columns.end * channels].fill(GREY);
        }
    }
}
