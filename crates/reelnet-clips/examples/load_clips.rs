//! Draws random clips from files, as training does, and prints how fast they came, where the time went, and the most memory
//! that this process had held until each tenth of the clips. If memory is bounded, it soon stops to grow.
//!
//! `load_clips WORKERS CLIPS FILE…`: 16 frames with a step of 2, the shorter side 128, cropped to 112×112; eight in a batch.

use std::num::ParseIntError;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use reelnet_clips::{
    BatchError, ClipSpec, Crop, Filter, FrameGeometry, Loader, LoaderOptions, PastEnd, Remainder, Request, Resize,
    Seed, Wanted, plan,
};

const BATCH: usize = 8;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the lines are what this program is for")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [workers, clips, files @ ..] = &arguments[..] else {
        eprintln!("usage: load_clips WORKERS CLIPS FILE…");
        return ExitCode::FAILURE;
    };
    let numbers: Result<Vec<usize>, ParseIntError> = [workers, clips].into_iter().map(|word| word.parse()).collect();
    let outcome = match numbers {
        Ok(numbers) => {
            load(numbers[0], numbers[1], files.iter().map(PathBuf::from).collect()).map_err(|e| e.to_string())
        }
        Err(error) => Err(format!("`{workers}` and `{clips}` must be numbers: {error}")),
    };
    match outcome {
        Ok(lines) => println!("{lines}"),
        Err(sentence) => eprintln!("{sentence}"),
    }
    ExitCode::SUCCESS
}

fn load(workers: usize, clips: usize, files: Vec<PathBuf>) -> Result<String, BatchError> {
    let spec = ClipSpec { frames: 16, frame_step: 2, past_end: PastEnd::Loop };
    let resize = Resize::ShorterSide(128);
    let geometry = FrameGeometry { resize, crop: Crop::Centre { width: 112, height: 112 }, filter: Filter::Bilinear };
    let requests = (0..clips).map(move |sample| {
        let (spec, geometry) = (spec.clone(), geometry.clone());
        let seed = Seed { run: 0, epoch: 0, sample: sample as u64 };
        Request::new(&files[sample % files.len()], (), move |index| {
            Ok::<_, String>(Wanted { plans: vec![plan::random(index.timeline(), &spec, seed)], geometry })
        })
    });
    let start = Instant::now();
    let mut batches =
        Loader::new(requests, &LoaderOptions { workers, ..LoaderOptions::default() }).batches(BATCH, Remainder::Keep);
    let (mut loaded, mut peaks) = (0, Vec::new());
    while let Some(batch) = batches.next().transpose()? {
        loaded += batch.clips.dim().0;
        if loaded * 10 >= clips * (peaks.len() + 1) {
            peaks.push(most_memory_mebibytes().unwrap_or(f64::NAN));
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = loaded as f64 / seconds;
    let report = batches.loader().report();
    Ok(format!(
        "{loaded} clips in {seconds:.2} s with {workers} workers: {rate:.1} clips/s\npeak MiB after each tenth: {peaks:.1?}\n\
         {report:#?}"
    ))
}

/// The peak so far, where the system tells.
fn most_memory_mebibytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}
