//! Batch norm in training, with the activation behind it: two passes over the features forward, two backward.

use std::mem::MaybeUninit;

use burn::backend::flex::FlexTensor;

use super::curve::{Clip, Curve, Swish};
use super::rows::{Channels, Walk, add_moments, add_slopes, normalise, slopes_of_features};
use super::team::pieces;
use super::tensors::{Dense, Float, fresh, narrow, rounded};
use crate::norm::Then;

/// Computes with the curve of what follows, whose loops are compiled apart.
macro_rules! on_curve {
    ($then:expr, |$curve:ident| $compute:expr) => {
        match $then {
            Then::Nothing => {
                let $curve = Clip::NOTHING;
                $compute
            }
            Then::Relu => {
                let $curve = Clip::RELU;
                $compute
            }
            Then::Relu6 => {
                let $curve = Clip::RELU6;
                $compute
            }
            Then::Swish => {
                let $curve = Swish;
                $compute
            }
        }
    };
}

/// Scale and shift of a batch norm and what follows it.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    /// γ, `[channels]`
    pub(super) weight: FlexTensor,
    /// β, `[channels]`
    pub(super) bias: FlexTensor,
    pub(super) epsilon: f64,
    pub(super) then: Then,
}

/// `[channels]` each, the variance biased.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    pub(super) mean: FlexTensor,
    pub(super) variance: FlexTensor,
}

/// What the backward pass gives.
pub(super) struct Slopes {
    pub(super) features: FlexTensor,
    pub(super) weight: FlexTensor,
    pub(super) bias: FlexTensor,
}

/// The moments of each channel, summed in blocks and then in 64 bits.
pub(super) fn moments<E: Float>(features: &FlexTensor) -> Moments {
    let (dense, channels) = (Dense::of(features), channels_of(features));
    let (values, walk) = (dense.values::<E>(), Walk::over(channels));
    let rows = values.len() / channels;
    // Of each block: its rows' sums, then the sums of squares around the block's own means.
    let mut sums = vec![0.0_f64; values.len().div_ceil(walk.block()) * 2 * channels];
    pieces(&mut sums, 2 * channels, |index, sums| {
        let block = walk.of(values, index);
        // Around a value of its own, no channel loses digits to a mean far from zero.
        let shift = walk.repeat(block[..channels].iter().map(|value| value.widened()));
        let (mut beyond, mut squares) = (walk.zeros(), walk.zeros());
        add_moments(block, &shift, &mut beyond, &mut squares);
        let count = (block.len() / channels) as f64;
        let (sum, square) = sums.split_at_mut(channels);
        let folded = walk.fold(&beyond).into_iter().zip(walk.fold(&squares)).zip(&shift);
        for (((beyond, squares), &shift), (sum, square)) in folded.zip(sum.iter_mut().zip(square)) {
            *sum = beyond + count * f64::from(shift);
            *square = squares - beyond * beyond / count;
        }
    });
    let mean = |channel: usize| sums.chunks(2 * channels).map(|block| block[channel]).sum::<f64>() / rows as f64;
    let means: Vec<f64> = (0..channels).map(mean).collect();
    let variance = |channel: usize| {
        let around = sums.chunks(2 * channels).enumerate().map(|(index, block)| {
            let count = (walk.of(values, index).len() / channels) as f64;
            let away = block[channel] / count - means[channel];
            block[channels + channel] + count * away * away
        });
        around.sum::<f64>().max(0.0) / rows as f64
    };
    Moments { mean: rounded(means.iter().copied()), variance: rounded((0..channels).map(variance)) }
}

/// `features · scale + shift`, and what follows.
pub(super) fn affine<E: Float>(
    features: &FlexTensor,
    scale: &FlexTensor,
    shift: &FlexTensor,
    then: Then,
) -> FlexTensor {
    let walk = Walk::over(channels_of(features));
    let (scale, bias) = (Dense::of(scale), Dense::of(shift));
    let channels = Repeated {
        mean: walk.zeros(),
        scale: walk.repeat(scale.floats().iter().copied()),
        bias: walk.repeat(bias.floats().iter().copied()),
    };
    on_curve!(then, |curve| normalised::<E, _>(features, walk, &channels, curve))
}

pub(super) fn forward<E: Float>(features: &FlexTensor, moments: &Moments, norm: &Norm) -> FlexTensor {
    let walk = Walk::over(channels_of(features));
    let channels = Repeated::of(walk, moments, norm);
    on_curve!(norm.then, |curve| normalised::<E, _>(features, walk, &channels, curve))
}

fn normalised<E: Float, C: Curve>(features: &FlexTensor, walk: Walk, channels: &Repeated, curve: C) -> FlexTensor {
    let dense = Dense::of(features);
    let values = dense.values::<E>();
    let write = |output: &mut [MaybeUninit<E>]| {
        pieces(output, walk.block(), |index, output| {
            normalise(walk.of(values, index), &channels.borrow(), curve, output);
        });
    };
    // SAFETY: the pieces are all of the output, and each is written through.
    unsafe { fresh(features.layout().shape().clone(), write) }
}

/// The gradients, from the gradient of the output.
pub(super) fn backward<E: Float>(features: &FlexTensor, slopes: &FlexTensor, moments: &Moments, norm: &Norm) -> Slopes {
    on_curve!(norm.then, |curve| backward_on::<E, _>(features, slopes, moments, norm, curve))
}

fn backward_on<E: Float, C: Curve>(
    features: &FlexTensor,
    slopes: &FlexTensor,
    moments: &Moments,
    norm: &Norm,
    curve: C,
) -> Slopes {
    let (dense, dense_slopes) = (Dense::of(features), Dense::of(slopes));
    let (values, slopes, channels) = (dense.values::<E>(), dense_slopes.values::<E>(), channels_of(features));
    let (walk, rows) = (Walk::over(channels), values.len() / channels);
    let repeated = Repeated::of(walk, moments, norm);

    let mut sums = vec![0.0_f64; values.len().div_ceil(walk.block()) * 2 * channels];
    pieces(&mut sums, 2 * channels, |index, out| {
        let (mut sums, mut products) = (walk.zeros(), walk.zeros());
        let (block, slopes) = (walk.of(values, index), walk.of(slopes, index));
        add_slopes(block, slopes, &repeated.borrow(), curve, &mut sums, &mut products);
        out[..channels].copy_from_slice(&walk.fold(&sums));
        out[channels..].copy_from_slice(&walk.fold(&products));
    });
    let total = |at: usize| sums.chunks(2 * channels).map(|block| block[at]).sum::<f64>();
    let deviations = inverse_deviations(moments, norm.epsilon);
    let bias: Vec<f64> = (0..channels).map(total).collect();
    let weight: Vec<f64> = (0..channels).map(|channel| total(channels + channel) * deviations[channel]).collect();

    let count = rows as f64;
    let level = walk.repeat(bias.iter().map(|sum| narrow(sum / count)));
    let tilt = walk.repeat(weight.iter().zip(&deviations).map(|(sum, inverse)| narrow(sum * inverse / count)));
    let write = |output: &mut [MaybeUninit<E>]| {
        pieces(output, walk.block(), |index, output| {
            let (block, slopes) = (walk.of(values, index), walk.of(slopes, index));
            slopes_of_features(block, slopes, &repeated.borrow(), curve, &level, &tilt, output);
        });
    };
    // SAFETY: the pieces are all of the gradient, and each is written through.
    let features = unsafe { fresh(features.layout().shape().clone(), write) };
    Slopes { features, weight: rounded(weight.into_iter()), bias: rounded(bias.into_iter()) }
}

/// What is done to each channel, repeated as a walk wants it.
struct Repeated {
    mean: Vec<f32>,
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Repeated {
    fn of(walk: Walk, moments: &Moments, norm: &Norm) -> Self {
        let (mean, weight, bias) = (Dense::of(&moments.mean), Dense::of(&norm.weight), Dense::of(&norm.bias));
        let deviations = inverse_deviations(moments, norm.epsilon);
        let scale =
            weight.floats().iter().zip(&deviations).map(|(&weight, inverse)| narrow(f64::from(weight) * inverse));
        Self {
            mean: walk.repeat(mean.floats().iter().copied()),
            scale: walk.repeat(scale),
            bias: walk.repeat(bias.floats().iter().copied()),
        }
    }

    fn borrow(&self) -> Channels<'_> {
        Channels { mean: &self.mean, scale: &self.scale, bias: &self.bias }
    }
}

fn inverse_deviations(moments: &Moments, epsilon: f64) -> Vec<f64> {
    let variance = Dense::of(&moments.variance);
    variance.floats().iter().map(|&variance| 1.0 / (f64::from(variance) + epsilon).sqrt()).collect()
}

fn channels_of(features: &FlexTensor) -> usize {
    *features.layout().shape().last().expect("features have five axes")
}
