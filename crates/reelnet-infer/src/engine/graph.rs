//! A network written down: which operation takes what from where.

use burn::tensor::Tensor;
use reelnet_kernels::Window;
use reelnet_kernels::fused::After;
use reelnet_models::Network;
use reelnet_models::layers::{self, Activation, BatchNorm, Linear, Pool};
use reelnet_models::pass::Pass;

/// What an operation computes: its place in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Value(pub(super) usize);

/// `[batch, frames, height, width, channels]`
pub(super) type Shape = [usize; 5];

/// Operations, and the one that is the result.
#[derive(Debug)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    pub(super) output: Value,
}

/// An operation and the shape of what it computes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) shape: Shape,
}

/// What is computed.
#[derive(Debug)]
pub(super) enum Op {
    /// The clips.
    Input,
    /// A convolution and what follows it.
    Conv(Box<Conv>),
    /// `source · scale + shift`, a pair a channel.
    Affine { source: Value, scale: Vec<f32>, shift: Vec<f32> },
    /// Element by element.
    Activate { source: Value, after: After },
    /// The largest, or the mean, of each window.
    Pool { source: Value, window: Window, is_average: bool },
    /// The mean over frames, height and width.
    Mean { source: Value },
    /// `source · gate`, the gate a value a channel of each sample.
    Multiply { source: Value, gate: Value },
    /// `left + right`.
    Add { left: Value, right: Value },
    /// The same in narrower numbers.
    Narrow { source: Value },
    /// Its work was taken over by another.
    Gone,
}

/// `after(gate · (weights ∗ source + bias) + residual)`
#[derive(Clone, Debug)]
pub(super) struct Conv {
    pub(super) source: Value,
    pub(super) weights: Matrix,
    /// One a channel.
    pub(super) bias: Vec<f32>,
    pub(super) window: Window,
    pub(super) groups: usize,
    pub(super) gate: Option<Value>,
    pub(super) residual: Option<Value>,
    pub(super) after: After,
}

/// Weights that are copied only when they are packed.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    /// `[channels_out, channels_in / groups, frames, height, width]`
    pub(super) tensor: Tensor<5>,
    /// Multiplies the rows, one a channel.
    pub(super) scale: Option<Vec<f32>>,
}

impl Graph {
    /// Writes down what a network does with clips `[batch, frames, height, width, 3]`.
    pub(super) fn of(network: &Network, clips: Shape) -> Self {
        let input = Node { op: Op::Input, shape: clips };
        let mut recorder = Recorder { nodes: vec![input] };
        let output = network.run(&mut recorder, Value(0));
        Self { nodes: recorder.nodes, output }
    }

    pub(super) fn node(&self, value: Value) -> &Node {
        &self.nodes[value.0]
    }

    pub(super) fn shape(&self, value: Value) -> Shape {
        self.node(value).shape
    }

    pub(super) fn values(&self) -> impl Iterator<Item = Value> + use<> {
        (0..self.nodes.len()).map(Value)
    }

    pub(super) fn push(&mut self, op: Op, shape: Shape) -> Value {
        self.nodes.push(Node { op, shape });
        Value(self.nodes.len() - 1)
    }

    pub(super) fn replace(&mut self, value: Value, op: Op) -> Op {
        std::mem::replace(&mut self.nodes[value.0].op, op)
    }

    /// Whoever takes `value` takes `other` from now on, but `other` itself.
    pub(super) fn redirect(&mut self, value: Value, other: Value) {
        let swap = |operand: &mut Value| {
            if *operand == value {
                *operand = other;
            }
        };
        for (index, node) in self.nodes.iter_mut().enumerate() {
            if index != other.0 {
                node.op.operands_mut().into_iter().for_each(swap);
            }
        }
        swap(&mut self.output);
    }

    /// As [`Self::redirect`], and nobody computes `value` any more.
    pub(super) fn substitute(&mut self, value: Value, other: Value) {
        self.replace(value, Op::Gone);
        self.redirect(value, other);
    }

    /// Every operation after what it takes, and only those that the result needs.
    pub(super) fn order(&self) -> Vec<Value> {
        enum Visit {
            Enter(Value),
            Leave(Value),
        }
        let mut order = Vec::new();
        let mut seen = vec![false; self.nodes.len()];
        let mut stack = vec![Visit::Enter(self.output)];
        while let Some(visit) = stack.pop() {
            match visit {
                Visit::Enter(value) if !seen[value.0] => {
                    seen[value.0] = true;
                    stack.push(Visit::Leave(value));
                    stack.extend(self.node(value).op.operands().into_iter().rev().map(Visit::Enter));
                }
                Visit::Enter(_) => {}
                Visit::Leave(value) => order.push(value),
            }
        }
        order
    }

    /// The convolution that a value is, if it is one.
    pub(super) fn conv(&self, value: Value) -> Option<&Conv> {
        match &self.node(value).op {
            Op::Conv(conv) => Some(conv),
            _ => None,
        }
    }

    /// How many operations take each value; the result is taken once more.
    pub(super) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for node in &self.nodes {
            for operand in node.op.operands() {
                uses[operand.0] += 1;
            }
        }
        uses[self.output.0] += 1;
        uses
    }
}

impl Op {
    /// What it takes, in the order in which it is best computed.
    pub(super) fn operands(&self) -> Vec<Value> {
        match self {
            Self::Input | Self::Gone => Vec::new(),
            Self::Conv(conv) => [Some(conv.source), conv.gate, conv.residual].into_iter().flatten().collect(),
            Self::Affine { source, .. }
            | Self::Activate { source, .. }
            | Self::Pool { source, .. }
            | Self::Mean { source }
            | Self::Narrow { source } => vec![*source],
            Self::Multiply { source: left, gate: right } | Self::Add { left, right } => vec![*left, *right],
        }
    }

    fn operands_mut(&mut self) -> Vec<&mut Value> {
        match self {
            Self::Input | Self::Gone => Vec::new(),
            Self::Conv(conv) => {
                let Conv { source, gate, residual, .. } = &mut **conv;
                [Some(source), gate.as_mut(), residual.as_mut()].into_iter().flatten().collect()
            }
            Self::Affine { source, .. }
            | Self::Activate { source, .. }
            | Self::Pool { source, .. }
            | Self::Mean { source }
            | Self::Narrow { source } => vec![source],
            Self::Multiply { source: left, gate: right } | Self::Add { left, right } => vec![left, right],
        }
    }
}

impl Conv {
    /// Nothing follows it yet.
    pub(super) fn is_bare(&self) -> bool {
        self.gate.is_none() && self.residual.is_none() && self.after == After::Nothing
    }

    /// It writes what it computes, and an activation at most.
    pub(super) fn is_without_gate_or_residual(&self) -> bool {
        self.gate.is_none() && self.residual.is_none()
    }

    /// A matrix product at every position.
    pub(super) fn is_pointwise(&self) -> bool {
        self.window.is_pointwise() && self.window.stride == [1; 3] && self.groups == 1
    }

    /// Looks at one frame at a time.
    pub(super) fn is_framewise(&self) -> bool {
        let Window { kernel, stride, padding, .. } = self.window;
        kernel[0] == 1 && stride[0] == 1 && padding[0] == (0, 0)
    }
}

impl Matrix {
    /// The numbers, in order.
    pub(super) fn numbers(&self) -> Vec<f32> {
        let rows = self.tensor.dims()[0];
        let mut numbers = floats(self.tensor.clone());
        if let Some(scale) = &self.scale {
            let row = numbers.len() / rows;
            for (row, &scale) in numbers.chunks_exact_mut(row).zip(scale) {
                for weight in row {
                    *weight *= scale;
                }
            }
        }
        numbers
    }

    /// Multiplies the rows.
    pub(super) fn scale(&mut self, by: &[f32]) {
        match &mut self.scale {
            Some(scale) => scale.iter_mut().zip(by).for_each(|(scale, by)| *scale *= by),
            None => self.scale = Some(by.to_vec()),
        }
    }
}

/// The pass that writes down.
struct Recorder {
    nodes: Vec<Node>,
}

impl Recorder {
    fn push(&mut self, op: Op, shape: Shape) -> Value {
        self.nodes.push(Node { op, shape });
        Value(self.nodes.len() - 1)
    }

    fn shape(&self, value: Value) -> Shape {
        self.nodes[value.0].shape
    }

    fn pool(&mut self, pool: &Pool, source: Value, is_average: bool) -> Value {
        let [batch, size @ .., channels] = self.shape(source);
        let window = pool.window(size);
        let [frames, height, width] = window.output(size);
        self.push(Op::Pool { source, window, is_average }, [batch, frames, height, width, channels])
    }
}

impl Pass for Recorder {
    type Features = Value;

    fn conv(&mut self, conv: &layers::Conv, source: Value) -> Value {
        let [batch, size @ .., _] = self.shape(source);
        let window = conv.window(size);
        let [frames, height, width] = window.output(size);
        let [_, channels] = conv.spec().channels;
        let bias = conv.bias.as_ref().map_or_else(|| vec![0.0; channels], |bias| floats(bias.val()));
        let weights = Matrix { tensor: conv.weight.val(), scale: None };
        let groups = conv.spec().groups;
        let op = Conv { source, weights, bias, window, groups, gate: None, residual: None, after: After::Nothing };
        self.push(Op::Conv(Box::new(op)), [batch, frames, height, width, channels])
    }

    fn batch_norm(&mut self, norm: &BatchNorm, source: Value) -> Value {
        let (scale, shift) = norm.folded();
        let shape = self.shape(source);
        self.push(Op::Affine { source, scale: floats(scale), shift: floats(shift) }, shape)
    }

    fn activate(&mut self, activation: Activation, source: Value) -> Value {
        let after = match activation {
            Activation::Relu => After::Relu,
            Activation::Relu6 => After::Relu6,
            Activation::Swish => After::Swish,
            Activation::Sigmoid => After::Sigmoid,
        };
        let shape = self.shape(source);
        self.push(Op::Activate { source, after }, shape)
    }

    fn max_pool(&mut self, pool: &Pool, source: Value) -> Value {
        self.pool(pool, source, false)
    }

    fn average_pool(&mut self, pool: &Pool, source: Value) -> Value {
        self.pool(pool, source, true)
    }

    fn global_average(&mut self, source: Value) -> Value {
        let [batch, .., channels] = self.shape(source);
        self.push(Op::Mean { source }, [batch, 1, 1, 1, channels])
    }

    fn multiply(&mut self, source: Value, gate: Value) -> Value {
        let shape = self.shape(source);
        self.push(Op::Multiply { source, gate }, shape)
    }

    fn add(&mut self, left: Value, right: Value) -> Value {
        let shape = self.shape(left);
        self.push(Op::Add { left, right }, shape)
    }

    fn drop_path(&mut self, _rate: f64, source: Value) -> Value {
        source
    }

    fn dropout(&mut self, _rate: f64, source: Value) -> Value {
        source
    }

    fn linear(&mut self, linear: &Linear, source: Value) -> Value {
        let [channels, classes] = linear.dims();
        let [batch, ..] = self.shape(source);
        let weights = Matrix { tensor: linear.weight.val().reshape([classes, channels, 1, 1, 1]), scale: None };
        let window = Window { kernel: [1; 3], stride: [1; 3], padding: [(0, 0); 3], dilation: [1; 3] };
        let bias = floats(linear.bias.val());
        let op = Conv { source, weights, bias, window, groups: 1, gate: None, residual: None, after: After::Nothing };
        self.push(Op::Conv(Box::new(op)), [batch, 1, 1, 1, classes])
    }
}

/// A tensor's numbers.
pub(super) fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("the data was just converted")
}
