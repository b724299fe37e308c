//! The words of evaluation.

use std::path::PathBuf;

use clap::Args;
use reelnet_infer::evaluation::{Protocol, Shard, Views};

use super::{ScoringArgs, share};

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// Bundle to measure, a folder or the name of a pulled one [default: EfficientNet-Lite0 on ImageNet, built in]
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: EvalDataArgs,
    /// Clips along a video and crops of each [default: 1x1, or 10x3 with a published protocol]
    #[arg(long, value_name = "CLIPSxCROPS")]
    pub(crate) views: Option<Views>,
    /// Who places clips and crops: tf, slowfast, mmaction, pytorchvideo, or reelnet, as `tag` does
    #[arg(long, default_value = "reelnet", value_name = "NAME")]
    pub(crate) protocol: Protocol,
    /// Folder that is written to as files are scored, and that the same command goes on from
    #[arg(long, default_value = "reelnet-eval", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Forget what an earlier run scored in the folder
    #[arg(long)]
    pub(crate) again: bool,
    /// Only the Ith of N parts of the list; `reelnet metrics` puts parts together
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Parquet file to write: the logits of every view
    #[arg(long, value_name = "FILE")]
    pub(crate) dump: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// Threads that load and decode [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Threads that the network computes with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) scoring: ScoringArgs,
}

/// What to measure with.
#[derive(Debug, Args)]
pub(crate) struct EvalDataArgs {
    /// A folder with a folder a class, a list with a file and its class a line, or the official CSV of Kinetics
    #[arg(long, value_name = "LIST|DIR")]
    pub(crate) data: PathBuf,
    /// Folder that the paths of a list start at, or that holds the videos of Kinetics [default: the list's own]
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    /// What a line of a list holds: path, label, labels, start, end, ignored [default: path,label]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,
    /// Rows of the CSV of Kinetics that count, such as validate [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) split: Option<String>,
    /// Names that the data has for the model's classes, as in a recipe's data.labels [default: the model's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
}

/// What is told of an evaluation.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Share of the listed files that may be without scores; above it the exit code is 1
    #[arg(long, default_value_t = 0.005, value_name = "SHARE", value_parser = share)]
    pub(crate) max_missing: f64,
    /// Evaluation of other videos, whose best temperature is tried on these
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) temperature_from: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// Folders of `reelnet eval`, or dumps. Parts of one evaluation are put together, and the scores of several models averaged
    #[arg(required = true, value_name = "DIR|FILE")]
    pub(crate) scores: Vec<PathBuf>,
    /// Show what fewer views would have given, and what leaving sure videos early would save
    #[arg(long)]
    pub(crate) sweep: bool,
    /// Parquet file to write: all parts of the evaluation in one
    #[arg(long, value_name = "FILE")]
    pub(crate) dump: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// A folder of `reelnet eval`, or a dump
    #[arg(value_name = "A")]
    pub(crate) first: PathBuf,
    /// Another one
    #[arg(value_name = "B")]
    pub(crate) second: PathBuf,
    /// Classes to show, those with the largest differences
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) classes: usize,
    /// One JSON object, with all classes
    #[arg(long)]
    pub(crate) json: bool,
}
