//! Sums that do not depend on the order of their terms.

use std::ops::AddAssign;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Binary digits behind the point: a term from 2^-28 on is held whole, and so the sum is what `math.fsum` of Python says.
const DIGITS: i32 = 80;

/// A sum of numbers, held in whole units, so that the shards of an evaluation add up to the same number in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(i128);

impl Sum {
    /// The sum as a number.
    pub fn value(self) -> f64 {
        self.0 as f64 * 2f64.powi(-DIGITS)
    }

    /// A sum of one number; what is no number counts as nothing.
    pub fn of(number: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the cast is bounded, and counts no number as 0")]
        Self((number * 2f64.powi(DIGITS)).round_ties_even() as i128)
    }
}

impl AddAssign<f64> for Sum {
    fn add_assign(&mut self, number: f64) {
        self.0 = self.0.saturating_add(Self::of(number).0);
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

/// A plain number, as journals have always held it.
impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn order_does_not_matter(mut terms in proptest::collection::vec(0.0_f64..100.0, 0..200), cut in 0_usize..200) {
            let sum = |terms: &[f64]| {
                let mut sum = Sum::default();
                for &term in terms {
                    sum += term;
                }
                sum
            };
            let whole = sum(&terms);
            let near: f64 = terms.iter().sum();
            assert!((whole.value() - near).abs() < 1e-9, "{near}");
            let cut = cut.min(terms.len());
            let mut parts = sum(&terms[cut..]);
            parts += sum(&terms[..cut]);
            terms.reverse();
            assert_eq!((whole, whole), (parts, sum(&terms)));
        }
    }

    #[test]
    fn what_is_no_number_counts_as_nothing() {
        let mut sum = Sum::of(1.5);
        sum += f64::NAN;
        assert_eq!(sum.value(), 1.5);
    }
}
