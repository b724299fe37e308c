//! How fast the batches of a recipe come when nobody trains on them: the counterpart of `benches/loader/peers.py`.
//!
//! `loader OUT.json RECIPE DATA-ROOT WORKERS WARM-UP BATCHES [KEY=VALUE…]` takes batches as a training run does, and writes how
//! long those after the warm-up took.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use reelnet_clips::LoaderOptions;
use reelnet_train::{Batches, Recipe};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Serialize)]
struct Outcome {
    samples: usize,
    seconds: f64,
    cpu_seconds: f64,
    shape: Vec<usize>,
}

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [out, recipe, root, workers, warm_up, batches, settings @ ..] = words.as_slice() else {
        bail!("usage: loader OUT.json RECIPE DATA-ROOT WORKERS WARM-UP BATCHES [KEY=VALUE…]")
    };
    let recipe = Recipe::read(Path::new(recipe), settings)?;
    let [workers, warm_up, count] = [workers, warm_up, batches].map(|word| word.parse::<usize>());
    let options = LoaderOptions { workers: workers?, ..LoaderOptions::default() };
    let mut batches = Batches::open(&recipe, Path::new(root), &options)?;
    for _ in 0..warm_up? {
        batches.next().context("there are too few samples to warm up")??;
    }
    let (start, cpu_start) = (Instant::now(), cpu_so_far());
    let (mut samples, mut shape) = (0, Vec::new());
    for _ in 0..count? {
        let clips = batches.next().context("there are too few samples")??;
        samples += clips.len_of(ndarray::Axis(0));
        shape = clips.shape().to_vec();
    }
    let outcome =
        Outcome { samples, seconds: start.elapsed().as_secs_f64(), cpu_seconds: cpu_so_far() - cpu_start, shape };
    fs::write(out, serde_json::to_vec(&outcome)?)?;
    Ok(())
}

/// Processor time of all threads of this process, ended ones included.
fn cpu_so_far() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
