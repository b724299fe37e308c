//! One walk through a file: packets in, identified frames out, forwards only unless it jumps.
//!
//! The session knows at every moment which packet comes next, by counting from the start of the file or, after a jump,
//! by recognising the first packet. A landing that it does not recognise is an error, never a guess.

use std::collections::HashSet;

use ffmpeg_next as ffmpeg;

use crate::doubts::Doubts;
use crate::libav::{FrameDecoder, Picture, ReadFailure, Received, Source};
use crate::packets::{FrameIndex, Identity, KeyPacket};
use crate::reference::Reference;
use crate::watch::{Activity, Watch};
use crate::{ClipErrorKind, Limits, splice};

/// An open file with a decoder at some place in it.
pub(crate) struct Session {
    source: Source,
    decoder: FrameDecoder,
    watch: Watch,
    origin: Origin,
    /// A packet that was read in order to learn where a jump landed.
    recognised: Option<ffmpeg::Packet>,
    /// Position of the next packet in the file, among those of the stream.
    next_packet: usize,
    /// The last frame that came out.
    last_frame: Option<usize>,
    phase: Phase,
    /// Presentation time of the key packet that was jumped to, until its picture came out.
    landing: Option<i64>,
    /// Why nothing comes out any more.
    broken: Option<String>,
    silent_packets: usize,
    complaint: Option<String>,
    doubts: Doubts,
    /// Frames whose packets were left out.
    skipped: HashSet<usize>,
    /// Whether pictures come out even if the stream ends right behind them. Until the first packet is in, nobody knows.
    can_be_emptied: bool,
    has_started: bool,
    /// Whether the decoder was emptied before the end.
    emptied_early: bool,
    max_silent_packets: usize,
}

/// Where the pictures inside the decoder started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    FileStart,
    Jump,
    /// Nowhere: the file has been read to its end without decoding.
    Scan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Feeding,
    /// Nothing more goes in; what is inside comes out.
    Draining,
}

/// What is asked of a walk.
pub(crate) trait Wish {
    /// Whether a frame's own picture is wanted.
    fn wants(&self, frame: usize) -> bool;

    /// The last packet that goes into the decoder before everything inside is taken out.
    fn last_packet(&self) -> usize;
}

/// Every frame, in order.
pub(crate) struct Everything;

impl Wish for Everything {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn last_packet(&self) -> usize {
        usize::MAX
    }
}

/// One decoded picture, and which frame it is.
pub(crate) struct Decoded {
    pub(crate) picture: Picture,
    /// `None` for a frame that the index does not know, such as one from before an edit list's start.
    pub(crate) frame: Option<usize>,
    /// Whether neither it nor what it builds on was damaged, as far as the decoder told.
    pub(crate) is_sound: bool,
}

/// Why no further frame comes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stop {
    /// The time is up, or the call was cancelled.
    Interrupted,
    /// What came out after a jump is not what was jumped to.
    Untrusted,
    /// The rest cannot be decoded, or not be told apart.
    Broken(String),
}

impl Session {
    /// With a source that nothing has been read from.
    pub(crate) fn at_start(source: Source, limits: &Limits, reordered: usize) -> Result<Self, ClipErrorKind> {
        Self::around(source, limits, Origin::FileStart, reordered)
    }

    /// With a source that has been read to its end.
    pub(crate) fn after_scan(source: Source, limits: &Limits, reordered: usize) -> Result<Self, ClipErrorKind> {
        Self::around(source, limits, Origin::Scan, reordered)
    }

    fn around(source: Source, limits: &Limits, origin: Origin, reordered: usize) -> Result<Self, ClipErrorKind> {
        let decoder = FrameDecoder::open(&source, limits, reordered)?;
        Ok(Self {
            watch: source.watch().clone(),
            source,
            decoder,
            origin,
            recognised: None,
            next_packet: if origin == Origin::Scan { usize::MAX } else { 0 },
            last_frame: None,
            phase: Phase::Feeding,
            landing: None,
            broken: None,
            silent_packets: 0,
            complaint: None,
            doubts: Doubts::default(),
            skipped: HashSet::new(),
            can_be_emptied: false,
            has_started: false,
            emptied_early: false,
            max_silent_packets: limits.max_packets_without_frame.max(1),
        })
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Whether every packet from the start of the file on has been decoded.
    pub(crate) fn is_plain(&self) -> bool {
        self.origin == Origin::FileStart && self.skipped.is_empty() && !self.emptied_early
    }

    pub(crate) fn next_packet(&self) -> usize {
        self.next_packet
    }

    /// Whether this frame can still come out without moving back.
    pub(crate) fn is_before(&self, frame: usize, index: &FrameIndex) -> bool {
        // After an early emptying only what is inside comes out: what follows lacks the pictures that it builds on.
        let went_in = || index.entries.get(frame).is_some_and(|entry| entry.decode_order < self.next_packet);
        let can_go_on = self.origin != Origin::Scan && (!self.emptied_early || went_in());
        can_go_on && self.last_frame < Some(frame) && !self.skipped.contains(&frame)
    }

    /// The decoder's last complaint.
    pub(crate) fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// Asks the demuxer to go to a key packet. It may land on an earlier one.
    pub(crate) fn seek(&mut self, index: &FrameIndex, key: KeyPacket) -> Result<(), Stop> {
        // Demuxers disagree about whether they want presentation or decoding times.
        self.broken = None;
        for ticks in [key.pts, key.dts, key.dts.saturating_sub((key.pts.saturating_sub(key.dts)).max(1))] {
            self.source.seek(ticks).map_err(stop)?;
            let Some(packet) = self.source.next_packet().map_err(stop)? else { continue };
            let landed = packet.pts().and_then(|pts| index.decode_order_at(pts));
            let Some(landed) = landed.filter(|&landed| landed <= key.decode_order && packet.is_key()) else { continue };
            self.restart(landed, packet.pts());
            self.recognised = Some(packet);
            return Ok(());
        }
        Err(Stop::Untrusted)
    }

    /// Reads on to a key packet, decoding nothing.
    pub(crate) fn read_past(&mut self, key: KeyPacket) -> Result<(), Stop> {
        let mut next = self.next_packet;
        if self.recognised.take().is_some() {
            next += 1;
        }
        while next < key.decode_order {
            if self.source.next_packet().map_err(stop)?.is_none() {
                return Err(Stop::Untrusted);
            }
            next += 1;
        }
        self.restart(next, Some(key.pts));
        Ok(())
    }

    fn restart(&mut self, next_packet: usize, landing: Option<i64>) {
        self.decoder.flush();
        self.origin = Origin::Jump;
        self.skipped.clear();
        self.emptied_early = false;
        self.can_be_emptied = false;
        self.has_started = false;
        self.recognised = None;
        self.next_packet = next_packet;
        self.last_frame = None;
        self.phase = Phase::Feeding;
        self.landing = landing;
        self.doubts.jump(landing);
        self.broken = None;
        self.silent_packets = 0;
    }

    /// The next frame in presentation order; `None` when all have come out.
    pub(crate) fn next_frame(&mut self, index: &FrameIndex, wish: &impl Wish) -> Result<Option<Decoded>, Stop> {
        if let Some(detail) = &self.broken {
            return Err(Stop::Broken(detail.clone()));
        }
        let result = self.decode_next(index, wish);
        if let Err(Stop::Broken(detail)) = &result {
            self.broken = Some(detail.clone());
        }
        result
    }

    fn decode_next(&mut self, index: &FrameIndex, wish: &impl Wish) -> Result<Option<Decoded>, Stop> {
        loop {
            // Pictures that were held back come out without reading, where the watch is looked at too.
            if self.watch.is_over() {
                return Err(Stop::Interrupted);
            }
            let received = self.watch.time(Activity::Decode, || self.decoder.receive());
            if self.decoder.take_complained() || matches!(received, Received::Damage(_)) {
                self.doubt();
            }
            match received {
                Received::Picture(picture) => {
                    self.silent_packets = 0;
                    if self.is_leading(&picture, index)? {
                        continue;
                    }
                    return Ok(Some(self.identify(picture, index)));
                }
                Received::End => return Ok(None),
                Received::NeedsInput if self.phase == Phase::Draining => return Ok(None),
                Received::NeedsInput => self.feed(index, wish)?,
                Received::Damage(complaint) => {
                    self.complain(complaint, index)?;
                    self.count_silence()?;
                }
            }
        }
    }

    /// Whether a picture is shown before the key picture that was jumped to: it may build on what was jumped over.
    fn is_leading(&mut self, picture: &Picture, index: &FrameIndex) -> Result<bool, Stop> {
        let Some(landing) = self.landing else { return Ok(false) };
        let pts = picture.pts().ok_or(Stop::Untrusted)?;
        if pts < landing {
            return Ok(true);
        }
        self.landing = None;
        // A key picture that an edit list hides does not come out, and proves nothing.
        let is_proof = index.frame_at(landing).is_some();
        if is_proof && (pts != landing || picture.is_predicted()) { Err(Stop::Untrusted) } else { Ok(false) }
    }

    fn identify(&mut self, picture: Picture, index: &FrameIndex) -> Decoded {
        let frame = match index.identity {
            Identity::Timestamp => picture.pts().and_then(|pts| index.frame_at(pts)),
            Identity::Count => Some(self.last_frame.map_or(0, |last| last + 1)).filter(|&n| n < index.entries.len()),
        };
        if frame.is_some() {
            self.last_frame = frame;
        }
        if let Some(entry) = frame.map(|frame| index.entries[frame])
            && picture.is_damaged()
        {
            self.doubts.add(entry.decode_order, entry.reference);
        }
        let is_sound = !picture.is_damaged() && frame.is_some_and(|frame| !self.doubts.concern(frame, index));
        Decoded { picture, frame, is_sound }
    }

    /// The decoder complained of what went in last.
    fn doubt(&mut self) {
        if self.doubts.complain() {
            self.complaint.get_or_insert_with(|| "the decoder had to mend it".to_string());
        }
    }

    fn feed(&mut self, index: &FrameIndex, wish: &impl Wish) -> Result<(), Stop> {
        if self.can_be_emptied && self.next_packet > wish.last_packet() && self.next_packet < index.decode_until {
            self.emptied_early = true;
            self.phase = Phase::Draining;
            return self
                .watch
                .time(Activity::Decode, || self.decoder.send_end())
                .or_else(|complaint| self.complain(complaint, index));
        }
        let packet = match self.recognised.take() {
            Some(packet) => Some(packet),
            None if self.next_packet >= index.decode_until => None,
            None => match self.source.next_packet() {
                Ok(packet) => packet,
                Err(ReadFailure::Interrupted) => return Err(Stop::Interrupted),
                // What was read before can still come out.
                Err(ReadFailure::Broken(detail)) => {
                    self.complaint = Some(detail);
                    None
                }
            },
        };
        let Some(mut packet) = packet else {
            self.phase = Phase::Draining;
            return self
                .watch
                .time(Activity::Decode, || self.decoder.send_end())
                .or_else(|complaint| self.complain(complaint, index));
        };
        let position = self.next_packet;
        self.next_packet += 1;
        // An empty packet would tell the decoder that the stream ends.
        if position < index.decode_from || packet.size() == 0 {
            return Ok(());
        }
        let offset = splice::offset_at(&index.splices, position);
        if offset != 0 {
            packet.set_pts(packet.pts().map(|pts| pts.saturating_add(offset)));
            packet.set_dts(packet.dts().map(|dts| dts.saturating_add(offset)));
        }
        let frame = packet.pts().and_then(|pts| index.frame_at(pts));
        if let Some(frame) = frame.filter(|&frame| index.is_superfluous(frame, wish)) {
            self.skipped.insert(frame);
            return Ok(());
        }
        if !self.has_started {
            self.has_started = true;
            self.can_be_emptied = self.source.starts_afresh(&packet);
        }
        self.count_silence()?;
        self.watch.count_packet();
        let reference = frame.map_or(Reference::Possible, |frame| index.entries[frame].reference);
        // Behind a jump into an open group, H.264 also misses pictures that later ones only tell it to forget.
        if !self.can_be_emptied && self.source.facts().codec == "h264" {
            self.doubts.expect_gaps();
        }
        self.doubts.feed(position, reference, packet.pts());
        let sent = self.watch.time(Activity::Decode, || self.decoder.send(&packet));
        if self.decoder.take_complained() || sent.is_err() {
            self.doubt();
        }
        sent.or_else(|complaint| self.complain(complaint, index))
    }

    fn count_silence(&mut self) -> Result<(), Stop> {
        self.silent_packets += 1;
        if self.silent_packets > self.max_silent_packets {
            let detail = format!("{} packets in a row gave no frame", self.max_silent_packets);
            return Err(Stop::Broken(self.complaint.take().unwrap_or(detail)));
        }
        Ok(())
    }

    /// After damage, frames that are told by counting can no longer be told.
    fn complain(&mut self, complaint: String, index: &FrameIndex) -> Result<(), Stop> {
        if index.identity == Identity::Count {
            return Err(Stop::Broken(complaint));
        }
        self.complaint = Some(complaint);
        Ok(())
    }
}

fn stop(failure: ReadFailure) -> Stop {
    match failure {
        ReadFailure::Interrupted => Stop::Interrupted,
        ReadFailure::Broken(detail) => Stop::Broken(detail),
    }
}
