//! Streams glued together: places where a stream's times start anew, as in concatenated camera and broadcast files.
//!
//! Each part is moved behind the one before it, so that times identify frames again. Pure: records in, offsets out.

use crate::packets::PacketRecord;

/// From some packet on, times are moved by a number of ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Splice {
    /// The first packet behind the splice.
    pub(crate) decode_order: usize,
    /// Ticks to add to the times that the file holds.
    pub(crate) offset: i64,
}

/// Finds where decoding times jump back, and moves the times of all packets behind each such place.
pub(crate) fn straighten(records: &mut [PacketRecord]) -> Vec<Splice> {
    let mut splices: Vec<Splice> = Vec::new();
    let mut last_dts: Option<i64> = None;
    let mut end: Option<i64> = None;
    for (decode_order, record) in records.iter_mut().enumerate() {
        let raw_dts = record.dts;
        if let (Some(dts), Some(last), Some(end)) = (raw_dts, last_dts, end)
            && dts < last
        {
            let starts_at = record.pts.unwrap_or(dts);
            splices.push(Splice { decode_order, offset: end.saturating_sub(starts_at) });
        }
        last_dts = raw_dts.or(last_dts);
        let offset = splices.last().map_or(0, |splice| splice.offset);
        record.pts = record.pts.map(|pts| pts.saturating_add(offset));
        record.dts = record.dts.map(|dts| dts.saturating_add(offset));
        let shown_until = record.pts.or(record.dts).map(|pts| pts.saturating_add(record.duration.max(1)));
        end = end.max(shown_until);
    }
    splices
}

/// The ticks to add to the times of a packet.
pub(crate) fn offset_at(splices: &[Splice], decode_order: usize) -> i64 {
    let behind = splices.partition_point(|splice| splice.decode_order <= decode_order);
    splices[..behind].last().map_or(0, |splice| splice.offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packets::{Role, StartPoint};
    use crate::reference::Reference;

    fn records(times: &[(i64, i64)]) -> Vec<PacketRecord> {
        let record = |&(pts, dts)| PacketRecord {
            pts: Some(pts),
            dts: Some(dts),
            duration: 10,
            start: StartPoint::Key,
            role: Role::Shown,
            reference: Reference::Possible,
        };
        times.iter().map(record).collect()
    }

    #[test]
    fn parts_follow_one_another() {
        let mut glued = records(&[(20, 0), (40, 10), (30, 20), (20, 0), (40, 10), (30, 20)]);
        let splices = straighten(&mut glued);
        assert_eq!(splices, [Splice { decode_order: 3, offset: 30 }]);
        let pts: Vec<Option<i64>> = glued.iter().map(|record| record.pts).collect();
        assert_eq!(pts, [20, 40, 30, 50, 70, 60].map(Some));
        assert_eq!([0, 2, 3, 9].map(|packet| offset_at(&splices, packet)), [0, 0, 30, 30]);
    }

    #[test]
    fn reordered_frames_and_gaps_are_no_splices() {
        assert!(straighten(&mut records(&[(20, 0), (40, 10), (30, 20), (900, 880)])).is_empty());
    }
}
