//! Batch norm in training.

use burn::tensor::Tensor;
use proptest::prelude::*;
use reelnet_kernels::{Then, affine, batch_norm_train};

use crate::{Numbers, check, config, features, gradient_of, numbers, values};

const EPSILON: f64 = 1e-5;

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![2 => Just(Then::Nothing), 4 => Just(Then::Relu), 1 => Just(Then::Relu6), 2 => Just(Then::Swish)]
}

/// What comes out for a value, and its derivative.
fn curve(then: Then, y: f64) -> (f64, f64) {
    let inside = |inside: bool| if inside { 1.0 } else { 0.0 };
    match then {
        Then::Nothing => (y, 1.0),
        Then::Relu => (y.max(0.0), inside(y > 0.0)),
        Then::Relu6 => (y.clamp(0.0, 6.0), inside(y > 0.0 && y < 6.0)),
        Then::Swish => {
            let sigmoid = 1.0 / (1.0 + (-y).exp());
            (y * sigmoid, sigmoid * (1.0 + y * (1.0 - sigmoid)))
        }
    }
}

/// How far a value is from where the derivative jumps.
fn to_corner(then: Then, y: f64) -> f64 {
    match then {
        Then::Nothing | Then::Swish => f64::INFINITY,
        Then::Relu => y.abs(),
        Then::Relu6 => y.abs().min((y - 6.0).abs()),
    }
}

fn of_channel(values: &[f64], channels: usize, channel: usize) -> impl Iterator<Item = f64> + '_ {
    values.iter().copied().skip(channel).step_by(channels)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn training_normalises_each_channel(dims in features(), then in then(), held in Numbers::all(), level in -50..50_i32, seed in 0..100_000_u64) {
        let channels = dims[4];
        let count = dims.iter().product::<usize>();
        let rows = count / channels;
        prop_assume!(rows > 1);
        let x: Vec<f64> = values(count, seed).iter().map(|value| held.held(value + f64::from(level))).collect();
        // On both sides of zero, and none near it: a tiny scale would put every output at the edge of the ReLU.
        let weight: Vec<f64> = values(channels, seed + 1).iter().map(|value| value + value.signum() / 2.0).collect();
        let bias = values(channels, seed + 2);
        let slopes = held.values(count, seed + 3);

        let features = held.tensor(&x, dims);
        let (scales, shifts) = (held.parameter(&weight, [channels]), held.parameter(&bias, [channels]));
        let (output, statistics) = batch_norm_train(features.clone(), scales.clone(), shifts.clone(), EPSILON, then);
        let gradients = (output.clone() * held.tensor(&slopes, dims)).sum().backward();
        let (output, found_mean, found_variance) = (numbers(output), numbers(statistics.mean), numbers(statistics.variance));
        let (of_features, of_weight, of_bias) =
            (gradient_of(&features, &gradients), gradient_of(&scales, &gradients), gradient_of(&shifts, &gradients));

        let n = rows as f64;
        for channel in 0..channels {
            let here = |values: &[f64]| of_channel(values, channels, channel).collect::<Vec<_>>();
            let (x, slopes) = (here(&x), here(&slopes));
            let mean = x.iter().sum::<f64>() / n;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let deviation = (variance + EPSILON).sqrt();
            let (weight, bias) = (weight[channel], bias[channel]);
            let normal: Vec<f64> = x.iter().map(|x| (x - mean) / deviation).collect();
            let plain: Vec<f64> = normal.iter().map(|normal| weight * normal + bias).collect();
            // Rounding the mean moves all that follows.
            let doubt = 4.0 + (mean / deviation).abs();
            prop_assume!(plain.iter().all(|&y| to_corner(then, y) > 4e-6 * doubt));
            let expected: Vec<f64> = plain.iter().map(|&y| curve(then, y).0).collect();
            check("mean", &[found_mean[channel]], &[mean], |_| mean.abs() + variance.sqrt())?;
            // Squares are summed around some value of the channel: 128 of them, each rounded by 2⁻²⁴, are 4 times 2e-6.
            let farthest = x.iter().map(|x| (x - mean).powi(2)).fold(0.0, f64::max);
            check("variance", &[found_variance[channel]], &[variance], |_| 4.0 * (variance + farthest))?;
            held.check("output", &here(&output), &expected, |_| 2.0 * (weight.abs() * doubt + bias.abs()))?;

            let g: Vec<f64> = slopes.iter().zip(&plain).map(|(&slope, &y)| slope * curve(then, y).1).collect();
            let sum = g.iter().sum::<f64>();
            let product = g.iter().zip(&normal).map(|(g, normal)| g * normal).sum::<f64>();
            let total = g.iter().map(|g| g.abs()).sum::<f64>();
            let expected: Vec<f64> = g.iter().zip(&normal)
                .map(|(g, normal)| weight / deviation * (g - sum / n - normal * product / n))
                .collect();
            // The slope of a curve that bends (a swish's by a half at most) is that of a moved value.
            let bend = if then == Then::Swish { slopes.iter().map(|slope| slope.abs()).sum::<f64>() * weight.abs() / 2.0 } else { 0.0 };
            check("bias's gradient", &[of_bias[channel]], &[sum], |_| 2.0 * total + bend * doubt)?;
            let farthest = normal.iter().fold(1.0_f64, |most, normal| most.max(normal.abs()));
            check("weight's gradient", &[of_weight[channel]], &[product], |_| (total + bend * farthest) * doubt)?;
            let largest = (weight / deviation).abs() * (2.0 + total / n) * doubt;
            held.check("features' gradient", &here(&of_features), &expected, |_| 4.0 * largest)?;
        }
    }

    #[test]
    fn inference_scales_and_shifts(dims in features(), then in then(), held in Numbers::all(), seed in 0..100_000_u64) {
        let (channels, count) = (dims[4], dims.iter().product());
        let (x, scale, shift) = (held.values(count, seed), values(channels, seed + 1), values(channels, seed + 2));
        let plain: Vec<f64> =
            x.iter().zip((0..channels).cycle()).map(|(x, channel)| x * scale[channel] + shift[channel]).collect();
        prop_assume!(plain.iter().all(|&y| to_corner(then, y) > 1e-5));
        let expected: Vec<f64> = plain.iter().map(|&y| curve(then, y).0).collect();
        let arguments = || (held.tensor(&x, dims), held.parameter(&scale, [channels]), held.parameter(&shift, [channels]));
        let (features, scales, shifts) = arguments();
        let tracked = affine(features.clone(), scales, shifts, then);
        held.check("tracked output", &numbers(tracked.clone()), &expected, |_| 8.0)?;
        let gradients = tracked.sum().backward();
        let slopes: Vec<f64> =
            plain.iter().zip((0..channels).cycle()).map(|(&y, channel)| scale[channel] * curve(then, y).1).collect();
        held.check("features' gradient", &gradient_of(&features, &gradients), &slopes, |_| 8.0)?;

        let (features, scales, shifts) = arguments();
        let shared = features.clone().inner();
        let plain = affine(features.inner(), scales.inner(), shifts.inner(), then);
        held.check("output", &numbers(plain), &expected, |_| 8.0)?;
        prop_assert_eq!(numbers(shared), x, "somebody else's tensor was written to");
    }
}

#[test]
fn a_broken_number_is_seen() {
    let mut broken = vec![1.0; 2 * 3 * 8];
    broken[5] = f64::NAN;
    let features: Tensor<5> = Numbers::Float.tensor(&broken, [2, 1, 3, 1, 8]);
    let ones = || Numbers::Float.tensor(&[1.0; 8], [8]);
    let (output, _) = batch_norm_train(features, ones(), ones(), EPSILON, Then::Relu);
    assert!(numbers(output)[5].is_nan());
}
