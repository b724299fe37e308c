//! The same network with fewer passes over memory: exact algebra, up to the order in which numbers are rounded.
//!
//! - Batch norm becomes part of the convolution before it.
//! - A mean of a linear map is the map of the mean, so a gate can be known before the features are that it multiplies: the matrix
//!   product at a block's end then comes out gated, added to its shortcut and through its activation in one go.
//! - Two maps of means in a row are one.
//! - Gates, sums and activations join the convolution before them.

use std::collections::HashMap;

use reelnet_kernels::fused::After;

use super::formats::is_vector;
use super::graph::{Conv, Graph, Matrix, Op, Value, floats};

/// Does all of it.
pub(super) fn rewrite(graph: &mut Graph) {
    fold_batch_norms(graph);
    take_means_first(graph);
    join_maps_of_means(graph);
    join_what_follows(graph);
}

fn fold_batch_norms(graph: &mut Graph) {
    let uses = graph.uses();
    for value in graph.values() {
        let Op::Affine { source, .. } = graph.node(value).op else { continue };
        if uses[source.0] != 1 || !graph.conv(source).is_some_and(Conv::is_bare) {
            continue;
        }
        let mut conv = take_conv(graph, source);
        let Op::Affine { scale, shift, .. } = graph.replace(value, Op::Gone) else { unreachable!("just looked at") };
        conv.weights.scale(&scale);
        for ((bias, scale), shift) in conv.bias.iter_mut().zip(&scale).zip(&shift) {
            *bias = *bias * scale + shift;
        }
        graph.replace(value, Op::Conv(conv));
    }
}

/// `mean(W x + b) = W mean(x) + b`, and `mean(x · gate) = mean(x) · gate`.
fn take_means_first(graph: &mut Graph) {
    let mut means = HashMap::new();
    for value in graph.values() {
        if let Op::Mean { source } = graph.node(value).op {
            let earliest = mean_of(graph, source, &mut means);
            graph.substitute(value, earliest);
        }
    }
}

/// A node that computes the mean of `source`, from as early a mean as can be.
fn mean_of(graph: &mut Graph, source: Value, known: &mut HashMap<Value, Value>) -> Value {
    if let Some(&mean) = known.get(&source) {
        return mean;
    }
    let [batch, .., channels] = graph.shape(source);
    let shape = [batch, 1, 1, 1, channels];
    let mean = match &graph.node(source).op {
        Op::Conv(conv) if conv.is_pointwise() && conv.is_bare() => {
            let mut conv = conv.clone();
            conv.source = mean_of(graph, conv.source, known);
            graph.push(Op::Conv(conv), shape)
        }
        &Op::Multiply { source, gate } => {
            let source = mean_of(graph, source, known);
            graph.push(Op::Multiply { source, gate }, shape)
        }
        _ => graph.push(Op::Mean { source }, shape),
    };
    known.insert(source, mean);
    mean
}

/// `A (B x + b) + a = (A B) x + (A b + a)`, where that is not more work.
fn join_maps_of_means(graph: &mut Graph) {
    let uses = graph.uses();
    for value in graph.values() {
        let Some(outer) = graph.conv(value).filter(|conv| conv.is_pointwise() && conv.is_bare()) else { continue };
        let inner_value = outer.source;
        let Some(inner) = graph.conv(inner_value).filter(|conv| conv.is_pointwise() && conv.is_bare()) else {
            continue;
        };
        let [rows, between, ..] = outer.weights.tensor.dims();
        let [_, columns, ..] = inner.weights.tensor.dims();
        if uses[inner_value.0] != 1 || !is_vector(graph, inner.source) || rows * columns > between * (rows + columns) {
            continue;
        }
        let inner = take_conv(graph, inner_value);
        let Op::Conv(outer) = graph.replace(value, Op::Gone) else { unreachable!("just looked at") };
        graph.replace(value, Op::Conv(Box::new(product(&outer, &inner, [rows, between, columns]))));
    }
}

fn product(outer: &Conv, inner: &Conv, [rows, between, columns]: [usize; 3]) -> Conv {
    let matrix = |matrix: &Matrix, dims: [usize; 2]| {
        let tensor = matrix.tensor.clone().reshape(dims);
        match &matrix.scale {
            Some(scale) => {
                let device = tensor.device();
                tensor * burn::tensor::Tensor::<1>::from_floats(&scale[..], &device).reshape([dims[0], 1])
            }
            None => tensor,
        }
    };
    let left = matrix(&outer.weights, [rows, between]);
    let right = matrix(&inner.weights, [between, columns]);
    let inner_bias = burn::tensor::Tensor::<1>::from_floats(&inner.bias[..], &left.device()).reshape([between, 1]);
    let bias = floats(left.clone().matmul(inner_bias)).iter().zip(&outer.bias).map(|(a, b)| a + b).collect();
    let tensor = left.matmul(right).reshape([rows, columns, 1, 1, 1]);
    Conv { weights: Matrix { tensor, scale: None }, bias, ..inner.clone() }
}

fn join_what_follows(graph: &mut Graph) {
    let is_linear = |conv: &Conv| conv.residual.is_none() && conv.after == After::Nothing;
    for value in graph.values() {
        let joined = match graph.node(value).op {
            Op::Multiply { source, gate } if is_alone(graph, source, is_linear) && !is_vector(graph, source) => {
                let mut conv = take_conv(graph, source);
                conv.gate = Some(match conv.gate {
                    Some(first) => graph.push(Op::Multiply { source: first, gate }, graph.shape(gate)),
                    None => gate,
                });
                conv
            }
            Op::Add { left, right } => {
                let sides = [(left, right), (right, left)];
                let Some(&(source, residual)) = sides.iter().find(|(side, _)| is_alone(graph, *side, is_linear)) else {
                    continue;
                };
                let mut conv = take_conv(graph, source);
                conv.residual = Some(residual);
                conv
            }
            Op::Activate { source, after } if is_alone(graph, source, |conv| conv.after == After::Nothing) => {
                let mut conv = take_conv(graph, source);
                conv.after = after;
                conv
            }
            _ => continue,
        };
        graph.replace(value, Op::Conv(joined));
    }
}

/// Whether a value is a convolution that something can join, and nobody else takes.
fn is_alone(graph: &Graph, value: Value, fits: impl Fn(&Conv) -> bool) -> bool {
    graph.conv(value).is_some_and(fits) && graph.uses()[value.0] == 1
}

/// A convolution whose work another node takes over.
fn take_conv(graph: &mut Graph, value: Value) -> Box<Conv> {
    match graph.replace(value, Op::Gone) {
        Op::Conv(conv) => conv,
        _ => unreachable!("the caller looked"),
    }
}
