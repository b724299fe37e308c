//! Workers that wait, and those that are at work.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::decoder::IsolatedDecoder;
use super::message::{Bounds, Request};
use super::worker::{Answer, Worker};
use crate::{ClipError, ClipErrorKind, Limits};

/// Starts workers, and keeps them for the next file. As many work at once as files are open.
pub struct Crew {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    idle: Mutex<Vec<Worker>>,
}

impl Crew {
    /// Workers are started with this command, which must run [`serve`](super::serve()) and nothing else.
    pub fn new(command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        Self { command: Box::new(command), idle: Mutex::new(Vec::new()) }
    }

    /// Opens a file in a worker.
    ///
    /// # Errors
    /// Those of [`Decoder::open`](crate::Decoder::open), and [`ClipErrorKind::Crashed`].
    pub fn open(&self, path: &Path, limits: &Limits) -> Result<IsolatedDecoder<'_>, ClipError> {
        let failed = |kind| ClipError { path: path.to_owned(), kind };
        if limits.cancel.is_cancelled() {
            return Err(failed(ClipErrorKind::Cancelled));
        }
        let idle = self.lock().pop();
        let mut worker = idle.map_or_else(|| Worker::start((self.command)()), Ok).map_err(failed)?;
        let request = Request::Open { path: path.as_os_str().as_bytes().to_vec(), bounds: Bounds::of(limits) };
        match worker.ask(&request, limits) {
            Ok(Answer::Opened(Ok(facts))) => IsolatedDecoder::new(self, worker, path, limits, facts),
            Ok(Answer::Opened(Err(kind))) => {
                self.take_back(worker);
                Err(failed(kind))
            }
            Ok(_) => Err(failed(out_of_step())),
            Err(kind) => Err(failed(kind)),
        }
    }

    /// A worker that is whole waits for its next file.
    pub(super) fn take_back(&self, worker: Worker) {
        self.lock().push(worker);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Crew").field("idle", &self.lock().len()).finish_non_exhaustive()
    }
}

/// An answer to another question: the command is no worker of this version.
pub(super) fn out_of_step() -> ClipErrorKind {
    ClipErrorKind::Crashed { how: "gave an answer that was not asked for".to_owned() }
}
