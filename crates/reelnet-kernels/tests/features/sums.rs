//! Residual sums and gates.

use proptest::prelude::*;
use reelnet_kernels::{add, add_relu, gate};

use crate::{Numbers, check, config, features, gradient_of, numbers, values};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn residual_sums_are_rectified(dims in features(), held in Numbers::all(), seed in 0..100_000_u64) {
        let count = dims.iter().product();
        let (a, b, slopes) = (held.values(count, seed), held.values(count, seed + 1), held.values(count, seed + 2));
        let (left, right) = (held.tensor(&a, dims), held.tensor(&b, dims));
        let output = add_relu(left.clone(), right.clone());
        let gradients = (output.clone() * held.tensor(&slopes, dims)).sum().backward();
        let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a + b).max(0.0)).collect();
        held.check("output", &numbers(output), &expected, |_| 4.0)?;
        let expected: Vec<f64> = expected.iter().zip(&slopes).map(|(&y, &slope)| if y > 0.0 { slope } else { 0.0 }).collect();
        check("left gradient", &gradient_of(&left, &gradients), &expected, |_| 0.0)?;
        check("right gradient", &gradient_of(&right, &gradients), &expected, |_| 0.0)?;

        let output = add(left.clone(), right.clone());
        let gradients = (output.clone() * held.tensor(&slopes, dims)).sum().backward();
        let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        held.check("sum", &numbers(output), &expected, |_| 4.0)?;
        check("left gradient of the sum", &gradient_of(&left, &gradients), &slopes, |_| 0.0)?;
        check("right gradient of the sum", &gradient_of(&right, &gradients), &slopes, |_| 0.0)?;
    }

    #[test]
    fn gates_weigh_channels(dims in features(), held in Numbers::all(), seed in 0..100_000_u64) {
        let [batch, .., channels] = dims;
        let gate_dims = [batch, 1, 1, 1, channels];
        let count: usize = dims.iter().product();
        let (x, weights, slopes) = (held.values(count, seed), values(batch * channels, seed + 1), held.values(count, seed + 2));
        let (features, weight) = (held.tensor(&x, dims), held.parameter(&weights, gate_dims));
        let output = gate(features.clone(), weight.clone());
        let gradients = (output.clone() * held.tensor(&slopes, dims)).sum().backward();
        let of = |index: usize| index / (count / batch) * channels + index % channels;
        let products = |by: &dyn Fn(usize) -> f64| (0..count).map(by).collect::<Vec<f64>>();
        held.check("output", &numbers(output), &products(&|index| x[index] * weights[of(index)]), |_| 4.0)?;
        let expected = products(&|index| slopes[index] * weights[of(index)]);
        held.check("features' gradient", &gradient_of(&features, &gradients), &expected, |_| 4.0)?;
        let (mut expected, mut magnitude) = (vec![0.0; batch * channels], vec![0.0; batch * channels]);
        for index in 0..count {
            expected[of(index)] += x[index] * slopes[index];
            magnitude[of(index)] += (x[index] * slopes[index]).abs();
        }
        check("gate's gradient", &gradient_of(&weight, &gradients), &expected, |index| magnitude[index])?;
    }
}
