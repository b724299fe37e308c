//! Inference on a CPU without a tensor library in between: a network is compiled once for a shape of clips, and then runs.
//!
//! `graph` writes a network down by walking through it, `rewrite` leaves out passes over memory, `formats` decides which numbers
//! values are held in, `schedule` which operations run together and where values lie, and `program` holds the kernels.

mod engines;
mod formats;
mod graph;
mod program;
mod rewrite;
mod schedule;

use std::num::NonZero;
use std::sync::Arc;

use ndarray::ArrayView4;
use reelnet_kernels::fused::FusedError;
use reelnet_models::{ConfigError, Network};
use thiserror::Error;

pub(crate) use engines::Engines;
pub use formats::{Bytes, Ranges};

use crate::pixels::Pixels;
use graph::Graph;
use program::Program;

/// Numbers that features and weights are held in. Sums have 32 bits always, as do gates and logits.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// The upper halves of floats; floats up to the last depthwise convolution of a sixteenth of the clips' height or more, where a
    /// network has one.
    Bf16,
    /// Bytes, scaled by what the features were seen to reach, after as many layers of floats as they need.
    Int8(Bytes),
}

/// What an engine is compiled for.
#[derive(Clone, Debug)]
pub struct EngineSpec {
    /// Clips of one run.
    pub batch: usize,
    /// `[frames, height, width]` of a clip.
    pub clip: [usize; 3],
    /// Numbers in between.
    pub precision: Precision,
    /// Threads that a run is divided over.
    pub threads: NonZero<usize>,
    /// Whether 3×3 convolutions of 32-bit floats may take Winograd's way: a quarter of the products for ten times the rounding
    /// error, which is still below that of other frameworks' last digits.
    pub winograd: bool,
    /// Bytes that operations which take turns frame by frame may read and write a turn: a share of the last cache.
    pub chunk_bytes: usize,
}

impl EngineSpec {
    /// 32-bit floats, one clip of `[frames, height, width]`, as many threads as [`reelnet_kernels::cpu::threads`].
    pub fn new(clip: [usize; 3]) -> Self {
        let threads = NonZero::new(reelnet_kernels::cpu::threads()).unwrap_or(NonZero::<usize>::MIN);
        Self { batch: 1, clip, precision: Precision::F32, threads, winograd: true, chunk_bytes: 8 << 20 }
    }
}

/// A network that cannot be compiled; burn can run it.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The clips are not what the network takes.
    #[error(transparent)]
    Input(#[from] ConfigError),
    /// There is no kernel for one of its operations.
    #[error(transparent)]
    Kernel(#[from] FusedError),
    /// It has something that no engine has.
    #[error("the engine cannot run {0}")]
    Unsupported(String),
}

/// What one operation of an engine takes.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct OperationTime {
    /// What it computes, on one chunk.
    pub operation: String,
    /// oneDNN's name of the kernel, and whether a pass of our own finishes what it leaves; empty for a loop of our own.
    pub kernel: String,
    /// Chunks that it is run for.
    pub chunks: usize,
    /// Multiply-accumulates of all chunks.
    pub macs: u64,
    /// The best of some rounds, all chunks.
    pub best_seconds: f64,
}

/// A network compiled for one shape of clips.
#[derive(Debug)]
pub struct Engine {
    program: Program,
    graph: Arc<Graph>,
    spec: EngineSpec,
    classes: usize,
}

impl Engine {
    /// Compiles a network: packs its weights, plans its memory.
    ///
    /// # Errors
    /// If the network does not take such clips, or there is no kernel for it in this build or on this machine.
    pub fn compile(network: &Network, spec: &EngineSpec) -> Result<Self, EngineError> {
        network.check_input(3, spec.clip)?;
        let [frames, height, width] = spec.clip;
        let mut graph = Graph::of(network, [spec.batch, frames, height, width, 3]);
        rewrite::rewrite(&mut graph);
        let border = match &spec.precision {
            Precision::F32 => None,
            Precision::Bf16 => formats::border_by_rule(&graph),
            Precision::Int8(bytes) => Some(formats::border_at(&graph, bytes.floats_until)?),
        };
        if let Some(border) = border.filter(|border| border.0 > 0) {
            formats::narrow_after(&mut graph, border);
        }
        let program = Program::compile(&graph, spec, None)?;
        Ok(Self { program, graph: Arc::new(graph), spec: spec.clone(), classes: network.config().classes() })
    }

    /// What it was compiled for.
    pub fn spec(&self) -> &EngineSpec {
        &self.spec
    }

    /// Clips of one run.
    pub fn batch(&self) -> usize {
        self.program.batch()
    }

    /// The logits `[clips, classes]` of at most [`Self::batch`] clips `[frames, height, width, 3]`.
    ///
    /// # Panics
    /// If there are more, or one has another shape than the engine.
    pub fn run(&mut self, clips: &[ArrayView4<'_, u8>], pixels: &Pixels) -> &[f32] {
        self.program.set_clips(clips, (pixels.mean, pixels.deviation));
        self.program.run();
        &self.program.logits()[..clips.len() * self.classes]
    }

    /// The logits `[batch, classes]` of clips that are normalised already, `[batch, frames, height, width, 3]`.
    ///
    /// # Panics
    /// If there are not as many numbers as that.
    pub fn run_normalised(&mut self, clips: &[f32]) -> &[f32] {
        self.program.set_features(clips);
        self.program.run();
        self.program.logits()
    }

    /// The logits of a clip; widens `ranges` to what its features reach. Of an engine of 32-bit floats.
    ///
    /// # Panics
    /// If it is of other numbers, or the clip has another shape.
    pub fn watch_ranges(&mut self, clip: &ArrayView4<'_, u8>, pixels: &Pixels, ranges: &mut Ranges) -> &[f32] {
        assert!(self.spec.precision == Precision::F32, "ranges are those of floats");
        self.program.set_clips(std::slice::from_ref(clip), (pixels.mean, pixels.deviation));
        self.program.watch_ranges(ranges);
        self.program.logits()
    }

    /// As [`Self::run_normalised`], and widens `ranges` to what the features reach. Of an engine of 32-bit floats.
    ///
    /// # Panics
    /// If it is of other numbers, or there are not as many numbers as the clips have.
    pub fn run_watching_ranges(&mut self, clips: &[f32], ranges: &mut Ranges) {
        assert!(self.spec.precision == Precision::F32, "ranges are those of floats");
        self.program.set_features(clips);
        self.program.watch_ranges(ranges);
    }

    /// Places in the graph where the network can go over to narrower numbers, the clips first.
    pub fn borders(&self) -> Vec<usize> {
        formats::borders(&self.graph).into_iter().map(|border| border.0).collect()
    }

    /// How long each operation takes, the best of `rounds`, in the order in which they run.
    pub fn profile(&mut self, rounds: usize) -> Vec<OperationTime> {
        self.program.profile(rounds)
    }

    /// The same engine for another number of threads, to run beside this one: packed weights are shared.
    ///
    /// # Errors
    /// If there is no kernel for so many threads.
    pub fn again(&self, threads: NonZero<usize>) -> Result<Self, EngineError> {
        let spec = EngineSpec { threads, ..self.spec.clone() };
        let program = Program::compile(&self.graph, &spec, Some(&self.program))?;
        Ok(Self { program, graph: Arc::clone(&self.graph), spec, classes: self.classes })
    }

    /// Bytes of activations and scratch memory.
    pub fn arena_bytes(&self) -> usize {
        self.program.arena_bytes()
    }
}
