//! How burn reaches oneDNN: operations that its dispatch knows, with their gradients.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Device, Tensor};

use super::problem::{Convolution, Direction};
use super::tensors::{self, Keep};
use crate::window::Window;

/// The arguments of [`crate::conv`] as oneDNN takes them, or nothing where it does not: on a GPU, in other numbers, for an empty
/// tensor.
pub(crate) fn takes(
    features: &Tensor<5>,
    weight: &Tensor<5>,
    bias: Option<&Tensor<1>>,
    window: &Window,
    groups: usize,
) -> Option<Convolution> {
    let [channels_out, ..] = weight.dims();
    let half = match features.dtype() {
        DType::F32 => false,
        DType::BF16 => true,
        _ => return None,
    };
    let convolution = Convolution {
        features: features.dims(),
        channels_out,
        window: *window,
        groups,
        has_bias: bias.is_some(),
        half,
    };
    let floats = weight.dtype() == DType::F32 && bias.is_none_or(|bias| bias.dtype() == DType::F32);
    let device = features.device();
    // Some processors convolve bfloat16 forward only.
    let directions = if device.is_autodiff() { &Direction::ALL[..] } else { &[Direction::Forward] };
    (floats && device == Device::flex() && tensors::is_possible(&convolution, directions)).then_some(convolution)
}

/// [`crate::conv`] of what oneDNN [`takes`].
pub(crate) fn conv(
    features: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    convolution: Convolution,
) -> Tensor<5> {
    let (features, weight) = (features.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::onednn_conv_with_bias(features, weight, bias.into_dispatch(), convolution),
        None => Dispatch::onednn_conv(features, weight, convolution),
    })
}

// burn's extensions take no optional tensors, so there are two of each.
#[backend_extension(Flex, Autodiff)]
trait OneDnnOps: Backend {
    fn onednn_conv(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self>;

    fn onednn_conv_with_bias(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self>;
}

impl OneDnnOps for Flex {
    fn onednn_conv(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        tensors::forward(&convolution, &features, &weight, None, Keep::Packed)
    }

    fn onednn_conv_with_bias(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        tensors::forward(&convolution, &features, &weight, Some(&bias), Keep::Packed)
    }
}

/// What the backward pass needs: where the features and the weights are found again.
type Saved = (NodeId, NodeId, Convolution);

#[derive(Debug)]
struct ConvBackward;

impl Backward<Flex, 2> for ConvBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        let (features_id, weight_id, convolution) = ops.state;
        let features = checkpointer.retrieve_node_output(features_id);
        let weight = checkpointer.retrieve_node_output(weight_id);
        let [features_node, weight_node] = ops.parents;
        if let Some(node) = features_node {
            gradients.register::<Flex>(node.id, tensors::input_gradient(&convolution, &weight, &output_gradient));
        }
        if let Some(node) = weight_node {
            let (gradient, _) = tensors::weight_gradient(&convolution, &features, &output_gradient);
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct ConvWithBiasBackward;

impl Backward<Flex, 3> for ConvWithBiasBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        let (features_id, weight_id, convolution) = ops.state;
        let features = checkpointer.retrieve_node_output(features_id);
        let weight = checkpointer.retrieve_node_output(weight_id);
        let [features_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = features_node {
            gradients.register::<Flex>(node.id, tensors::input_gradient(&convolution, &weight, &output_gradient));
        }
        if weight_node.is_none() && bias_node.is_none() {
            return;
        }
        // oneDNN computes both in one go; where only one is wanted, the other costs little.
        let (weight_gradient, bias_gradient) = tensors::weight_gradient(&convolution, &features, &output_gradient);
        if let Some(node) = weight_node {
            gradients.register::<Flex>(node.id, weight_gradient);
        }
        if let Some((node, gradient)) = bias_node.zip(bias_gradient) {
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

impl<C: CheckpointStrategy> OneDnnOps for Autodiff<Flex, C> {
    fn onednn_conv(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        match ConvBackward.prepare::<C>([features.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut step) => {
                let saved = (step.checkpoint(&features), step.checkpoint(&weight), convolution);
                let (features, weight) = (features.into_primitive(), weight.into_primitive());
                step.finish(saved, tensors::forward(&convolution, &features, &weight, None, Keep::Nothing))
            }
            OpsKind::UnTracked(step) => {
                let (features, weight) = (features.into_primitive(), weight.into_primitive());
                step.finish(tensors::forward(&convolution, &features, &weight, None, Keep::Nothing))
            }
        }
    }

    fn onednn_conv_with_bias(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        let nodes = [features.node(), weight.node(), bias.node()];
        match ConvWithBiasBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut step) => {
                let saved = (step.checkpoint(&features), step.checkpoint(&weight), convolution);
                let (features, weight, bias) =
                    (features.into_primitive(), weight.into_primitive(), bias.into_primitive());
                step.finish(saved, tensors::forward(&convolution, &features, &weight, Some(&bias), Keep::Nothing))
            }
            OpsKind::UnTracked(step) => {
                let (features, weight, bias) =
                    (features.into_primitive(), weight.into_primitive(), bias.into_primitive());
                step.finish(tensors::forward(&convolution, &features, &weight, Some(&bias), Keep::Nothing))
            }
        }
    }
}
