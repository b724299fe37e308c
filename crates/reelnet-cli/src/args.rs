//! The words of the command line.

mod bench;
mod evaluation;
mod inflation;
mod library;
mod precision;
mod sidecars;
mod training;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use reelnet_clips::Resize;

use crate::device::DeviceChoice;
pub(crate) use bench::{
    BackendArg, BenchCommand, DataBenchArgs, ForwardBenchArgs, StepBenchArgs, StepPrecisionArg, WorkArgs,
};
pub(crate) use evaluation::{CompareArgs, EvalArgs, EvalDataArgs, MetricsArgs, ReportArgs};
pub(crate) use inflation::{InflateArgs, MethodArg, Topology};
pub(crate) use library::{
    AddArgs, ExportArgs, ExportFormat, FailuresArgs, ForgetArgs, JsonArgs, LabelsArgs, LibraryArgs, LibraryCommand,
    LibraryRunArgs, LibraryWorkArgs, RetryArgs, RulesArgs, ScanArgs, SearchArgs, SettingsArgs, ShowArgs, WindowArgs,
};
pub(crate) use precision::PrecisionArg;
pub(crate) use sidecars::{SidecarFormatArg, SidecarsArgs};
pub(crate) use training::{CompareRunsArgs, DataCommand, InspectArgs, TrainArgs};

/// Train video classifiers, measure them honestly, tag the videos that you own.
#[derive(Debug, Parser)]
#[command(name = "reelnet", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 all done; 1 done, but some input failed; 2 could not run; 130 interrupted.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what is to be seen in videos and images
    Tag(TagArgs),
    /// Keep whole folders tagged: what is new, what is where, and what is to be seen when
    Library(LibraryArgs),
    /// Show what files hold, from their packets
    Probe(ProbeArgs),
    /// Give exact frames of a video: their times, their hashes, and pictures of them
    Frames(FramesArgs),
    /// Decode a whole data set, and list what is sound and what is not
    CheckData(CheckDataArgs),
    /// List the networks: parameters, cost, published accuracy
    Models(ModelsArgs),
    /// Make a bundle with fresh weights
    Init(InitArgs),
    /// Make a bundle from a weight file of timm, torchvision or `efficientnet_pytorch`
    Import(ImportArgs),
    /// Turn a 2D bundle into a 3D one, with a row a parameter and a proof
    Inflate(InflateArgs),
    /// Run a bundle on a tensor, for comparing it with another framework
    Forward(ForwardArgs),
    /// Data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Train a network by a recipe, from a data set to a bundle
    Train(TrainArgs),
    /// Measure a model on a data set, clip by clip and video by video
    Eval(EvalArgs),
    /// Compute everything anew from scores: parts put together, models averaged, fewer views tried
    Metrics(MetricsArgs),
    /// Two evaluations side by side, with a paired test
    Compare(CompareArgs),
    /// Measure this machine: forward passes, training steps, loading
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Curves and numbers of training runs side by side
    CompareRuns(CompareRunsArgs),
    /// Published weights
    #[command(subcommand)]
    Model(ModelCommand),
    /// Check this machine: versions, decoders, devices, folders
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Decode for another process; started by `--isolate`
    #[command(hide = true)]
    DecodeWorker(DecodeWorkerArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Fetch published weights and make a bundle of them
    Pull(PullArgs),
    /// Make a bundle that can run in 8-bit numbers, scaled by what your own clips need
    Calibrate(CalibrateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// Videos, images, or folders of them; with files in folders that are called as their class is, accuracy is counted
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Bundle to calibrate [default: EfficientNet-Lite0 on ImageNet, built in]
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// The bundle to make: the same, and what 8-bit numbers need
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Clips a file, spread evenly over its length: every second one is looked at, the others are for comparing
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub(crate) clips: u16,
    /// Share of clips that must have the same best class as in 32-bit floats: as many of the first layers stay floats as that needs
    #[arg(long, default_value_t = 0.97, value_name = "SHARE", value_parser = share)]
    pub(crate) agreement: f64,
    /// Threads to compute with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// Videos, images, or folders of them (searched through)
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Bundle to tag with, a folder or the name of a pulled one [default: EfficientNet-Lite0 on ImageNet, built in]
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Tags a file at most
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) top: usize,
    /// Probability that a tag needs at least
    #[arg(long, default_value_t = 0.1, value_name = "P", value_parser = probability)]
    pub(crate) threshold: f32,
    /// Clips a video, spread evenly over its length
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) clips: u16,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Files at once [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Threads that the network of one file computes with [default: its share of the cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) scoring: ScoringArgs,
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    /// Say on stderr where the time of each file goes
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// How files are scored.
#[derive(Debug, Args)]
pub(crate) struct ScoringArgs {
    /// Numbers that the network computes in, on a CPU
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    pub(crate) precision: PrecisionArg,
    /// Seconds that one file may take before it is given up
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) deadline: u64,
    /// cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    pub(crate) device: DeviceChoice,
}

/// How files are opened.
#[derive(Debug, Args)]
pub(crate) struct OpeningArgs {
    /// File that keeps what is known of the packets of a library's files: later runs open them faster. Best put into the
    /// folder of the library
    #[arg(long, value_name = "FILE", conflicts_with = "isolate")]
    pub(crate) index_cache: Option<PathBuf>,
    /// Decode in worker processes: a file that crashes its decoder is one failed file
    #[arg(long)]
    pub(crate) isolate: bool,
    /// Memory that one worker process may use
    #[arg(long, default_value_t = 2048, value_name = "MEGABYTES", requires = "isolate", value_parser = clap::value_parser!(u32).range(16..))]
    pub(crate) worker_memory: u32,
}

#[derive(Debug, Args)]
pub(crate) struct DecodeWorkerArgs {
    /// Bytes of memory
    #[arg(long)]
    pub(crate) memory: u64,
}

/// What `tag` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// One JSON object a file
    Jsonl,
    /// One row a tag
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// Files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Decode everything, and count the frames that really come
    #[arg(long)]
    pub(crate) count: bool,
    /// One JSON object a file
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FramesArgs {
    /// A video or an image
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) which: WhichFrames,
    /// Frames of a clip
    #[arg(long, default_value_t = 32, value_name = "N", requires = "clips", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) frames: u32,
    /// Frames from one frame of a clip to the next one
    #[arg(long, default_value_t = 2, value_name = "N", requires = "clips", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) step: u32,
    /// Pixels of the shorter side, or `WIDTHxHEIGHT` [default: as shown]
    #[arg(long, value_name = "SIZE", value_parser = resize)]
    pub(crate) size: Option<Resize>,
    /// Hash the decoded planes as they are, neither turned nor converted: what `ffmpeg -f framehash` hashes
    #[arg(long, conflicts_with_all = ["size", "out"])]
    pub(crate) native: bool,
    /// Folder to write PNG files to; it must be new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// One JSON object a frame
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads of the decoder
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
    /// Seconds after which the file is given up [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) deadline: Option<u64>,
}

/// Which frames of a file; all of them if nothing is said.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct WhichFrames {
    /// These frames, in this order; the first one is 0
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    pub(crate) indices: Option<Vec<usize>>,
    /// The frames on the screen at these times, in seconds after the first frame
    #[arg(long, value_name = "S,S,…", value_delimiter = ',', value_parser = seconds)]
    pub(crate) at: Option<Vec<f64>>,
    /// Every frame
    #[arg(long)]
    pub(crate) all: bool,
    /// Clips spread evenly over the video
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) clips: Option<u32>,
}

impl WhichFrames {
    /// Whether every frame is asked for.
    pub(crate) fn is_everything(&self) -> bool {
        self.indices.is_none() && self.at.is_none() && self.clips.is_none()
    }
}

#[derive(Debug, Args)]
pub(crate) struct CheckDataArgs {
    /// Folders (searched through), lists of files (one a line, with or without a label behind it), or single files
    #[arg(required = true, value_name = "LIST|DIR")]
    pub(crate) paths: Vec<PathBuf>,
    /// Folder for ok.txt, bad.csv and the journal that a second run goes on from
    #[arg(long, value_name = "DIR", default_value = "reelnet-check")]
    pub(crate) out: PathBuf,
    /// Files at once [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Videos with fewer frames are short; images are not asked
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) min_frames: usize,
    /// Seconds that one file may take, beside its own length, before it is given up
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) deadline: u64,
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    /// Forget what an earlier run found, and check everything again
    #[arg(long)]
    pub(crate) again: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// A JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// As in `reelnet models`, with or without `@SIZE`
    #[arg(long, value_name = "NAME")]
    pub(crate) network: String,
    /// Classes [default: as published]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) classes: Option<u32>,
    /// Names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Draws the weights
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A .safetensors, .pth, .pt or .bin file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Its network [default: recognised by the tensors' names and shapes]
    #[arg(long, value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Names of the classes, one a line [default: ImageNet's or Kinetics', by their number]
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Where a checkpoint holds several sets of weights, the one under this key, such as `state_dict_ema`
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Take what fits, and say what does not
    #[arg(long)]
    pub(crate) partial: bool,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ForwardArgs {
    /// Bundle
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// A safetensors file with `clips`, [N,3,T,H,W], already normalised (T is 1 for images)
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The safetensors file to write, with `logits`, [N,classes]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    pub(crate) device: DeviceChoice,
    /// Threads to compute with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// A network with published weights, such as resnet-rs-50
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Folder to make [default: a folder of this name where `--model NAME` finds it]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell
    pub(crate) shell: clap_complete::Shell,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err(format!("`{text}` is no share, expected a number from 0 to 1, such as 0.005")),
    }
}

fn probability(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err(format!("`{text}` is no probability, expected a number from 0 to 1")),
    }
}

fn resize(text: &str) -> Result<Resize, String> {
    let side = |text: &str| text.parse::<u32>().ok().filter(|&side| side > 0);
    let sides = match text.split_once(['x', 'X', '×']) {
        None => side(text).map(Resize::ShorterSide),
        Some((width, height)) => side(width).zip(side(height)).map(|(width, height)| Resize::Exact { width, height }),
    };
    sides.ok_or_else(|| format!("`{text}` is no size, expected pixels of the shorter side, such as 256, or 320x240"))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err(format!("`{text}` is no time, expected seconds from 0 on, such as 2.5")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_times() {
        assert_eq!(resize("256"), Ok(Resize::ShorterSide(256)));
        assert_eq!(resize("320x240"), Ok(Resize::Exact { width: 320, height: 240 }));
        for bad in ["", "0", "x", "320x", "320x0", "-1", "1.5", "320x240x3", "99999999999"] {
            assert!(resize(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("2.5"), Ok(2.5));
        for bad in ["", "-1", "inf", "nan", "1s"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
