//! Pooling.

use proptest::prelude::*;
use reelnet_kernels::{Border, Window, average_pool, global_average, max_pool};

use crate::{Numbers, check, config, features, gradient_of, numbers, values};

/// One axis: size, taps, stride, dilation, padding; each window sees at least one value.
fn axis() -> impl Strategy<Value = (usize, usize, usize, usize, (usize, usize))> {
    (1..=4_usize, 1..=3_usize, 1..=2_usize, 0..=8_usize).prop_flat_map(|(taps, stride, dilation, extra)| {
        let reach = dilation * (taps - 1) + 1;
        (0..=reach / 2, 0..=reach / 2)
            .prop_map(move |(before, after)| (reach + extra, taps, stride, dilation, (before, after)))
    })
}

fn problem() -> impl Strategy<Value = ([usize; 5], Window)> {
    (1..=2_usize, [axis(), axis(), axis()], 1..=40_usize).prop_map(|(batch, axes, channels)| {
        let [frames, height, width] = axes.map(|axis| axis.0);
        let window = Window {
            kernel: axes.map(|axis| axis.1),
            stride: axes.map(|axis| axis.2),
            dilation: axes.map(|axis| axis.3),
            padding: axes.map(|axis| axis.4),
        };
        ([batch, frames, height, width, channels], window)
    })
}

/// For each value of the output, which values of the features its window sees.
fn windows(features: [usize; 5], window: &Window) -> ([usize; 5], Vec<Vec<usize>>) {
    let [batch, frames, height, width, channels] = features;
    let [out_frames, out_height, out_width] = window.output([frames, height, width]);
    let positions = |axis: usize, output: usize| -> Vec<usize> {
        let taps = (0..window.kernel[axis]).map(|tap| output * window.stride[axis] + tap * window.dilation[axis]);
        let within = taps.filter_map(|at| at.checked_sub(window.padding[axis].0));
        within.filter(|&at| at < features[axis + 1]).collect()
    };
    let mut seen = Vec::new();
    for sample in 0..batch {
        for frame in 0..out_frames {
            for row in 0..out_height {
                for column in 0..out_width {
                    for channel in 0..channels {
                        let mut values = Vec::new();
                        for t in positions(0, frame) {
                            for y in positions(1, row) {
                                for x in positions(2, column) {
                                    values
                                        .push((((sample * frames + t) * height + y) * width + x) * channels + channel);
                                }
                            }
                        }
                        seen.push(values);
                    }
                }
            }
        }
    }
    ([batch, out_frames, out_height, out_width, channels], seen)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_largest_value_wins_and_takes_the_slope((dims, window) in problem(), held in Numbers::all(), seed in 0..100_000_u64) {
        let count = dims.iter().product();
        let x = held.values(count, seed);
        let (output_dims, seen) = windows(dims, &window);
        prop_assume!(seen.iter().all(|values| !values.is_empty()));
        let slopes = held.values(seen.len(), seed + 1);
        let features = held.tensor(&x, dims);
        let output = max_pool(features.clone(), &window, Border::Zero);
        prop_assert_eq!(output.dims(), output_dims);
        let gradients = (output.clone() * held.tensor(&slopes, output_dims)).sum().backward();

        let winners: Vec<usize> = seen.iter()
            .map(|values| values.iter().copied().reduce(|best, at| if x[at] > x[best] { at } else { best }).expect("not empty"))
            .collect();
        let expected: Vec<f64> = winners.iter().map(|&winner| x[winner]).collect();
        check("output", &numbers(output), &expected, |_| 0.0)?;
        let (mut gradient, mut magnitude) = (vec![0.0; count], vec![0.0; count]);
        for (&winner, slope) in winners.iter().zip(&slopes) {
            gradient[winner] += slope;
            magnitude[winner] += slope.abs();
        }
        held.check("gradient", &gradient_of(&features, &gradients), &gradient, |index| magnitude[index])?;
    }

    #[test]
    fn the_mean_leaves_padding_out((dims, window) in problem(), held in Numbers::all(), seed in 0..100_000_u64) {
        // What averages over time or has holes is nobody's here.
        let dims = [dims[0], dims[1], dims[2], dims[3], dims[4]];
        let window = Window {
            kernel: [1, window.kernel[1], window.kernel[2]],
            stride: [1, window.stride[1], window.stride[2]],
            padding: [(0, 0), window.padding[1], window.padding[2]],
            dilation: [1; 3],
        };
        let (output_dims, seen) = windows(dims, &window);
        prop_assume!(seen.iter().all(|values| !values.is_empty()));
        let count = dims.iter().product();
        let (x, slopes) = (held.values(count, seed), held.values(seen.len(), seed + 1));
        let features = held.tensor(&x, dims);
        let output = average_pool(features.clone(), &window);
        prop_assert_eq!(output.dims(), output_dims);
        let gradients = (output.clone() * held.tensor(&slopes, output_dims)).sum().backward();

        let expected: Vec<f64> =
            seen.iter().map(|values| values.iter().map(|&at| x[at]).sum::<f64>() / values.len() as f64).collect();
        held.check("output", &numbers(output), &expected, |_| 2.0)?;
        let (mut gradient, mut magnitude) = (vec![0.0; count], vec![0.0; count]);
        for (values, slope) in seen.iter().zip(&slopes) {
            for &at in values {
                gradient[at] += slope / values.len() as f64;
                magnitude[at] += slope.abs();
            }
        }
        held.check("gradient", &gradient_of(&features, &gradients), &gradient, |index| magnitude[index])?;
    }

    #[test]
    fn the_mean_of_a_sample_is_a_float(dims in features(), held in Numbers::all(), seed in 0..100_000_u64) {
        let [batch, .., channels] = dims;
        let count: usize = dims.iter().product();
        let (x, slopes) = (held.values(count, seed), values(batch * channels, seed + 1));
        let features = held.tensor(&x, dims);
        let output = global_average(features.clone());
        prop_assert_eq!(output.dims(), [batch, 1, 1, 1, channels]);
        let weights = held.parameter(&slopes, output.dims());
        let gradients = (output.clone() * weights).sum().backward();

        let rows = (count / batch / channels) as f64;
        let of = |index: usize| index / (count / batch) * channels + index % channels;
        let (mut expected, mut magnitude) = (vec![0.0; batch * channels], vec![0.0; batch * channels]);
        for (index, x) in x.iter().enumerate() {
            expected[of(index)] += x / rows;
            magnitude[of(index)] += x.abs() / rows;
        }
        check("output", &numbers(output), &expected, |index| 4.0 * magnitude[index])?;
        let expected: Vec<f64> = (0..count).map(|index| slopes[of(index)] / rows).collect();
        held.check("gradient", &gradient_of(&features, &gradients), &expected, |index| expected[index].abs())?;
    }
}

#[test]
fn the_first_of_equals_takes_the_slope_and_a_broken_number_wins() {
    let window = Window { kernel: [1, 1, 3], stride: [1; 3], padding: [(0, 0), (0, 0), (1, 1)], dilation: [1; 3] };
    let features =
        Numbers::Float.tensor(&[1.0, 1.0, f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], [1, 1, 1, 5, 1]);
    let output = max_pool(features.clone(), &window, Border::Zero);
    let gradients = output.sum().backward();
    assert_eq!(gradient_of(&features, &gradients), [2.0, 1.0, 1.0, 1.0, 0.0]);
    let broken = Numbers::Float.tensor(&[1.0, f64::NAN, 2.0, 0.0, 0.0], [1, 1, 1, 5, 1]);
    let output = numbers(max_pool(broken, &window, Border::Zero));
    assert!(output[..3].iter().all(|value| value.is_nan()) && output[3..] == [2.0, 0.0], "{output:?}");
}
