//! The `reelnet` command: words, tables, progress bars and exit codes around the other crates.
//!
//! stdout is data, stderr is for people. A command is a file in `commands`; what it was asked is in `args`.

mod args;
mod commands;
mod device;
mod exit;
mod interrupt;
mod opening;
mod output;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{BenchCommand, Cli, Command, DataCommand, ModelCommand};
use crate::exit::Outcome;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Tag(args) => commands::tag::tag(&args),
        Command::Library(args) => commands::library::library(&args),
        Command::Probe(args) => commands::probe::probe(&args),
        Command::Frames(args) => commands::frames::frames(&args),
        Command::CheckData(args) => commands::check_data::check_data(&args),
        Command::Models(args) => commands::models::models(&args),
        Command::Init(args) => commands::init::init(&args),
        Command::Import(args) => commands::import::import(&args),
        Command::Inflate(args) => commands::inflate::inflate(&args),
        Command::Forward(args) => commands::forward::forward(&args),
        Command::Data(DataCommand::Inspect(args)) => commands::inspect::inspect_data(&args),
        Command::Eval(args) => commands::eval::eval(&args),
        Command::Metrics(args) => commands::eval::metrics(&args),
        Command::Compare(args) => commands::eval::compare(&args),
        Command::Explain(args) => commands::explain::explain(&args),
        Command::CompareRuns(args) => commands::compare_runs::compare_runs(&args),
        Command::Train(args) => commands::train::train(&args),
        Command::Bench(BenchCommand::Forward(args)) => commands::bench::bench_forward(&args),
        Command::Bench(BenchCommand::Step(args)) => commands::bench::bench_step(&args),
        Command::Bench(BenchCommand::Data(args)) => commands::bench::bench_data(&args),
        Command::Model(ModelCommand::Pull(args)) => commands::pull::pull(&args),
        Command::Model(ModelCommand::Calibrate(args)) => commands::calibrate::calibrate(&args),
        Command::Doctor(args) => commands::doctor::doctor(&args),
        Command::Completions(args) => commands::completions::completions(&args),
        Command::DecodeWorker(args) => opening::work(&args),
    };
    exit::report(outcome.unwrap_or_else(Outcome::Error))
}
