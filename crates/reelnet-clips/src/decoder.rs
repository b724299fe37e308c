//! From plans to clips: one file, opened, and the shortest safe way through it.
//!
//! Wanted frames are fetched in presentation order. Where frames are told by their times, the walk jumps over groups of
//! pictures that nobody wants. If a jump turns out not to be trustworthy, what is missing is decoded again from the
//! start of the file, so that a jump can cost time but never a frame.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::converter::Converter;
use crate::harvest::Harvest;
use crate::index::Scan;
use crate::libav::Picture;
use crate::limits::Deadline;
use crate::packets::Identity;
use crate::session::{Decoded, Origin, Session, Stop};
use crate::{Clip, ClipError, ClipErrorKind, FrameGeometry, FramePlan, Limits, MediaIndex, Salvage};

/// An opened file that cuts clips.
pub struct Decoder {
    path: PathBuf,
    limits: Limits,
    deadline: Deadline,
    index: MediaIndex,
    session: Option<Session>,
    still: Option<Picture>,
    converter: Converter,
    jumps: Jumps,
}

/// Whether jumping is worth a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jumps {
    Allowed,
    Forbidden,
}

/// What one call has met so far.
#[derive(Default)]
struct Walk {
    frames_decoded: usize,
    /// The last frame that came out, sound or not.
    last_frame: Option<usize>,
    /// Whether a jump may be to blame for what is missing.
    jumped: bool,
    /// The first wanted frame that did not come, and why.
    first_missing: Option<(usize, String)>,
}

impl Decoder {
    /// Opens a file and indexes it, as [`MediaIndex::open`] does.
    ///
    /// # Errors
    /// Those of [`MediaIndex::open`], and codecs without a decoder.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, ClipError> {
        let deadline = Deadline::after(limits.deadline);
        let scan = Scan::open(path, limits, &deadline).map_err(|kind| ClipError::new(path, kind))?;
        let jumps = match scan.index.frames.identity {
            Identity::Timestamp => Jumps::Allowed,
            Identity::Count => Jumps::Forbidden,
        };
        let facts = scan.session.source().facts().clone();
        Ok(Self {
            path: path.to_path_buf(),
            limits: limits.clone(),
            deadline,
            index: scan.index,
            session: Some(scan.session),
            still: scan.still,
            converter: Converter::new(facts, limits.max_pixels_per_frame),
            jumps,
        })
    }

    /// What the file holds.
    pub fn index(&self) -> &MediaIndex {
        &self.index
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
        self.deadline.rearm();
        let mut harvest = Harvest::new(plans, geometry);
        let result = self.check(plans, geometry).and_then(|()| match self.still.take() {
            Some(picture) => {
                let result = harvest.offer(0, &picture, &mut self.converter);
                self.still = Some(picture);
                result
            }
            None => self.walk(&mut harvest),
        });
        let error = match result {
            Ok(()) => None,
            Err(kind) => {
                // Whatever happened, the next call starts from a clean place.
                self.session = None;
                let kept = matches!(
                    kind,
                    ClipErrorKind::Corrupt { .. }
                        | ClipErrorKind::TimedOut { .. }
                        | ClipErrorKind::NothingDecodable { .. }
                );
                let error = ClipError::new(&self.path, kind);
                if !kept {
                    return Err(error);
                }
                Some(error)
            }
        };
        Ok(Salvage { clips: harvest.into_clips(self.index.timeline()), error })
    }

    fn check(&self, plans: &[FramePlan], geometry: &FrameGeometry) -> Result<(), ClipErrorKind> {
        let frames = self.index.frames();
        if let Some(&frame) = plans.iter().flat_map(|plan| &plan.indices).find(|&&frame| frame >= frames) {
            return Err(ClipErrorKind::FrameOutOfRange { frame, frames });
        }
        let shown = [self.index.info.width, self.index.info.height];
        if shown.contains(&0) {
            return Ok(());
        }
        geometry.layout(shown, self.limits.max_pixels_per_frame).map(|_| ())
    }

    /// Fetches all wanted frames; those that a jump lost are fetched again from the start of the file.
    fn walk(&mut self, harvest: &mut Harvest<'_>) -> Result<(), ClipErrorKind> {
        loop {
            let mut walk = Walk::default();
            let mut from = 0;
            while let Some(target) = harvest.next_wanted(from) {
                self.fetch(target, harvest, &mut walk)?;
                from = target + 1;
            }
            let Some((frame, detail)) = walk.first_missing else { return Ok(()) };
            if walk.jumped {
                self.jumps = Jumps::Forbidden;
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
    fn fetch(&mut self, target: usize, harvest: &mut Harvest<'_>, walk: &mut Walk) -> Result<(), ClipErrorKind> {
        // Targets ascend: what the walk has gone past will not come out by going back.
        if walk.last_frame.is_some_and(|last| last >= target) {
            walk.first_missing.get_or_insert_with(|| (target, "the frame is damaged or left out".to_string()));
            return Ok(());
        }
        loop {
            let outcome = self.session_before(target).and_then(|mut session| {
                walk.jumped |= session.origin() == Origin::Jump;
                let outcome = self.decode_to(target, &mut session, harvest, walk);
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
                    self.jumps = Jumps::Forbidden;
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
        harvest: &mut Harvest<'_>,
        walk: &mut Walk,
    ) -> Result<(), Detour> {
        let because =
            |session: &Session, otherwise: &str| Detour::Missing(session.complaint().unwrap_or(otherwise).to_string());
        loop {
            let decoded = session.next_frame(&self.index.frames).map_err(|stop| self.detour(stop))?;
            let Some(Decoded { picture, frame }) = decoded else {
                return Err(because(session, "the stream ends before this frame"));
            };
            let Some(frame) = frame else { continue };
            walk.last_frame = Some(frame);
            if picture.is_damaged() {
                if frame == target {
                    return Err(because(session, "the frame is damaged"));
                }
                continue;
            }
            walk.frames_decoded += 1;
            // What comes before the target was fetched, or given up, earlier.
            if frame >= target {
                harvest.offer(frame, &picture, &mut self.converter).map_err(Detour::Failed)?;
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
            Stop::TimedOut => Detour::Failed(ClipErrorKind::TimedOut { limit: self.limits.deadline }),
            Stop::Untrusted => Detour::Untrusted,
            Stop::Broken(detail) => Detour::Missing(detail),
        }
    }

    /// A session from which the target will come out.
    fn session_before(&mut self, target: usize) -> Result<Session, Detour> {
        let session = self.session.take();
        let key = match self.jumps {
            Jumps::Allowed => self.index.frames.start_for(target),
            Jumps::Forbidden => None,
        };
        let Some(key) = key else {
            return match session {
                Some(session) if session.origin() == Origin::FileStart && session.is_before(target) => Ok(session),
                _ => self.reopened(),
            };
        };
        let mut session = match session {
            Some(session) if session.is_before(target) && session.next_packet() > key.decode_order => {
                return Ok(session);
            }
            Some(mut session) if session.source().seeks_reliably() && self.index.frames.splices.is_empty() => {
                session.seek(&self.index.frames, key).map_err(|stop| self.detour(stop))?;
                return Ok(session);
            }
            Some(session) if session.is_before(target) && session.next_packet() <= key.decode_order => session,
            _ => self.reopened()?,
        };
        if session.next_packet() < key.decode_order && key.decode_order > self.index.frames.decode_from {
            session.read_past(key).map_err(|stop| self.detour(stop))?;
        }
        Ok(session)
    }

    fn reopened(&self) -> Result<Session, Detour> {
        Session::open(&self.path, &self.limits, &self.deadline).map_err(Detour::Failed)
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
