//! One task of the clip benchmark, done by `reelnet-clips`: the counterpart of `benches/clips/peers.py`.
//!
//! `clips TASK.json OUT.json` reads which frames to fetch, fetches them as often as the task says, and writes the
//! seconds of each turn. Opening the file counts, as it does for everyone who draws clips from a library.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use reelnet_clips::{Crop, Decoder, Filter, FrameGeometry, FramePlan, Limits, Resize};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
struct Task {
    file: PathBuf,
    /// Each draw opens the file anew and fetches its clips.
    draws: Vec<Vec<Vec<usize>>>,
    /// Width and height of the result; none for the size of the video.
    size: Option<[u32; 2]>,
    threads: usize,
    turns: usize,
    /// Where the frames of the last draw go, for the comparison of pixels.
    frames_to: Option<PathBuf>,
}

#[derive(Serialize)]
struct Outcome {
    seconds: Vec<f64>,
    cpu_seconds: Vec<f64>,
    peak_bytes: u64,
    frames: usize,
    /// Coded frames that the decoder was given in one turn.
    packets: u64,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(task), Some(out)) = (arguments.next(), arguments.next()) else {
        bail!("usage: clips TASK.json OUT.json")
    };
    let task: Task = serde_json::from_slice(&fs::read(task)?)?;
    let (mut seconds, mut cpu_seconds) = (Vec::new(), Vec::new());
    let (mut frames, mut packets) = (0, 0);
    for _ in 0..task.turns {
        let (start, cpu_start) = (Instant::now(), cpu_so_far());
        (frames, packets) = (0, 0);
        for draw in &task.draws {
            let fetched = fetch(&task, draw, None)?;
            frames += fetched.0;
            packets += fetched.1;
        }
        seconds.push(start.elapsed().as_secs_f64());
        cpu_seconds.push(cpu_so_far() - cpu_start);
    }
    if let (Some(path), Some(draw)) = (&task.frames_to, task.draws.last()) {
        fetch(&task, draw, Some(path))?;
    }
    fs::write(out, serde_json::to_vec(&Outcome { seconds, cpu_seconds, peak_bytes: peak_bytes()?, frames, packets })?)?;
    Ok(())
}

/// Frames that came out, and coded frames that went in.
fn fetch(task: &Task, clips: &[Vec<usize>], frames_to: Option<&PathBuf>) -> anyhow::Result<(usize, u64)> {
    let limits = Limits { decoder_threads: task.threads, ..Limits::default() };
    let mut decoder = Decoder::open(&task.file, &limits)?;
    let resize = task.size.map_or(Resize::Native, |[width, height]| Resize::Exact { width, height });
    let geometry = FrameGeometry { resize, crop: Crop::None, filter: Filter::Bilinear };
    let plan = |indices: &Vec<usize>| FramePlan { indices: indices.clone(), centre_seconds: 0.0 };
    let plans: Vec<FramePlan> = clips.iter().map(plan).collect();
    let clips = decoder.clips(&plans, &geometry)?;
    if let Some(path) = frames_to {
        let bytes: Vec<u8> = clips.iter().flat_map(|clip| clip.frames.iter().copied()).collect();
        fs::write(path, bytes)?;
    }
    Ok((clips.iter().map(|clip| clip.indices.len()).sum(), decoder.packets_decoded()))
}

/// Processor time of all threads of this process, ended ones included.
fn cpu_so_far() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory that this process ever held.
fn peak_bytes() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("Linux tells the peak memory")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
