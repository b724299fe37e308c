//! Random numbers that depend on a seed and on what they are drawn for, and on nothing else.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use reelnet_clips::Seed;

/// What numbers are drawn for. A step that is switched on or off leaves the draws of the others as they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Crop = 1,
    Flip = 2,
    RandAugment = 3,
    ColourJitter = 4,
    Erasing = 5,
    Mixing = 6,
}

/// The numbers of one purpose.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn new(seed: Seed, purpose: Purpose) -> Self {
        let mut key = [0; 32];
        let words = [seed.run, seed.epoch, seed.sample, purpose as u64];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// At least 0 and less than 1. Not `rand`'s own, whose arithmetic may change with its releases.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Less than `bound`, each number as likely as the others; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // The bias of multiplying instead of rejecting is below bound / 2^64.
        let scaled = (u128::from(self.0.next_u64()) * bound as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    pub(super) fn between(&mut self, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.fraction()
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// The generator itself, for distributions and noise.
    pub(super) fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_seeds_are_independent() {
        let first = |run, epoch, sample, purpose| Draws::new(Seed { run, epoch, sample }, purpose).below(1 << 40);
        let one = first(1, 2, 3, Purpose::Crop);
        assert_eq!(one, first(1, 2, 3, Purpose::Crop));
        for other in [
            first(2, 2, 3, Purpose::Crop),
            first(1, 3, 3, Purpose::Crop),
            first(1, 2, 4, Purpose::Crop),
            first(1, 2, 3, Purpose::Flip),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn draws_are_even() {
        let mut draws = Draws::new(Seed { run: 1, epoch: 0, sample: 0 }, Purpose::Erasing);
        let mut counts = [0_i32; 10];
        for _ in 0..100_000 {
            counts[draws.below(10)] += 1;
        }
        // Five standard deviations of a fair count of 10,000.
        assert!(counts.iter().all(|count| (count - 10_000).abs() < 475), "{counts:?}");
        assert!((0..1000).map(|_| draws.between([-2.0, 3.0])).all(|number| (-2.0..3.0).contains(&number)));
    }
}
