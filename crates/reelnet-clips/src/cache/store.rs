//! The file of a cache: a header, a table, and records. Knows paths and bytes, and nothing of what the bytes mean.
//!
//! Only the header and the table are read when a cache is opened, ten bytes a record; records are fetched one by one. All
//! three are postcard messages. The table has a checksum and so has each record, so that damage is noticed before it is used.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::stamp::FileStamp;

const MAGIC: [u8; 8] = *b"reelnet\0";

/// To be raised whenever a file's index could come out differently, or is written differently.
const FORMAT: u32 = 1;

/// The header is far shorter.
const MOST_HEADER_BYTES: u64 = 1024;

#[derive(Serialize, Deserialize)]
struct Header {
    magic: [u8; 8],
    format: u32,
    /// The FFmpeg that made the records: another one may see files differently.
    ffmpeg: String,
    table_bytes: u64,
    table_checksum: u64,
    records_bytes: u64,
}

/// A line of the table. Records lie one behind the other, in the order of the table.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(with = "postcard::fixint::le")]
    key_hash: u64,
    bytes: u32,
}

/// A record as it lies in the file, behind its checksum.
#[derive(Serialize, Deserialize)]
pub(super) struct Record<'bytes> {
    /// The path of the file, as bytes.
    pub(super) key: &'bytes [u8],
    pub(super) stamp: FileStamp,
    pub(super) content: &'bytes [u8],
}

/// Where a record lies.
#[derive(Debug, Clone, Copy)]
struct Slot {
    key_hash: u64,
    offset: u64,
    bytes: u32,
}

/// An opened cache file, or an empty one that is not there.
#[derive(Debug)]
pub(super) struct Store {
    file: Option<Mutex<File>>,
    /// Sorted by hash.
    slots: Vec<Slot>,
    record_bytes: u64,
}

/// Why a cache file cannot be used.
pub(super) enum Unusable {
    /// It is not there.
    Missing,
    /// Its content is of no use, for this reason.
    Content(String),
    /// It cannot be read.
    Io(io::Error),
}

/// A record that is not in the file yet, checksum and all.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    key_hash: u64,
    bytes: Arc<[u8]>,
}

impl Sealed {
    pub(super) fn new(record: &Record<'_>) -> Option<Self> {
        let message = postcard::to_allocvec(record).ok()?;
        u32::try_from(message.len() + 8).ok()?;
        let bytes = [&xxh3_64(&message).to_le_bytes()[..], &message].concat();
        Some(Self { key_hash: xxh3_64(record.key), bytes: bytes.into() })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether both are the same record in memory.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes)
    }
}

/// What lies behind a checksum, if nothing has changed it.
pub(super) fn unsealed(bytes: &[u8]) -> Option<Record<'_>> {
    let (checksum, message) = bytes.split_first_chunk()?;
    if xxh3_64(message) != u64::from_le_bytes(*checksum) {
        return None;
    }
    postcard::from_bytes(message).ok()
}

impl Store {
    pub(super) fn empty() -> Self {
        Self { file: None, slots: Vec::new(), record_bytes: 0 }
    }

    pub(super) fn open(path: &Path, ffmpeg: &str) -> Result<Self, Unusable> {
        let mut file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unusable::Missing,
            _ => Unusable::Io(error),
        })?;
        let length = file.metadata().map_err(Unusable::Io)?.len();
        // Made in order to be locked, and never filled.
        if length == 0 {
            return Err(Unusable::Missing);
        }
        let mut head = Vec::new();
        (&mut file).take(MOST_HEADER_BYTES).read_to_end(&mut head).map_err(Unusable::Io)?;
        let damaged = || Unusable::Content("it is damaged".to_string());
        if !head.starts_with(&MAGIC) {
            return Err(Unusable::Content("it is not an index cache".to_string()));
        }
        let (header, rest): (Header, &[u8]) = postcard::take_from_bytes(&head).map_err(|_| damaged())?;
        if header.format != FORMAT {
            return Err(Unusable::Content(format!("its format is {}, and this release has {FORMAT}", header.format)));
        }
        if header.ffmpeg != ffmpeg {
            return Err(Unusable::Content(format!("it was made with FFmpeg {}, and this is {ffmpeg}", header.ffmpeg)));
        }
        let table_start = (head.len() - rest.len()) as u64;
        let records_start = table_start.checked_add(header.table_bytes).ok_or_else(damaged)?;
        if records_start.checked_add(header.records_bytes) != Some(length) {
            return Err(damaged());
        }
        file.seek(SeekFrom::Start(table_start)).map_err(Unusable::Io)?;
        let mut table = Vec::new();
        (&mut file).take(header.table_bytes).read_to_end(&mut table).map_err(Unusable::Io)?;
        if xxh3_64(&table) != header.table_checksum {
            return Err(damaged());
        }
        let lines: Vec<Line> = postcard::from_bytes(&table).map_err(|_| damaged())?;
        let mut offset = records_start;
        let slots = lines.iter().map(|line| {
            let slot = Slot { key_hash: line.key_hash, offset, bytes: line.bytes };
            offset += u64::from(line.bytes);
            slot
        });
        let slots: Vec<Slot> = slots.collect();
        if offset != length || !slots.is_sorted_by_key(|slot| slot.key_hash) {
            return Err(damaged());
        }
        Ok(Self { file: Some(Mutex::new(file)), slots, record_bytes: header.records_bytes })
    }

    pub(super) fn records(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn record_bytes(&self) -> u64 {
        self.record_bytes
    }

    /// The bytes of the record of a key; an error if it is there and damaged.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Damaged> {
        let key_hash = xxh3_64(key);
        let first = self.slots.partition_point(|slot| slot.key_hash < key_hash);
        for slot in self.slots[first..].iter().take_while(|slot| slot.key_hash == key_hash) {
            let bytes = self.read(*slot).map_err(|_| Damaged)?;
            match unsealed(&bytes) {
                Some(record) if record.key == key => return Ok(Some(bytes)),
                Some(_) => {}
                None => return Err(Damaged),
            }
        }
        Ok(None)
    }

    fn read(&self, slot: Slot) -> io::Result<Vec<u8>> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(slot.offset))?;
        let mut bytes = vec![0; slot.bytes as usize];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a file that holds the records of this one and some others, which replace those of the same key. Of the old
    /// ones only those stay that are sound and wanted.
    pub(super) fn write_with(
        &self,
        target: &File,
        ffmpeg: &str,
        mut added: Vec<Sealed>,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) -> io::Result<()> {
        added.sort_by_key(|sealed| sealed.key_hash);
        // ---- What stays ----
        let mut lines = Vec::with_capacity(self.slots.len() + added.len());
        let mut kept: Vec<Slot> = Vec::with_capacity(self.slots.len());
        self.each_record(|slot, bytes| {
            if let Some(record) = unsealed(bytes)
                && is_wanted(record.key)
                && !replaces(&added, slot.key_hash, record.key)
            {
                kept.push(slot);
            }
            Ok(())
        })?;
        // ---- The table ----
        let mut records_bytes = 0;
        for piece in merged(&kept, &added) {
            let (key_hash, bytes) = match piece {
                Piece::Kept(slot) => (slot.key_hash, slot.bytes),
                Piece::Added(sealed) => (sealed.key_hash, u32::try_from(sealed.bytes.len()).unwrap_or(u32::MAX)),
            };
            records_bytes += u64::from(bytes);
            lines.push(Line { key_hash, bytes });
        }
        let table = postcard::to_allocvec(&lines).map_err(io::Error::other)?;
        drop(lines);
        let header = Header {
            magic: MAGIC,
            format: FORMAT,
            ffmpeg: ffmpeg.to_string(),
            table_bytes: table.len() as u64,
            table_checksum: xxh3_64(&table),
            records_bytes,
        };
        // ---- All of it ----
        let mut writer = BufWriter::with_capacity(1 << 20, target);
        writer.write_all(&postcard::to_allocvec(&header).map_err(io::Error::other)?)?;
        writer.write_all(&table)?;
        drop(table);
        let mut next_added = added.iter().peekable();
        let mut next_kept = kept.iter().peekable();
        self.each_record(|slot, bytes| {
            if next_kept.next_if(|kept| kept.offset == slot.offset).is_none() {
                return Ok(());
            }
            while let Some(sealed) = next_added.next_if(|sealed| sealed.key_hash < slot.key_hash) {
                writer.write_all(&sealed.bytes)?;
            }
            writer.write_all(bytes)
        })?;
        for sealed in next_added {
            writer.write_all(&sealed.bytes)?;
        }
        writer.flush()?;
        drop(writer);
        target.sync_all()
    }

    /// All records in the order of the table, sound or not.
    fn each_record(&self, mut visit: impl FnMut(Slot, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let (Some(file), Some(first)) = (&self.file, self.slots.first()) else { return Ok(()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(first.offset))?;
        let mut reader = BufReader::with_capacity(1 << 20, &mut *file);
        let mut bytes = Vec::new();
        for &slot in &self.slots {
            bytes.resize(slot.bytes as usize, 0);
            reader.read_exact(&mut bytes)?;
            visit(slot, &bytes)?;
        }
        Ok(())
    }
}

/// A record that does not match its checksum.
#[derive(Debug)]
pub(super) struct Damaged;

enum Piece<'records> {
    Kept(&'records Slot),
    Added(&'records Sealed),
}

/// Both in one order: by hash, and those that are kept first.
fn merged<'records>(kept: &'records [Slot], added: &'records [Sealed]) -> impl Iterator<Item = Piece<'records>> {
    let (mut kept, mut added) = (kept.iter().peekable(), added.iter().peekable());
    std::iter::from_fn(move || {
        let kept_hash = kept.peek().map(|slot| slot.key_hash);
        match added.next_if(|sealed| kept_hash.is_none_or(|kept_hash| sealed.key_hash < kept_hash)) {
            Some(sealed) => Some(Piece::Added(sealed)),
            None => kept.next().map(Piece::Kept),
        }
    })
}

fn replaces(added: &[Sealed], key_hash: u64, key: &[u8]) -> bool {
    let first = added.partition_point(|sealed| sealed.key_hash < key_hash);
    let same = added[first..].iter().take_while(|sealed| sealed.key_hash == key_hash);
    same.filter_map(|sealed| unsealed(&sealed.bytes)).any(|record| record.key == key)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const ENTRIES: u32 = 100_000;

    fn key(number: u32) -> Vec<u8> {
        format!("train/class {:03}/video {number:07}.mp4", number % 400).into_bytes()
    }

    /// As large as that of a clip of ten seconds.
    fn content(number: u32) -> Vec<u8> {
        number.to_le_bytes().repeat(40)
    }

    fn sealed(number: u32) -> Sealed {
        let stamp = FileStamp::of(&mut io::Cursor::new(b"x"), 1, None).expect("memory can be read");
        Sealed::new(&Record { key: &key(number), stamp, content: &content(number) }).expect("a small record")
    }

    fn written(store: &Store, path: &Path, added: Vec<Sealed>, is_wanted: impl Fn(&[u8]) -> bool) -> Store {
        let file = File::create(path).expect("the folder is writable");
        store.write_with(&file, "8", added, is_wanted).expect("the disk is not full");
        Store::open(path, "8").ok().expect("it was just written")
    }

    #[test]
    fn a_hundred_thousand_entries_are_there_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [first, second] = ["1", "2"].map(|name| folder.path().join(name));
        let half = written(&Store::empty(), &first, (0..ENTRIES / 2).map(sealed).collect(), |_| true);
        // A part anew, a part replaced, a part left out.
        let added = (ENTRIES / 2 - 100..ENTRIES).map(sealed).collect();
        written(&half, &second, added, |kept| kept != key(7));
        let start = Instant::now();
        let store = Store::open(&second, "8").ok().expect("it was just written");
        let opening = start.elapsed();
        // 1.7 ms in a release build; a machine that does other things, and a build for tests, may take longer.
        assert!(opening < Duration::from_secs(1), "{opening:?}");
        assert_eq!(store.records(), ENTRIES as usize - 1);
        for number in (0..ENTRIES).step_by(97).chain([ENTRIES - 1]) {
            let bytes = store.get(&key(number)).expect("sound").expect("it is there");
            assert_eq!(unsealed(&bytes).expect("sound").content, content(number));
        }
        assert!(store.get(&key(7)).expect("sound").is_none() && store.get(&key(ENTRIES)).expect("sound").is_none());
        let length = std::fs::metadata(&second).expect("it is there").len();
        assert!(length - store.record_bytes() < 11 * u64::from(ENTRIES), "ten bytes an entry are for the table");
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Made alike by force; two such paths will hardly ever be met.
        let [mut one, mut other] = [1, 2].map(sealed);
        one.key_hash = xxh3_64(&key(2));
        other.key_hash = one.key_hash;
        let path = folder.path().join("cache");
        let store = written(&Store::empty(), &path, vec![one, other], |_| true);
        let found = store.get(&key(2)).expect("sound").expect("it is there");
        assert_eq!(unsealed(&found).expect("sound").content, content(2));
        let mut again = sealed(1);
        again.key_hash = xxh3_64(&key(2));
        let store = written(&store, &folder.path().join("again"), vec![again], |_| true);
        assert_eq!(store.records(), 2, "one is replaced, the other one stays");
    }
}
