//! The loss: cross-entropy against targets that need not be one class alone.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

/// The cross-entropy of each sample, `[batch]`.
///
/// # Shapes
/// - logits, targets: `[batch, classes]`; each row of the targets sums to 1
pub fn cross_entropies(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    (log_softmax(logits, 1) * targets).sum_dim(1).squeeze_dim::<1>(1).neg()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn a_network_that_knows_nothing_loses_the_logarithm_of_its_classes() {
        let device = Device::flex();
        let targets = Tensor::from_data(TensorData::new(vec![0.025_f32, 0.925, 0.025, 0.025], [1, 4]), &device);
        let loss: f32 = cross_entropies(Tensor::zeros([1, 4], &device), targets).into_scalar();
        assert!((loss - 4_f32.ln()).abs() < 1e-6, "{loss}");
    }
}
