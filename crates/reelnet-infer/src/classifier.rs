//! Clips in, scores out.

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
        let engines = (device == Device::flex()).then(|| Engines::new(precision, clip));
        Self { bundle, device, engines }
    }

    /// Why an engine that was wanted is not there, if that is so; known once something was scored.
    pub fn engine_error(&self) -> Option<&EngineError> {
        self.engines.as_ref()?.error()
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
        let chunk = if self.device == Device::flex() { 1 } else { (GPU_CHUNK_FRAMES / manifest.clip.frames).max(1) };
        let mut logits = Vec::with_capacity(clips.len() * network.config().classes());
        for chunk in clips.chunks(chunk) {
            let of_chunk = network.forward(clip_batch(chunk, &manifest.pixels, &self.device))?;
            logits.extend(of_chunk.into_data().convert::<f32>().iter::<f32>());
        }
        Ok(logits)
    }
}
