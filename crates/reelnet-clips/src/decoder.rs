//! From plans to clips: one file, opened, and the shortest safe way through it.
//!
//! Wanted frames are fetched in presentation order. Where frames are told by their times, the walk jumps over groups of
//! pictures that nobody wants. If a jump turns out not to be trustworthy, what is missing is decoded again from the
//! start of the file, so that a jump can cost time but never a frame.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::album::Album;
use crate::converter::Converter;
use crate::harvest::{Catch, Harvest};
use crate::index::Scan;
use crate::libav::Source;
use crate::media::Media;
use crate::packets::{Identity, KeyPacket};
use crate::session::{Decoded, Everything, Session, Stop, Wish};
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

/// Wanted frames that are decoded in one go, without a jump between them.
#[derive(Default, Clone, Copy)]
struct Run {
    last_frame: Option<usize>,
    /// The last packet that one of them needs.
    last_packet: usize,
}

/// The wish for what is still missing in a harvest.
struct Remaining<'harvest, C> {
    harvest: &'harvest C,
    last_packet: usize,
}

impl<C: Catch> Wish for Remaining<'_, C> {
    fn wants(&self, frame: usize) -> bool {
        self.harvest.is_wanted(frame)
    }

    fn last_packet(&self) -> usize {
        self.last_packet
    }
}

/// Over so few packets reading is as cheap as seeking, which throws the read buffer away.
const READ_AHEAD_PACKETS: usize = 16;

/// What one call has met so far.
#[derive(Default)]
struct Walk {
    frames_decoded: usize,
    /// The last frame that came out, sound or not.
    last_frame: Option<usize>,
    /// Whether a shortcut may be to blame for what is missing.
    took_shortcut: bool,
    run: Run,
    /// The first wanted frame that did not come, and why.
    first_missing: Option<(usize, String)>,
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

    /// Fetches all wanted frames; those that a jump lost are fetched again from the start of the file.
    fn walk(&mut self, harvest: &mut impl Catch) -> Result<(), ClipErrorKind> {
        loop {
            let mut walk = Walk::default();
            let mut from = 0;
            while let Some(target) = harvest.next_wanted(from) {
                self.fetch(target, harvest, &mut walk)?;
                from = target + 1;
            }
            let Some((frame, detail)) = walk.first_missing else { return Ok(()) };
            if walk.took_shortcut {
                self.shortcuts = Shortcuts::Forbidden;
                self.session = None;
            } else if walk.frames_decoded == 0 {
                return Err(ClipErrorKind::NothingDecodable { detail });
            } else {
                let seconds = self.index.pts_seconds(frame);
                return Err(ClipErrorKind::Corrupt { seconds, frames_decoded: walk.frames_decoded, detail });
            }
        }
    }

    /// Decodes up to one wanted frame, which is either delivered or noted as missing.
    fn fetch(&mut self, target: usize, harvest: &mut impl Catch, walk: &mut Walk) -> Result<(), ClipErrorKind> {
        // Targets ascend: what the walk has gone past will not come out by going back.
        if walk.last_frame.is_some_and(|last| last >= target) {
            walk.first_missing.get_or_insert_with(|| (target, "the frame is damaged or left out".to_string()));
            return Ok(());
        }
        if walk.run.last_frame < Some(target) {
            walk.run = self.run_from(target, harvest);
        }
        loop {
            let outcome = self.session_before(target).and_then(|mut session| {
                let outcome = self.decode_to(target, &mut session, harvest, walk);
                walk.took_shortcut |= !session.is_plain();
                self.session = Some(session);
                outcome
            });
            match outcome {
                Ok(()) => return Ok(()),
                Err(Detour::Missing(detail)) => {
                    walk.first_missing.get_or_insert((target, detail));
                    return Ok(());
                }
                Err(Detour::Untrusted) => {
                    self.shortcuts = Shortcuts::Forbidden;
                    self.session = None;
                    walk.last_frame = None;
                }
                Err(Detour::Failed(kind)) => return Err(kind),
            }
        }
    }

    fn decode_to(
        &mut self,
        target: usize,
        session: &mut Session,
        harvest: &mut impl Catch,
        walk: &mut Walk,
    ) -> Result<(), Detour> {
        let because =
            |session: &Session, otherwise: &str| Detour::Missing(session.complaint().unwrap_or(otherwise).to_string());
        loop {
            let index = &self.index.frames;
            let decoded = match self.shortcuts {
                Shortcuts::Allowed => {
                    session.next_frame(index, &Remaining { harvest, last_packet: walk.run.last_packet })
                }
                Shortcuts::Forbidden => session.next_frame(index, &Everything),
            };
            let decoded = decoded.map_err(|stop| self.detour(stop))?;
            let Some(Decoded { picture, frame, is_sound }) = decoded else {
                return Err(because(session, "the stream ends before this frame"));
            };
            let Some(frame) = frame else { continue };
            walk.last_frame = Some(frame);
            if !is_sound {
                if !picture.is_damaged() {
                    walk.frames_decoded += 1;
                    harvest.doubt(frame);
                }
                if frame == target {
                    return Err(because(session, "the frame is damaged"));
                }
                continue;
            }
            walk.frames_decoded += 1;
            // What comes before the target was fetched, or given up, earlier.
            if frame >= target {
                harvest.offer(frame, Arc::new(picture)).map_err(Detour::Failed)?;
            }
            match frame.cmp(&target) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(()),
                Ordering::Greater => return Err(because(session, "the frame does not come out of the decoder")),
            }
        }
    }

    fn detour(&self, stop: Stop) -> Detour {
        match stop {
            Stop::Interrupted => Detour::Failed(self.watch.verdict()),
            Stop::Untrusted => Detour::Untrusted,
            Stop::Broken(detail) => Detour::Missing(detail),
        }
    }

    /// A session from which the target will come out.
    fn session_before(&mut self, target: usize) -> Result<Session, Detour> {
        let session = self.session.take();
        let key = match self.shortcuts {
            Shortcuts::Allowed => self.index.frames.start_for(target),
            Shortcuts::Forbidden => None,
        };
        let Some(key) = key else {
            return match session {
                Some(session) if session.is_plain() && session.is_before(target, &self.index.frames) => Ok(session),
                _ => self.reopened(),
            };
        };
        let mut session = match session {
            Some(session)
                if session.is_before(target, &self.index.frames) && self.goes_on(session.next_packet(), key) =>
            {
                return Ok(session);
            }
            Some(session)
                if (key.decode_order.saturating_sub(READ_AHEAD_PACKETS)..=key.decode_order)
                    .contains(&session.next_packet()) =>
            {
                session
            }
            Some(mut session) if session.source().seeks_reliably() && self.index.frames.splices.is_empty() => {
                session.seek(&self.index.frames, key).map_err(|stop| self.detour(stop))?;
                return Ok(session);
            }
            Some(session) if session.next_packet() <= key.decode_order => session,
            _ => self.reopened()?,
        };
        if session.next_packet() > 0 || key.decode_order > self.index.frames.decode_from {
            session.read_past(key).map_err(|stop| self.detour(stop))?;
        }
        Ok(session)
    }

    /// Whether a decoder that has seen all packets before `next_packet` can go on to a key packet without a new start.
    fn goes_on(&self, next_packet: usize, key: KeyPacket) -> bool {
        let skippable = if self.index.frames.is_intra_only { READ_AHEAD_PACKETS } else { 0 };
        key.decode_order <= next_packet.saturating_add(skippable)
    }

    /// The wanted frames from `first` on that one go fetches.
    fn run_from(&self, first: usize, harvest: &impl Catch) -> Run {
        let index = &self.index.frames;
        let mut run = Run { last_frame: None, last_packet: 0 };
        let mut next = first;
        while let Some(frame) = harvest.next_wanted(next) {
            next = frame + 1;
            let (Some(entry), Some(key)) = (index.entries.get(frame), index.start_for(frame)) else { break };
            if run.last_frame.is_some() && !self.goes_on(run.last_packet + 1, key) {
                break;
            }
            run = Run { last_frame: Some(frame), last_packet: run.last_packet.max(entry.decode_order) };
        }
        run
    }

    fn reopened(&self) -> Result<Session, Detour> {
        let reader = self.media.open_again(self.index.stamp());
        let session = reader.and_then(|reader| {
            Session::at_start(Source::open(reader, &self.watch)?, &self.limits, self.index.frames.reordered())
        });
        session.map_err(Detour::Failed)
    }
}

/// Why a frame was not fetched.
enum Detour {
    /// It did not come out of the decoder.
    Missing(String),
    /// The jump before it cannot be trusted.
    Untrusted,
    /// The call must end.
    Failed(ClipErrorKind),
}
