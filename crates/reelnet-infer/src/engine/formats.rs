//! Which numbers each value is held in.

use std::collections::HashMap;

use reelnet_kernels::fused::{After, Number};

use super::Precision;
use super::graph::{Graph, Op, Value};

/// A kind of number, and what its unit is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Format {
    pub(super) number: Number,
    /// 1 for floats.
    pub(super) scale: f32,
}

impl Format {
    pub(super) const FLOAT: Self = Self { number: Number::F32, scale: 1.0 };
}

/// The largest magnitude that each feature took on, by its place in the graph: what 8-bit numbers are scaled by.
pub type Ranges = HashMap<usize, f32>;

/// The format of every value. Means and what becomes of them (gates, logits) are 32-bit floats always.
pub(super) fn formats(graph: &Graph, precision: &Precision) -> Vec<Format> {
    let mut formats = vec![None; graph.values().count()];
    for value in graph.values() {
        format_of(graph, value, precision, &mut formats);
    }
    formats.into_iter().map(|format| format.unwrap_or(Format::FLOAT)).collect()
}

fn format_of(graph: &Graph, value: Value, precision: &Precision, known: &mut [Option<Format>]) -> Format {
    if let Some(format) = known[value.0] {
        return format;
    }
    let format = match &graph.node(value).op {
        Op::Gone | Op::Mean { .. } => Format::FLOAT,
        Op::Input => of_features(value, false, precision),
        // A pooled value is one of those it was pooled from, or their mean, in the same units.
        Op::Pool { source, .. } => format_of(graph, *source, precision, known),
        // A gate is at most one.
        Op::Multiply { source, .. } => format_of(graph, *source, precision, known),
        Op::Conv(conv) => {
            // A convolution of a mean is a gate or the logits.
            if is_vector(graph, conv.source) {
                Format::FLOAT
            } else {
                of_features(value, matches!(conv.after, After::Relu | After::Relu6), precision)
            }
        }
        Op::Affine { source, .. } | Op::Activate { source, .. } | Op::Add { left: source, .. } => {
            format_of(graph, *source, precision, known)
        }
    };
    known[value.0] = Some(format);
    format
}

/// Whether a value is a mean over all positions, or comes from one.
pub(super) fn is_vector(graph: &Graph, value: Value) -> bool {
    match &graph.node(value).op {
        Op::Mean { .. } => true,
        Op::Input | Op::Gone => false,
        Op::Conv(conv) => is_vector(graph, conv.source),
        Op::Pool { source, .. }
        | Op::Multiply { source, .. }
        | Op::Affine { source, .. }
        | Op::Activate { source, .. }
        | Op::Add { left: source, .. } => is_vector(graph, *source),
    }
}

fn of_features(value: Value, is_never_negative: bool, precision: &Precision) -> Format {
    match precision {
        Precision::F32 => Format::FLOAT,
        Precision::Bf16 => Format { number: Number::Bf16, scale: 1.0 },
        Precision::Int8(ranges) => {
            let number = if is_never_negative { Number::U8 } else { Number::S8 };
            // What was never seen but as zero needs no precision.
            let largest = ranges.get(&value.0).copied().filter(|largest| *largest > 0.0).unwrap_or(1.0);
            Format { number, scale: largest / number.limit() }
        }
    }
}
