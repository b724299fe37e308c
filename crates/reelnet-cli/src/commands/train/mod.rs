//! `reelnet train`

mod plan;
mod screen;

use anyhow::Context;
use burn::tensor::Device;
use reelnet_kernels::cpu;
use reelnet_models::forward::Precision;
use reelnet_train::{Ending, Recipe, RunOptions};

use crate::args::TrainArgs;
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::say;
use crate::workers::{count, share_cores};
use screen::Screen;

pub(crate) fn train(args: &TrainArgs) -> anyhow::Result<Outcome> {
    let recipe = Recipe::read(&args.recipe, &args.set)?;
    let threads = count(args.threads);
    // Convolutions have threads of their own; they and burn's take turns.
    share_cores(args.threads, 1);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .context("cannot start the threads that compute")?;
    let options = RunOptions {
        data_root: args.data_root.clone(),
        run_folder: args.run_dir.clone().unwrap_or_default(),
        start_from: args.start_from.clone(),
        resume: args.resume,
        threads,
        workers: count(args.workers),
        recompute: args.recompute,
        device: args.device.open()?,
        cancel: interrupt::watch()?,
    };
    if recipe.precision == Precision::Bf16 && options.device == Device::flex() && !cpu::computes_bf16() {
        say("there are no kernels of bfloat16 for this processor: `precision = \"f32\"` is faster here");
    }
    if args.dry_run {
        return plan::print(&reelnet_train::dry_run(&recipe, &options)?, args.json);
    }
    let mut screen = Screen::default();
    let ending = reelnet_train::train(&recipe, &options, &mut |record| screen.show(record));
    screen.finish();
    match ending? {
        Ending::Finished { bundle, .. } => {
            say(format_args!("made `{}`", bundle.display()));
            Ok(Outcome::Done)
        }
        Ending::Interrupted { step } => {
            say(format_args!("saved after step {step}; the same command with --resume goes on"));
            Ok(Outcome::Interrupted)
        }
    }
}
