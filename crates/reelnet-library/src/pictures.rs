//! Clips as small grey pictures: nearly black ones, and ones that show the same again.

use reelnet_clips::Clip;

/// Cells of a side.
const SIDE: usize = 16;
/// Nearly black: the mean of all cells, and the brightest one, of 255.
const DARK_MEAN: f32 = 12.0;
const DARK_MOST: f32 = 36.0;
/// The same: the mean difference of cells, and the largest one, of 255.
const SAME_MEAN: f32 = 1.0;
const SAME_MOST: f32 = 8.0;

/// A clip in 16 by 16 cells a moment, of up to four moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail {
    cells: Vec<f32>,
}

impl Thumbnail {
    /// Of a clip.
    pub fn of(clip: &Clip) -> Self {
        let (frames, height, width, _) = clip.frames.dim();
        let moments = frames.clamp(1, 4);
        let mut cells = Vec::with_capacity(moments * SIDE * SIDE);
        for moment in 0..moments {
            let frame = moment * frames / moments;
            for row in 0..SIDE {
                for column in 0..SIDE {
                    let (mut sum, mut count) = (0_u32, 0_u32);
                    for y in (row * height / SIDE..(row + 1) * height / SIDE).step_by(2) {
                        for x in (column * width / SIDE..(column + 1) * width / SIDE).step_by(2) {
                            let channel = |channel| u32::from(clip.frames[[frame, y, x, channel]]);
                            // Rec. 601's weights of brightness, in 256ths.
                            sum += 77 * channel(0) + 150 * channel(1) + 29 * channel(2);
                            count += 256;
                        }
                    }
                    cells.push(sum as f32 / count.max(1) as f32);
                }
            }
        }
        Self { cells }
    }

    /// Whether there is next to nothing to be seen.
    pub fn is_dark(&self) -> bool {
        let mean = self.cells.iter().sum::<f32>() / self.cells.len().max(1) as f32;
        mean < DARK_MEAN && self.cells.iter().all(|cell| *cell < DARK_MOST)
    }

    /// Whether both show the same.
    pub fn is_same(&self, other: &Self) -> bool {
        let differences = || self.cells.iter().zip(&other.cells).map(|(a, b)| (a - b).abs());
        self.cells.len() == other.cells.len()
            && differences().sum::<f32>() / (self.cells.len().max(1) as f32) < SAME_MEAN
            && differences().all(|difference| difference < SAME_MOST)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;

    fn clip(value: impl Fn(usize, usize) -> u8) -> Clip {
        let frames = Array4::from_shape_fn((1, 64, 64, 3), |(_, row, column, _)| value(row, column));
        Clip { frames, pts_seconds: vec![0.0], indices: vec![0] }
    }

    fn slope(row: usize, column: usize) -> u8 {
        u8::try_from(row + column).expect("a small picture")
    }

    #[test]
    fn night_is_dark_and_a_lamp_in_it_is_not() {
        assert!(Thumbnail::of(&clip(|_, _| 8)).is_dark());
        assert!(!Thumbnail::of(&clip(|row, column| if row < 6 && column < 6 { 255 } else { 8 })).is_dark());
        assert!(!Thumbnail::of(&clip(|_, _| 40)).is_dark());
    }

    #[test]
    fn noise_is_the_same_and_a_small_change_is_not() {
        let still = Thumbnail::of(&clip(slope));
        assert!(still.is_same(&Thumbnail::of(&clip(|row, column| slope(row, column) + u8::from(row % 2 == 1)))));
        let moved = clip(|row, column| if row < 8 && column < 8 { 200 } else { slope(row, column) });
        assert!(!still.is_same(&Thumbnail::of(&moved)));
    }
}
