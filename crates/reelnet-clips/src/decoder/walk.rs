//! How wanted frames are reached: runs of frames that one go decodes, jumps between them, and a second walk from the start of
//! the file where a jump turned out not to be trustworthy.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Decoder, Shortcuts};
use crate::ClipErrorKind;
use crate::harvest::Catch;
use crate::libav::Source;
use crate::packets::KeyPacket;
use crate::session::{Decoded, Everything, Session, Stop, Wish};

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
    /// Fetches all wanted frames; those that a jump lost are fetched again from the start of the file.
    pub(super) fn walk(&mut self, harvest: &mut impl Catch) -> Result<(), ClipErrorKind> {
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
