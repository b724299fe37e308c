//! Flat tensors under the names of parameters: what gradients, optimizers and averages are made of.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use reelnet_models::weights::{StateDict, WeightTensor};
use reelnet_models::{Network, parameters};

/// A flat tensor a name.
pub(crate) type Named = BTreeMap<String, Tensor<1>>;

/// Everything a network holds.
pub(crate) fn of(network: &Network) -> Named {
    parameters::tensors(network).into_iter().map(|(info, tensor)| (info.name, tensor)).collect()
}

/// The values of a tensor.
pub(crate) fn values(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("the data was just converted to f32")
}

/// A tensor of these values.
pub(crate) fn tensor(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// As a file holds them, without their shapes.
pub(crate) fn to_state(named: &Named) -> StateDict {
    let flat = |tensor: &Tensor<1>| WeightTensor::new(vec![tensor.dims()[0]], values(tensor.clone()));
    named.iter().map(|(name, tensor)| (name.clone(), flat(tensor))).collect()
}

/// Out of a file.
pub(crate) fn from_state(state: &StateDict, device: &Device) -> Named {
    state.iter().map(|(name, stored)| (name.to_owned(), tensor(stored.values.clone(), device))).collect()
}
