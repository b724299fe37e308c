//! How large an index cache grows, and how long it takes to open: indexes files into a new cache, then opens it again.
//!
//! `fill_cache CACHE FILE…`

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{fs, thread};

use reelnet_clips::{IndexCache, Limits};

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: fill_cache CACHE FILE…";
    let place = arguments.next().ok_or(usage)?;
    let files: Vec<PathBuf> = arguments.collect();
    let start = Instant::now();
    let cache = IndexCache::open(&place)?;
    println!("opened in {:.1} ms: {:?}", start.elapsed().as_secs_f64() * 1000.0, cache.condition());
    for pass in ["first", "second"] {
        let start = Instant::now();
        let frames = index_all(&cache, &files);
        let each = start.elapsed().as_secs_f64() * 1e6 / files.len().max(1) as f64;
        println!("{pass} pass: {each:.1} µs a file, {frames} frames, {:?}", cache.report());
    }
    let start = Instant::now();
    cache.save()?;
    println!("saved in {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
    drop(cache);
    let bytes = fs::metadata(&place)?.len();
    let start = Instant::now();
    let cache = IndexCache::open(&place)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("opened in {:.1} ms: {:?}, {bytes} bytes", seconds * 1000.0, cache.condition());
    println!("{:.1} bytes a file", bytes as f64 / files.len().max(1) as f64);
    let start = Instant::now();
    index_all(&cache, &files);
    println!("stored: {:.1} µs a file", start.elapsed().as_secs_f64() * 1e6 / files.len().max(1) as f64);
    Ok(())
}

/// With two threads; files that are none count as such.
fn index_all(cache: &IndexCache, files: &[PathBuf]) -> usize {
    let (next, frames) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Ok(index) = cache.index(file, &Limits::default()) {
                        frames.fetch_add(index.frames(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    frames.into_inner()
}
