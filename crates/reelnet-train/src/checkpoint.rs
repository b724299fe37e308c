//! Everything that the next step depends on, in a folder that is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use reelnet_models::weights::{StateDict, WeightTensor};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// The version of the format, raised when an older binary could misread a newer checkpoint.
const FORMAT: u32 = 1;
const PROGRESS: &str = "checkpoint.json";
const TENSORS: &str = "tensors.safetensors";
/// What the names of files and folders begin with that are not whole yet.
pub(crate) const UNFINISHED: &str = ".writing-";

/// A moment of a run.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where the run was.
    pub progress: Progress,
    /// The network: weights and statistics.
    pub weights: StateDict,
    /// The average, if the recipe has one.
    pub ema: Option<StateDict>,
    /// The optimizer's state.
    pub optimizer: StateDict,
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Version of this file's format.
    pub format: u32,
    /// Version of the program that wrote it.
    pub reelnet: String,
    /// Steps that are done.
    pub step: u64,
    /// Samples that were taken: where the loader goes on.
    pub position: u64,
    /// How many of them could not be used.
    pub bad_samples: u64,
    /// The losses of the last steps.
    pub losses: Vec<f64>,
    /// The best validation so far.
    pub best: Option<Best>,
    /// SHA-256 of the lists of files and classes.
    pub data: String,
    /// Threads that computed; another number may add in another order.
    pub threads: usize,
}

/// The validation that nobody was better in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// After which step.
    pub step: u64,
    /// The share of files whose best class was right.
    pub top1: f64,
}

impl Progress {
    /// A run that has not begun.
    pub(crate) fn new(data: String, threads: usize) -> Self {
        Self {
            format: FORMAT,
            reelnet: env!("CARGO_PKG_VERSION").to_owned(),
            step: 0,
            position: 0,
            bad_samples: 0,
            losses: Vec::new(),
            best: None,
            data,
            threads,
        }
    }
}

impl Checkpoint {
    /// Writes a folder of this name, or leaves nothing. A folder that is there already holds the same moment of the same run.
    pub(crate) fn write(&self, path: &Path) -> Result<(), TrainError> {
        if path.is_dir() {
            return Ok(());
        }
        let failed = |source| TrainError::Write { path: path.to_owned(), source };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(failed)?;
        let temporary = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent).map_err(failed)?;
        self.tensors().write(&temporary.path().join(TENSORS)).map_err(|error| match error.kind {
            reelnet_models::weights::WeightsErrorKind::Io(source) => failed(source),
            kind => TrainError::Checkpoint { path: path.to_owned(), what: kind.to_string() },
        })?;
        let text = serde_json::to_string_pretty(&self.progress).expect("progress has no keys that are not words");
        write_synced(&temporary.path().join(PROGRESS), text.as_bytes()).map_err(failed)?;
        share(temporary.path(), 0o755).map_err(failed)?;
        fs::rename(temporary.path(), path).map_err(failed)?;
        // What was renamed is no longer there to be removed.
        let _ = temporary.keep();
        // The name is safe when the folder around it is on the disk.
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Reads a folder.
    pub(crate) fn read(path: &Path) -> Result<Self, TrainError> {
        let wrong = |what: String| TrainError::Checkpoint { path: path.to_owned(), what };
        let text = fs::read_to_string(path.join(PROGRESS)).map_err(|error| wrong(format!("{PROGRESS}: {error}")))?;
        let progress: Progress = serde_json::from_str(&text).map_err(|error| wrong(format!("{PROGRESS}: {error}")))?;
        if progress.format != FORMAT {
            return Err(wrong(format!("its format is {}, and this reelnet reads {FORMAT}", progress.format)));
        }
        let tensors = StateDict::read(&path.join(TENSORS))?;
        let part = |prefix: &str| -> StateDict {
            let of_part =
                |(name, tensor): (&str, &WeightTensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()));
            tensors.iter().filter_map(of_part).collect()
        };
        let ema = part("ema.");
        Ok(Self {
            progress,
            weights: part("weights."),
            ema: (!ema.is_empty()).then_some(ema),
            optimizer: part("optimizer."),
        })
    }

    /// All tensors of a checkpoint under one roof.
    fn tensors(&self) -> StateDict {
        let parts =
            [("weights", Some(&self.weights)), ("ema", self.ema.as_ref()), ("optimizer", Some(&self.optimizer))];
        let named = parts.into_iter().filter_map(|(prefix, part)| part.map(|part| (prefix, part)));
        named
            .flat_map(|(prefix, part)| {
                part.iter().map(move |(name, tensor)| (format!("{prefix}.{name}"), tensor.clone()))
            })
            .collect()
    }
}

/// The checkpoints in a folder, oldest first.
pub(crate) fn list(folder: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let step = entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok()?;
            Some((step, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// Where the checkpoint of a step lies.
pub(crate) fn path_of(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("step-{step:08}"))
}

/// Removes all but the last `keep` checkpoints and the best one.
pub(crate) fn prune(folder: &Path, keep: usize, best: Option<u64>) -> Result<(), TrainError> {
    let found = list(folder);
    let old = found.len().saturating_sub(keep);
    for (step, path) in &found[..old] {
        if Some(*step) != best {
            fs::remove_dir_all(path).map_err(|source| TrainError::Write { path: path.clone(), source })?;
        }
    }
    Ok(())
}

/// Removes what a run that was killed while it wrote has left. Nobody else may write there.
pub(crate) fn sweep(folder: &Path) -> Result<(), TrainError> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.filter(is_unfinished).map(|entry| entry.path()) {
        fs::remove_dir_all(&path).map_err(|source| TrainError::Write { path, source })?;
    }
    Ok(())
}

/// Whether it was being written when somebody was killed.
pub(crate) fn is_unfinished(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(UNFINISHED)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Temporary files and folders are private; what they become is as readable as the folder it lies in, within `mode`.
pub(crate) fn share(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let parent = fs::metadata(path.parent().unwrap_or(Path::new(".")))?.permissions().mode();
    fs::set_permissions(path, fs::Permissions::from_mode(mode & (0o700 | parent)))
}
