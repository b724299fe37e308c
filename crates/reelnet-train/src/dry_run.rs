//! What a run would be: its size, its schedule, and what a step takes here.

use std::sync::Arc;
use std::time::Instant;

use reelnet_clips::LoaderOptions;
use reelnet_infer::bench::peak_memory;
use reelnet_models::forward::Precision;
use serde::Serialize;

use crate::data::DataSets;
use crate::error::TrainError;
use crate::feed;
use crate::recipe::Recipe;
use crate::schedule::Schedule;
use crate::start::{self, Sets};
use crate::state::{State, Taken};
use crate::trainer::RunOptions;

/// Points of the schedule's chart.
const POINTS: u64 = 60;

/// What a run would be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRun {
    /// Trainable parameters.
    pub parameters: u64,
    /// Multiply-accumulates of one clip, forward.
    pub macs: u64,
    /// What activations are held in.
    pub precision: Precision,
    /// Samples to train with.
    pub samples: usize,
    /// Files to validate with.
    pub validation_files: usize,
    /// Files to measure with at the end.
    pub test_files: usize,
    /// Classes.
    pub classes: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Steps of the run.
    pub steps: u64,
    /// The learning rate at the peak.
    pub peak_rate: f64,
    /// Learning rates, evenly over the run.
    pub rates: Vec<f64>,
    /// Seconds that loading a first batch took.
    pub load_seconds: f64,
    /// Seconds that a step took on it, after one that warmed up.
    pub step_seconds: f64,
    /// The loss of the first step.
    pub first_loss: Option<f64>,
    /// The most memory that this process has had, in bytes, where the system tells.
    pub peak_memory: Option<u64>,
    /// Files of the first batch that could not be used, and why.
    pub bad: Vec<String>,
}

/// Loads a batch and takes two steps, of which nothing is kept.
///
/// # Errors
/// As [`train`](crate::train) before its first step, and in it.
pub fn dry_run(recipe: &Recipe, options: &RunOptions) -> Result<DryRun, TrainError> {
    let Sets { sets: DataSets { training, validation, test }, steps_per_epoch } =
        start::data(recipe, &options.data_root)?;
    let device = options.device.clone().autodiff();
    let network = start::network(recipe, options.start_from.as_deref(), &device)?;
    let side = recipe.pixels.crop as usize;
    let cost = network.count([recipe.clip.frames, side, side])?;
    let schedule = Schedule::new(&recipe.schedule, recipe.batch.size, steps_per_epoch, recipe.epochs);

    // ---- Load ----
    let training = Arc::new(training);
    let augmenter = start::augmenter(recipe, &training)?;
    let mut loader_options = LoaderOptions { workers: options.workers, ..LoaderOptions::default() };
    loader_options.limits.cancel = options.cancel.clone();
    let began = Instant::now();
    let loader = feed::feed(recipe, &training, augmenter, &loader_options);
    let samples: Vec<_> = loader.take(recipe.batch.size).filter_map(Result::ok).collect();
    let load_seconds = began.elapsed().as_secs_f64();
    let (batch, bad) = Taken::sort(samples);

    // ---- Two steps ----
    let state = State::new(recipe, network, device, String::new(), options.threads);
    let mut state = state.recomputing(options.recompute);
    let first = state.step(recipe, batch.clone(), schedule.learning_rate(1))?;
    let began = Instant::now();
    state.step(recipe, batch, schedule.learning_rate(2))?;
    let step_seconds = began.elapsed().as_secs_f64();

    let steps = schedule.steps();
    Ok(DryRun {
        parameters: cost.parameters,
        macs: cost.macs,
        precision: recipe.precision,
        samples: training.samples.len(),
        validation_files: validation.samples.len(),
        test_files: test.map_or(0, |test| test.samples.len()),
        classes: training.labels.len(),
        steps_per_epoch,
        steps,
        peak_rate: schedule.peak(),
        rates: (0..POINTS).map(|point| schedule.learning_rate(point * steps / POINTS)).collect(),
        load_seconds,
        step_seconds,
        first_loss: first.loss,
        peak_memory: peak_memory(),
        bad: bad.iter().map(ToString::to_string).collect(),
    })
}
