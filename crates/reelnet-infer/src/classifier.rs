//! Clips in, scores out.

use burn::tensor::Device;
use reelnet_clips::Clip;
use reelnet_models::ConfigError;
use thiserror::Error;

use crate::batch::clip_batch;
use crate::bundle::Bundle;
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
#[derive(Debug)]
pub struct Classifier {
    bundle: Bundle,
    device: Device,
}

impl Classifier {
    /// A classifier of this bundle, whose network is on this device.
    pub fn new(bundle: Bundle, device: Device) -> Self {
        Self { bundle, device }
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
        let mut scores = Vec::with_capacity(clips.len());
        let frames = self.bundle.manifest.clip.frames;
        let chunk = if self.device == Device::flex() { 1 } else { (GPU_CHUNK_FRAMES / frames).max(1) };
        for chunk in clips.chunks(chunk) {
            let chunk: Vec<_> = chunk.iter().map(|clip| clip.frames.view()).collect();
            let logits = self.bundle.network.forward(clip_batch(&chunk, &self.bundle.manifest.pixels, &self.device))?;
            let classes = logits.dims()[1];
            let values: Vec<f32> =
                logits.into_data().convert::<f32>().try_to_vec().expect("the data was just converted");
            if !values.iter().all(|value| value.is_finite()) {
                return Err(ScoreError::NotFinite);
            }
            scores.extend(values.chunks_exact(classes).map(Scores::softmax));
        }
        Ok(scores)
    }
}
