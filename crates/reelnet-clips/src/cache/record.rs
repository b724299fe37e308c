//! One file's index as few bytes: times and orders as differences, which are almost all the same, then deflated.
//!
//! Every number survives exactly. What does not describe a possible index is refused when it is read.

use std::io::Read as _;

use flate2::Compression;
use flate2::read::{DeflateDecoder, DeflateEncoder};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::packets::{Entry, FrameIndex, Identity, KeyPacket, StartPoint};
use crate::reference::Reference;
use crate::splice::Splice;
use crate::stamp::FileStamp;
use crate::{MediaIndex, VideoInfo};

/// More than any file needs: ten hours at 60 frames a second take 15 MB before deflation.
const MOST_BYTES: u64 = 256 << 20;

#[derive(Serialize, Deserialize)]
struct Record {
    info: VideoInfo,
    clock: Clock,
    is_counted: bool,
    is_intra_only: bool,
    decode_from: usize,
    decode_until: usize,
    last_duration: Option<i64>,
    /// Differences of differences.
    pts: Vec<i64>,
    /// How far frames are stored from their place among those shown.
    displacements: Vec<i64>,
    flags: Vec<u8>,
    /// Differences of their three numbers, one list after another.
    keys: Vec<i64>,
    splices: Vec<(usize, i64)>,
}

const KEY: u8 = 1;
const NEVER_REFERENCED: u8 = 2;

pub(super) fn pack(index: &MediaIndex) -> Option<Vec<u8>> {
    let frames = &index.frames;
    let flag = |entry: &Entry| {
        let key = if entry.start == StartPoint::Key { KEY } else { 0 };
        key | if entry.reference == Reference::Never { NEVER_REFERENCED } else { 0 }
    };
    let key_lists: [fn(&KeyPacket) -> i64; 3] =
        [|key| signed(key.decode_order), |key| key.pts, |key| key.dts.wrapping_sub(key.pts)];
    let record = Record {
        info: index.info.clone(),
        clock: index.clock,
        is_counted: frames.identity == Identity::Count,
        is_intra_only: frames.is_intra_only,
        decode_from: frames.decode_from,
        decode_until: frames.decode_until,
        last_duration: frames.last_duration,
        pts: differences(differences(frames.entries.iter().map(|entry| entry.pts))).collect(),
        displacements: frames
            .entries
            .iter()
            .zip(0..)
            .map(|(entry, frame)| signed(entry.decode_order) - frame)
            .collect(),
        flags: frames.entries.iter().map(flag).collect(),
        keys: key_lists.iter().flat_map(|list| differences(frames.keys.iter().map(list))).collect(),
        splices: frames.splices.iter().map(|splice| (splice.decode_order, splice.offset)).collect(),
    };
    let plain = postcard::to_allocvec(&record).ok()?;
    let mut packed = Vec::new();
    DeflateEncoder::new(&plain[..], Compression::best()).read_to_end(&mut packed).ok()?;
    Some(packed)
}

pub(super) fn unpack(packed: &[u8], stamp: FileStamp) -> Option<MediaIndex> {
    let mut plain = Vec::new();
    DeflateDecoder::new(packed).take(MOST_BYTES).read_to_end(&mut plain).ok()?;
    let record: Record = postcard::from_bytes(&plain).ok()?;
    let frames = frames(&record)?;
    (record.info.frames == frames.entries.len())
        .then(|| MediaIndex::new(record.info, record.clock, frames, Some(stamp)))
}

fn frames(record: &Record) -> Option<FrameIndex> {
    let pts = sums(sums(record.pts.iter().copied()));
    let entries = pts.zip(&record.displacements).zip(&record.flags).zip(0_i64..);
    let entries = entries.map(|(((pts, displacement), flags), frame)| {
        let decode_order = usize::try_from(displacement.checked_add(frame)?).ok()?;
        let start = if flags & KEY == 0 { StartPoint::Dependent } else { StartPoint::Key };
        let reference = if flags & NEVER_REFERENCED == 0 { Reference::Possible } else { Reference::Never };
        Some(Entry { pts, decode_order, start, reference })
    });
    let entries = entries.collect::<Option<Vec<Entry>>>()?;
    let count = record.keys.len() / 3;
    let list = |number: usize| sums(record.keys.iter().skip(number * count).take(count).copied());
    let keys = list(0).zip(list(1)).zip(list(2)).map(|((decode_order, pts), delay)| {
        let decode_order = usize::try_from(decode_order).ok()?;
        Some(KeyPacket { pts, dts: pts.wrapping_add(delay), decode_order })
    });
    FrameIndex {
        identity: if record.is_counted { Identity::Count } else { Identity::Timestamp },
        entries,
        is_intra_only: record.is_intra_only,
        keys: keys.collect::<Option<Vec<KeyPacket>>>()?,
        decode_from: record.decode_from,
        decode_until: record.decode_until,
        last_duration: record.last_duration,
        splices: record.splices.iter().map(|&(decode_order, offset)| Splice { decode_order, offset }).collect(),
        by_pts: std::collections::HashMap::new(),
    }
    .checked()
}

fn signed(position: usize) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// Each number less the one before it. Wrapping, so that the way back is exact for any numbers.
fn differences(numbers: impl Iterator<Item = i64>) -> impl Iterator<Item = i64> {
    numbers.scan(0_i64, |previous, number| Some(number.wrapping_sub(std::mem::replace(previous, number))))
}

fn sums(differences: impl Iterator<Item = i64>) -> impl Iterator<Item = i64> {
    differences.scan(0_i64, |sum, difference| {
        *sum = sum.wrapping_add(difference);
        Some(*sum)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packets::{PacketRecord, Role};

    fn stamp() -> FileStamp {
        FileStamp::of(&mut std::io::Cursor::new(b"x"), 1, None).expect("memory can be read")
    }

    fn index(frames: FrameIndex) -> MediaIndex {
        let info = VideoInfo {
            container: "matroska,webm".to_string(),
            codec: "h264".to_string(),
            pixel_format: "yuv420p".to_string(),
            width: 480,
            height: 640,
            coded_width: 640,
            coded_height: 480,
            rotation: 90,
            mirrored: true,
            sample_aspect_ratio: (1, 1),
            duration_seconds: 0.1,
            fps: 29.97,
            variable_frame_rate: true,
            start_seconds: -0.5,
            frames: frames.entries.len(),
            claimed_frames: None,
            keyframes: 3,
            damaged_packets: 1,
            missing_packets: 2,
            read_error: Some("it ends".to_string()),
            colour_matrix: "bt709",
            colour_range: "full",
            is_image: false,
        };
        let clock = Clock { time_base: (1001, 30_000), stated_fps: Some(29.97) };
        MediaIndex::new(info, clock, frames, Some(stamp()))
    }

    prop_compose! {
        fn record()(
            pts in prop_oneof![8 => (0_i64..500).prop_map(Some), 1 => any::<i64>().prop_map(Some), 1 => Just(None)],
            dts in prop_oneof![8 => (0_i64..500).prop_map(Some), 1 => any::<i64>().prop_map(Some), 1 => Just(None)],
            duration in -1_i64..9,
            is_key: bool,
            role in prop_oneof![9 => Just(Role::Shown), 1 => Just(Role::Hidden), 1 => Just(Role::Damaged)],
            is_reference: bool,
        ) -> PacketRecord {
            let start = if is_key { StartPoint::Key } else { StartPoint::Dependent };
            let reference = if is_reference { Reference::Possible } else { Reference::Never };
            PacketRecord { pts, dts, duration, start, role, reference }
        }
    }

    proptest! {
        #[test]
        fn indexes_survive(
            mut records in proptest::collection::vec(record(), 1..40),
            is_ordered: bool,
        ) {
            if is_ordered {
                for (record, n) in records.iter_mut().zip(0..) {
                    (record.pts, record.dts) = (Some(n * 3 + i64::from(n % 2 == 0) * 4), Some(n * 3));
                }
            }
            let frames = FrameIndex::build(records, 3);
            prop_assume!(!frames.entries.is_empty());
            let index = index(frames);
            let packed = pack(&index).expect("it can be packed");
            assert_eq!(unpack(&packed, stamp()), Some(index));
        }

        #[test]
        fn numbers_survive(numbers in proptest::collection::vec(any::<i64>(), 0..50)) {
            let there = differences(differences(numbers.iter().copied()));
            assert_eq!(sums(sums(there)).collect::<Vec<i64>>(), numbers);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut deflated = Vec::new();
            DeflateEncoder::new(&bytes[..], Compression::fast()).read_to_end(&mut deflated).expect("memory can be read");
            for bytes in [bytes, deflated] {
                assert!(unpack(&bytes, stamp()).is_none(), "no such luck");
            }
        }
    }
}
