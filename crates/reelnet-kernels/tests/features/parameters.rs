//! Steps of stochastic gradient descent, and averages.

use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;
use reelnet_kernels::parameters::{Descent, Look, average, descend};

use super::values;

fn tensor(values: &[f64], dtype: DType) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]).convert_dtype(dtype), (&Device::flex(), dtype))
}

fn doubles(tensor: &Tensor<1>) -> Vec<f64> {
    tensor.to_data().convert::<f64>().try_to_vec().expect("the data was just converted")
}

/// More than a block of the kernel's, not a multiple of it, and few.
fn counts() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..70, 16_000_usize..50_000]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn steps_are_the_formula(
        count in counts(),
        (rate, momentum, weight_decay) in (0.0..1.0, 0.0..1.0, 0.0..0.1),
        ahead in any::<bool>(),
        first in any::<bool>(),
        double in any::<bool>(),
    ) {
        let dtype = if double { DType::F64 } else { DType::F32 };
        let of = |seed| tensor(&values(count, seed), dtype);
        let (weights, gradient, velocity) = (of(1), of(2), of(3));
        let (old, slope) = (doubles(&weights), doubles(&gradient));
        let speed = if first { vec![0.0; count] } else { doubles(&velocity) };
        // Somebody else holds the weights, nobody the velocity.
        let held = weights.clone();
        let look = if ahead { Look::Ahead } else { Look::Here };
        let step = Descent { rate, momentum, weight_decay, look };
        let (weights, velocity) = descend(weights, gradient, (!first).then_some(velocity), &step);
        prop_assert_eq!(doubles(&held), old.clone(), "what somebody else holds does not change");
        let (weights, velocity) = (doubles(&weights), doubles(&velocity));
        for index in 0..count {
            let slope = slope[index] + weight_decay * old[index];
            let expected_velocity = momentum * speed[index] + slope;
            let direction = if ahead { slope + momentum * expected_velocity } else { expected_velocity };
            let expected = old[index] - rate * direction;
            prop_assert!((velocity[index] - expected_velocity).abs() < 1e-5, "velocity {index} of {count}");
            prop_assert!((weights[index] - expected).abs() < 1e-5, "weight {index} of {count}");
        }
    }

    #[test]
    fn averages_are_the_formula(count in counts(), kept in 0.0..1.0) {
        let (before, value) = (tensor(&values(count, 4), DType::F32), tensor(&values(count, 5), DType::F32));
        let (old, new) = (doubles(&before), doubles(&value));
        let held = before.clone();
        let after = doubles(&average(before, value, kept));
        prop_assert_eq!(doubles(&held), old.clone(), "what somebody else holds does not change");
        for ((after, old), new) in after.iter().zip(old).zip(new) {
            prop_assert!((after - (kept * old + (1.0 - kept) * new)).abs() < 1e-6);
        }
    }
}
