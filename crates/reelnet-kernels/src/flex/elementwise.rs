//! Residual sums and gates.

use std::mem::MaybeUninit;

use burn::backend::flex::FlexTensor;

use super::rows::{Walk, add_products, multiply_rows, pass_where_positive, sum_at_least_zero};
use super::team::pieces;
use super::tensors::{Dense, fresh, rounded};

/// Walks over what has no channels.
const FLAT: usize = 1;

/// `max(a + b, 0)`
pub(super) fn add_relu(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    let (a_dense, b_dense) = (Dense::of(a), Dense::of(b));
    let (a_values, b_values, walk) = (a_dense.floats(), b_dense.floats(), Walk::over(FLAT));
    let write = |output: &mut [MaybeUninit<f32>]| {
        pieces(output, walk.block(), |index, output| {
            sum_at_least_zero(walk.of(a_values, index), walk.of(b_values, index), output);
        });
    };
    // SAFETY: the pieces are all of the output, and each is written through.
    unsafe { fresh(a.layout().shape().clone(), write) }
}

/// The gradient of either side of [`add_relu`], from its output and the gradient of that.
pub(super) fn add_relu_backward(output: &FlexTensor, slopes: &FlexTensor) -> FlexTensor {
    let (values, dense_slopes) = (Dense::of(output), Dense::of(slopes));
    let (values, slopes, walk) = (values.floats(), dense_slopes.floats(), Walk::over(FLAT));
    let write = |gradient: &mut [MaybeUninit<f32>]| {
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
pub(super) fn gate(features: &FlexTensor, gate: &FlexTensor) -> FlexTensor {
    let (dense, gates) = (Dense::of(features), Dense::of(gate));
    let (values, gates) = (dense.floats(), gates.floats());
    let samples = Samples::of(features);
    let write = |output: &mut [MaybeUninit<f32>]| {
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
pub(super) fn gate_backward(features: &FlexTensor, gate: &FlexTensor, slopes: &FlexTensor) -> (FlexTensor, FlexTensor) {
    let (dense, gates, dense_slopes) = (Dense::of(features), Dense::of(gate), Dense::of(slopes));
    let (values, gates, slopes) = (dense.floats(), gates.floats(), dense_slopes.floats());
    let samples = Samples::of(features);
    let channels = samples.walk.channels;
    let mut of_gates = vec![0.0_f64; gates.len()];
    let write = |gradient: &mut [MaybeUninit<f32>]| {
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

/// How a batch is cut so that no piece is of two samples.
struct Samples {
    walk: Walk,
    /// Floats of one.
    length: usize,
}

/// Where a piece of the output is, and to be written.
struct Piece<'a> {
    sample: usize,
    begin: usize,
    output: &'a mut [MaybeUninit<f32>],
}

impl Samples {
    fn of(features: &FlexTensor) -> Self {
        let shape = features.layout().shape();
        let channels = *shape.last().expect("features have five axes");
        Self { walk: Walk::over(channels), length: shape.num_elements() / shape[0] }
    }

    fn cut<'a>(&self, output: &'a mut [MaybeUninit<f32>]) -> Vec<Piece<'a>> {
        let block = self.walk.block();
        let of_sample = |(sample, values): (usize, &'a mut [MaybeUninit<f32>])| {
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
