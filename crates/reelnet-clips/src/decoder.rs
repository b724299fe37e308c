//! From plans to clips: one file, opened, and the shortest safe way through it.
//!
//! Wanted frames are fetched in presentation order. Where frames are told by their times, the walk jumps over groups of
//! pictures that nobody wants. If a jump turns out not to be trustworthy, what is missing is decoded again from the
//! start of the file, so that a jump can cost time but never a frame.

mod walk;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::album::Album;
use crate::converter::Converter;
use crate::harvest::{Catch, Harvest};
use crate::index::Scan;
use crate::media::Media;
use crate::packets::Identity;
use crate::session::Session;
use crate::visit::{Arrivals, NativeFrame, RgbFrame, View, Visit};
use crate::watch::{TimeSpent, Watch};
use crate::{Clip, ClipError, ClipErrorKind, FrameGeometry, FramePlan, Limits, MediaIndex, Salvage, Soundness};

/// An opened file that cuts clips.
pub struct Decoder {
    media: Media,
    limits: Limits,
    watch: Watch,
    index: MediaIndex,
    session: Option<Session>,
    album: Option<Album>,
    converter: Converter,
    shortcuts: Shortcuts,
}

/// Whether packets that nobody needs may stay undecoded: by jumping over groups of pictures, by leaving out pictures
/// that nothing builds on, by emptying the decoder as soon as what is wanted is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shortcuts {
    Allowed,
    Forbidden,
}

impl Decoder {
    /// Opens a file and indexes it, as [`MediaIndex::open`] does.
    ///
    /// # Errors
    /// Those of [`MediaIndex::open`], and codecs without a decoder.
    pub fn open(media: impl Into<Media>, limits: &Limits) -> Result<Self, ClipError> {
        let media = media.into();
        let watch = Watch::start(limits);
        let scan = Scan::open(&media, limits, &watch).map_err(|kind| ClipError::new(media.name(), kind))?;
        Ok(Self::around(media, scan, limits, watch))
    }

    /// Opens a file whose index is known, and reads no more than its header.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and [`ClipErrorKind::Changed`] if the file is no longer the one that was indexed: its
    /// size, its time of writing and the bytes at both ends are compared, as is what its header says. Inputs that are not
    /// files are compared by their headers only.
    pub fn with_index(media: impl Into<Media>, index: MediaIndex, limits: &Limits) -> Result<Self, ClipError> {
        let media = media.into();
        let watch = Watch::start(limits);
        let scan = Scan::again(&media, index, limits, &watch).map_err(|kind| ClipError::new(media.name(), kind))?;
        Ok(Self::around(media, scan, limits, watch))
    }

    pub(crate) fn around(media: Media, scan: Scan, limits: &Limits, watch: Watch) -> Self {
        let shortcuts = match scan.index.frames.identity {
            Identity::Timestamp => Shortcuts::Allowed,
            Identity::Count => Shortcuts::Forbidden,
        };
        Self {
            media,
            limits: limits.clone(),
            index: scan.index,
            session: scan.session,
            album: scan.album,
            converter: Converter::new(scan.facts, limits.max_pixels_per_frame, watch.clone()),
            watch,
            shortcuts,
        }
    }

    /// What the file holds.
    pub fn index(&self) -> &MediaIndex {
        &self.index
    }

    /// Where the time went, from the opening on.
    pub fn time_spent(&self) -> TimeSpent {
        self.watch.spent()
    }

    /// Gives the calls that follow another time than [`Limits::deadline`].
    pub fn set_deadline(&mut self, deadline: Duration) {
        self.limits.deadline = deadline;
        self.watch.set_limit(deadline);
    }

    /// How many packets went into the decoder so far: with the frames that came back, what jumping and skipping save.
    pub fn packets_decoded(&self) -> u64 {
        self.watch.packets_decoded()
    }

    /// One clip a plan, or the reason why one of them is not whole. Can be called again and again.
    ///
    /// # Errors
    /// The first wanted frame that cannot be had, a geometry that does not fit, or the deadline.
    pub fn clips(&mut self, plans: &[FramePlan], geometry: &FrameGeometry) -> Result<Vec<Clip>, ClipError> {
        let salvage = self.clips_salvaging(plans, geometry)?;
        match salvage.error {
            Some(error) => Err(error),
            None => Ok(salvage.clips.into_iter().flatten().collect()),
        }
    }

    /// The clips that are whole, even if the file is damaged elsewhere or the deadline comes first.
    ///
    /// # Errors
    /// Only wishes that no file could fulfil: a plan for another file, a geometry that does not fit.
    pub fn clips_salvaging(&mut self, plans: &[FramePlan], geometry: &FrameGeometry) -> Result<Salvage, ClipError> {
        self.watch.rearm();
        let mut harvest = Harvest::new(plans, geometry, self.converter.take());
        let result = self
            .check_frames(plans.iter().flat_map(|plan| &plan.indices))
            .and_then(|()| self.check_geometry(geometry))
            .and_then(|()| match self.limits.decoder_threads {
                0 | 1 => self.collect(&mut harvest),
                _ => harvest.beside(|conveyor| self.collect(conveyor)),
            });
        let (clips, converter) = harvest.into_clips(self.index.timeline());
        self.converter = converter;
        let error = self.settled(result)?;
        Ok(Salvage { clips, error })
    }

    /// Shows wanted frames to a visitor, each once, and keeps none: memory stays flat. They come in presentation order;
    /// only frames of a damaged file that need a second pass come after the others.
    ///
    /// # Errors
    /// As [`clips`](Self::clips); the frames before the error, and those after damage, have been shown.
    pub fn visit(
        &mut self,
        frames: impl IntoIterator<Item = usize>,
        geometry: &FrameGeometry,
        mut visitor: impl FnMut(RgbFrame<'_>),
    ) -> Result<(), ClipError> {
        self.check_geometry(geometry).map_err(|kind| ClipError::new(self.media.name(), kind))?;
        self.visit_all(frames.into_iter().collect(), View::Rgb(geometry, Vec::new(), &mut visitor))
    }

    /// Shows wanted frames as the decoder made them; otherwise as [`visit`](Self::visit).
    ///
    /// # Errors
    /// As [`visit`](Self::visit).
    pub fn visit_native(
        &mut self,
        frames: impl IntoIterator<Item = usize>,
        mut visitor: impl FnMut(NativeFrame<'_>),
    ) -> Result<(), ClipError> {
        let view = View::Native(Vec::new(), &mut visitor);
        let frames = frames.into_iter().collect();
        self.at_full_size(|decoder| decoder.visit_all(frames, view))
    }

    /// Decodes every frame and keeps none: what the file is really good for.
    ///
    /// # Errors
    /// If FFmpeg fails for a reason that is not the file's fault. Damage, and the deadline, are part of the answer.
    pub fn check(&mut self) -> Result<Soundness, ClipError> {
        let mut arrivals = Arrivals::default();
        let frames = (0..self.index.frames()).collect();
        let visited = self.at_full_size(|decoder| decoder.visit_all(frames, View::Arrival(&mut arrivals)));
        let error = match visited {
            Ok(()) => self.index.info.damage().map(|kind| ClipError::new(self.media.name(), kind)),
            Err(error) if error.kind.spares_frames() => Some(error),
            Err(error) => return Err(error),
        };
        let doubtful = arrivals.doubtful();
        Ok(Soundness { frames: arrivals.sound() + doubtful, doubtful, error })
    }

    /// Does something with pictures as they are stored, whatever [`Limits::reduce_to`] allows.
    fn at_full_size(&mut self, work: impl FnOnce(&mut Self) -> Result<(), ClipError>) -> Result<(), ClipError> {
        if self.limits.reduce_to.is_none() {
            return work(self);
        }
        self.watch.rearm();
        let limits = Limits { reduce_to: None, ..self.limits.clone() };
        let scan = Scan::again(&self.media, self.index.clone(), &limits, &self.watch)
            .map_err(|kind| ClipError::new(self.media.name(), kind))?;
        work(&mut Self::around(self.media.clone(), scan, &limits, self.watch.clone()))
    }

    fn visit_all(&mut self, wanted: BTreeSet<usize>, view: View<'_>) -> Result<(), ClipError> {
        self.watch.rearm();
        let timeline = self.index.timeline().clone();
        let checked = self.check_frames(&wanted);
        let mut visit = Visit { wanted, view, timeline, converter: self.converter.take(), size: None };
        let result = checked.and_then(|()| self.collect(&mut visit));
        self.converter = visit.converter;
        self.settled(result)?.map_or(Ok(()), Err)
    }

    fn collect(&mut self, catch: &mut impl Catch) -> Result<(), ClipErrorKind> {
        match &mut self.album {
            Some(album) => album.show(catch, self.index.timeline(), &self.limits, &self.watch),
            None => self.walk(catch),
        }
    }

    /// Damage leaves what came before it and after it; other errors leave nothing.
    fn settled(&mut self, result: Result<(), ClipErrorKind>) -> Result<Option<ClipError>, ClipError> {
        let Err(kind) = result else { return Ok(None) };
        // Whatever happened, the next call starts from a clean place.
        self.session = None;
        let error = ClipError::new(self.media.name(), kind);
        if error.kind.spares_frames() { Ok(Some(error)) } else { Err(error) }
    }

    fn check_frames<'wish>(&self, wanted: impl IntoIterator<Item = &'wish usize>) -> Result<(), ClipErrorKind> {
        let frames = self.index.frames();
        match wanted.into_iter().find(|&&frame| frame >= frames) {
            Some(&frame) => Err(ClipErrorKind::FrameOutOfRange { frame, frames }),
            None => Ok(()),
        }
    }

    fn check_geometry(&self, geometry: &FrameGeometry) -> Result<(), ClipErrorKind> {
        let shown = [self.index.info.width, self.index.info.height];
        if shown.contains(&0) {
            return Ok(());
        }
        geometry.layout(shown, self.limits.max_pixels_per_frame).map(|_| ())
    }
}
