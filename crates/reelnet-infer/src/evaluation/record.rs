//! What became of each file, appended while files are scored: a run that is killed has lost nothing but the file it was at.
//!
//! The file is a row of records, each with its length and a checksum before it. Where the last one is cut short, it is cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes before a record: its length and its checksum.
const HEAD: usize = 12;
/// A record is never larger: what claims to be is no record.
const LARGEST: u32 = 1 << 30;

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// It was scored.
    Scored(Scored),
    /// It was not.
    Failed(Failed),
}

/// A file that was scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Its place in the list.
    pub position: u64,
    /// Its name in the list.
    pub name: String,
    /// What it is; at least one.
    pub labels: Vec<usize>,
    /// What the file is like.
    pub file: FileFacts,
    /// What was looked at, in the order of the logits.
    pub views: Vec<View>,
    /// Of all views, one after the other.
    pub logits: Vec<f32>,
    /// Seconds that it took, waiting for the decoder included.
    pub seconds: f64,
}

/// What tells a file from another copy of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Its size.
    pub bytes: u64,
    /// Length of the whole video.
    pub duration_seconds: f64,
    /// FFmpeg's name of its codec.
    pub codec: String,
    /// Frames of the whole video.
    pub frames: u64,
    /// Whether what is scored of it is shorter than a clip.
    pub is_short: bool,
}

/// One look at a video.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Which clip, from 0 on.
    pub clip: u32,
    /// Which crop, from 0 on.
    pub crop: u32,
    /// When the clip's first frame is shown.
    pub start_seconds: f64,
}

/// A file that was not scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Its place in the list; of a missing file, that of the files before it.
    pub position: u64,
    /// Its name in the list.
    pub name: String,
    /// A short, stable name of what is wrong.
    pub kind: String,
    /// What is wrong.
    pub reason: String,
}

impl Record {
    /// Its place in the list.
    pub fn position(&self) -> u64 {
        match self {
            Self::Scored(scored) => scored.position,
            Self::Failed(failed) => failed.position,
        }
    }
}

/// A file of records that grows.
#[derive(Debug)]
pub struct Journal {
    file: BufWriter<File>,
}

impl Journal {
    /// Opens or makes a file, cuts off what is no whole record, and says how many records are before the end. Only one process at a
    /// time may have it.
    ///
    /// # Errors
    /// If the disk says no, or another process has it.
    pub fn open(path: &Path) -> io::Result<(Self, u64)> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process is writing to it; let it end, or name another folder"));
            }
            // A file system without locks.
            Err(std::fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
        let mut records = Records { file: BufReader::new(file), sound: 0 };
        let mut count = 0;
        while records.next_payload()?.is_some() {
            count += 1;
        }
        let Records { file, sound } = records;
        let mut file = file.into_inner();
        file.set_len(sound)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self { file: BufWriter::new(file) }, count))
    }

    /// Appends a record, and hands it to the system.
    ///
    /// # Errors
    /// If the disk says no.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let payload = postcard::to_allocvec(record).map_err(io::Error::other)?;
        let length = u32::try_from(payload.len()).ok().filter(|length| *length < LARGEST);
        let length = length.ok_or_else(|| io::Error::other("a file has more than a gigabyte of scores"))?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&xxh3_64(&payload).to_le_bytes())?;
        self.file.write_all(&payload)?;
        self.file.flush()
    }
}

/// The records of a file, one by one; ends before what is no whole record.
#[derive(Debug)]
pub struct Records {
    file: BufReader<File>,
    /// Bytes of whole records.
    sound: u64,
}

impl Records {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::with_capacity(1 << 20, File::open(path)?), sound: 0 })
    }

    fn next_payload(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0; HEAD];
        if !filled(&mut self.file, &mut head)? {
            return Ok(None);
        }
        let (length, sum) = head.split_at(4);
        let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
        let sum = u64::from_le_bytes(sum.try_into().expect("eight bytes"));
        if length >= LARGEST {
            return Ok(None);
        }
        let mut payload = Vec::new();
        self.file.by_ref().take(u64::from(length)).read_to_end(&mut payload)?;
        if payload.len() != length as usize || xxh3_64(&payload) != sum {
            return Ok(None);
        }
        self.sound += (HEAD + payload.len()) as u64;
        Ok(Some(payload))
    }
}

impl Iterator for Records {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let payload = self.next_payload().transpose()?;
        Some(payload.and_then(|payload| postcard::from_bytes(&payload).map_err(io::Error::other)))
    }
}

/// Whether there were as many bytes.
fn filled(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(position: u64) -> Record {
        let name = format!("video {position}");
        Record::Failed(Failed { position, name, kind: "corrupt".to_owned(), reason: "it is".to_owned() })
    }

    #[test]
    fn a_record_that_was_cut_short_anywhere_is_written_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records");
        let whole = {
            let (mut journal, before) = Journal::open(&path).expect("a journal");
            assert_eq!(before, 0);
            assert!(Journal::open(&path).is_err(), "one process at a time");
            (0..3).for_each(|position| journal.write(&failed(position)).expect("room"));
            std::fs::read(&path).expect("a file")
        };
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("a file");
            let (mut journal, before) = Journal::open(&path).expect("a journal");
            (before..3).for_each(|position| journal.write(&failed(position)).expect("room"));
            drop(journal);
            assert_eq!(std::fs::read(&path).expect("a file"), whole, "cut at {cut}");
        }
        let records: Vec<_> = Records::open(&path).expect("a file").map(|record| record.expect("sound")).collect();
        assert_eq!(records, (0..3).map(failed).collect::<Vec<_>>());
        // A byte that changed ends what can be trusted.
        let mut changed = whole;
        let last = changed.len() - 3;
        changed[last] ^= 1;
        std::fs::write(&path, &changed).expect("a file");
        assert_eq!(Records::open(&path).expect("a file").count(), 2);
    }
}
