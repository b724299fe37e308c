//! What happens in a run, one JSON object a line, written as it happens. A line that was written is never changed: a run that
//! goes on from a checkpoint says so, and tells the steps after it again.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use reelnet_models::forward::Precision;
use serde::Serialize;

use crate::data::Findings;
use crate::error::TrainError;
use reelnet_infer::evaluation::Accuracy;
use reelnet_infer::evaluation::Confusion;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// A run begins, or goes on.
    Start {
        /// This program's version.
        reelnet: &'static str,
        /// Steps that are done already.
        step: u64,
        /// Steps of the whole run.
        steps: u64,
        /// Steps of an epoch.
        steps_per_epoch: u64,
        /// Samples to train with.
        samples: usize,
        /// Files to validate with.
        validation_files: usize,
        /// Files to measure with at the end.
        test_files: usize,
        /// Classes.
        classes: usize,
        /// Trainable parameters.
        parameters: u64,
        /// What activations are held in.
        precision: Precision,
        /// SHA-256 of the lists of files and classes.
        data: String,
    },
    /// Files and rows of a data set that are not used, and why.
    Findings {
        /// Which.
        set: SetName,
        /// What was noticed.
        #[serde(flatten)]
        findings: Findings,
    },
    /// A step of the optimizer.
    Step {
        /// Which; the first is 1.
        step: u64,
        /// Epochs that are done, with the part of the current one.
        epoch: f64,
        /// The mean over its samples; `None` if all of them failed, and no step was taken.
        loss: Option<f64>,
        /// The share of its samples whose best class was right.
        accuracy: Option<f64>,
        /// Of this step.
        learning_rate: f64,
        /// Before it was cut.
        gradient_norm: f64,
        /// Clips of this step.
        clips: usize,
        /// Seconds that it took, waiting included.
        seconds: f64,
        /// Seconds of these that it waited for clips.
        waited: f64,
    },
    /// A sample that could not be used, and that nothing stands in for.
    BadSample {
        /// The step that it is missing in.
        step: u64,
        /// The file.
        path: PathBuf,
        /// A short, stable name of what is wrong.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The network was measured.
    Validation {
        /// After which step.
        step: u64,
        /// Whose weights.
        weights: WeightsOf,
        /// What came out.
        #[serde(flatten)]
        accuracy: Accuracy,
        /// Seconds that it took.
        seconds: f64,
    },
    /// The trained network was measured with what nothing was chosen by.
    Test {
        /// After which step.
        step: u64,
        /// Whose weights.
        weights: WeightsOf,
        /// What came out.
        #[serde(flatten)]
        accuracy: Accuracy,
        /// Seconds that it took.
        seconds: f64,
    },
    /// Which class was taken for which in the last measurement.
    Confusion {
        /// After which step.
        step: u64,
        /// Of what.
        set: SetName,
        /// What classes are called.
        classes: Vec<String>,
        /// Triples of what files are, what they were taken for, and how often; of files with one class.
        counts: Confusion,
    },
    /// Everything was saved.
    Checkpoint {
        /// After which step.
        step: u64,
        /// Where.
        path: PathBuf,
    },
    /// Somebody asked the run to end.
    Interrupted {
        /// After which step.
        step: u64,
    },
    /// The run ended before its time.
    Stopped {
        /// After which step.
        step: u64,
        /// Why.
        reason: String,
    },
    /// The run is done.
    Finished {
        /// After which step.
        step: u64,
        /// The trained bundle.
        bundle: PathBuf,
    },
}

/// A data set of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SetName {
    /// What is trained on.
    Training,
    /// What is measured with while training, and chosen by.
    Validation,
    /// What is measured with once, at the end.
    Test,
}

impl SetName {
    /// As the journal has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Whose weights were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightsOf {
    /// The network as the last step left it.
    Network,
    /// The average.
    Ema,
}

/// A journal in a file, which only one run at a time may have.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens a journal to write at its end.
    pub(crate) fn open(path: &Path) -> Result<Self, TrainError> {
        let failed = |source| TrainError::Write { path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TrainError::Busy { path: path.to_owned() }),
            // A file system without locks.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // A line that a crash or a full disk cut short stays alone.
        if !ends_in_line(&file).map_err(failed)? {
            (&file).write_all(b"\n").map_err(failed)?;
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes a line.
    pub(crate) fn write(&mut self, record: &Record) -> Result<(), TrainError> {
        let mut line = serde_json::to_string(record).expect("a record has no keys that are not words");
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|source| TrainError::Write { path: self.path.clone(), source })
    }
}

fn ends_in_line(mut file: &File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_stays_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "{\"event\":\"interrupted\",\"step\":3}\n{\"event\":\"st").expect("a file");
        for step in [3, 4] {
            Journal::open(&path)
                .and_then(|mut journal| journal.write(&Record::Interrupted { step }))
                .expect("a journal");
        }
        let text = std::fs::read_to_string(&path).expect("a journal");
        let lines: Vec<&str> = text.lines().collect();
        let told = |step| format!("{{\"event\":\"interrupted\",\"step\":{step}}}");
        assert_eq!(lines, [&told(3), "{\"event\":\"st", &told(3), &told(4)]);
    }
}
