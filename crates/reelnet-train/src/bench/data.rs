//! Where the time of loading goes, and whether it is loading that is slow.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use reelnet_clips::{
    CancelToken, Clip, ClipSpec, Loader, LoaderOptions, LoaderReport, PastEnd, Request, Seed, Wanted, plan,
};
use reelnet_infer::bench::with_all_branches;
use serde::Serialize;

use super::plain_recipe;
use crate::augment::Augmenter;
use crate::error::TrainError;
use crate::feed::Fed;
use crate::recipe::Recipe;
use crate::state::{State, Taken};

/// A part of the time that is not worth mending.
const LITTLE: f64 = 0.1;
/// As in `bench step`: small enough for any number of steps.
const LEARNING_RATE: f64 = 1e-3;

/// What to measure.
#[derive(Clone, Debug)]
pub struct DataCase {
    /// Videos and images, taken in turns.
    pub files: Vec<PathBuf>,
    /// Which clips are cut, how they are changed, and which network takes them. Without one, clips are 32 frames of every second
    /// at 224 pixels, flipped and cut at random, and nothing computes.
    pub recipe: Option<Recipe>,
    /// Threads that load.
    pub workers: usize,
    /// Threads that compute; only written down.
    pub threads: usize,
    /// How long to go on.
    pub seconds: f64,
    /// Ends the measuring.
    pub cancel: CancelToken,
}

/// What was measured. Shares of the workers' time sum to 1.
#[derive(Clone, Debug, Serialize)]
pub struct DataBench {
    /// Samples that were loaded.
    pub samples: u64,
    /// Samples that could not be, by the kind of what is wrong.
    pub failed: std::collections::BTreeMap<&'static str, u64>,
    /// Seconds from the first request to the last sample.
    pub seconds: f64,
    /// Samples a second.
    pub samples_per_second: f64,
    /// Steps of the network; 0 without a recipe.
    pub steps: u64,
    /// The share of the time that the network waited for samples; of a measurement without a network, nothing.
    pub waited: Option<f64>,
    /// Share of the workers' time: opening files, finding packets and reading them.
    pub reading: f64,
    /// Turning packets into pictures.
    pub decoding: f64,
    /// Turning pictures into RGB of the wanted size.
    pub scaling: f64,
    /// Cutting and changing clips.
    pub augmenting: f64,
    /// Waiting for the network to take samples.
    pub idle: f64,
    /// Everything else, such as indexes and copies.
    pub other: f64,
    /// What is slowest.
    pub bottleneck: Bottleneck,
}

/// What is slowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bottleneck {
    /// The disk or the network.
    Reading,
    /// The decoder, and the scaler behind it.
    Decoding,
    /// The augmentation.
    Augmenting,
    /// The network.
    Computing,
}

impl Bottleneck {
    /// What to change.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Reading => {
                "copy the data to a faster disk, pack small files into shards (docs/how-to/train.md), or raise --workers: \
                 waiting for a disk needs no core"
            }
            Self::Decoding => {
                "raise --workers while there are idle cores; else scale the videos down once, to the shorter side that is \
                 trained at (ffmpeg -vf scale=-2:256), with a key frame a second (-g 30)"
            }
            Self::Augmenting => {
                "raise --workers while there are idle cores; else drop RandAugment layers or the colour jitter, or crop \
                 from smaller videos"
            }
            Self::Computing => {
                "loading keeps up; a smaller network, fewer frames or pixels, bf16 or a GPU would be faster"
            }
        }
    }
}

/// Loads as in training, again and again, until the time is over; with a recipe also takes its steps. Nothing if it was
/// cancelled.
///
/// # Errors
/// If the augmentation or the network is not possible, a step fails, or not one file can be used.
pub fn bench_data(case: &DataCase) -> Result<Option<DataBench>, TrainError> {
    let recipe = case.recipe.clone().unwrap_or_else(|| plain_recipe().expect("the recipe of the bench is good"));
    let augmenter = Arc::new(Augmenter::new(&recipe.augment, recipe.pixels.crop as usize)?);
    let mut state = case.recipe.as_ref().map(|recipe| first_state(recipe, case.threads)).transpose()?;
    let mut options = LoaderOptions { workers: case.workers, ..LoaderOptions::default() };
    options.limits.cancel = case.cancel.clone();

    // ---- Load, and compute ----
    let began = Instant::now();
    let mut loader = load(&recipe, case.files.clone(), &augmenter, &options);
    let (mut steps, mut last_error) = (0, None);
    while began.elapsed().as_secs_f64() < case.seconds {
        let taken: Result<Vec<_>, _> = loader.by_ref().take(recipe.batch.size).collect();
        let Ok(samples) = taken else { return Ok(None) };
        let (batch, bad) = Taken::sort(samples);
        last_error = bad.into_iter().next_back().or(last_error);
        if let Some(state) = state.as_mut().filter(|_| batch.len() > 0) {
            state.step(&recipe, batch, LEARNING_RATE)?;
            steps += 1;
        }
    }
    let seconds = began.elapsed();
    let report = loader.report();
    match last_error {
        Some(error) if report.ok == 0 => Err(TrainError::Unusable(error)),
        _ => Ok(Some(account(report, seconds, case.workers, steps))),
    }
}

fn first_state(recipe: &Recipe, threads: usize) -> Result<State, TrainError> {
    let device = Device::flex().autodiff();
    let network = with_all_branches(recipe.network.build(recipe.seed, &device)?, recipe.seed);
    Ok(State::new(recipe, network, device, String::new(), threads))
}

/// Clips of all files, over and over.
fn load(recipe: &Recipe, files: Vec<PathBuf>, augmenter: &Arc<Augmenter>, options: &LoaderOptions) -> Loader<Fed> {
    let spec = ClipSpec { frames: recipe.clip.frames, frame_step: recipe.clip.frame_step, past_end: PastEnd::Loop };
    let (run, chooser, changer) = (recipe.seed, Arc::clone(augmenter), Arc::clone(augmenter));
    let requests = (0_u64..).zip(files.into_iter().cycle()).map(move |(sample, path)| {
        let seed = Seed { run, epoch: 0, sample };
        let (spec, augmenter) = (spec.clone(), Arc::clone(&chooser));
        Request::new(path, Fed::of_class(0, seed), move |index| {
            let geometry = augmenter.geometry([index.info.width, index.info.height], spec.frames, seed);
            Ok::<_, String>(Wanted { plans: vec![plan::random(index.timeline(), &spec, seed)], geometry })
        })
    });
    Loader::with_finish(requests, options, move |fed: &Fed, clips| {
        let changed = |clip: Clip| Clip { frames: changer.apply(clip.frames, fed.seed()), ..clip };
        clips.into_iter().map(changed).collect()
    })
}

fn account(report: LoaderReport, seconds: Duration, workers: usize, steps: u64) -> DataBench {
    let whole = seconds.as_secs_f64() * workers.max(1) as f64;
    let share = |time: Duration| (time.as_secs_f64() / whole).min(1.0);
    let decoders = report.decoders;
    let [reading, decoding, scaling] = [decoders.read, decoders.decode, decoders.scale].map(share);
    let [augmenting, idle] = [report.finish, report.idle].map(share);
    let other = (1.0 - reading - decoding - scaling - augmenting - idle).max(0.0);
    let waited = (steps > 0).then(|| report.wait.as_secs_f64() / seconds.as_secs_f64());
    let bottleneck = bottleneck([reading, decoding + scaling, augmenting], waited);
    let samples_per_second = report.ok as f64 / seconds.as_secs_f64();
    DataBench {
        samples: report.ok,
        failed: report.failed,
        seconds: seconds.as_secs_f64(),
        samples_per_second,
        steps,
        waited,
        reading,
        decoding,
        scaling,
        augmenting,
        idle,
        other,
        bottleneck,
    }
}

/// The largest part of loading; the network, where it hardly waited.
fn bottleneck([reading, decoding, augmenting]: [f64; 3], waited: Option<f64>) -> Bottleneck {
    if waited.is_some_and(|waited| waited < LITTLE) {
        return Bottleneck::Computing;
    }
    if reading >= decoding && reading >= augmenting {
        Bottleneck::Reading
    } else if decoding >= augmenting {
        Bottleneck::Decoding
    } else {
        Bottleneck::Augmenting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_part_is_the_bottleneck_unless_nobody_waits_for_it() {
        assert_eq!(bottleneck([0.1, 0.6, 0.2], None), Bottleneck::Decoding);
        assert_eq!(bottleneck([0.7, 0.1, 0.2], Some(0.5)), Bottleneck::Reading);
        assert_eq!(bottleneck([0.1, 0.1, 0.2], Some(0.5)), Bottleneck::Augmenting);
        assert_eq!(bottleneck([0.1, 0.6, 0.2], Some(0.05)), Bottleneck::Computing);
    }

    #[test]
    fn shares_sum_to_one() {
        let milliseconds = Duration::from_millis;
        let mut report =
            LoaderReport { ok: 8, finish: milliseconds(300), idle: milliseconds(500), ..Default::default() };
        report.decoders.read = milliseconds(100);
        report.decoders.decode = milliseconds(600);
        report.decoders.scale = milliseconds(200);
        report.wait = milliseconds(700);
        let found = account(report, milliseconds(1000), 2, 4);
        let sum = found.reading + found.decoding + found.scaling + found.augmenting + found.idle + found.other;
        assert!((sum - 1.0).abs() < 1e-12, "{found:?}");
        assert_eq!((found.decoding, found.waited, found.samples_per_second), (0.3, Some(0.7), 8.0));
        assert_eq!(found.bottleneck, Bottleneck::Decoding);
    }
}
