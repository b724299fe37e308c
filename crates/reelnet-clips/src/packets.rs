//! From the packets of a stream, in the order in which they are stored, to its frames, in the order in which they are
//! shown. Pure: a list in, an index out.
//!
//! A frame is told by its presentation time where every packet has one and no two have the same. Elsewhere (AVI with
//! B-frames, streams glued together) it is told by counting what the decoder puts out, from the first packet on.

use std::collections::HashMap;

use crate::reference::Reference;
use crate::session::Wish;
use crate::splice::{self, Splice};

/// One packet of the chosen stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacketRecord {
    pub(crate) pts: Option<i64>,
    pub(crate) dts: Option<i64>,
    pub(crate) duration: i64,
    pub(crate) start: StartPoint,
    pub(crate) role: Role,
    pub(crate) reference: Reference,
}

/// Whether decoding can start at a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartPoint {
    Key,
    Dependent,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It gives a frame.
    Shown,
    /// It is needed by others, but gives no frame: cut away by an edit list, or never meant to be seen.
    Hidden,
    /// It is cut short or marked as damaged.
    Damaged,
}

/// How a decoded frame is matched with the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By its presentation time; decoding may start at any key packet.
    Timestamp,
    /// By its position among all decoded frames; decoding must start at the first packet.
    Count,
}

/// A frame that the file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// In ticks of the stream's time base.
    pub(crate) pts: i64,
    /// Position of its packet in the file, among the packets of the stream.
    pub(crate) decode_order: usize,
    pub(crate) start: StartPoint,
    pub(crate) reference: Reference,
}

/// A packet at which decoding can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyPacket {
    pub(crate) pts: i64,
    /// What demuxers are asked to seek to.
    pub(crate) dts: i64,
    pub(crate) decode_order: usize,
}

/// All frames of a stream in presentation order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FrameIndex {
    pub(crate) identity: Identity,
    pub(crate) entries: Vec<Entry>,
    /// Whether every frame can be decoded alone.
    pub(crate) is_intra_only: bool,
    /// In the order in which they are stored.
    pub(crate) keys: Vec<KeyPacket>,
    /// Packets before this one are not decoded: there is no picture to build on.
    pub(crate) decode_from: usize,
    /// Packets from this one on are not decoded: after them nobody can tell which frame is which.
    pub(crate) decode_until: usize,
    /// How long the last frame is shown, if its packet says so.
    pub(crate) last_duration: Option<i64>,
    /// Where the file's own times start anew; all times here are straightened.
    pub(crate) splices: Vec<Splice>,
    pub(crate) by_pts: HashMap<i64, usize>,
}

impl FrameIndex {
    /// From all packets; `ticks_per_frame` serves where packets carry no usable times at all.
    pub(crate) fn build(mut records: Vec<PacketRecord>, ticks_per_frame: i64) -> Self {
        let splices = splice::straighten(&mut records);
        Self { splices, ..Self::of_straight(&records, ticks_per_frame) }
    }

    /// From its parts, which were kept elsewhere; `None` if they contradict each other. Times are entered anew.
    pub(crate) fn checked(mut self) -> Option<Self> {
        let is_counted = self.identity == Identity::Count;
        let in_range = |position: usize| (self.decode_from..self.decode_until).contains(&position);
        let is_sound = !self.entries.is_empty()
            && self.entries.windows(2).all(|pair| pair[0].pts < pair[1].pts)
            && self.entries.iter().all(|entry| in_range(entry.decode_order))
            && self.keys.windows(2).all(|pair| pair[0].decode_order < pair[1].decode_order)
            && self.keys.iter().all(|key| in_range(key.decode_order))
            && self.splices.windows(2).all(|pair| pair[0].decode_order < pair[1].decode_order)
            && (!is_counted || self.keys.is_empty());
        self.by_pts = if is_counted { HashMap::new() } else { by_pts(&self.entries) };
        is_sound.then_some(self)
    }

    fn of_straight(records: &[PacketRecord], ticks_per_frame: i64) -> Self {
        let is_start = |record: &PacketRecord| record.start == StartPoint::Key && record.role != Role::Damaged;
        let decode_from = records.iter().position(is_start).unwrap_or(0);
        Self::by_timestamp(records, decode_from)
            .unwrap_or_else(|| Self::by_count(records, decode_from, ticks_per_frame))
    }

    /// `None` if times are missing or repeat.
    fn by_timestamp(records: &[PacketRecord], decode_from: usize) -> Option<Self> {
        let usable = records.get(decode_from..).unwrap_or_default();
        let first_pts = usable.first()?.pts?;
        let mut entries = Vec::with_capacity(usable.len());
        let mut keys = Vec::new();
        // From damage on, until a picture is whole without it: what is shown before this time.
        let mut unsound_before = None;
        for (record, decode_order) in usable.iter().zip(decode_from..) {
            if record.role == Role::Damaged && record.reference == Reference::Possible {
                unsound_before = Some(i64::MAX);
            }
            let pts = match (record.pts, record.role) {
                (Some(pts), _) => pts,
                (None, Role::Shown) => return None,
                (None, _) => continue,
            };
            if record.start == StartPoint::Key && record.role != Role::Damaged {
                keys.push(KeyPacket { pts, dts: record.dts.unwrap_or(pts), decode_order });
                unsound_before = unsound_before.map(|_| pts);
            }
            // Frames shown before the first key packet, but stored after it, build on pictures that are not there.
            let is_sound = unsound_before.is_none_or(|time| pts >= time);
            if record.role == Role::Shown && pts >= first_pts && is_sound {
                entries.push(Entry { pts, decode_order, start: record.start, reference: record.reference });
            }
        }
        entries.sort_by_key(|entry| entry.pts);
        if entries.windows(2).any(|pair| pair[0].pts == pair[1].pts) {
            return None;
        }
        let stands_alone = |entry: &Entry| entry.start == StartPoint::Key && entry.reference == Reference::Never;
        let is_intra_only = entries.iter().all(stands_alone);
        let by_pts = by_pts(&entries);
        let last_duration = entries.last().and_then(|entry| positive(records[entry.decode_order].duration));
        let decode_until = records.len();
        Some(Self {
            identity: Identity::Timestamp,
            entries,
            is_intra_only,
            keys,
            decode_from,
            decode_until,
            last_duration,
            splices: Vec::new(),
            by_pts,
        })
    }

    fn by_count(records: &[PacketRecord], decode_from: usize, ticks_per_frame: i64) -> Self {
        // Whether a damaged packet gives a frame is unknown, so counting ends before it.
        let is_damaged = |record: &PacketRecord| record.role == Role::Damaged;
        let rest = records.get(decode_from..).unwrap_or_default();
        let decode_until = rest.iter().position(is_damaged).map_or(records.len(), |sound| decode_from + sound);
        let shown: Vec<(usize, &PacketRecord)> = (decode_from..decode_until)
            .map(|decode_order| (decode_order, &records[decode_order]))
            .filter(|(_, record)| record.role == Role::Shown)
            .collect();
        let ascending = |time: fn(&PacketRecord) -> Option<i64>| -> Option<Vec<i64>> {
            let times = shown.iter().map(|(_, record)| time(record)).collect::<Option<Vec<i64>>>()?;
            times.is_sorted_by(|earlier, later| earlier < later).then_some(times)
        };
        let times = ascending(|record| record.dts).or_else(|| ascending(|record| record.pts)).unwrap_or_else(|| {
            let ticks = i64::try_from(shown.len()).unwrap_or(i64::MAX);
            (0..ticks).map(|frame| frame.saturating_mul(ticks_per_frame.max(1))).collect()
        });
        let entries: Vec<Entry> = shown
            .iter()
            .zip(times)
            .map(|(&(decode_order, record), pts)| Entry {
                pts,
                decode_order,
                start: record.start,
                reference: Reference::Possible,
            })
            .collect();
        let last_duration = shown.last().and_then(|(_, record)| positive(record.duration));
        let keys = Vec::new();
        let by_pts = HashMap::new();
        Self {
            identity: Identity::Count,
            entries,
            is_intra_only: false,
            keys,
            decode_from,
            decode_until,
            last_duration,
            splices: Vec::new(),
            by_pts,
        }
    }

    /// The frame with exactly this presentation time.
    pub(crate) fn frame_at(&self, pts: i64) -> Option<usize> {
        self.by_pts.get(&pts).copied()
    }

    /// The last key packet from which this frame can be decoded.
    ///
    /// A frame shown before a key packet but stored after it may build on frames before the key packet (an open group
    /// of pictures), so that key packet does not serve it.
    pub(crate) fn start_for(&self, frame: usize) -> Option<KeyPacket> {
        let entry = self.entries.get(frame)?;
        let stored_before = self.keys.partition_point(|key| key.decode_order <= entry.decode_order);
        self.keys[..stored_before].iter().rev().find(|key| key.pts <= entry.pts).copied()
    }

    /// Whether a frame's packet need not be decoded.
    pub(crate) fn is_superfluous(&self, frame: usize, wish: &impl Wish) -> bool {
        self.entries[frame].reference == Reference::Never && !wish.wants(frame)
    }

    /// Which packet of the stream has this presentation time.
    pub(crate) fn decode_order_at(&self, pts: i64) -> Option<usize> {
        let shown = self.frame_at(pts).map(|frame| self.entries[frame].decode_order);
        shown.or_else(|| self.keys.iter().find(|key| key.pts == pts).map(|key| key.decode_order))
    }

    /// How many frames a decoder must hold back to show all in order: the furthest that a frame is stored behind its
    /// place. No more than codecs allow; where times do not tell frames apart, nothing is known.
    pub(crate) fn reordered(&self) -> usize {
        const MOST: usize = 16;
        if self.identity == Identity::Count {
            return 0;
        }
        let mut stored: Vec<(usize, usize)> =
            self.entries.iter().enumerate().map(|(frame, entry)| (entry.decode_order, frame)).collect();
        stored.sort_unstable();
        let behind = stored.iter().enumerate().map(|(rank, &(_, frame))| rank.saturating_sub(frame));
        behind.max().unwrap_or(0).min(MOST)
    }

    /// Whether the usual interval between frames is left more often than once in 100 times.
    pub(crate) fn has_variable_rate(&self) -> bool {
        let mut intervals: Vec<i64> =
            self.entries.windows(2).map(|pair| pair[1].pts.saturating_sub(pair[0].pts)).collect();
        if intervals.len() < 2 {
            return false;
        }
        intervals.sort_unstable();
        let usual = intervals[intervals.len() / 2];
        // One tick either way is rounding: Matroska stores 30 frames a second as 33 and 34 ms.
        let tolerance = (usual / 20).max(1);
        let unusual = intervals.iter().filter(|&&interval| interval.abs_diff(usual) > tolerance.unsigned_abs()).count();
        unusual * 100 > intervals.len()
    }
}

fn by_pts(entries: &[Entry]) -> HashMap<i64, usize> {
    entries.iter().enumerate().map(|(frame, entry)| (entry.pts, frame)).collect()
}

fn positive(duration: i64) -> Option<i64> {
    (duration > 0).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pts: impl Into<Option<i64>>, dts: i64, start: StartPoint) -> PacketRecord {
        let role = Role::Shown;
        PacketRecord { pts: pts.into(), dts: Some(dts), duration: 1, start, role, reference: Reference::Possible }
    }

    fn shown(index: &FrameIndex) -> Vec<(i64, usize)> {
        index.entries.iter().map(|entry| (entry.pts, entry.decode_order)).collect()
    }

    use StartPoint::{Dependent, Key};

    #[test]
    fn frames_are_sorted_as_shown_and_leading_ones_left_out() {
        // Cut in the middle of an open group: a frame without its key, then I, and B-frames from before I.
        let records = [
            packet(1, -2, Dependent),
            packet(4, -1, Key),
            packet(2, 0, Dependent),
            packet(3, 1, Dependent),
            packet(7, 2, Dependent),
            packet(5, 3, Dependent),
            packet(6, 4, Dependent),
        ];
        let index = FrameIndex::build(records.to_vec(), 1);
        assert_eq!(index.identity, Identity::Timestamp);
        assert_eq!(index.decode_from, 1);
        assert_eq!(shown(&index), [(4, 1), (5, 5), (6, 6), (7, 4)]);
    }

    #[test]
    fn open_groups_start_one_key_earlier() {
        let records = [
            packet(0, -2, Key),
            packet(3, -1, Dependent),
            packet(1, 0, Dependent),
            packet(2, 1, Dependent),
            packet(6, 2, Key),
            packet(4, 3, Dependent),
            packet(5, 4, Dependent),
            packet(7, 5, Dependent),
        ];
        let index = FrameIndex::build(records.to_vec(), 1);
        let start = |frame| index.start_for(frame).expect("a start").decode_order;
        assert_eq!([start(0), start(3), start(4), start(5), start(6), start(7)], [0, 0, 0, 0, 4, 4]);
        assert_eq!(index.reordered(), 1);
    }

    #[test]
    fn missing_and_repeated_times_are_counted() {
        let missing = [packet(0, 0, Key), packet(None, 1, Dependent), packet(1, 2, Dependent)];
        let index = FrameIndex::build(missing.to_vec(), 1);
        assert_eq!(index.identity, Identity::Count);
        assert_eq!(shown(&index), [(0, 0), (1, 1), (2, 2)]);

        let repeated = [packet(0, 0, Key), packet(0, 0, Key), packet(0, 0, Key)];
        assert_eq!(shown(&FrameIndex::build(repeated.to_vec(), 40)), [(0, 0), (40, 1), (80, 2)]);
    }

    #[test]
    fn glued_parts_follow_one_another() {
        let glued = [packet(10, 10, Key), packet(11, 11, Dependent), packet(3, 3, Key), packet(4, 4, Dependent)];
        let index = FrameIndex::build(glued.to_vec(), 1);
        assert_eq!(index.identity, Identity::Timestamp);
        assert_eq!(shown(&index), [(10, 0), (11, 1), (12, 2), (13, 3)]);
    }

    #[test]
    fn hidden_and_damaged_packets_are_no_frames() {
        let mut records = [packet(-1, -1, Key), packet(0, 0, Dependent), packet(1, 1, Key), packet(2, 2, Dependent)];
        records[0].role = Role::Hidden;
        records[3].role = Role::Damaged;
        let index = FrameIndex::build(records.to_vec(), 1);
        assert_eq!(shown(&index), [(0, 1), (1, 2)]);
        assert_eq!(index.start_for(0).expect("the hidden key").decode_order, 0);
        assert_eq!(index.decode_order_at(-1), Some(0));
    }

    #[test]
    fn counting_ends_at_damage() {
        let mut records = [packet(None, 0, Key), packet(None, 1, Dependent), packet(None, 2, Dependent)];
        records[1].role = Role::Damaged;
        let index = FrameIndex::build(records.to_vec(), 1);
        assert_eq!((shown(&index), index.decode_until), (vec![(0, 0)], 1));
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(FrameIndex::build(Vec::new(), 1).entries.is_empty());
    }

    #[test]
    fn rounding_is_no_variable_rate() {
        let rounded: Vec<PacketRecord> = (0..60).map(|n| packet(n * 1000 / 30, n * 1000 / 30, Key)).collect();
        assert!(!FrameIndex::build(rounded, 1).has_variable_rate());
        let uneven: Vec<PacketRecord> = (0..60).map(|n| packet(n * n, n * n, Key)).collect();
        assert!(FrameIndex::build(uneven, 1).has_variable_rate());
    }
}
