//! What the features of a network reach, seen on somebody's own clips: what 8-bit numbers are scaled by.
//!
//! A bundle that was calibrated has one file more, `int8.toml`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reelnet_models::weights::StateDict;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use reelnet_clips::{Clip, ClipError, Limits, Opener, plan};

use crate::bundle::Bundle;
use crate::classifier::{Classifier, ScoreError};
use crate::engine::{Engine, EngineError, EngineSpec, Ranges};
use crate::labels::hex;
use crate::scores::Scores;

/// The part of a bundle that only 8-bit numbers need.
const FILE: &str = "int8.toml";
/// The version of its format.
const FORMAT: u32 = 1;

/// Watches a network run in 32-bit floats.
#[derive(Debug)]
pub struct Calibrator {
    engine: Engine,
    ranges: Ranges,
}

impl Calibrator {
    /// A calibrator of this bundle.
    ///
    /// # Errors
    /// If there is no engine for its network.
    pub fn new(bundle: &Bundle) -> Result<Self, EngineError> {
        let side = bundle.manifest.pixels.crop as usize;
        let spec = EngineSpec { winograd: false, ..EngineSpec::new([bundle.manifest.clip.frames, side, side]) };
        Ok(Self { engine: Engine::compile(&bundle.network, &spec)?, ranges: Ranges::new() })
    }

    /// Looks at one clip.
    ///
    /// # Panics
    /// If the clip is not as large as the bundle says.
    pub fn add(&mut self, clip: &Clip, bundle: &Bundle) {
        self.engine.watch_ranges(&clip.frames.view(), &bundle.manifest.pixels, &mut self.ranges);
    }

    /// What was seen.
    pub fn finish(self) -> Ranges {
        self.ranges
    }
}

/// Clips spread evenly over a file, as tagging would look at it.
///
/// # Errors
/// If one of them cannot be decoded.
pub fn clips_of(
    path: &Path,
    opener: &Opener,
    bundle: &Bundle,
    clips: usize,
    limits: &Limits,
) -> Result<Vec<Clip>, ClipError> {
    let manifest = &bundle.manifest;
    let mut decoder = opener.open(path, limits)?;
    let clips = if decoder.timeline().frames() == 1 { 1 } else { clips };
    let plans = plan::uniform(decoder.timeline(), &manifest.clip_spec(), clips);
    let salvage = decoder.clips_salvaging(&plans, &manifest.pixels.geometry())?;
    match salvage.error {
        Some(error) => Err(error),
        None => Ok(salvage.clips.into_iter().flatten().collect()),
    }
}

/// How one kind of numbers does beside 32-bit floats, in counts, so that several can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Clips that both scored.
    pub clips: u64,
    /// Those whose best class is the same.
    pub same_top1: u64,
    /// Those whose right class is known.
    pub labelled: u64,
    /// Those of them whose best class is right.
    pub right: u64,
}

impl Agreement {
    /// Counts clips: what floats said of each, what this classifier says, and their class, if it is known.
    ///
    /// # Errors
    /// If the classifier cannot score them.
    pub fn add(
        &mut self,
        classifier: &Classifier,
        clips: &[Clip],
        floats: &[Scores],
        class: Option<usize>,
    ) -> Result<(), ScoreError> {
        let best = |scores: &Scores| scores.top(1, 0.0).first().map(|score| score.class);
        for (scores, floats) in classifier.score(clips)?.iter().zip(floats) {
            self.clips += 1;
            self.same_top1 += u64::from(best(scores) == best(floats));
            self.labelled += u64::from(class.is_some());
            self.right += u64::from(class.is_some() && best(scores) == class);
        }
        Ok(())
    }
}

/// `int8.toml`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    /// Of the weights that it was made with: with others, features reach other values.
    weights_sha256: String,
    /// The largest magnitude of each feature, by its place in the network's walk.
    ranges: Vec<(usize, f32)>,
}

/// Ranges that cannot be had.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// Nobody calibrated the bundle.
    #[error("`{path}` has no {FILE}: make a bundle that has with `reelnet model calibrate`")]
    Missing {
        /// The bundle.
        path: String,
    },
    /// The file does not parse, or is of another bundle.
    #[error("`{path}/{FILE}` {why}; make it anew with `reelnet model calibrate`")]
    Unusable {
        /// The bundle.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The disk says no.
    #[error("cannot write `{path}/{FILE}`: {source}")]
    Write {
        /// The bundle.
        path: String,
        /// The disk's words.
        source: std::io::Error,
    },
}

/// Reads what a bundle's features reach.
///
/// # Errors
/// If nobody calibrated it, or not with these weights.
pub fn read(path: &Path, bundle: &Bundle) -> Result<Ranges, CalibrationError> {
    let of = path.display().to_string();
    let text = match fs::read_to_string(path.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CalibrationError::Missing { path: of });
        }
        Err(error) => return Err(CalibrationError::Unusable { path: of, why: format!("cannot be read: {error}") }),
    };
    let unusable = |why: String| Err(CalibrationError::Unusable { path: of.clone(), why });
    let file: File = match toml::from_str(&text) {
        Ok(file) => file,
        Err(error) => return unusable(format!("does not parse: {}", error.message())),
    };
    if file.format != FORMAT {
        return unusable(format!("has format {}, and this reelnet reads format {FORMAT}", file.format));
    }
    if file.weights_sha256 != fingerprint(bundle) {
        return unusable("was made with other weights than the bundle's".to_owned());
    }
    Ok(file.ranges.into_iter().collect())
}

/// Writes what a bundle's features reach beside its other parts.
///
/// # Errors
/// If the disk says no.
pub fn write(path: &Path, bundle: &Bundle, ranges: &Ranges) -> Result<(), CalibrationError> {
    let mut ranges: Vec<_> = ranges.iter().map(|(&value, &range)| (value, range)).collect();
    ranges.sort_unstable_by_key(|(value, _)| *value);
    let file = File { format: FORMAT, weights_sha256: fingerprint(bundle), ranges };
    let text = toml::to_string(&file).expect("a file of numbers can be written down");
    let whole_or_not = || -> std::io::Result<()> {
        // As readable as a file that is made in place.
        let readable = fs::Permissions::from_mode(0o666);
        let mut temporary = tempfile::Builder::new().permissions(readable).tempfile_in(path)?;
        temporary.write_all(text.as_bytes())?;
        temporary.persist(path.join(FILE))?;
        Ok(())
    };
    whole_or_not().map_err(|source| CalibrationError::Write { path: path.display().to_string(), source })
}

/// A hash of the network's description and of every weight.
pub(crate) fn fingerprint(bundle: &Bundle) -> String {
    let mut hasher = Sha256::new();
    hasher.update(toml::to_string(&bundle.manifest.network).expect("a network's description can be written down"));
    for (name, tensor) in StateDict::of(&bundle.network).iter() {
        hasher.update(name);
        hasher.update(bytemuck::cast_slice::<f32, u8>(&tensor.values));
    }
    hex(&hasher.finalize())
}
