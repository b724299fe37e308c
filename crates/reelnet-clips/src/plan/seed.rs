//! Randomness as an argument: the same run, epoch and sample give the same draw on every machine, whoever asks first.

/// Names one draw of one training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed {
    /// The run's own seed.
    pub run: u64,
    /// How often all samples have been drawn before.
    pub epoch: u64,
    /// Which sample.
    pub sample: u64,
}

impl Seed {
    /// A number below `bound`, each as likely as the others; 0 for a bound of 0. Different purposes are independent.
    pub(crate) fn below(self, bound: usize, purpose: Purpose) -> usize {
        let mixed =
            [self.epoch, self.sample, purpose as u64].iter().fold(mix(self.run), |state, &part| mix(state ^ mix(part)));
        // The bias of multiplying instead of rejecting is below bound / 2^64.
        let scaled = (u128::from(mixed) * bound as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// A number of at least 0 and less than 1.
    pub(crate) fn fraction(self, purpose: Purpose) -> f64 {
        self.below(1 << 53, purpose) as f64 / (1_u64 << 53) as f64
    }
}

/// What a number is drawn for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Start = 1,
    Step = 2,
    Shuffle = 3,
}

/// `SplitMix64` (Steele, Lea and Flood 2014): every bit of the state moves every bit of the result.
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_never_change() {
        let draw = |sample| Seed { run: 1, epoch: 2, sample }.below(10, Purpose::Start);
        let mut counts = [0; 10];
        for sample in 0..100_000 {
            counts[draw(sample)] += 1;
        }
        // Five standard deviations of a fair count of 10,000.
        assert!(counts.iter().all(|count: &i32| (count - 10_000).abs() < 475), "{counts:?}");
        assert_eq!([0, 1, 2, 3, 4, 5].map(draw), DRAWS);
        assert_eq!(Seed { run: 0, epoch: 0, sample: 0 }.below(0, Purpose::Step), 0);
    }

    /// From the same formula in Python; runs of other releases depend on them.
    const DRAWS: [usize; 6] = [6, 5, 9, 4, 5, 9];
}
