//! Clips in, scores out.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;
use ndarray::ArrayView4;
use reelnet_clips::Clip;
use reelnet_models::ConfigError;
use thiserror::Error;

use crate::batch::clip_batch;
use crate::bundle::Bundle;
use crate::engine::{EngineError, Engines, Precision};
use crate::scores::Scores;

/// Frames that one pass through the network may take on a GPU, so that memory stays bounded whatever the number of clips.
/// On a CPU it is one clip: its activations stay in the cache, and eight at once took 1.6 times as long.
const GPU_CHUNK_FRAMES: usize = 64;

/// Clips that got no scores.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// The clips are not what the network takes.
    #[error(transparent)]
    Input(#[from] ConfigError),
    /// The network computed something that is no number.
    #[error("the network's logits are not finite numbers; its weights or pixels.deviation are wrong")]
    NotFinite,
}

/// A bundle on a device.
///
/// On a CPU it compiles an engine when it is first asked to score, and keeps to burn where there is none for the network.
#[derive(Debug)]
pub struct Classifier {
    bundle: Bundle,
    device: Device,
    /// Nothing on a GPU.
    engines: Option<Engines>,
    /// Clips that burn is given at once; fewer once they were too many for the device's memory.
    at_once: AtomicUsize,
}

impl Classifier {
    /// A classifier of this bundle, whose network is on this device, in 32-bit floats.
    pub fn new(bundle: Bundle, device: Device) -> Self {
        Self::with_precision(bundle, device, Precision::F32)
    }

    /// The same with other numbers in between, on a CPU.
    pub fn with_precision(bundle: Bundle, device: Device, precision: Precision) -> Self {
        let side = bundle.manifest.pixels.crop as usize;
        let clip = [bundle.manifest.clip.frames, side, side];
        let is_cpu = device == Device::flex();
        let engines = is_cpu.then(|| Engines::new(precision, clip));
        let at_once = if is_cpu { 1 } else { (GPU_CHUNK_FRAMES / clip[0]).max(1) };
        Self { bundle, device, engines, at_once: AtomicUsize::new(at_once) }
    }

    /// Why there is no engine, or not one of the numbers that were wanted, if that is so; known once something was scored.
    pub fn engine_error(&self) -> Option<&EngineError> {
        self.engines.as_ref()?.error()
    }

    /// The same for people: what computed instead, and why.
    pub fn shortfall(&self) -> Option<String> {
        let engines = self.engines.as_ref()?;
        let instead = if engines.are_there() { "in 32-bit floats" } else { "without an engine, in 32-bit floats" };
        Some(format!("{instead}: {}", engines.error()?))
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Scores each clip.
    ///
    /// # Errors
    /// If the clips are not what the network takes, or logits are not finite.
    pub fn score(&self, clips: &[Clip]) -> Result<Vec<Scores>, ScoreError> {
        let classes = self.bundle.network.config().classes();
        Ok(self.logits(clips)?.chunks_exact(classes).map(Scores::softmax).collect())
    }

    /// The logits of each clip, one after the other.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn logits(&self, clips: &[Clip]) -> Result<Vec<f32>, ScoreError> {
        let views: Vec<_> = clips.iter().map(|clip| clip.frames.view()).collect();
        let Bundle { manifest, network, .. } = &self.bundle;
        self.check(&views)?;
        // An engine is for clips of the manifest's size.
        let is_usual = |engines: &&Engines| {
            let [frames, height, width] = engines.clip();
            views.iter().all(|clip| clip.dim() == (frames, height, width, 3))
        };
        let engines = self.engines.as_ref().filter(is_usual);
        let logits = match engines.map(|engines| engines.score(network, &views, &manifest.pixels)) {
            Some(Ok(logits)) => logits,
            Some(Err(_)) | None => self.logits_by_burn(&views)?,
        };
        if !logits.iter().all(|value| value.is_finite()) {
            return Err(ScoreError::NotFinite);
        }
        Ok(logits)
    }

    /// All clips are what the network takes, and as large as the manifest says.
    fn check(&self, clips: &[ArrayView4<'_, u8>]) -> Result<(), ConfigError> {
        clips.iter().try_for_each(|clip| {
            let (frames, height, width, channels) = clip.dim();
            self.bundle.network.check_input(channels, [frames, height, width])
        })
    }

    fn logits_by_burn(&self, clips: &[ArrayView4<'_, u8>]) -> Result<Vec<f32>, ScoreError> {
        let Bundle { manifest, network, .. } = &self.bundle;
        let mut logits = Vec::with_capacity(clips.len() * network.config().classes());
        fewer_after_panics(clips, &self.at_once, |chunk| {
            let of_chunk = network.forward(clip_batch(chunk, &manifest.pixels, &self.device))?;
            logits.extend(of_chunk.into_data().convert::<f32>().iter::<f32>());
            Ok::<_, ScoreError>(())
        })?;
        Ok(logits)
    }
}

/// Hands `items` on, `at_once` at a time, and half as many from the first panic on: burn's backends panic when a device has no memory
/// left. What one item alone panics over is no matter of memory, and goes on to the caller.
fn fewer_after_panics<T, E>(
    mut items: &[T],
    at_once: &AtomicUsize,
    mut each: impl FnMut(&[T]) -> Result<(), E>,
) -> Result<(), E> {
    while !items.is_empty() {
        let count = at_once.load(Ordering::Relaxed).clamp(1, items.len());
        match catch_unwind(AssertUnwindSafe(|| each(&items[..count]))) {
            Ok(result) => {
                result?;
                items = &items[count..];
            }
            Err(panic) if count == 1 => resume_unwind(panic),
            Err(_) => at_once.store(count / 2, Ordering::Relaxed),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_at_once_is_done_in_halves_and_once_each() {
        let at_once = AtomicUsize::new(16);
        let mut seen = Vec::new();
        let mut tries = 0;
        let items: Vec<u32> = (0..21).collect();
        let ended = fewer_after_panics(&items, &at_once, |chunk| {
            tries += 1;
            assert!(chunk.len() <= 5, "no memory");
            seen.extend_from_slice(chunk);
            Ok::<_, ()>(())
        });
        assert_eq!((ended, &seen, at_once.into_inner()), (Ok(()), &items, 4));
        // 16 and 8 were too many.
        assert_eq!(tries, 2 + 6);
    }

    #[test]
    fn what_one_alone_panics_over_is_told() {
        let at_once = AtomicUsize::new(4);
        let panicked =
            catch_unwind(|| fewer_after_panics(&[1, 2, 3], &at_once, |_| -> Result<(), ()> { panic!("bug") }));
        assert_eq!(panicked.expect_err("a panic").downcast_ref(), Some(&"bug"));
    }
}
