//! Convolution against its definition in 64 bits: forward and gradients, any shape.

mod reference;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use proptest::prelude::*;
use reelnet_kernels::{Border, Window, conv, cpu};

use crate::reference::{Problem, Sum};

/// Values from a seed that both 32-bit floats and bfloat16 hold exactly: eighths between -2 and 2.
fn values(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 59).expect("five bits")) / 8.0 - 2.0
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "these values are exact in 32 bits")]
fn tensor<const D: usize>(values: &[f64], dims: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, dims), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let values: Vec<f32> = tensor.into_data().convert::<f32>().try_to_vec().expect("32-bit floats");
    values.into_iter().map(f64::from).collect()
}

/// What activations are held in, and how far a sum may then be off.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Numbers {
    Float,
    Half,
}

impl Numbers {
    fn cast(self, tensor: Tensor<5>) -> Tensor<5> {
        match self {
            Self::Float => tensor,
            Self::Half => tensor.cast(FloatDType::BF16),
        }
    }

    /// Both are summed in 32 bits; an activation in bfloat16 is then rounded to 8 significant bits.
    fn check_activations(self, what: &str, found: &[f64], expected: &[Sum]) -> Result<(), TestCaseError> {
        let rounding = if self == Self::Half { 1.0 / 256.0 } else { 0.0 };
        check(what, found, expected, rounding)
    }
}

fn check(what: &str, found: &[f64], expected: &[Sum], rounding: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len(), "{}", what);
    for (index, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = 1e-6 * expected.magnitude + rounding * expected.value.abs() + f64::EPSILON;
        let error = (found - expected.value).abs();
        prop_assert!(error <= allowed, "{what}[{index}] is {found}, expected {expected:?}");
    }
    Ok(())
}

/// Whether this machine's oneDNN takes such numbers: bfloat16 needs AVX-512.
fn has_onednn_kernels(held: Numbers) -> bool {
    cpu::onednn().is_some_and(|library| held == Numbers::Float || library.instructions.starts_with("AVX-512"))
}

/// Runs a convolution forward and backward and holds everything against the definition.
fn holds(problem: &Problem, has_bias: bool, held: Numbers, seed: u64, device: &Device) -> Result<(), TestCaseError> {
    let count = |dims: [usize; 5]| dims.iter().product::<usize>();
    let features = values(count(problem.features), seed);
    let weight = values(count(problem.weight()), seed + 1);
    let bias = has_bias.then(|| values(problem.channels_out, seed + 2));
    let output_gradient = values(count(problem.output()), seed + 3);
    let expected = problem.solve(&features, &weight, bias.as_deref(), &output_gradient);

    let features = held.cast(tensor(&features, problem.features, device)).require_grad();
    let weight = tensor(&weight, problem.weight(), device).require_grad();
    let bias = bias.map(|bias| tensor(&bias, [problem.channels_out], device).require_grad());
    let before = cpu::work().convolutions;
    let output = conv(features.clone(), weight.clone(), bias.clone(), &problem.window, problem.groups, Border::Zero);
    prop_assert_eq!(output.dims(), problem.output());
    let output_gradient = held.cast(tensor(&output_gradient, problem.output(), device));
    let gradients = (output.clone() * output_gradient).sum().backward();
    if has_onednn_kernels(held) {
        prop_assert!(cpu::work().convolutions >= before + 3, "burn computed this");
    }

    let gradient_of = |tensor: &Tensor<5>| numbers(tensor.grad(&gradients).expect("a gradient"));
    held.check_activations("output", &numbers(output), &expected.output)?;
    held.check_activations("features' gradient", &gradient_of(&features), &expected.features)?;
    check("weight's gradient", &gradient_of(&weight), &expected.weight, 0.0)?;
    if let Some(bias) = bias {
        let gradient = numbers(bias.grad(&gradients).expect("a gradient"));
        check("bias's gradient", &gradient, &expected.bias, 0.0)?;
    }
    Ok(())
}

/// One axis: its size, taps, stride, dilation and padding, such that at least one output comes out.
fn axis(largest_kernel: usize) -> impl Strategy<Value = (usize, usize, usize, usize, (usize, usize))> {
    (1..=largest_kernel, 1..=3_usize, 1..=2_usize, 0..=9_usize).prop_flat_map(|(kernel, stride, dilation, extra)| {
        let reach = dilation * (kernel - 1) + 1;
        (0..reach, 0..reach).prop_map(move |(before, after)| {
            let least = reach.saturating_sub(before + after).max(1);
            (least + extra, kernel, stride, dilation, (before, after))
        })
    })
}

/// Groups, and channels a group in and out: plain, grouped, depthwise.
fn channels() -> impl Strategy<Value = (usize, usize, usize)> {
    prop_oneof![
        4 => (Just(1), 1..=40_usize, 1..=40_usize),
        1 => (Just(1), Just(64), Just(32)),
        2 => (2..=4_usize, 1..=9_usize, 1..=9_usize),
        2 => (2..=40_usize, Just(1), Just(1)),
        1 => (2..=6_usize, Just(1), 2..=3_usize),
    ]
}

fn problem() -> impl Strategy<Value = Problem> {
    (1..=2_usize, channels(), axis(3), axis(4), axis(4)).prop_map(|(batch, (groups, each_in, each_out), t, y, x)| {
        let axes = [t, y, x];
        let window = Window {
            kernel: axes.map(|axis| axis.1),
            stride: axes.map(|axis| axis.2),
            dilation: axes.map(|axis| axis.3),
            padding: axes.map(|axis| axis.4),
        };
        Problem { features: [batch, t.0, y.0, x.0, groups * each_in], channels_out: groups * each_out, groups, window }
    })
}

/// Kernels over frames alone, whose weight gradients are matrix products: padding may be all that one of their places sees.
fn temporal_problem() -> impl Strategy<Value = Problem> {
    let frames = (2..=5_usize).prop_flat_map(|kernel| (Just(kernel), 0..kernel, 0..kernel, 0..=6_usize));
    (1..=3_usize, (1..=40_usize, 1..=40_usize), frames, 1..=5_usize, 1..=5_usize).prop_map(
        |(batch, (channels, channels_out), (kernel, before, after, extra), height, width)| {
            let frames = kernel.saturating_sub(before + after).max(1) + extra;
            let padding = [(before, after), (0, 0), (0, 0)];
            let window = Window { kernel: [kernel, 1, 1], stride: [1; 3], dilation: [1; 3], padding };
            Problem { features: [batch, frames, height, width, channels], channels_out, groups: 1, window }
        },
    )
}

impl std::fmt::Debug for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?} to {} in {} groups, {:?}", self.features, self.channels_out, self.groups, self.window)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_convolutions_are_their_definition(problem in problem(), has_bias: bool, seed in 0..1_000_000_u64) {
        holds(&problem, has_bias, Numbers::Float, seed, &Device::flex().autodiff())?;
    }

    #[test]
    fn random_temporal_convolutions_are_their_definition(problem in temporal_problem(), seed in 0..1_000_000_u64) {
        holds(&problem, false, Numbers::Float, seed, &Device::flex().autodiff())?;
    }

    #[test]
    fn random_convolutions_of_bfloat16_are_summed_in_32_bits(problem in problem(), has_bias: bool, seed in 0..1_000_000_u64) {
        holds(&problem, has_bias, Numbers::Half, seed, &Device::flex().autodiff())?;
    }
}

/// `[batch, frames, height, width, channels]`, channels out, kernel, stride, groups; padding is symmetric.
type Row = ([usize; 5], usize, [usize; 3], [usize; 3], usize);

/// What the networks of the zoo are made of, in small.
const NETWORKS: [Row; 9] = [
    ([1, 8, 28, 30, 3], 32, [5, 3, 3], [1, 2, 2], 1),
    ([2, 1, 29, 31, 3], 32, [1, 3, 3], [1, 2, 2], 1),
    ([1, 4, 14, 14, 64], 64, [1, 3, 3], [1, 1, 1], 1),
    ([1, 8, 7, 7, 128], 64, [3, 1, 1], [1, 1, 1], 1),
    ([1, 4, 14, 14, 64], 128, [1, 1, 1], [1, 1, 1], 1),
    ([1, 4, 14, 14, 64], 64, [1, 1, 1], [2, 2, 2], 1),
    ([1, 4, 9, 9, 48], 48, [3, 3, 3], [2, 2, 2], 1),
    ([2, 1, 15, 15, 96], 96, [1, 5, 5], [1, 2, 2], 96),
    ([2, 1, 1, 1, 64], 16, [1, 1, 1], [1, 1, 1], 1),
];

fn network_problems() -> impl Iterator<Item = Problem> {
    NETWORKS.into_iter().map(|(features, channels_out, kernel, stride, groups)| {
        let padding = kernel.map(|taps| ((taps - 1) / 2, (taps - 1) / 2));
        Problem { features, channels_out, groups, window: Window { kernel, stride, padding, dilation: [1; 3] } }
    })
}

#[test]
fn convolutions_of_the_networks_are_their_definition() {
    for device in [Device::flex().autodiff(), Device::flex().autodiff().gradient_checkpointing()] {
        for problem in network_problems() {
            for (held, has_bias) in [(Numbers::Float, true), (Numbers::Float, false), (Numbers::Half, true)] {
                holds(&problem, has_bias, held, 7, &device)
                    .unwrap_or_else(|error| panic!("{problem:?}, {held:?}: {error}"));
            }
        }
    }
}

/// Its weights lie in the order of the matrix products already.
#[test]
fn a_temporal_kernel_of_one_channel_has_gradients() {
    let padding = [(1, 1), (0, 0), (0, 0)];
    let window = Window { kernel: [3, 1, 1], stride: [1; 3], dilation: [1; 3], padding };
    let problem = Problem { features: [2, 4, 3, 2, 1], channels_out: 1, groups: 1, window };
    holds(&problem, false, Numbers::Float, 7, &Device::flex().autodiff()).unwrap_or_else(|error| panic!("{error}"));
}
