//! A decoder in another process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::crew::{Crew, out_of_step};
use super::message::{Checked, Facts, Request};
use super::worker::{Answer, Worker};
use crate::{
    Clip, ClipError, ClipErrorKind, FrameGeometry, FramePlan, Limits, Salvage, Soundness, Timeline, VideoInfo,
};

/// A file that is open in a worker. What [`Decoder`](crate::Decoder) does, it does there.
pub struct IsolatedDecoder<'crew> {
    crew: &'crew Crew,
    /// Gone after it failed.
    worker: Option<Worker>,
    path: PathBuf,
    limits: Limits,
    info: VideoInfo,
    timeline: Timeline,
}

impl<'crew> IsolatedDecoder<'crew> {
    pub(super) fn new(
        crew: &'crew Crew,
        worker: Worker,
        path: &Path,
        limits: &Limits,
        Facts { info, pts_seconds, duration_seconds }: Facts,
    ) -> Result<Self, ClipError> {
        let (path, limits) = (path.to_owned(), limits.clone());
        match Timeline::new(pts_seconds, duration_seconds) {
            Some(timeline) => Ok(Self { crew, worker: Some(worker), path, limits, info, timeline }),
            None => Err(ClipError { path, kind: out_of_step() }),
        }
    }

    /// Facts about the file.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Times of all frames.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// As [`Decoder::set_deadline`](crate::Decoder::set_deadline).
    pub fn set_deadline(&mut self, deadline: Duration) {
        self.limits.deadline = deadline;
    }

    /// As [`Decoder::clips_salvaging`](crate::Decoder::clips_salvaging).
    ///
    /// # Errors
    /// Those of [`Decoder::clips_salvaging`](crate::Decoder::clips_salvaging). A crash is not an error but part of the answer, as damage is.
    pub fn clips_salvaging(&mut self, plans: &[FramePlan], geometry: &FrameGeometry) -> Result<Salvage, ClipError> {
        let request =
            Request::Clips { plans: plans.to_vec(), geometry: geometry.clone(), deadline: self.limits.deadline };
        let (clips, error): (Vec<Option<Clip>>, _) = match self.ask(&request) {
            Ok(Answer::Clips(Ok(answer))) => answer,
            Ok(Answer::Clips(Err(kind))) => return Err(self.error(kind)),
            Ok(_) => (vec![None; plans.len()], Some(self.dismiss())),
            Err(ClipErrorKind::Cancelled) => return Err(self.error(ClipErrorKind::Cancelled)),
            Err(kind) => (vec![None; plans.len()], Some(kind)),
        };
        Ok(Salvage { clips, error: error.map(|kind| self.error(kind)) })
    }

    /// As [`Decoder::check`](crate::Decoder::check).
    ///
    /// # Errors
    /// Those of [`Decoder::check`](crate::Decoder::check), and [`ClipErrorKind::Crashed`].
    pub fn check(&mut self) -> Result<Soundness, ClipError> {
        match self.ask(&Request::Check { deadline: self.limits.deadline }) {
            Ok(Answer::Checked(Ok(Checked { frames, doubtful, error }))) => {
                Ok(Soundness { frames, doubtful, error: error.map(|kind| self.error(kind)) })
            }
            Ok(Answer::Checked(Err(kind))) | Err(kind) => Err(self.error(kind)),
            Ok(_) => {
                let kind = self.dismiss();
                Err(self.error(kind))
            }
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Answer, ClipErrorKind> {
        let gone = || ClipErrorKind::Crashed { how: "ended at an earlier call".to_owned() };
        let mut worker = self.worker.take().ok_or_else(gone)?;
        let answer = worker.ask(request, &self.limits)?;
        self.worker = Some(worker);
        Ok(answer)
    }

    /// A worker that cannot be understood is not used again.
    fn dismiss(&mut self) -> ClipErrorKind {
        self.worker = None;
        out_of_step()
    }

    fn error(&self, kind: ClipErrorKind) -> ClipError {
        ClipError { path: self.path.clone(), kind }
    }
}

impl Drop for IsolatedDecoder<'_> {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.crew.take_back(worker);
        }
    }
}
