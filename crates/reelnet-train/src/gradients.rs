//! Gradients of one step: summed over parts of its batch, and cut to a norm.

use burn::tensor::{Gradients as Found, Tensor};
use reelnet_models::{Network, parameters};

use crate::tensors::Named;

/// The sum of gradients.
#[derive(Debug, Default)]
pub struct GradientSum(Named);

impl GradientSum {
    /// Adds what a backward pass found.
    pub fn add(&mut self, network: &Network, found: Found) {
        for (info, gradient) in parameters::gradients(network, found) {
            let sum = match self.0.remove(&info.name) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.0.insert(info.name, sum);
        }
    }

    /// The norm of all gradients together.
    pub fn norm(&self) -> f64 {
        let squares = self.0.values().map(|gradient| (gradient.clone() * gradient.clone()).sum());
        let total = squares.reduce(|total: Tensor<1>, square| total + square);
        total.map_or(0.0, |total| f64::from(total.into_scalar::<f32>()).sqrt())
    }

    /// The gradients, scaled down together where their norm, which is this one, is more than `limit`.
    pub fn clipped(self, norm: f64, limit: Option<f64>) -> Named {
        match limit.filter(|&limit| norm > limit) {
            Some(limit) => self.0.into_iter().map(|(name, gradient)| (name, gradient * (limit / norm))).collect(),
            None => self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::tensors;

    #[test]
    fn the_norm_is_that_of_all_tensors_together() {
        let device = Device::flex();
        let sum = || {
            let gradients = [("a", vec![3.0, 0.0]), ("b", vec![4.0])];
            GradientSum(
                gradients
                    .into_iter()
                    .map(|(name, values)| (name.to_owned(), tensors::tensor(values, &device)))
                    .collect(),
            )
        };
        assert_eq!(sum().norm(), 5.0);
        let clipped =
            |limit| -> Vec<f32> { sum().clipped(5.0, limit).into_values().flat_map(tensors::values).collect() };
        assert_eq!(clipped(None), [3.0, 0.0, 4.0]);
        assert_eq!(clipped(Some(6.0)), [3.0, 0.0, 4.0]);
        assert_eq!(clipped(Some(1.0)), [0.6, 0.0, 0.8]);
    }
}
