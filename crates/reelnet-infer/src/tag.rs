//! From a path to scores.

use std::path::Path;
use std::time::Instant;

use reelnet_clips::{ClipError, Limits, Opener, plan};
use thiserror::Error;

use crate::classifier::{Classifier, ScoreError};
use crate::scores::Scores;

/// Bytes of clips that are decoded before they are scored: one pass for all usual settings, and a bound for the others.
const DECODED_BYTES: usize = 128 << 20;

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
    /// The model and its own manifest do not fit.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

/// Decodes `clips` clips, evenly over the whole video, and scores them: in one pass, or in several if the clips together would
/// take too much memory.
///
/// Of a damaged file, what could be decoded is scored, and the damage is told.
///
/// # Errors
/// If nothing of the file can be scored.
pub fn tag_file(
    path: &Path,
    opener: &Opener,
    classifier: &Classifier,
    clips: usize,
    limits: &Limits,
) -> Result<FileScores, TagError> {
    let manifest = &classifier.bundle().manifest;
    let mut lap = Lap(Instant::now());
    let mut decoder = opener.open(path, limits)?;
    let mut seconds = Seconds { index: lap.seconds(), ..Seconds::default() };
    let info = decoder.info();
    let duration_seconds = if info.is_image { 0.0 } else { info.duration_seconds };
    let mut damage = info.damage().map(|kind| ClipError { path: path.to_owned(), kind });
    // An image, or a video of one frame, would only be looked at again and again.
    let clips = if decoder.timeline().frames() == 1 { 1 } else { clips };
    let plans = plan::uniform(decoder.timeline(), &manifest.clip_spec(), clips);

    let clip_bytes = manifest.clip.frames * (manifest.pixels.crop as usize).pow(2) * 3;
    let mut scores = Vec::with_capacity(plans.len());
    for plans in plans.chunks((DECODED_BYTES / clip_bytes.max(1)).max(1)) {
        let salvage = decoder.clips_salvaging(plans, &manifest.pixels.geometry())?;
        seconds.decode += lap.seconds();
        let clips: Vec<_> = salvage.clips.into_iter().flatten().collect();
        scores.extend(classifier.score(&clips)?);
        seconds.score += lap.seconds();
        damage = salvage.error.or(damage);
    }
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
