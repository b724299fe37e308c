//! Heat as colour over frames.

use ndarray::{Array3, Array4};

use crate::contact_sheet::ContactSheet;

/// Blue, cyan, green, yellow, red: from no heat to the most.
const COLOURS: [[f32; 3]; 5] =
    [[0.0, 0.0, 160.0], [0.0, 200.0, 255.0], [60.0, 220.0, 60.0], [255.0, 230.0, 0.0], [230.0, 0.0, 0.0]];
/// How much of a pixel its colour covers without heat, and at the most heat.
const COVERS: [f32; 2] = [0.15, 0.6];

/// Frames with their heat in colour over them; `most` is the heat that is red.
///
/// # Shapes
/// - frames and result: `[frames, height, width, 3]`
/// - heat: `[frames, height, width]`
pub fn heated(frames: &Array4<u8>, heat: &Array3<f32>, most: f32) -> Array4<u8> {
    Array4::from_shape_fn(frames.raw_dim(), |(t, y, x, channel)| {
        let share = if most > 0.0 { (heat[[t, y, x]] / most).clamp(0.0, 1.0) } else { 0.0 };
        let cover = COVERS[0] + (COVERS[1] - COVERS[0]) * share;
        let mixed = f32::from(frames[[t, y, x, channel]]) * (1.0 - cover) + colour(share)[channel] * cover;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of bytes")]
        let byte = mixed.round() as u8;
        byte
    })
}

/// A row a clip, with up to eight of its frames. Nothing without clips.
pub fn filmstrip(clips: &[&Array4<u8>]) -> Option<ContactSheet> {
    ContactSheet::new(clips)
}

fn colour(share: f32) -> [f32; 3] {
    let last = COLOURS.len() - 1;
    let at = share * last as f32;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the table")]
    let low = (at as usize).min(last - 1);
    let near = at - low as f32;
    std::array::from_fn(|channel| COLOURS[low][channel] * (1.0 - near) + COLOURS[low + 1][channel] * near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_pixel_is_the_reddest() {
        let heat = Array3::from_shape_fn([1, 2, 2], |(_, y, x)| if [y, x] == [1, 0] { 2.0 } else { 0.0 });
        let picture = heated(&Array4::from_elem([1, 2, 2, 3], 100), &heat, 2.0);
        assert_eq!(picture.slice(ndarray::s![0, 1, 0, ..]).to_vec(), [178, 40, 40]);
        assert_eq!(picture.slice(ndarray::s![0, 0, 0, ..]).to_vec(), [85, 85, 109]);
    }
}
