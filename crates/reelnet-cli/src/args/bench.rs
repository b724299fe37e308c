//! The words of benches.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::PrecisionArg;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Time forward passes of a network
    Forward(ForwardBenchArgs),
    /// Time training steps of a network: forward, backward, SGD with momentum
    Step(StepBenchArgs),
    /// Say what is slow in loading data: reading, decoding, augmenting, or the network behind it
    Data(DataBenchArgs),
}

/// What is run, on what, for how long.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// As in `reelnet models`, with fresh weights
    #[arg(long, value_name = "NAME", required_unless_present = "model", conflicts_with = "model")]
    pub(crate) network: Option<String>,
    /// Bundle, a folder or the name of a pulled one
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Frames of a clip [default: the network's]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) frames: Option<u32>,
    /// Side of the frames, in pixels [default: the network's]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) size: Option<u32>,
    /// Clips at once
    #[arg(long, value_name = "B", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
    /// Threads to compute with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Seconds to go on for, after two turns that warm up
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = duration)]
    pub(crate) seconds: f64,
    /// A safetensors file with `clips`, [B,3,T,S,S], already normalised [default: made up]
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ForwardBenchArgs {
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    /// Numbers in between; int8 as the bundle was calibrated, else from the first layer on
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    pub(crate) precision: PrecisionArg,
    /// What computes [default: the engine, and burn where there is none]
    #[arg(long, value_enum)]
    pub(crate) backend: Option<BackendArg>,
    /// Also time the engine's operations one by one: what each computes, its kernel, and how much of the machine's peak it reaches
    #[arg(long)]
    pub(crate) profile: bool,
    /// The safetensors file to write, with `logits`, [B,classes]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StepBenchArgs {
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    /// Numbers in between
    #[arg(long, value_enum, default_value_t = StepPrecisionArg::F32)]
    pub(crate) precision: StepPrecisionArg,
    /// Keep only what goes into each block, and compute the rest again on the way back
    #[arg(long)]
    pub(crate) recompute: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DataBenchArgs {
    /// A list of files (one a line, with or without a label behind it), a folder (searched through), or a file; may be given again
    #[arg(long, required = true, value_name = "LIST|DIR")]
    pub(crate) data: Vec<PathBuf>,
    /// Recipe whose clips, augmentation, batch and network are measured [default: 32 frames at 224 pixels, and no network]
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Replaces one value of the recipe, such as batch.size=8; may be given again
    #[arg(long, value_name = "KEY=VALUE", requires = "recipe")]
    pub(crate) set: Vec<String>,
    /// Threads that load and decode [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Seconds to go on for
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = duration)]
    pub(crate) seconds: f64,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Numbers of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StepPrecisionArg {
    /// 32-bit floats
    F32,
    /// bfloat16 between the layers; weights, sums and the loss are 32-bit floats
    Bf16,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendArg {
    /// An engine that is compiled for the shape
    Engine,
    /// The network operation by operation
    Burn,
}

fn duration(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err(format!("`{text}` is no time, expected seconds from 0 on, such as 2.5")),
    }
}
