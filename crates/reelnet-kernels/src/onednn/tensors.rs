//! Plans run on burn-flex's tensors.

use std::mem::MaybeUninit;
use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, bf16};

use super::cache;
use super::plan::{OneDnnError, Plan, Weights};
use super::problem::{Convolution, Direction};
use crate::cpu;
use crate::flex::tensors::{Dense, Float, bytes_of, fresh};

/// Whether packed weights are kept for the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// The weights stay as they are: inference.
    Packed,
    /// The weights may change before they are needed again: a device with gradients, whether or not this operation has one. To
    /// keep them would have the optimizer copy what it changes in place.
    Nothing,
}

/// Whether oneDNN has kernels for it in these directions.
pub(super) fn is_possible(convolution: &Convolution, directions: &[Direction]) -> bool {
    convolution.is_sound() && directions.iter().all(|&direction| plan(convolution, direction).is_ok())
}

/// # Shapes
/// As [`crate::conv`]; the bias is there if the convolution says so.
pub(super) fn forward(
    convolution: &Convolution,
    features: &FlexTensor,
    weights: &FlexTensor,
    bias: Option<&FlexTensor>,
    keep: Keep,
) -> FlexTensor {
    let plan = expected_plan(convolution, Direction::Forward);
    let (features, bias) = (Dense::of(features), bias.map(Dense::of));
    let run = |weights: Weights, output: &mut [MaybeUninit<u8>]| {
        plan.forward(features.bytes(), weights, bias.as_ref().map(Dense::bytes), output);
    };
    activations(convolution, convolution.output(), |output| with_weights(&plan, weights, keep, |w| run(w, output)))
}

/// The gradient of the features.
pub(super) fn input_gradient(
    convolution: &Convolution,
    weights: &FlexTensor,
    output_gradient: &FlexTensor,
) -> FlexTensor {
    let plan = expected_plan(convolution, Direction::InputGradient);
    let output_gradient = Dense::of(output_gradient);
    activations(convolution, convolution.features, |gradient| {
        with_weights(&plan, weights, Keep::Nothing, |weights| {
            plan.input_gradient(weights, output_gradient.bytes(), gradient);
        });
    })
}

/// The gradients of the weights and, if the convolution has one, of the bias.
pub(super) fn weight_gradient(
    convolution: &Convolution,
    features: &FlexTensor,
    output_gradient: &FlexTensor,
) -> (FlexTensor, Option<FlexTensor>) {
    let plan = expected_plan(convolution, Direction::WeightGradient);
    let (features, output_gradient) = (Dense::of(features), Dense::of(output_gradient));
    let Convolution { channels_out, window, groups, .. } = *convolution;
    let [frames, height, width] = window.kernel;
    let shape = [channels_out, convolution.features[4] / groups, frames, height, width];
    let run = |weights: &mut [MaybeUninit<u8>], bias: Option<&mut [MaybeUninit<u8>]>| {
        plan.weight_gradient(features.bytes(), output_gradient.bytes(), weights, bias);
    };
    if !convolution.has_bias {
        return (written::<f32, 5>(shape, |weights| run(weights, None)), None);
    }
    let mut bias = None;
    let weights = written::<f32, 5>(shape, |weights| {
        bias = Some(written::<f32, 1>([channels_out], |bias| run(weights, Some(bias))));
    });
    (weights, bias)
}

fn plan(convolution: &Convolution, direction: Direction) -> Result<Arc<Plan>, OneDnnError> {
    cache::plan(convolution.problem(direction, cpu::threads()))
}

/// The plan of a convolution that [`is_possible`].
fn expected_plan(convolution: &Convolution, direction: Direction) -> Arc<Plan> {
    plan(convolution, direction)
        .unwrap_or_else(|error| panic!("{direction:?} of a convolution that oneDNN takes, {convolution:?}: {error}"))
}

/// Lends the weights as the plan wants them.
fn with_weights(plan: &Plan, weights: &FlexTensor, keep: Keep, use_them: impl FnOnce(Weights)) {
    // What nobody else holds is gone after this call.
    let held_elsewhere = !weights.is_unique();
    let plain = Dense::of(weights);
    if !plan.packs() {
        return use_them(Weights::Plain(plain.bytes()));
    }
    if keep == Keep::Packed && held_elsewhere && !plain.is_copied() {
        return use_them(Weights::Packed(&cache::packed(plan, weights, plain.bytes())));
    }
    plan.with_packed(plain.bytes(), |packed| use_them(Weights::Packed(packed)));
}

fn activations(convolution: &Convolution, shape: [usize; 5], write: impl FnOnce(&mut [MaybeUninit<u8>])) -> FlexTensor {
    if convolution.half { written::<bf16, 5>(shape, write) } else { written::<f32, 5>(shape, write) }
}

/// A fresh tensor of which oneDNN writes every byte.
fn written<E: Float, const D: usize>(shape: [usize; D], write: impl FnOnce(&mut [MaybeUninit<u8>])) -> FlexTensor {
    // SAFETY: a plan writes all of what it computes, and checks that this is its size.
    unsafe { fresh(Shape::from(shape), |values: &mut [MaybeUninit<E>]| write(bytes_of(values))) }
}
