//! Steps of optimizers and averages, in place.

use burn::backend::flex::FlexTensor;

use super::rows::vectorised;
use super::team::pieces;
use super::tensors::{Dense, narrow};
use crate::parameters::{Descent, Look};

/// Floats of one task: 64 kB of each operand.
const BLOCK: usize = 1 << 14;

pub(super) fn descend(
    weights: FlexTensor,
    gradient: &FlexTensor,
    velocity: FlexTensor,
    step: Descent,
) -> (FlexTensor, FlexTensor) {
    let (mut weights, mut velocity) = (owned(weights), owned(velocity));
    let gradient = Dense::of(gradient);
    let gradient = gradient.floats();
    let factors = Factors::of(step);
    let both = weights.storage_mut::<f32>().chunks_mut(BLOCK).zip(velocity.storage_mut::<f32>().chunks_mut(BLOCK));
    let mut tasks: Vec<_> = both.collect();
    pieces(&mut tasks, 1, |index, task| {
        for (weights, velocity) in task {
            let gradient = &gradient[index * BLOCK..][..weights.len()];
            match step.look {
                Look::Here => descend_here(weights, gradient, velocity, factors),
                Look::Ahead => descend_ahead(weights, gradient, velocity, factors),
            }
        }
    });
    (weights, velocity)
}

pub(super) fn follow(average: FlexTensor, value: &FlexTensor, kept: f64) -> FlexTensor {
    let mut average = owned(average);
    let value = Dense::of(value);
    let (value, shares) = (value.floats(), (narrow(kept), narrow(1.0 - kept)));
    pieces(average.storage_mut::<f32>(), BLOCK, |index, average| {
        follow_block(average, &value[index * BLOCK..][..average.len()], shares);
    });
    average
}

/// A tensor that nobody else holds, its values the whole of its storage.
fn owned(tensor: FlexTensor) -> FlexTensor {
    let whole = tensor.layout().contiguous_offsets() == Some((0, tensor.storage::<f32>().len()));
    // `storage_mut` copies what somebody else holds, if only weakly.
    if whole { tensor } else { tensor.to_contiguous() }
}

/// The numbers of a [`Descent`].
#[derive(Clone, Copy)]
pub(super) struct Factors {
    rate: f32,
    momentum: f32,
    weight_decay: f32,
}

impl Factors {
    fn of(step: Descent) -> Self {
        Self { rate: narrow(step.rate), momentum: narrow(step.momentum), weight_decay: narrow(step.weight_decay) }
    }
}

vectorised! {
    fn descend_here(weights: &mut [f32], gradient: &[f32], velocity: &mut [f32], factors: Factors) {
        for ((weight, &gradient), velocity) in weights.iter_mut().zip(gradient).zip(velocity) {
            *velocity = *velocity * factors.momentum + (gradient + *weight * factors.weight_decay);
            *weight -= *velocity * factors.rate;
        }
    }
}

vectorised! {
    fn descend_ahead(weights: &mut [f32], gradient: &[f32], velocity: &mut [f32], factors: Factors) {
        for ((weight, &gradient), velocity) in weights.iter_mut().zip(gradient).zip(velocity) {
            let gradient = gradient + *weight * factors.weight_decay;
            *velocity = *velocity * factors.momentum + gradient;
            *weight -= (gradient + *velocity * factors.momentum) * factors.rate;
        }
    }
}

vectorised! {
    fn follow_block(average: &mut [f32], value: &[f32], shares: (f32, f32)) {
        for (average, &value) in average.iter_mut().zip(value) {
            *average = *average * shares.0 + value * shares.1;
        }
    }
}
