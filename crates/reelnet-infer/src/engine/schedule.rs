//! In which order operations run, which of them take turns frame by frame, and where their results lie.
//!
//! Whatever looks at one frame at a time can run for a few frames right after what came before it, while they are still in the
//! cache. A *stretch* is a run of such operations, done for one chunk of frames after the other. What is needed only within a
//! stretch has memory for one chunk.

use std::collections::HashMap;

use reelnet_kernels::fused::Arena;

use super::formats::is_vector;
use super::graph::{Graph, Op, Shape, Value};

/// Operations that run together, chunk by chunk.
#[derive(Debug, PartialEq)]
pub(super) struct Stretch {
    pub(super) values: Vec<Value>,
    /// Frames of a chunk, counted over batch and frames; all that there are, where nothing is cut.
    pub(super) images: usize,
    pub(super) chunks: usize,
}

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) offset: usize,
    /// There is memory for one chunk only.
    pub(super) is_local: bool,
}

/// All that is decided before a kernel is made.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) stretches: Vec<Stretch>,
    places: HashMap<Value, Place>,
    /// Values whose result overwrites one of their operands.
    pub(super) in_place: HashMap<Value, Value>,
    /// Bytes of all places together.
    pub(super) bytes: usize,
}

impl Schedule {
    /// `chunk_bytes` are what the largest operation of a stretch should read and write a chunk; `size` says how many bytes a number of
    /// a value has.
    pub(super) fn new(graph: &Graph, chunk_bytes: usize, size: &dyn Fn(Value) -> usize) -> Self {
        let order = graph.order();
        let stretches = stretches(graph, &order, chunk_bytes, size);
        let in_place = in_place(graph, &order);
        let (places, bytes) = place(graph, &stretches, &in_place, size);
        Self { stretches, places, in_place, bytes }
    }

    pub(super) fn place(&self, value: Value) -> Place {
        self.places[&value]
    }
}

/// Frames of a value, if it has as many as its operation takes and looks at each alone.
fn framewise_images(graph: &Graph, value: Value) -> Option<usize> {
    let images = |[batch, frames, ..]: Shape| batch * frames;
    match &graph.node(value).op {
        Op::Conv(conv) if conv.is_framewise() && !is_vector(graph, conv.source) => Some(images(graph.shape(value))),
        Op::Pool { window, source, .. }
            if window.kernel[0] == 1
                && window.stride[0] == 1
                && window.padding[0] == (0, 0)
                && !is_vector(graph, *source) =>
        {
            Some(images(graph.shape(value)))
        }
        Op::Mean { source } => Some(images(graph.shape(*source))),
        Op::Multiply { source, .. } | Op::Narrow { source } if !is_vector(graph, *source) => {
            Some(images(graph.shape(value)))
        }
        _ => None,
    }
}

fn stretches(graph: &Graph, order: &[Value], chunk_bytes: usize, size: &dyn Fn(Value) -> usize) -> Vec<Stretch> {
    let mut runs: Vec<(Option<usize>, Vec<Value>)> = Vec::new();
    for &value in order {
        if matches!(graph.node(value).op, Op::Input) {
            continue;
        }
        let images = framewise_images(graph, value);
        match runs.last_mut() {
            // A mean is not there before its last frame.
            Some((Some(same), run)) if Some(*same) == images && !takes_a_mean_of(graph, value, run) => run.push(value),
            _ => runs.push((images, vec![value])),
        }
    }
    let cut = |(images, values): (Option<usize>, Vec<Value>)| match images {
        Some(all) => {
            let images = images_of_a_chunk(graph, &values, (all, chunk_bytes), size);
            Stretch { values, images, chunks: all / images }
        }
        None => Stretch { values, images: 1, chunks: 1 },
    };
    runs.into_iter().map(cut).collect()
}

fn takes_a_mean_of(graph: &Graph, value: Value, run: &[Value]) -> bool {
    let is_mean = |value: &Value| matches!(graph.node(*value).op, Op::Mean { .. });
    graph.node(value).op.operands().iter().any(|operand| is_mean(operand) && run.contains(operand))
}

/// As many frames as fit into `chunk_bytes`: whole samples, or an equal part of one, so that a chunk has one gate or whole gates.
fn images_of_a_chunk(
    graph: &Graph,
    values: &[Value],
    (all, chunk_bytes): (usize, usize),
    size: &dyn Fn(Value) -> usize,
) -> usize {
    let frames_of = |value: &Value| match graph.node(*value).op {
        Op::Mean { source } => graph.shape(source)[1],
        _ => graph.shape(*value)[1],
    };
    let frames = frames_of(&values[0]);
    let bytes = |value: Value| graph.shape(value).iter().product::<usize>() * size(value);
    let traffic = |&value: &Value| bytes(value) + graph.node(value).op.operands().into_iter().map(bytes).sum::<usize>();
    let most = values.iter().map(traffic).max().unwrap_or(0);
    let fits = |images: usize| most / all * images <= chunk_bytes;
    let whole = |images: usize| images.is_multiple_of(frames) || frames.is_multiple_of(images);
    if values.len() == 1 {
        return all;
    }
    (1..=all).rev().find(|&images| all.is_multiple_of(images) && whole(images) && fits(images)).unwrap_or(1)
}

/// Sums are added to what is in a shortcut's memory, and gates multiply where the features are, if nobody takes the operand later.
fn in_place(graph: &Graph, order: &[Value]) -> HashMap<Value, Value> {
    let position: HashMap<Value, usize> =
        order.iter().enumerate().map(|(position, &value)| (value, position)).collect();
    let mut last_use = HashMap::new();
    for &value in order {
        for operand in graph.node(value).op.operands() {
            last_use.insert(operand, position[&value]);
        }
    }
    let overwritten = |&value: &Value| {
        let operand = match &graph.node(value).op {
            Op::Conv(conv) => conv.residual?,
            Op::Multiply { source, .. } => *source,
            _ => return None,
        };
        let is_last = last_use[&operand] == position[&value] && operand != graph.output;
        (is_last && !matches!(graph.node(operand).op, Op::Input)).then_some((value, operand))
    };
    order.iter().filter_map(overwritten).collect()
}

/// When a piece of memory is needed, in operations.
struct Life {
    first: usize,
    last: usize,
    bytes: usize,
}

/// Gives every value a place; two values share memory only if they are not needed at the same time.
fn place(
    graph: &Graph,
    stretches: &[Stretch],
    in_place: &HashMap<Value, Value>,
    size: &dyn Fn(Value) -> usize,
) -> (HashMap<Value, Place>, usize) {
    // ---- Who shares memory by being overwritten ----
    let root = |mut value: Value| {
        while let Some(&operand) = in_place.get(&value) {
            value = operand;
        }
        value
    };
    // ---- When each is needed ----
    // The clips are there before the first stretch, the result after the last.
    let input = Value(0);
    let mut home: HashMap<Value, (usize, usize, usize)> = HashMap::new(); // stretch, its first and last operation
    let mut position = HashMap::from([(input, 0)]);
    let mut next = 1;
    for (index, stretch) in stretches.iter().enumerate() {
        let (first, last) = (next, next + stretch.values.len() - 1);
        for &value in &stretch.values {
            home.insert(value, (index, first, last));
            position.insert(value, next);
            next += 1;
        }
    }
    let end = next;
    let mut users: HashMap<Value, Vec<Value>> = HashMap::new();
    for &value in position.keys() {
        for operand in graph.node(value).op.operands() {
            users.entry(root(operand)).or_default().push(value);
        }
    }
    let mut families: HashMap<Value, Vec<Value>> = HashMap::new();
    for &value in position.keys() {
        families.entry(root(value)).or_default().push(value);
    }
    let is_mean = |value: Value| matches!(graph.node(value).op, Op::Mean { .. });
    let mut places = HashMap::new();
    let mut lives = Vec::new();
    for (&first_owner, family) in &families {
        let users = users.get(&first_owner).map_or(&[][..], Vec::as_slice);
        let stretch_of = |value: &Value| home.get(value).map(|home| home.0);
        let homes: Vec<_> = family.iter().chain(users).map(stretch_of).collect();
        let is_local = !family.contains(&input)
            && !family.contains(&graph.output)
            && !family.iter().any(|&value| is_mean(value))
            && homes.iter().all(|home| *home == homes[0]);
        let bytes = graph.shape(first_owner).iter().product::<usize>() * size(first_owner);
        let (mut first, mut last) = (usize::MAX, 0);
        for value in family.iter().chain(users) {
            // Within a stretch every chunk comes before the next operation's last, so what outlives a chunk is needed in all of it.
            let (from, to) = match home.get(value) {
                Some(&(_, from, to)) if !is_local => (from, to),
                _ => (position[value], position[value]),
            };
            (first, last) = (first.min(from), last.max(to));
        }
        if family.contains(&graph.output) {
            last = end;
        }
        let stretch = family.iter().find_map(|value| home.get(value)).map(|home| &stretches[home.0]);
        let chunks = stretch.map_or(1, |stretch| stretch.chunks);
        lives.push((first_owner, Life { first, last, bytes: if is_local { bytes / chunks } else { bytes } }));
        places.extend(family.iter().map(|&value| (value, Place { offset: 0, is_local })));
    }
    let offsets = pack(&mut lives);
    for (value, place) in &mut places {
        place.offset = offsets.0[&root(*value)];
    }
    (places, offsets.1)
}

/// Offsets so that no two pieces of memory that are needed at the same time overlap: the largest first, each at the lowest place.
fn pack(lives: &mut [(Value, Life)]) -> (HashMap<Value, usize>, usize) {
    lives.sort_by_key(|(value, life)| (std::cmp::Reverse(life.bytes), *value));
    let mut placed: Vec<(usize, &Life)> = Vec::new();
    let mut offsets = HashMap::new();
    let mut total = 0;
    for (value, life) in lives.iter() {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|(_, other)| other.first <= life.last && life.first <= other.last)
            .map(|(offset, other)| (*offset, offset + other.bytes))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (begin, end) in taken {
            if offset + life.bytes <= begin {
                break;
            }
            offset = offset.max(end.next_multiple_of(Arena::LINE));
        }
        total = total.max((offset + life.bytes).next_multiple_of(Arena::LINE));
        offsets.insert(*value, offset);
        placed.push((offset, life));
    }
    (offsets, total)
}
