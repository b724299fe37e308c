//! The words of training, and of the data that it takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::device::DeviceChoice;

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Say what a recipe's data hold, and show what the network will see of them
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Recipe, a TOML file
    #[arg(value_name = "RECIPE")]
    pub(crate) recipe: PathBuf,
    /// Folder that the recipe's data lies in
    #[arg(long, value_name = "DIR")]
    pub(crate) data_root: PathBuf,
    /// Replaces one value of the recipe, such as augment.interpolation=bicubic; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// PNG to write: the first clips of the first epoch, cropped and changed as in training
    #[arg(long, value_name = "FILE")]
    pub(crate) sheet: Option<PathBuf>,
    /// Clips to make
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) clips: u16,
    /// One JSON object instead of words, with every class and every name
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads that load and decode [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct TrainArgs {
    /// A recipe, such as those in configs/
    #[arg(value_name = "RECIPE")]
    pub(crate) recipe: PathBuf,
    /// Folder that the recipe's data lies in
    #[arg(long, value_name = "DIR")]
    pub(crate) data_root: PathBuf,
    /// Folder for checkpoints, the journal and the trained bundle; new or empty, unless the run goes on
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub(crate) run_dir: Option<PathBuf>,
    /// Replaces one value of the recipe, such as batch.size=64; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Bundle that the first weights come from, where the recipe says start = "bundle"
    #[arg(long, value_name = "DIR")]
    pub(crate) start_from: Option<PathBuf>,
    /// Go on with the run in the folder, at the very sample
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) resume: bool,
    /// Say what the run would be, and how long a step takes here, and train nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// One JSON object instead of words
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Threads that load and decode [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Keep only what goes into each block, and compute the rest again on the way back: less memory, more time, the same weights
    #[arg(long)]
    pub(crate) recompute: bool,
    /// cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    pub(crate) device: DeviceChoice,
}

#[derive(Debug, Args)]
pub(crate) struct CompareRunsArgs {
    /// Folders of runs, finished or not
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Top-1 in validation that steps are counted to
    #[arg(long, default_value_t = 0.9, value_name = "SHARE")]
    pub(crate) target: f64,
    /// HTML page to write: curves in one file that needs nothing from elsewhere
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
