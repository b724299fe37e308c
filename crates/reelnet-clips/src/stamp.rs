//! Whether a file is still the one that it was: its size, when it was last written, and the bytes at both of its ends.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// Bytes at each end: where containers keep their headers and their tables, or the ends of those.
const END_BYTES: u64 = 4096;

/// File systems round the time of writing by up to two seconds (FAT). Younger files may change without showing it.
const COARSEST_CLOCK: Duration = Duration::from_secs(2);

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    pub(crate) bytes: u64,
    /// Seconds and nanoseconds since 1970; `None` if the file system does not tell.
    modified: Option<(i64, u32)>,
    ends: Ends,
}

/// A hash of the first and last bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Ends(#[serde(with = "postcard::fixint::le")] u64);

impl FileStamp {
    /// Of a regular file that can be read; `None` for everything else, folders too: what lies in them changes without a trace
    /// on the folder itself.
    pub fn of_path(path: &Path) -> Option<Self> {
        // Asked before opening: opening a pipe waits for its writer.
        if !fs::metadata(path).ok()?.is_file() {
            return None;
        }
        let mut file = File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        Self::of(&mut file, metadata.len(), metadata.modified().ok()).ok()
    }

    /// Leaves the reader at its start.
    pub(crate) fn of(file: &mut (impl Read + Seek), bytes: u64, modified: Option<SystemTime>) -> io::Result<Self> {
        Ok(Self { bytes, modified: modified.map(since_1970), ends: Ends::of(file, bytes)? })
    }

    /// Whether a file, open for reading, still holds what it held when it got this stamp. A file that has only grown does,
    /// as far as it went then: recordings that are still being written can be read. Leaves the reader at its start.
    pub(crate) fn still_fits(&self, file: &mut (impl Read + Seek), now: &Self) -> io::Result<bool> {
        if self.bytes >= now.bytes {
            return Ok(self == now);
        }
        Ok(Ends::of(file, self.bytes)? == self.ends)
    }

    /// Whether the file may have changed since without showing it: it was written at almost the moment that it was looked
    /// at, or, according to its clock, later.
    pub(crate) fn is_too_fresh(&self, now: SystemTime) -> bool {
        let (now, _) = since_1970(now);
        let margin = i64::try_from(COARSEST_CLOCK.as_secs()).unwrap_or(i64::MAX);
        self.modified.is_none_or(|(modified, _)| modified >= now.saturating_sub(margin))
    }
}

impl Ends {
    fn of(file: &mut (impl Read + Seek), bytes: u64) -> io::Result<Self> {
        let mut hash = Xxh3::new();
        let mut buffer = Vec::new();
        for start in [0, bytes.saturating_sub(END_BYTES).max(END_BYTES.min(bytes))] {
            file.seek(SeekFrom::Start(start))?;
            buffer.clear();
            file.by_ref().take(END_BYTES.min(bytes - start)).read_to_end(&mut buffer)?;
            hash.update(&buffer);
        }
        file.rewind()?;
        Ok(Self(hash.digest()))
    }
}

fn since_1970(time: SystemTime) -> (i64, u32) {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (seconds(after), after.subsec_nanos()),
        Err(before) => (-seconds(before.duration()), before.duration().subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn stamp(bytes: &[u8], seconds: u64) -> FileStamp {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        FileStamp::of(&mut Cursor::new(bytes), bytes.len() as u64, Some(modified)).expect("memory can be read")
    }

    #[test]
    fn size_time_and_every_byte_near_an_end_count() {
        for length in [1_usize, 2, 4095, 4096, 4097, 8191, 8192, 8193, 20_000] {
            let file: Vec<u8> = (0..length).map(|n| n.to_le_bytes()[0]).collect();
            let before = stamp(&file, 100);
            assert_eq!(before, stamp(&file, 100));
            assert_ne!(before, stamp(&file, 101));
            assert_ne!(before, stamp(&[&file[..], b"x"].concat(), 100));
            for position in [0, length.min(4096) - 1, length.saturating_sub(4096), length - 1] {
                let mut changed = file.clone();
                changed[position] ^= 1;
                assert_ne!(before, stamp(&changed, 100), "byte {position} of {length}");
            }
        }
    }

    #[test]
    fn a_grown_file_still_fits_and_another_one_does_not() {
        let file = vec![7; 10_000];
        let before = stamp(&file, 100);
        let fits = |later: &[u8], seconds| {
            before.still_fits(&mut Cursor::new(later), &stamp(later, seconds)).expect("memory can be read")
        };
        assert!(fits(&file, 100));
        assert!(fits(&[&file[..], &[8; 500]].concat(), 105), "it grew");
        assert!(!fits(&file, 105), "it was written again");
        assert!(!fits(&file[..9_999], 105), "it shrank");
        assert!(!fits(&vec![9; 20_000], 105), "it is another one");
    }

    #[test]
    fn young_files_are_not_trusted() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let young = |now| stamp(b"x", 100).is_too_fresh(at(now));
        assert_eq!([99, 100, 102, 103].map(young), [true, true, true, false]);
        assert!(FileStamp::of(&mut Cursor::new(b"x"), 1, None).expect("memory can be read").is_too_fresh(at(100)));
    }
}
