//! Residual sums and gates.

use std::mem::MaybeUninit;

use burn::backend::flex::FlexTensor;

use super::curve::{Clip, Curve};
use super::rows::{Walk, add_products, add_rows, multiply_rows, pass_where_positive, repeat_row, sum_on_curve};
use super::team::pieces;
use super::tensors::{Dense, Float, fresh, narrow, rounded};

/// Walks over what has no channels.
const FLAT: usize = 1;

/// `a + b`
pub(super) fn add<E: Float>(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    sum::<E, _>(a, b, Clip::NOTHING)
}

/// `max(a + b, 0)`
pub(super) fn add_relu<E: Float>(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    sum::<E, _>(a, b, Clip::RELU)
}

fn sum<E: Float, C: Curve>(a: &FlexTensor, b: &FlexTensor, curve: C) -> FlexTensor {
    let (a_dense, b_dense) = (Dense::of(a), Dense::of(b));
    let (a_values, b_values, walk) = (a_dense.values::<E>(), b_dense.values::<E>(), Walk::over(FLAT));
    let write = |output: &mut [MaybeUninit<E>]| {
        pieces(output, walk.block(), |index, output| {
            sum_on_curve(walk.of(a_values, index), walk.of(b_values, index), curve, output);
        });
    };
    // SAFETY: the pieces are all of the output, and each is written through.
    unsafe { fresh(a.layout().shape().clone(), write) }
}

/// The gradient of either side of [`add_relu`], from its output and the gradient of that.
pub(super) fn add_relu_backward<E: Float>(output: &FlexTensor, slopes: &FlexTensor) -> FlexTensor {
    let (values, dense_slopes) = (Dense::of(output), Dense::of(slopes));
    let (values, slopes, walk) = (values.values::<E>(), dense_slopes.values::<E>(), Walk::over(FLAT));
    let write = |gradient: &mut [MaybeUninit<E>]| {
        pieces(gradient, walk.block(), |index, gradient| {
            pass_where_positive(walk.of(values, index), walk.of(slopes, index), gradient);
        });
    };
    // SAFETY: the pieces are all of the gradient, and each is written through.
    unsafe { fresh(output.layout().shape().clone(), write) }
}

/// `features · gate`
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - gate: `[batch, 1, 1, 1, channels]`
pub(super) fn gate<E: Float>(features: &FlexTensor, gate: &FlexTensor) -> FlexTensor {
    let (dense, gates) = (Dense::of(features), Dense::of(gate));
    let (values, gates) = (dense.values::<E>(), gates.floats());
    let samples = Samples::of(features);
    let write = |output: &mut [MaybeUninit<E>]| {
        let mut tasks = samples.cut(output);
        pieces(&mut tasks, 1, |_, task| {
            for Piece { sample, begin, output } in task {
                let gate = samples.gate(gates, *sample);
                multiply_rows(&values[*begin..*begin + output.len()], &gate, output);
            }
        });
    };
    // SAFETY: the samples' pieces are all of the output, and each is written through.
    unsafe { fresh(features.layout().shape().clone(), write) }
}

/// The gradients of [`gate`]'s features and gate.
pub(super) fn gate_backward<E: Float>(
    features: &FlexTensor,
    gate: &FlexTensor,
    slopes: &FlexTensor,
) -> (FlexTensor, FlexTensor) {
    let (dense, gates, dense_slopes) = (Dense::of(features), Dense::of(gate), Dense::of(slopes));
    let (values, gates, slopes) = (dense.values::<E>(), gates.floats(), dense_slopes.values::<E>());
    let samples = Samples::of(features);
    let channels = samples.walk.channels;
    let mut of_gates = vec![0.0_f64; gates.len()];
    let write = |gradient: &mut [MaybeUninit<E>]| {
        let mut tasks: Vec<_> = samples.cut(gradient).into_iter().map(|piece| (piece, Vec::new())).collect();
        pieces(&mut tasks, 1, |_, task| {
            for (Piece { sample, begin, output }, sums) in task {
                let here = *begin..*begin + output.len();
                multiply_rows(&slopes[here.clone()], &samples.gate(gates, *sample), output);
                let mut products = samples.walk.zeros();
                add_products(&values[here.clone()], &slopes[here], &mut products);
                *sums = samples.walk.fold(&products);
            }
        });
        for (Piece { sample, .. }, sums) in &tasks {
            for (total, sum) in of_gates[sample * channels..].iter_mut().zip(sums) {
                *total += sum;
            }
        }
    };
    // SAFETY: the samples' pieces are all of the gradient, and each is written through.
    let of_features = unsafe { fresh(features.layout().shape().clone(), write) };
    (of_features, rounded(of_gates.into_iter()).reshape(gate.layout().shape().clone()))
}

/// The mean over frames, height and width, in 32-bit floats.
///
/// # Shapes
/// - features: `[batch, frames, height, width, channels]`
/// - output: `[batch, 1, 1, 1, channels]`
pub(super) fn global_average<E: Float>(features: &FlexTensor) -> FlexTensor {
    let dense = Dense::of(features);
    let (values, samples) = (dense.values::<E>(), Samples::of(features));
    let (walk, channels) = (samples.walk, samples.walk.channels);
    let blocks = samples.length.div_ceil(walk.block());
    let batch = values.len() / samples.length;
    let mut sums = vec![0.0_f64; batch * blocks * channels];
    pieces(&mut sums, channels, |index, out| {
        let sample = &values[index / blocks * samples.length..][..samples.length];
        let mut sums = walk.zeros();
        add_rows(walk.of(sample, index % blocks), &mut sums);
        out.copy_from_slice(&walk.fold(&sums));
    });
    let count = (samples.length / channels) as f64;
    let mean = |at: usize| {
        let of_sample = &sums[at / channels * blocks * channels..][..blocks * channels];
        of_sample.iter().skip(at % channels).step_by(channels).sum::<f64>() / count
    };
    rounded((0..batch * channels).map(mean)).reshape([batch, 1, 1, 1, channels].into())
}

/// The gradient of [`global_average`]'s features, which are of `shape`.
pub(super) fn global_average_backward<E: Float>(shape: [usize; 5], slopes: &FlexTensor) -> FlexTensor {
    let dense = Dense::of(slopes);
    let (slopes, samples) = (dense.floats(), Samples::over(shape));
    let share = 1.0 / (samples.length / samples.walk.channels) as f64;
    let shares: Vec<f32> = slopes.iter().map(|&slope| narrow(f64::from(slope) * share)).collect();
    let write = |gradient: &mut [MaybeUninit<E>]| {
        let mut tasks = samples.cut(gradient);
        pieces(&mut tasks, 1, |_, task| {
            for Piece { sample, output, .. } in task {
                repeat_row(&samples.gate(&shares, *sample), output);
            }
        });
    };
    // SAFETY: the samples' pieces are all of the gradient, and each is written through.
    unsafe { fresh(shape.into(), write) }
}

/// How a batch is cut so that no piece is of two samples.
struct Samples {
    walk: Walk,
    /// Floats of one.
    length: usize,
}

/// Where a piece of the output is, and to be written.
struct Piece<'a, E> {
    sample: usize,
    begin: usize,
    output: &'a mut [MaybeUninit<E>],
}

impl Samples {
    fn of(features: &FlexTensor) -> Self {
        Self::over(features.layout().shape().dims())
    }

    fn over([_, frames, height, width, channels]: [usize; 5]) -> Self {
        Self { walk: Walk::over(channels), length: frames * height * width * channels }
    }

    fn cut<'a, E>(&self, output: &'a mut [MaybeUninit<E>]) -> Vec<Piece<'a, E>> {
        let block = self.walk.block();
        let of_sample = |(sample, values): (usize, &'a mut [MaybeUninit<E>])| {
            let blocks = values.chunks_mut(block).enumerate();
            blocks.map(move |(index, output)| (sample, index * block, output))
        };
        let all = output.chunks_mut(self.length).enumerate().flat_map(of_sample);
        all.map(|(sample, offset, output)| Piece { sample, begin: sample * self.length + offset, output }).collect()
    }

    /// A sample's gates, repeated as the walk wants them.
    fn gate(&self, gates: &[f32], sample: usize) -> Vec<f32> {
        let channels = self.walk.channels;
        self.walk.repeat(gates[sample * channels..][..channels].iter().copied())
    }
}
