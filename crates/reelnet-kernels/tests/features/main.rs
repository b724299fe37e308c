//! Batch norm, pooling, residual sums, gates and optimizer steps against their definitions in 64 bits, forward and gradients. In 32 bits and in
//! bfloat16 they run on the kernels of this crate, in 64 on what burn's operations compose.

mod norm;
mod parameters;
mod pool;
mod sums;

use burn::tensor::{DType, Device, Gradients, Tensor, TensorData, bf16};
use proptest::prelude::*;

/// What features are held in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Numbers {
    Float,
    Double,
    /// bfloat16; parameters and means beside it are 32-bit floats.
    Half,
}

impl Numbers {
    fn all() -> impl Strategy<Value = Self> {
        prop_oneof![3 => Just(Self::Float), 1 => Just(Self::Double), 3 => Just(Self::Half)]
    }

    /// [`values`] that features hold exactly.
    fn values(self, count: usize, seed: u64) -> Vec<f64> {
        values(count, seed).into_iter().map(|value| self.held(value)).collect()
    }

    /// The nearest number that features hold.
    #[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
    fn held(self, value: f64) -> f64 {
        match self {
            Self::Float => f64::from(value as f32),
            Self::Double => value,
            Self::Half => bf16::from_f64(value).to_f64(),
        }
    }

    /// Features.
    fn tensor<const D: usize>(self, values: &[f64], dims: [usize; D]) -> Tensor<D> {
        let dtype = match self {
            Self::Float => DType::F32,
            Self::Double => DType::F64,
            Self::Half => DType::BF16,
        };
        Tensor::from_data(
            TensorData::new(values.to_vec(), dims).convert_dtype(dtype),
            (&Device::flex().autodiff(), dtype),
        )
        .require_grad()
    }

    /// What stands beside features: parameters, gates.
    fn parameter<const D: usize>(self, values: &[f64], dims: [usize; D]) -> Tensor<D> {
        let held = if self == Self::Half { Self::Float } else { self };
        held.tensor(values, dims)
    }

    /// As [`check`], for features: what was summed in 32 bits may be rounded once to what they are held in.
    fn check(
        self,
        what: &str,
        found: &[f64],
        expected: &[f64],
        magnitude: impl Fn(usize) -> f64,
    ) -> Result<(), TestCaseError> {
        let rounding = if self == Self::Half { 1.0 / 255.0 } else { 0.0 };
        check(what, found, expected, |index| magnitude(index) + expected[index].abs() * rounding / 2e-6)
    }
}

/// Values between -2 and 2 from a seed, which 32-bit floats hold exactly, no two alike for the first 2²² of them.
fn values(count: usize, seed: u64) -> Vec<f64> {
    let start = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 42;
    // An odd factor walks through all residues of 2²² once.
    (0..count as u64)
        .map(|index| {
            let scrambled = (start + index).wrapping_mul(0x0002_c1b3_c6d5) & 0x3f_ffff;
            (scrambled as f64) / f64::from(1 << 20) - 2.0
        })
        .collect()
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec().expect("converted")
}

fn gradient_of<const D: usize>(tensor: &Tensor<D>, gradients: &Gradients) -> Vec<f64> {
    numbers(tensor.grad(gradients).expect("a gradient"))
}

/// Holds numbers against expected ones, each with the magnitude of what it was summed from.
fn check(what: &str, found: &[f64], expected: &[f64], magnitude: impl Fn(usize) -> f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len(), "{}", what);
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = 2e-6 * magnitude(index) + f64::EPSILON;
        prop_assert!(
            (found - expected).abs() <= allowed,
            "{what}[{index}] is {found}, expected {expected} ± {allowed}"
        );
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() }
}

/// `[batch, frames, height, width, channels]`: few and many channels, and now and then more than one task's worth of values.
fn features() -> impl Strategy<Value = [usize; 5]> {
    let channels = prop_oneof![1..=8_usize, 9..=80_usize, Just(256), 257..=300_usize];
    let size = prop_oneof![8 => (1..=4_usize, 1..=9_usize, 1..=9_usize), 1 => (Just(5), Just(20), Just(23))];
    (1..=3_usize, size, channels)
        .prop_map(|(batch, (frames, height, width), channels)| [batch, frames, height, width, channels])
}
