//! How burn reaches these kernels: operations that its dispatch knows, with their gradients.

use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Device, Tensor, bf16};

use super::batch_norm::{self as norms, Moments, Norm};
use super::pool::{self, Sweep, Winners};
use super::{elementwise, parameters};
use crate::norm::Then;
use crate::parameters::Descent;
use crate::window::Window;

/// Whether the kernels here compute with such features: floats or bfloat16 on a CPU, at least one.
pub(crate) fn takes(features: &Tensor<5>) -> bool {
    let numbers = matches!(features.dtype(), DType::F32 | DType::BF16);
    numbers && features.device() == Device::flex() && !features.dims().contains(&0)
}

/// Whether they compute with such parameters: floats on a CPU, at least one, whatever the features are.
pub(crate) fn takes_floats<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && tensor.device() == Device::flex() && !tensor.dims().contains(&0)
}

/// Calls a kernel for the numbers that features are held in.
macro_rules! in_numbers {
    ($features:expr, $($kernel:ident)::+ ($($argument:expr),* $(,)?)) => {
        match $features.dtype() {
            DType::F32 => $($kernel)::+::<f32>($($argument),*),
            DType::BF16 => $($kernel)::+::<bf16>($($argument),*),
            other => unreachable!("features of {other:?} are composed of burn's operations"),
        }
    };
}

/// The window over these features, if pooling is [`takes`]n here.
pub(crate) fn sweep(features: &Tensor<5>, window: &Window) -> Option<Sweep> {
    let sweep = Sweep::of(window, features.dims());
    (takes(features) && sweep.is_sound()).then_some(sweep)
}

/// Batch norm in training: the output, and the batch's mean and variance.
pub(crate) fn batch_norm(
    features: Tensor<5>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    then: Then,
) -> (Tensor<5>, Tensor<1>, Tensor<1>) {
    let (features, weight, bias) = (features.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    let (output, mean, variance) = Dispatch::batch_norm_then(features, weight, bias, epsilon, then);
    (Tensor::from_dispatch(output), Tensor::from_dispatch(mean), Tensor::from_dispatch(variance))
}

/// `features · scale + shift` and what follows, outside training.
pub(crate) fn affine(features: Tensor<5>, scale: Tensor<1>, shift: Tensor<1>, then: Then) -> Tensor<5> {
    let (features, scale, shift) = (features.into_dispatch(), scale.into_dispatch(), shift.into_dispatch());
    Tensor::from_dispatch(Dispatch::affine_then(features, scale, shift, then))
}

/// `max(a + b, 0)`
pub(crate) fn add_relu(a: Tensor<5>, b: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::add_relu(a.into_dispatch(), b.into_dispatch()))
}

/// `a + b`
pub(crate) fn add(a: Tensor<5>, b: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::add_features(a.into_dispatch(), b.into_dispatch()))
}

/// The mean over frames, height and width, `[batch, 1, 1, 1, channels]` in floats.
pub(crate) fn global_average(features: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::global_average_features(features.into_dispatch()))
}

/// `features · gate`, the gate `[batch, 1, 1, 1, channels]`.
pub(crate) fn gate(features: Tensor<5>, gate: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::gate_channels(features.into_dispatch(), gate.into_dispatch()))
}

/// The largest value in each window.
pub(crate) fn max_pool(features: Tensor<5>, sweep: Sweep) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::max_pool_features(features.into_dispatch(), sweep))
}

/// The mean of each window, padding not counted.
pub(crate) fn average_pool(features: Tensor<5>, sweep: Sweep) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::average_pool_features(features.into_dispatch(), sweep))
}

/// [`crate::parameters::descend`] of what is [`takes_floats`]n here.
pub(crate) fn descend(
    weights: Tensor<1>,
    gradient: Tensor<1>,
    velocity: Tensor<1>,
    step: Descent,
) -> (Tensor<1>, Tensor<1>) {
    let (gradient, velocity) = (gradient.into_dispatch(), velocity.into_dispatch());
    let (weights, velocity) = Dispatch::descend_flat(weights.into_dispatch(), gradient, velocity, step);
    (Tensor::from_dispatch(weights), Tensor::from_dispatch(velocity))
}

/// [`crate::parameters::average`] of what is [`takes_floats`]n here.
pub(crate) fn follow(average: Tensor<1>, value: Tensor<1>, kept: f64) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::follow_flat(average.into_dispatch(), value.into_dispatch(), kept))
}

#[backend_extension(Flex, Autodiff)]
trait FlexOps: Backend {
    fn batch_norm_then(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        then: Then,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn add_relu(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    fn add_features(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    fn global_average_features(features: FloatTensor<Self>) -> FloatTensor<Self>;

    fn gate_channels(features: FloatTensor<Self>, gate: FloatTensor<Self>) -> FloatTensor<Self>;

    fn max_pool_features(features: FloatTensor<Self>, sweep: Sweep) -> FloatTensor<Self>;

    fn average_pool_features(features: FloatTensor<Self>, sweep: Sweep) -> FloatTensor<Self>;
}

impl FlexOps for Flex {
    fn batch_norm_then(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        then: Then,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let moments = in_numbers!(features, norms::moments(&features));
        let norm = Norm { weight, bias, epsilon, then };
        let output = in_numbers!(features, norms::forward(&features, &moments, &norm));
        (output, moments.mean, moments.variance)
    }

    fn add_relu(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        in_numbers!(a, elementwise::add_relu(&a, &b))
    }

    fn add_features(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        in_numbers!(a, elementwise::add(&a, &b))
    }

    fn global_average_features(features: FloatTensor<Self>) -> FloatTensor<Self> {
        in_numbers!(features, elementwise::global_average(&features))
    }

    fn gate_channels(features: FloatTensor<Self>, gate: FloatTensor<Self>) -> FloatTensor<Self> {
        in_numbers!(features, elementwise::gate(&features, &gate))
    }

    fn max_pool_features(features: FloatTensor<Self>, sweep: Sweep) -> FloatTensor<Self> {
        in_numbers!(features, pool::max(sweep, &features)).0
    }

    fn average_pool_features(features: FloatTensor<Self>, sweep: Sweep) -> FloatTensor<Self> {
        in_numbers!(features, pool::average(sweep, &features))
    }
}

// Of untracked tensors only: nothing here has a gradient.
#[backend_extension(Flex)]
trait FlexUntracked: Backend {
    fn affine_then(
        features: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        then: Then,
    ) -> FloatTensor<Self>;

    fn descend_flat(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        step: Descent,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn follow_flat(average: FloatTensor<Self>, value: FloatTensor<Self>, kept: f64) -> FloatTensor<Self>;
}

impl FlexUntracked for Flex {
    fn affine_then(
        features: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        then: Then,
    ) -> FloatTensor<Self> {
        in_numbers!(features, norms::affine(&features, &scale, &shift, then))
    }

    fn descend_flat(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        step: Descent,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        parameters::descend(weights, &gradient, velocity, step)
    }

    fn follow_flat(average: FloatTensor<Self>, value: FloatTensor<Self>, kept: f64) -> FloatTensor<Self> {
        parameters::follow(average, &value, kept)
    }
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Flex, 3> for BatchNormBackward {
    /// Where the features are found again, their moments, and what was done with them.
    type State = (NodeId, Moments, Norm);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        let (features, moments, norm) = ops.state;
        let features: FlexTensor = checkpointer.retrieve_node_output(features);
        let slopes = in_numbers!(features, norms::backward(&features, &output_gradient, &moments, &norm));
        let [features_node, weight_node, bias_node] = ops.parents;
        let of_parents = [(features_node, slopes.features), (weight_node, slopes.weight), (bias_node, slopes.bias)];
        for (node, gradient) in of_parents {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct AddReluBackward;

impl Backward<Flex, 2> for AddReluBackward {
    /// The output.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        let gradient = in_numbers!(ops.state, elementwise::add_relu_backward(&ops.state, &output_gradient));
        for node in ops.parents.into_iter().flatten() {
            gradients.register::<Flex>(node.id, gradient.clone());
        }
    }
}

#[derive(Debug)]
struct AddBackward;

impl Backward<Flex, 2> for AddBackward {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        for node in ops.parents.into_iter().flatten() {
            gradients.register::<Flex>(node.id, output_gradient.clone());
        }
    }
}

#[derive(Debug)]
struct GlobalAverageBackward;

impl Backward<Flex, 1> for GlobalAverageBackward {
    /// The features' shape and numbers.
    type State = ([usize; 5], DType);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        let (shape, numbers) = ops.state;
        if let [Some(node)] = ops.parents {
            let gradient = match numbers {
                DType::BF16 => elementwise::global_average_backward::<bf16>(shape, &output_gradient),
                _ => elementwise::global_average_backward::<f32>(shape, &output_gradient),
            };
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct GateBackward;

impl Backward<Flex, 2> for GateBackward {
    /// Where features and gate are found again.
    type State = [NodeId; 2];

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        let [features, gate]: [FlexTensor; 2] = ops.state.map(|id| checkpointer.retrieve_node_output(id));
        let (of_features, of_gate) =
            in_numbers!(features, elementwise::gate_backward(&features, &gate, &output_gradient));
        for (node, gradient) in ops.parents.into_iter().zip([of_features, of_gate]) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct MaxPoolBackward;

impl Backward<Flex, 1> for MaxPoolBackward {
    type State = (Sweep, Winners);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        let (sweep, winners) = ops.state;
        if let [Some(node)] = ops.parents {
            let gradient = in_numbers!(output_gradient, pool::max_backward(sweep, &winners, &output_gradient));
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct AveragePoolBackward;

impl Backward<Flex, 1> for AveragePoolBackward {
    type State = Sweep;

    fn backward(self, ops: Ops<Sweep, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node);
        if let [Some(node)] = ops.parents {
            let gradient = in_numbers!(output_gradient, pool::average_backward(ops.state, &output_gradient));
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

impl<C: CheckpointStrategy> FlexOps for Autodiff<Flex, C> {
    fn batch_norm_then(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        then: Then,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [features.node(), weight.node(), bias.node()];
        let step = BatchNormBackward.prepare::<C>(nodes).compute_bound().stateful();
        let norm = Norm { weight: weight.into_primitive(), bias: bias.into_primitive(), epsilon, then };
        let moments = in_numbers!(features, norms::moments(features.primitive()));
        let output = in_numbers!(features, norms::forward(features.primitive(), &moments, &norm));
        let (mean, variance) = (moments.mean.clone(), moments.variance.clone());
        let output = match step {
            OpsKind::Tracked(mut step) => {
                let features = step.checkpoint(&features);
                step.finish((features, moments, norm), output)
            }
            OpsKind::UnTracked(step) => step.finish(output),
        };
        (output, Self::from_inner(mean), Self::from_inner(variance))
    }

    fn add_relu(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let step = AddReluBackward.prepare::<C>([a.node(), b.node()]).compute_bound().stateful();
        let output = in_numbers!(a, elementwise::add_relu(a.primitive(), b.primitive()));
        match step {
            OpsKind::Tracked(step) => step.finish(output.clone(), output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    fn add_features(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let step = AddBackward.prepare::<C>([a.node(), b.node()]).compute_bound();
        step.stateless(in_numbers!(a, elementwise::add(a.primitive(), b.primitive())))
    }

    fn global_average_features(features: FloatTensor<Self>) -> FloatTensor<Self> {
        let step = GlobalAverageBackward.prepare::<C>([features.node()]).compute_bound().stateful();
        let output = in_numbers!(features, elementwise::global_average(features.primitive()));
        match step {
            OpsKind::Tracked(step) => step.finish((features.shape().dims(), features.dtype()), output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    fn gate_channels(features: FloatTensor<Self>, gate: FloatTensor<Self>) -> FloatTensor<Self> {
        let step = GateBackward.prepare::<C>([features.node(), gate.node()]).compute_bound().stateful();
        let output = in_numbers!(features, elementwise::gate(features.primitive(), gate.primitive()));
        match step {
            OpsKind::Tracked(mut step) => {
                let saved = [step.checkpoint(&features), step.checkpoint(&gate)];
                step.finish(saved, output)
            }
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    fn max_pool_features(features: FloatTensor<Self>, sweep: Sweep) -> FloatTensor<Self> {
        let step = MaxPoolBackward.prepare::<C>([features.node()]).compute_bound().stateful();
        let (output, winners) = in_numbers!(features, pool::max(sweep, features.primitive()));
        match step {
            OpsKind::Tracked(step) => step.finish((sweep, winners), output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    fn average_pool_features(features: FloatTensor<Self>, sweep: Sweep) -> FloatTensor<Self> {
        let step = AveragePoolBackward.prepare::<C>([features.node()]).compute_bound().stateful();
        let output = in_numbers!(features, pool::average(sweep, features.primitive()));
        match step {
            OpsKind::Tracked(step) => step.finish(sweep, output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }
}
