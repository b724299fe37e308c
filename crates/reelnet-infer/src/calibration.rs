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
use crate::engine::{Bytes, Engine, EngineError, EngineSpec, Precision, Ranges};
use crate::labels::hex;
use crate::scores::Scores;

/// The part of a bundle that only 8-bit numbers need.
const FILE: &str = "int8.toml";
/// The version of its format.
const FORMAT: u32 = 2;
/// Clips are kept for [`Calibrator::finish`] up to so many bytes.
const KEPT_BYTES: usize = 512 << 20;

/// Watches a network run in 32-bit floats.
#[derive(Debug)]
pub struct Calibrator {
    engine: Engine,
    ranges: Ranges,
    kept: Vec<Kept>,
    kept_bytes: usize,
}

/// A clip, and what floats say of it.
#[derive(Debug)]
struct Kept {
    clip: Clip,
    best: usize,
}

impl Calibrator {
    /// A calibrator of this bundle.
    ///
    /// # Errors
    /// If there is no engine for its network.
    pub fn new(bundle: &Bundle) -> Result<Self, EngineError> {
        let side = bundle.manifest.pixels.crop as usize;
        let spec = EngineSpec { winograd: false, ..EngineSpec::new([bundle.manifest.clip.frames, side, side]) };
        Ok(Self {
            engine: Engine::compile(&bundle.network, &spec)?,
            ranges: Ranges::new(),
            kept: Vec::new(),
            kept_bytes: 0,
        })
    }

    /// Looks at one clip.
    ///
    /// # Panics
    /// If the clip is not as large as the bundle says.
    pub fn add(&mut self, clip: &Clip, bundle: &Bundle) {
        let logits = self.engine.watch_ranges(&clip.frames.view(), &bundle.manifest.pixels, &mut self.ranges);
        let best = best(logits);
        self.kept_bytes += clip.frames.len();
        if self.kept.is_empty() || self.kept_bytes <= KEPT_BYTES {
            self.kept.push(Kept { clip: clip.clone(), best });
        }
    }

    /// What was seen, and the fewest layers of floats with which bytes say what floats do of at least the share `agreement` of what was
    /// seen: a standard error more than that, so that it holds for other clips too. Where no number of layers does, as many as there are.
    ///
    /// # Errors
    /// If there is no engine of bytes for its network.
    pub fn finish(self, bundle: &Bundle, agreement: f64) -> Result<Bytes, EngineError> {
        let wanted = agreement + (agreement * (1.0 - agreement) / self.kept.len() as f64).sqrt();
        let borders = self.engine.borders();
        let spec = self.engine.spec().clone();
        let agrees = |floats_until: usize| -> Result<bool, EngineError> {
            let precision = Precision::Int8(Bytes { ranges: self.ranges.clone(), floats_until });
            let mut engine = Engine::compile(&bundle.network, &EngineSpec { precision, ..spec.clone() })?;
            let is_same =
                |kept: &&Kept| best(engine.run(&[kept.clip.frames.view()], &bundle.manifest.pixels)) == kept.best;
            let same = self.kept.iter().filter(is_same).count();
            Ok(same as f64 >= wanted.min(1.0) * self.kept.len() as f64)
        };
        // More layers of floats agree more, so the borders can be halved.
        let (mut enough, mut too_few) = (borders.len() - 1, 0);
        while too_few < enough {
            let middle = usize::midpoint(too_few, enough);
            if agrees(borders[middle])? {
                enough = middle;
            } else {
                too_few = middle + 1;
            }
        }
        Ok(Bytes { ranges: self.ranges, floats_until: borders[enough] })
    }
}

/// The class with the largest logit.
fn best(logits: &[f32]) -> usize {
    let larger = |best: usize, class: usize| if logits[class] > logits[best] { class } else { best };
    (0..logits.len()).fold(0, larger)
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
    /// The share of clips whose best class is the same; 1 of none.
    pub fn share(&self) -> f64 {
        if self.clips == 0 { 1.0 } else { self.same_top1 as f64 / self.clips as f64 }
    }

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

/// What every version of `int8.toml` says.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// `int8.toml`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    /// Of the weights that it was made with: with others, features reach other values.
    weights_sha256: String,
    /// The place in the network's walk up to which features are floats.
    floats_until: usize,
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
pub fn read(path: &Path, bundle: &Bundle) -> Result<Bytes, CalibrationError> {
    let of = path.display().to_string();
    let text = match fs::read_to_string(path.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CalibrationError::Missing { path: of });
        }
        Err(error) => return Err(CalibrationError::Unusable { path: of, why: format!("cannot be read: {error}") }),
    };
    let unusable = |why: String| Err(CalibrationError::Unusable { path: of.clone(), why });
    // Another format may have other keys.
    match toml::from_str(&text) {
        Ok(Format { format: FORMAT }) => {}
        Ok(Format { format }) => {
            return unusable(format!("has format {format}, and this reelnet reads format {FORMAT}"));
        }
        Err(error) => return unusable(format!("does not parse: {}", error.message())),
    }
    let file: File = match toml::from_str(&text) {
        Ok(file) => file,
        Err(error) => return unusable(format!("does not parse: {}", error.message())),
    };
    if file.weights_sha256 != fingerprint(bundle) {
        return unusable("was made with other weights than the bundle's".to_owned());
    }
    Ok(Bytes { ranges: file.ranges.into_iter().collect(), floats_until: file.floats_until })
}

/// Writes what a bundle's features reach beside its other parts.
///
/// # Errors
/// If the disk says no.
pub fn write(path: &Path, bundle: &Bundle, bytes: &Bytes) -> Result<(), CalibrationError> {
    let mut ranges: Vec<_> = bytes.ranges.iter().map(|(&value, &range)| (value, range)).collect();
    ranges.sort_unstable_by_key(|(value, _)| *value);
    let floats_until = bytes.floats_until;
    let file = File { format: FORMAT, weights_sha256: fingerprint(bundle), floats_until, ranges };
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
