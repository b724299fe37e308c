//! The ways of opening a file, behind one door: for programs that let their users choose.

use std::path::Path;
use std::time::Duration;

use crate::isolate::{Crew, IsolatedDecoder};
use crate::{
    ClipError, Decoder, FrameGeometry, FramePlan, IndexCache, Limits, Salvage, Soundness, Timeline, VideoInfo,
};

/// How files are opened. To be shared between threads.
#[derive(Debug, Default)]
pub enum Opener {
    /// Here and now.
    #[default]
    Plain,
    /// With an index that was made before, if there is one.
    Cached(IndexCache),
    /// In worker processes.
    Isolated(Crew),
}

impl Opener {
    /// Opens a file.
    ///
    /// # Errors
    /// Those of [`Decoder::open`], and of workers [`ClipErrorKind::Crashed`](crate::ClipErrorKind::Crashed).
    pub fn open(&self, path: &Path, limits: &Limits) -> Result<AnyDecoder<'_>, ClipError> {
        Ok(match self {
            Self::Plain => AnyDecoder::Here(Box::new(Decoder::open(path, limits)?)),
            Self::Cached(cache) => AnyDecoder::Here(Box::new(cache.decoder(path, limits)?)),
            Self::Isolated(crew) => AnyDecoder::Isolated(Box::new(crew.open(path, limits)?)),
        })
    }
}

/// A decoder, wherever it is.
pub enum AnyDecoder<'crew> {
    /// In this process.
    Here(Box<Decoder>),
    /// In a worker.
    Isolated(Box<IsolatedDecoder<'crew>>),
}

impl AnyDecoder<'_> {
    /// Facts about the file.
    pub fn info(&self) -> &VideoInfo {
        match self {
            Self::Here(decoder) => &decoder.index().info,
            Self::Isolated(decoder) => decoder.info(),
        }
    }

    /// Times of all frames.
    pub fn timeline(&self) -> &Timeline {
        match self {
            Self::Here(decoder) => decoder.index().timeline(),
            Self::Isolated(decoder) => decoder.timeline(),
        }
    }

    /// As [`Decoder::set_deadline`].
    pub fn set_deadline(&mut self, deadline: Duration) {
        match self {
            Self::Here(decoder) => decoder.set_deadline(deadline),
            Self::Isolated(decoder) => decoder.set_deadline(deadline),
        }
    }

    /// As [`Decoder::clips_salvaging`].
    ///
    /// # Errors
    /// Those of [`Decoder::clips_salvaging`]. A crash is not an error but part of the answer, as damage is.
    pub fn clips_salvaging(&mut self, plans: &[FramePlan], geometry: &FrameGeometry) -> Result<Salvage, ClipError> {
        match self {
            Self::Here(decoder) => decoder.clips_salvaging(plans, geometry),
            Self::Isolated(decoder) => decoder.clips_salvaging(plans, geometry),
        }
    }

    /// As [`Decoder::check`].
    ///
    /// # Errors
    /// Those of [`Decoder::check`], and [`ClipErrorKind::Crashed`](crate::ClipErrorKind::Crashed).
    pub fn check(&mut self) -> Result<Soundness, ClipError> {
        match self {
            Self::Here(decoder) => decoder.check(),
            Self::Isolated(decoder) => decoder.check(),
        }
    }
}
