//! Which bytes of a file its index does not need. An MP4 says in its header when each frame is shown and where it lies, so that the frames
//! themselves need not be fetched to learn how many there are: while an index is made, a demuxer is given zeros for them.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Boxes at the outermost level that are looked at: files that are no fragments have a handful.
const MOST_BOXES: usize = 32;
/// Fewer bytes are as well fetched.
const LEAST_BYTES: u64 = 1 << 20;

/// Bytes that may be left out, and whether they are at the moment.
#[derive(Debug)]
pub(crate) struct Hollow {
    data: Vec<Range<u64>>,
    is_on: AtomicBool,
}

impl Hollow {
    /// Of a file of so many bytes; none if it does not pay.
    pub(crate) fn find(reader: &mut (impl Read + Seek), size: u64) -> io::Result<Option<Arc<Self>>> {
        let data = media_data(reader, size)?;
        let bytes: u64 = data.iter().map(|range| range.end - range.start).sum();
        Ok((bytes >= LEAST_BYTES).then(|| Arc::new(Self { data, is_on: AtomicBool::new(false) })))
    }

    /// Leaves them out from now on.
    pub(crate) fn begin(&self) {
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// How many bytes from a place on are left out at the moment.
    pub(crate) fn zeros_from(&self, position: u64) -> u64 {
        if !self.is_on.load(Ordering::Relaxed) {
            return 0;
        }
        self.data.iter().find(|range| range.contains(&position)).map_or(0, |range| range.end - position)
    }
}

/// Whether the packets of a codec say nothing in an MP4 that its header does not say.
pub(crate) fn is_told_by_headers(codec: &str) -> bool {
    ["h264", "hevc"].contains(&codec)
}

/// What lies in boxes `mdat` (ISO/IEC 14496-12) of a file that begins with an `ftyp` and is not in fragments, whose headers lie among them.
fn media_data(reader: &mut (impl Read + Seek), size: u64) -> io::Result<Vec<Range<u64>>> {
    let (mut found, mut position) = (Vec::new(), 0_u64);
    for number in 0..MOST_BOXES {
        if position.saturating_add(8) > size {
            return Ok(found);
        }
        reader.seek(SeekFrom::Start(position))?;
        let mut head = Vec::new();
        reader.take(16).read_to_end(&mut head)?;
        let (Some(length), Some(kind)) = (head.first_chunk::<4>(), head.get(4..8)) else { return Ok(found) };
        let (length, header) = match (u32::from_be_bytes(*length), head.get(8..).and_then(<[u8]>::first_chunk::<8>)) {
            (0, _) => (size - position, 8),
            (1, Some(long)) => (u64::from_be_bytes(*long), 16),
            (length, _) => (u64::from(length), 8),
        };
        if (number == 0) != (kind == b"ftyp") || kind == b"moof" || length < header {
            return Ok(Vec::new());
        }
        let end = position.saturating_add(length).min(size);
        if kind == b"mdat" {
            found.push(position + header..end);
        }
        position = end;
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxes(boxes: &[(&[u8; 4], u32)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, length) in boxes {
            bytes.extend((length + 8).to_be_bytes());
            bytes.extend(*kind);
            bytes.resize(bytes.len() + *length as usize, 7);
        }
        bytes
    }

    fn data(bytes: &[u8]) -> Vec<(u64, u64)> {
        let found = media_data(&mut Cursor::new(bytes), bytes.len() as u64).expect("memory can be read");
        found.into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn frames_are_told_from_headers() {
        let file = boxes(&[(b"ftyp", 8), (b"moov", 100), (b"mdat", 50), (b"free", 4)]);
        assert_eq!(data(&file), [(16 + 108 + 8, 16 + 108 + 58)]);
        assert_eq!(data(&file[..150]), [(132, 150)], "a file that is cut short");
        assert!(data(&boxes(&[(b"ftyp", 8), (b"moov", 9), (b"moof", 9), (b"mdat", 50)])).is_empty());
        assert!(data(&boxes(&[(b"mdat", 50), (b"moov", 9)])).is_empty());
        assert!(data(b"").is_empty() && data(b"RIFF....AVI LIST").is_empty());
        let mut long = boxes(&[(b"ftyp", 8)]);
        long.extend([0, 0, 0, 1]);
        long.extend(b"mdat");
        long.extend(36_u64.to_be_bytes());
        long.extend([7; 20]);
        assert_eq!(data(&long), [(32, 52)]);
        let mut open = boxes(&[(b"ftyp", 8)]);
        open.extend([0, 0, 0, 0]);
        open.extend(b"mdat123");
        assert_eq!(data(&open), [(24, 27)]);
    }

    #[test]
    fn nothing_is_left_out_before_it_is_said() {
        let file = boxes(&[(b"ftyp", 8), (b"mdat", 2 << 20), (b"moov", 9)]);
        let hollow = Hollow::find(&mut Cursor::new(&file), file.len() as u64).expect("memory").expect("it pays");
        assert_eq!(hollow.zeros_from(100), 0);
        hollow.begin();
        assert_eq!((hollow.zeros_from(23), hollow.zeros_from(24), hollow.zeros_from(24 + (2 << 20))), (0, 2 << 20, 0));
        let small = boxes(&[(b"ftyp", 8), (b"mdat", 2000)]);
        assert!(Hollow::find(&mut Cursor::new(&small), small.len() as u64).expect("memory").is_none());
    }
}
