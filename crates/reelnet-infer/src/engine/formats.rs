//! Which numbers each value is held in.

use std::collections::HashMap;

use reelnet_kernels::fused::{After, Number};

use super::graph::{Graph, Op, Value};
use super::{EngineError, Precision};

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

/// What an engine of bytes needs to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bytes {
    /// What features reach.
    pub ranges: Ranges,
    /// The place in the graph up to which features are 32-bit floats: one of [`super::Engine::borders`], 0 for none.
    pub floats_until: usize,
}

/// The format of every value. Means and what becomes of them (gates, logits) are 32-bit floats always.
pub(super) fn formats(graph: &Graph, precision: &Precision) -> Vec<Format> {
    let border = border_of(graph);
    let mut formats = vec![None; graph.values().count()];
    for value in graph.values() {
        format_of(graph, value, (precision, border), &mut formats);
    }
    formats.into_iter().map(|format| format.unwrap_or(Format::FLOAT)).collect()
}

fn format_of(
    graph: &Graph,
    value: Value,
    (precision, border): (&Precision, Option<Value>),
    known: &mut [Option<Format>],
) -> Format {
    if let Some(format) = known[value.0] {
        return format;
    }
    let format = match &graph.node(value).op {
        Op::Gone | Op::Mean { .. } => Format::FLOAT,
        // What comes before the border is floats.
        _ if border.is_some_and(|border| value <= border) => Format::FLOAT,
        Op::Input => of_features(value, false, precision),
        // A pooled value is one of those it was pooled from, or their mean, in the same units.
        Op::Pool { source, .. } => format_of(graph, *source, (precision, border), known),
        // A gate is at most one.
        Op::Multiply { source, .. } => format_of(graph, *source, (precision, border), known),
        Op::Conv(conv) => {
            // A convolution of a mean is a gate or the logits.
            if is_vector(graph, conv.source) {
                Format::FLOAT
            } else {
                of_features(value, is_never_negative(graph, value), precision)
            }
        }
        Op::Affine { source, .. } | Op::Activate { source, .. } | Op::Add { left: source, .. } => {
            format_of(graph, *source, (precision, border), known)
        }
        Op::Narrow { source } => of_features(*source, is_never_negative(graph, *source), precision),
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
        | Op::Narrow { source }
        | Op::Add { left: source, .. } => is_vector(graph, *source),
    }
}

fn is_never_negative(graph: &Graph, value: Value) -> bool {
    match &graph.node(value).op {
        Op::Conv(conv) => matches!(conv.after, After::Relu | After::Relu6),
        Op::Pool { source, .. } => is_never_negative(graph, *source),
        _ => false,
    }
}

/// Features that everything after them comes from: where a network can go over to narrower numbers, the clips first.
pub(super) fn borders(graph: &Graph) -> Vec<Value> {
    let order = graph.order();
    let position: HashMap<Value, usize> =
        order.iter().enumerate().map(|(position, &value)| (value, position)).collect();
    // The earliest that anything from here on takes.
    let mut earliest = order.len();
    let mut borders = Vec::new();
    for &value in order.iter().rev() {
        if earliest >= position[&value] && !is_vector(graph, value) {
            borders.push(value);
        }
        let operands = graph.node(value).op.operands();
        earliest = operands.iter().map(|operand| position[operand]).fold(earliest, usize::min);
    }
    borders.reverse();
    borders
}

/// The border at a place.
pub(super) fn border_at(graph: &Graph, place: usize) -> Result<Value, EngineError> {
    let unknown = || EngineError::Unsupported(format!("floats up to operation {place}, where other values pass by"));
    borders(graph).into_iter().find(|border| border.0 == place).ok_or_else(unknown)
}

/// The last border that a rule keeps in floats when features are 16-bit floats: the block of the last depthwise convolution at a
/// sixteenth of the clips' height or more. Sums over so few channels do not average roundings away
/// (measured: `docs/decisions/0042-leading-floats.md`).
pub(super) fn border_by_rule(graph: &Graph) -> Option<Value> {
    let [_, _, height, ..] = graph.shape(Value(0));
    let is_early_and_thin = |value: &Value| {
        graph.conv(*value).is_some_and(|conv| conv.groups > 1) && graph.shape(*value)[2] >= height.div_ceil(16)
    };
    let last = graph.order().into_iter().filter(is_early_and_thin).max()?;
    borders(graph).into_iter().find(|border| *border >= last)
}

/// Goes over to narrower numbers after `border`.
pub(super) fn narrow_after(graph: &mut Graph, border: Value) {
    let narrow = graph.push(Op::Narrow { source: border }, graph.shape(border));
    graph.redirect(border, narrow);
}

/// Where a network goes over, if it does not begin narrow.
fn border_of(graph: &Graph) -> Option<Value> {
    graph.values().find_map(|value| match graph.node(value).op {
        Op::Narrow { source } => Some(source),
        _ => None,
    })
}

fn of_features(value: Value, is_never_negative: bool, precision: &Precision) -> Format {
    match precision {
        Precision::F32 => Format::FLOAT,
        Precision::Bf16 => Format { number: Number::Bf16, scale: 1.0 },
        Precision::Int8(Bytes { ranges, .. }) => {
            let number = if is_never_negative { Number::U8 } else { Number::S8 };
            // What was never seen but as zero needs no precision.
            let largest = ranges.get(&value.0).copied().filter(|largest| *largest > 0.0).unwrap_or(1.0);
            Format { number, scale: largest / number.limit() }
        }
    }
}
