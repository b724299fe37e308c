//! Flat parameters and what is kept beside them: an optimizer's step and an average as one pass over memory, in place where nobody
//! else holds the tensor.

use burn::tensor::Tensor;

use crate::flex;

/// A step of stochastic gradient descent with momentum, weight decay coupled:
/// `v = momentum · v + (g + weight_decay · w)`, then `w -= rate · v`, or with Nesterov `w -= rate · (g + weight_decay · w + momentum · v)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// The learning rate.
    pub rate: f64,
    /// The share of the velocity that a step keeps.
    pub momentum: f64,
    /// Coupled L2.
    pub weight_decay: f64,
    /// Whether a step looks ahead.
    pub look: Look,
}

/// Where a step's direction is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The velocity.
    Here,
    /// The velocity after another step of it: Nesterov.
    Ahead,
}

/// Weights and velocity after a step; without a velocity it is the first.
///
/// # Shapes
/// - all: `[parameters]`
pub fn descend(
    weights: Tensor<1>,
    gradient: Tensor<1>,
    velocity: Option<Tensor<1>>,
    step: &Descent,
) -> (Tensor<1>, Tensor<1>) {
    let velocity = velocity.unwrap_or_else(|| gradient.zeros_like());
    if [&weights, &gradient, &velocity].into_iter().all(flex::takes_floats) {
        return flex::descend(weights, gradient, velocity, *step);
    }
    let Descent { rate, momentum, weight_decay, look } = *step;
    let gradient = if weight_decay == 0.0 { gradient } else { gradient + weights.clone() * weight_decay };
    let velocity = velocity * momentum + gradient.clone();
    let direction = match look {
        Look::Here => velocity.clone(),
        Look::Ahead => gradient + velocity.clone() * momentum,
    };
    (weights - direction * rate, velocity)
}

/// `kept · average + (1 - kept) · value`
///
/// # Shapes
/// - both: `[parameters]`
pub fn average(average: Tensor<1>, value: Tensor<1>, kept: f64) -> Tensor<1> {
    if flex::takes_floats(&average) && flex::takes_floats(&value) {
        return flex::follow(average, value, kept);
    }
    average * kept + value * (1.0 - kept)
}
