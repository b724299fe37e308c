//! From a path to scores.

use std::path::Path;
use std::time::Instant;

use reelnet_clips::{ClipError, Decoder, Limits, plan};
use reelnet_models::ConfigError;
use thiserror::Error;

use crate::classifier::Classifier;
use crate::scores::Scores;

/// What a file gave.
#[derive(Debug)]
pub struct FileScores {
    /// The mean over the clips that could be scored.
    pub scores: Scores,
    /// Clips scored.
    pub clips: usize,
    /// Length of the video, in seconds; 0 for an image.
    pub duration_seconds: f64,
    /// Where the time went.
    pub seconds: Seconds,
    /// Why clips are missing, if any are: the file is damaged, and the scores are of the rest.
    pub damage: Option<ClipError>,
}

/// Where the time of a file went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seconds {
    /// Opening it and reading its packets.
    pub index: f64,
    /// Decoding, scaling and cropping.
    pub decode: f64,
    /// The network.
    pub score: f64,
}

/// A file that gave no scores.
#[derive(Debug, Error)]
pub enum TagError {
    /// Nothing could be decoded.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The model does not take what its own manifest asks for.
    #[error(transparent)]
    Network(#[from] ConfigError),
}

/// Decodes `clips` clips, evenly over the whole video and in one pass, and scores them.
///
/// Of a damaged file, what could be decoded is scored, and the damage is told.
///
/// # Errors
/// If nothing of the file can be scored.
pub fn tag_file(path: &Path, classifier: &Classifier, clips: usize, limits: &Limits) -> Result<FileScores, TagError> {
    let manifest = &classifier.bundle().manifest;
    let mut lap = Lap(Instant::now());
    let mut decoder = Decoder::open(path, limits)?;
    let index_seconds = lap.seconds();
    let index = decoder.index();
    let duration_seconds = index.info.duration_seconds;
    let damage = index.info.damage().map(|kind| ClipError { path: path.to_owned(), kind });
    // An image, or a video of one frame, would only be looked at again and again.
    let clips = if index.frames() == 1 { 1 } else { clips };
    let plans = plan::uniform(index.timeline(), &manifest.clip_spec(), clips);
    let salvage = decoder.clips_salvaging(&plans, &manifest.pixels.geometry())?;
    let clips: Vec<_> = salvage.clips.into_iter().flatten().collect();
    let decode_seconds = lap.seconds();
    let scores = classifier.score(&clips)?;
    let damage = salvage.error.or(damage);
    let seconds = Seconds { index: index_seconds, decode: decode_seconds, score: lap.seconds() };
    match (Scores::mean(&scores), damage) {
        (Some(mean), damage) => Ok(FileScores { scores: mean, clips: scores.len(), duration_seconds, seconds, damage }),
        (None, Some(error)) => Err(error.into()),
        (None, None) => unreachable!("a plan without clips, or clips lost without an error"),
    }
}

/// A stopwatch that starts again at each reading.
struct Lap(Instant);

impl Lap {
    fn seconds(&mut self) -> f64 {
        let seconds = self.0.elapsed().as_secs_f64();
        self.0 = Instant::now();
        seconds
    }
}
