//! DropBlock: dropout of whole squares, because neighbouring values tell what one of them was.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// DropBlock (arXiv 1810.12890) as TensorFlow's released networks have it: each channel drops squares of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropBlock {
    /// The share of values that is to be dropped.
    pub rate: f64,
    /// The side of a square, in positions of the features.
    pub size: usize,
}

impl DropBlock {
    /// What features of `[batch, height, width, channels]` are multiplied by: 0 within a square, elsewhere what keeps their sum.
    /// A video drops the same squares in all frames, for frames are neighbours too.
    pub(crate) fn mask(self, rng: &mut impl Rng, [batch, height, width, channels]: [usize; 4]) -> Vec<f32> {
        let (tall, wide) = (self.size.min(height), self.size.min(width));
        let (rows, columns) = (height - tall + 1, width - wide + 1);
        // Squares may overlap, and lie within the features: the released code's probability that one begins at a position.
        let begins = self.rate * (height * width) as f64 / (tall * wide * rows * columns) as f64;
        let mut mask = vec![1.0; batch * height * width * channels];
        for sample in mask.chunks_exact_mut(height * width * channels) {
            for corner in 0..rows * columns {
                let (top, left) = (corner / columns, corner % columns);
                for channel in (0..channels).filter(|_| rng.random::<f64>() < begins).collect::<Vec<_>>() {
                    for position in 0..tall * wide {
                        let (row, column) = (top + position / wide, left + position % wide);
                        sample[(row * width + column) * channels + channel] = 0.0;
                    }
                }
            }
        }
        let kept = mask.iter().filter(|&&value| value > 0.0).count();
        let scale = mask.len() as f32 / kept.max(1) as f32;
        for value in &mut mask {
            *value *= scale;
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::DropBlock;

    fn mask(block: DropBlock, dims: [usize; 4], seed: u64) -> Vec<f32> {
        block.mask(&mut ChaCha8Rng::seed_from_u64(seed), dims)
    }

    #[test]
    fn the_rate_is_met_and_the_mean_stays() {
        for (rate, size) in [(0.1, 3), (0.25, 7), (0.05, 1)] {
            let mask = mask(DropBlock { rate, size }, [8, 28, 28, 32], 3);
            let dropped = mask.iter().filter(|&&value| value == 0.0).count() as f64 / mask.len() as f64;
            // Squares that overlap drop less: 1 - exp(-rate) if they fall anywhere.
            assert!(dropped < rate * 1.05 && dropped > (1.0 - (-rate).exp()) * 0.9, "{rate} of {size}: {dropped}");
            let mean = mask.iter().map(|&value| f64::from(value)).sum::<f64>() / mask.len() as f64;
            assert!((mean - 1.0).abs() < 1e-4, "{mean}");
        }
    }

    #[test]
    fn what_is_dropped_is_made_of_whole_squares() {
        let (height, width) = (11, 9);
        let mask = mask(DropBlock { rate: 0.2, size: 3 }, [1, height, width, 1], 5);
        let dropped = |row: usize, column: usize| mask[row * width + column] == 0.0;
        let square = |top: usize, left: usize| (0..9).all(|at| dropped(top + at / 3, left + at % 3));
        let mut found = 0;
        for (row, column) in (0..height * width).map(|at| (at / width, at % width)).filter(|&(y, x)| dropped(y, x)) {
            found += 1;
            let corners = |at: usize, end: usize| at.saturating_sub(2)..=at.min(end - 3);
            assert!(
                corners(row, height).any(|top| corners(column, width).any(|left| square(top, left))),
                "{row}, {column} was dropped alone"
            );
        }
        assert!((9..height * width).contains(&found), "{found}");
    }

    #[test]
    fn draws_depend_on_the_seed_and_channels_drop_apart() {
        let block = DropBlock { rate: 0.2, size: 3 };
        let dims = [1, 14, 14, 2];
        assert_eq!(mask(block, dims, 1), mask(block, dims, 1));
        assert_ne!(mask(block, dims, 1), mask(block, dims, 2));
        let mask = mask(block, dims, 1);
        assert!(mask.chunks(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_square_is_never_larger_than_the_features() {
        let mask = mask(DropBlock { rate: 0.5, size: 7 }, [64, 4, 3, 1], 1);
        for sample in mask.chunks(12) {
            assert!(sample.iter().all(|value| (*value == 0.0) == (sample[0] == 0.0)), "{sample:?}");
        }
        assert!(mask.contains(&0.0) && mask.iter().any(|&value| value > 1.0));
    }
}
