//! Kernels in order, over one piece of memory.

use std::ops::Range;
use std::time::Instant;

use ndarray::ArrayView4;
use reelnet_kernels::fused::{
    self, After, Arena, FusedConv, FusedConvSpec, FusedPool, FusedPoolSpec, Mean, Number, Quantised, Residual, Weights,
};

use super::formats::{Format, Ranges, formats, is_vector};
use super::graph::{Conv, Graph, Op, Shape, Value};
use super::schedule::{Schedule, Stretch};
use super::{EngineError, EngineSpec, OperationTime};

/// A network for one shape of clips, ready to run.
#[derive(Debug)]
pub(super) struct Program {
    stretches: Vec<Turn>,
    arena: Arena,
    scratch: Range<usize>,
    input: (Range<usize>, Format, Shape),
    output: Range<usize>,
    threads: usize,
}

/// What runs together, chunk by chunk.
#[derive(Debug)]
struct Turn {
    steps: Vec<Step>,
    chunks: usize,
    /// Frames of a chunk.
    images: usize,
}

/// One kernel and where its memory is.
#[derive(Debug)]
struct Step {
    value: Value,
    work: Work,
    source: Span,
    destination: Span,
}

#[derive(Debug)]
enum Work {
    /// A convolution, run `calls` times a chunk because each sample has its own gate.
    Conv {
        conv: Box<FusedConv>,
        gate: Option<Gate>,
        calls: usize,
        copy_residual: Option<Span>,
    },
    Pool(Box<FusedPool>),
    Mean(Mean),
    /// In place, or after a copy.
    Multiply {
        gate: Range<usize>,
        number: Number,
        features: Shape,
        copy: bool,
    },
    Narrow(Format),
}

/// Gates of all samples, one after the other.
#[derive(Debug)]
struct Gate {
    bytes: Range<usize>,
    /// Bytes of one sample's.
    one: usize,
    /// Frames of a sample.
    frames: usize,
}

/// Where the chunks of a value lie.
#[derive(Clone, Debug)]
struct Span {
    offset: usize,
    /// Bytes of a chunk.
    bytes: usize,
    /// From one chunk to the next.
    step: usize,
}

impl Span {
    fn of(&self, chunk: usize) -> Range<usize> {
        let begin = self.offset + chunk * self.step;
        begin..begin + self.bytes
    }
}

impl Program {
    /// Chooses kernels, packs weights, and lays memory out.
    ///
    /// `template` is a program of the same network whose packed weights are used again.
    pub(super) fn compile(graph: &Graph, spec: &EngineSpec, template: Option<&Self>) -> Result<Self, EngineError> {
        let formats = formats(graph, &spec.precision);
        let schedule = Schedule::new(graph, spec.chunk_bytes, &|value| formats[value.0].number.size());
        let (threads, winograd) = (spec.threads.get(), spec.winograd);
        let builder = Builder { graph, formats, schedule, threads, winograd, template };
        let stretches: Vec<Turn> =
            builder.schedule.stretches.iter().map(|stretch| builder.stretch(stretch)).collect::<Result<_, _>>()?;
        let scratch = stretches.iter().flat_map(|stretch| &stretch.steps).map(Step::scratch_bytes).max().unwrap_or(0);
        let begin = builder.schedule.bytes;
        let whole = |value: Value| {
            let offset = builder.schedule.place(value).offset;
            offset..offset + builder.bytes(value)
        };
        let input = Value(0);
        Ok(Self {
            input: (whole(input), builder.formats[0], graph.shape(input)),
            output: whole(graph.output),
            arena: Arena::new(begin + scratch),
            scratch: begin..begin + scratch.next_multiple_of(Arena::LINE),
            stretches,
            threads,
        })
    }

    /// Clips of bytes, at most as many as the program's batch; the rest of the batch computes something that nobody asked for.
    pub(super) fn set_clips(&mut self, clips: &[ArrayView4<'_, u8>], pixels: ([f32; 3], [f32; 3])) {
        let (range, format, [batch, ..]) = &self.input;
        assert!(clips.len() <= *batch, "a program takes as many clips as it was made for");
        let one = range.len() / batch;
        let input = &mut self.arena.bytes_mut()[range.clone()];
        for (clip, destination) in clips.iter().zip(input.chunks_exact_mut(one)) {
            let contiguous = clip.as_standard_layout();
            let bytes = contiguous.as_slice().expect("the layout was just made standard");
            fused::normalise(bytes, pixels, destination, (format.number, format.scale), self.threads);
        }
    }

    /// Clips that are normalised already, `[batch, frames, height, width, 3]`.
    pub(super) fn set_features(&mut self, features: &[f32]) {
        let (range, format, _) = &self.input;
        let input = &mut self.arena.bytes_mut()[range.clone()];
        fused::convert(
            features,
            &mut input[..features.len() * format.number.size()],
            (format.number, format.scale),
            self.threads,
        );
    }

    /// Computes the logits of what was set.
    pub(super) fn run(&mut self) {
        self.run_watched(&mut |_, _| {});
    }

    /// As [`Self::run`]; `watch` sees every chunk of every result.
    pub(super) fn run_watched(&mut self, watch: &mut dyn FnMut(usize, &[u8])) {
        let arena = self.arena.bytes_mut();
        for stretch in &mut self.stretches {
            for chunk in 0..stretch.chunks {
                for step in &mut stretch.steps {
                    step.run(arena, self.scratch.clone(), chunk, chunk * stretch.images, self.threads);
                    watch(step.value.0, &arena[step.destination.of(chunk)]);
                }
            }
        }
    }

    pub(super) fn watch_ranges(&mut self, ranges: &mut Ranges) {
        let input = bytemuck::cast_slice(&self.arena.bytes()[self.input.0.clone()]);
        widen(ranges, 0, input);
        self.run_watched(&mut |value, bytes| widen(ranges, value, bytemuck::cast_slice(bytes)));
    }

    /// How long each operation takes, the best of `rounds`, in the order in which they run.
    pub(super) fn profile(&mut self, rounds: usize) -> Vec<OperationTime> {
        let arena = self.arena.bytes_mut();
        let mut times: Vec<OperationTime> = Vec::new();
        for _ in 0..rounds {
            let mut index = 0;
            for stretch in &mut self.stretches {
                let mut seconds = vec![0.0; stretch.steps.len()];
                for chunk in 0..stretch.chunks {
                    for (step, seconds) in stretch.steps.iter_mut().zip(&mut seconds) {
                        let began = Instant::now();
                        step.run(arena, self.scratch.clone(), chunk, chunk * stretch.images, self.threads);
                        *seconds += began.elapsed().as_secs_f64();
                    }
                }
                for (step, seconds) in stretch.steps.iter().zip(seconds) {
                    match times.get_mut(index) {
                        Some(time) => time.best_seconds = time.best_seconds.min(seconds),
                        None => times.push(step.described(stretch.chunks, seconds)),
                    }
                    index += 1;
                }
            }
        }
        times
    }

    /// `[batch, classes]`
    pub(super) fn logits(&self) -> &[f32] {
        bytemuck::cast_slice(&self.arena.bytes()[self.output.clone()])
    }

    /// Clips of one run.
    pub(super) fn batch(&self) -> usize {
        self.input.2[0]
    }

    /// Bytes of activations and scratch memory.
    pub(super) fn arena_bytes(&self) -> usize {
        self.arena.bytes().len()
    }

    fn conv_of(&self, value: Value) -> Option<&FusedConv> {
        let steps = self.stretches.iter().flat_map(|stretch| &stretch.steps);
        steps.filter(|step| step.value == value).find_map(|step| match &step.work {
            Work::Conv { conv, .. } => Some(&**conv),
            _ => None,
        })
    }
}

impl Step {
    fn run(&mut self, arena: &mut [u8], scratch: Range<usize>, chunk: usize, first_image: usize, threads: usize) {
        let (source, destination) = (self.source.of(chunk), self.destination.of(chunk));
        match &mut self.work {
            Work::Conv { conv, gate, calls, copy_residual } => {
                if let Some(residual) = copy_residual {
                    let [from, to] = disjoint(arena, [residual.of(chunk), destination.clone()]);
                    fused::copy(from, to, threads);
                }
                let images = destination.len() / *calls;
                let sources = source.len() / *calls;
                for call in 0..*calls {
                    let source = source.start + call * sources..source.start + (call + 1) * sources;
                    let destination = destination.start + call * images..destination.start + (call + 1) * images;
                    let of_sample = gate.as_ref().map(|gate| {
                        let begin = gate.bytes.start + (first_image / gate.frames + call) * gate.one;
                        begin..begin + gate.one
                    });
                    if let Some(gate) = of_sample {
                        let ranges = [source, destination, scratch.clone(), gate];
                        let [source, destination, scratch, gate] = disjoint(arena, ranges);
                        conv.run(source, Some(bytemuck::cast_slice(gate)), destination, scratch);
                    } else {
                        let [source, destination, scratch] = disjoint(arena, [source, destination, scratch.clone()]);
                        conv.run(source, None, destination, scratch);
                    }
                }
            }
            Work::Pool(pool) => {
                let [source, destination, scratch] = disjoint(arena, [source, destination, scratch]);
                pool.run(source, destination, scratch);
            }
            Work::Narrow(Format { number, scale }) => {
                let [floats, narrow] = disjoint(arena, [source, destination]);
                fused::convert(bytemuck::cast_slice(floats), narrow, (*number, *scale), threads);
            }
            Work::Mean(mean) => {
                let [source, means] = disjoint(arena, [source, destination]);
                mean.add(source, first_image, bytemuck::cast_slice_mut(means));
            }
            Work::Multiply { gate, number, features, copy } => {
                if *copy {
                    let [from, to] = disjoint(arena, [source, destination.clone()]);
                    fused::copy(from, to, threads);
                }
                let [gates, images] = disjoint(arena, [gate.clone(), destination]);
                fused::multiply(images, *number, first_image, *features, bytemuck::cast_slice(gates), threads);
            }
        }
    }

    fn described(&self, chunks: usize, best_seconds: f64) -> OperationTime {
        let (operation, kernel, macs) = match &self.work {
            Work::Conv { conv, calls, .. } => {
                let spec = conv.spec();
                let macs = spec.output().iter().product::<usize>() * spec.weight_count() / spec.channels_out;
                let pass = if conv.is_finished_apart() { " and a pass" } else { "" };
                (spec.to_string(), format!("{}{pass}", conv.implementation()), macs * calls * chunks)
            }
            Work::Pool(pool) => (pool.spec().to_string(), pool.implementation().to_owned(), 0),
            Work::Narrow(Format { number, .. }) => (format!("floats to {number:?}"), String::new(), 0),
            Work::Mean(mean) => (format!("mean of {:?}", mean.features), String::new(), 0),
            Work::Multiply { features, .. } => (format!("gate over {features:?}"), String::new(), 0),
        };
        OperationTime { operation, kernel, chunks, macs: macs as u64, best_seconds }
    }

    fn scratch_bytes(&self) -> usize {
        match &self.work {
            Work::Conv { conv, .. } => conv.scratch_bytes(),
            Work::Pool(pool) => pool.scratch_bytes(),
            Work::Mean(_) | Work::Multiply { .. } | Work::Narrow(_) => 0,
        }
    }
}

fn widen(ranges: &mut Ranges, value: usize, floats: &[f32]) {
    let largest = floats.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let range = ranges.entry(value).or_default();
    *range = range.max(largest);
}

fn disjoint<const N: usize>(arena: &mut [u8], ranges: [Range<usize>; N]) -> [&mut [u8]; N] {
    arena.get_disjoint_mut(ranges).expect("the schedule gives memory to one value at a time")
}

/// What kernels are made from.
struct Builder<'a> {
    graph: &'a Graph,
    formats: Vec<Format>,
    schedule: Schedule,
    threads: usize,
    winograd: bool,
    /// A program of the same network, whose packed weights are used again.
    template: Option<&'a Program>,
}

impl Builder<'_> {
    fn stretch(&self, stretch: &Stretch) -> Result<Turn, EngineError> {
        let steps = stretch.values.iter().map(|&value| self.step(value, stretch)).collect::<Result<_, _>>()?;
        Ok(Turn { steps, chunks: stretch.chunks, images: stretch.images })
    }

    fn step(&self, value: Value, stretch: &Stretch) -> Result<Step, EngineError> {
        let unsupported = |what: &str| Err(EngineError::Unsupported(what.to_owned()));
        let node = self.graph.node(value);
        let (source, work) = match &node.op {
            Op::Conv(conv) => (conv.source, self.conv(value, conv, stretch)?),
            &Op::Pool { source, window, is_average } => {
                let [batch, frames, height, width, channels] = self.graph.shape(source);
                let features = if stretch.chunks == 1 {
                    [batch, frames, height, width, channels]
                } else {
                    [1, stretch.images, height, width, channels]
                };
                let (number, threads) = (self.format(source).number, self.threads);
                let pool = FusedPool::new(FusedPoolSpec { features, window, is_average, number, threads })?;
                (source, Work::Pool(Box::new(pool)))
            }
            &Op::Mean { source } => {
                let Format { number, scale } = self.format(source);
                let features = self.graph.shape(source);
                (source, Work::Mean(Mean { features, number, scale, threads: self.threads }))
            }
            &Op::Multiply { source, gate } => {
                let gate_place = self.schedule.place(gate).offset;
                let gate = gate_place..gate_place + self.bytes(gate);
                let copy = self.schedule.in_place.get(&value) != Some(&source);
                let (number, features) = (self.format(source).number, node.shape);
                (source, Work::Multiply { gate, number, features, copy })
            }
            &Op::Narrow { source } => (source, Work::Narrow(self.format(value))),
            Op::Affine { .. } => return unsupported("a batch norm without a convolution before it"),
            Op::Activate { .. } => return unsupported("an activation without a convolution before it"),
            Op::Add { .. } => return unsupported("a sum without a convolution before it"),
            Op::Input | Op::Gone => unreachable!("the schedule has only what is computed"),
        };
        Ok(Step { value, work, source: self.span(source, stretch), destination: self.span(value, stretch) })
    }

    fn conv(&self, value: Value, conv: &Conv, stretch: &Stretch) -> Result<Work, EngineError> {
        // ---- Shape of one call ----
        let [batch, frames, height, width, channels] = self.graph.shape(conv.source);
        let is_vector = is_vector(self.graph, conv.source);
        let framewise = conv.is_framewise() && !is_vector;
        let gated = conv.gate.is_some();
        let (features, calls) = match (framewise, gated) {
            (true, false) => ([stretch.images, 1, height, width, channels], 1),
            (true, true) => {
                let images = stretch.images.min(frames);
                ([images, 1, height, width, channels], stretch.images / images)
            }
            (false, false) => ([batch, frames, height, width, channels], 1),
            (false, true) => ([1, frames, height, width, channels], batch),
        };
        // ---- What follows ----
        let (source, destination) = (self.format(conv.source), self.format(value));
        let residual = conv.residual.map(|residual| {
            let Format { number, scale } = self.format(residual);
            Residual { number, scale }
        });
        let copy_residual = conv
            .residual
            .filter(|residual| self.schedule.in_place.get(&value) != Some(residual))
            .map(|residual| self.span(residual, stretch));
        let gate = conv.gate.map(|gate| {
            let place = self.schedule.place(gate).offset;
            let (bytes, [batch, ..]) = (self.bytes(gate), self.graph.shape(gate));
            Gate { bytes: place..place + bytes, one: bytes / batch, frames }
        });
        let spec = FusedConvSpec {
            features,
            channels_out: self.graph.shape(value)[4],
            window: conv.window,
            groups: conv.groups,
            source: source.number,
            destination: destination.number,
            destination_scale: destination.scale,
            is_gated: gated,
            residual,
            after: conv.after,
            winograd: self.winograd && suits_winograd(conv, features),
            threads: self.threads,
        };
        let conv = Box::new(self.packed(value, conv, spec, source)?);
        Ok(Work::Conv { conv, gate, calls, copy_residual })
    }

    fn packed(&self, value: Value, conv: &Conv, spec: FusedConvSpec, source: Format) -> Result<FusedConv, EngineError> {
        let template = self.template.and_then(|template| template.conv_of(value));
        if let Some(shared) = template.and_then(|template| template.again(spec.clone()).ok()) {
            return Ok(shared);
        }
        let numbers = conv.weights.numbers();
        if source.number.is_8_bit() {
            let quantised = quantise(&numbers, spec.channels_out, source.scale);
            return Ok(FusedConv::new(spec, Weights::Quantised(&quantised), &conv.bias)?);
        }
        Ok(FusedConv::new(spec, Weights::Floats(&numbers), &conv.bias)?)
    }

    fn format(&self, value: Value) -> Format {
        self.formats[value.0]
    }

    /// Bytes of all of a value.
    fn bytes(&self, value: Value) -> usize {
        self.graph.shape(value).iter().product::<usize>() * self.format(value).number.size()
    }

    /// Where a value's chunks are, seen from a stretch that writes or reads it. Means and gates are always seen whole.
    fn span(&self, value: Value, stretch: &Stretch) -> Span {
        let place = self.schedule.place(value);
        let whole = self.bytes(value);
        if is_vector(self.graph, value) {
            return Span { offset: place.offset, bytes: whole, step: 0 };
        }
        let bytes = whole / stretch.chunks;
        Span { offset: place.offset, bytes, step: if place.is_local { 0 } else { bytes } }
    }
}

/// Winograd's transform takes spatial 3×3 kernels, and pays where there is more than one tile.
fn suits_winograd(conv: &Conv, [_, _, height, width, channels]: Shape) -> bool {
    let window = conv.window;
    window.kernel == [1, 3, 3]
        && window.stride == [1; 3]
        && window.dilation == [1; 3]
        && window.padding[1..] == [(1, 1); 2]
        && conv.groups == 1
        && channels >= 16
        && height.min(width) > 4
        && matches!(conv.after, After::Nothing | After::Relu)
        && conv.is_without_gate_or_residual()
}

/// Each row of weights in 127 steps to its largest.
fn quantise(numbers: &[f32], channels_out: usize, source_scale: f32) -> Quantised {
    let row = numbers.len() / channels_out;
    let mut quantised =
        Quantised { bytes: Vec::with_capacity(numbers.len()), scales: Vec::with_capacity(channels_out) };
    for row in numbers.chunks_exact(row) {
        let largest = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        #[expect(clippy::cast_possible_truncation, reason = "from -127 to 127")]
        quantised.bytes.extend(row.iter().map(|weight| (weight / scale).round_ties_even() as i8));
        quantised.scales.push(scale * source_scale);
    }
    quantised
}
