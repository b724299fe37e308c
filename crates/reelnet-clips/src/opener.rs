//! The ways of opening a file, behind one door: for programs that let their users choose.

use std::time::Duration;

use crate::isolate::{Crew, IsolatedDecoder};
use crate::{
    ClipError, ClipErrorKind, Decoder, FrameGeometry, FramePlan, IndexCache, Limits, Media, Salvage, Soundness,
    Timeline, VideoInfo,
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
    /// Opens a file, or anything else that is no file in this process only.
    ///
    /// # Errors
    /// Those of [`Decoder::open`], of workers [`ClipErrorKind::Crashed`], and [`ClipErrorKind::Refused`] for a medium that a worker cannot
    /// open, because it has no path.
    pub fn open(&self, media: impl Into<Media>, limits: &Limits) -> Result<AnyDecoder<'_>, ClipError> {
        let media = media.into();
        Ok(match self {
            Self::Plain => AnyDecoder::Here(Box::new(Decoder::open(media, limits)?)),
            Self::Cached(cache) => AnyDecoder::Here(Box::new(cache.decoder(media, limits)?)),
            Self::Isolated(crew) => {
                let reason = "worker processes open files of disks, and this is none".to_owned();
                let refused = || ClipError::new(media.name(), ClipErrorKind::Refused { reason });
                AnyDecoder::Isolated(Box::new(crew.open(media.as_path().ok_or_else(refused)?, limits)?))
            }
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
