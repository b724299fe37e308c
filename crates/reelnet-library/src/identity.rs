//! What a file is, whatever it is called: a hash of its size and of blocks at its start, in its middle and at its end, or of all of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

/// Bytes of a block.
const BLOCK: u64 = 64 * 1024;

/// How much of a file tells it from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Its size and three blocks: a moment even for large files on slow disks.
    #[default]
    Blocks,
    /// Every byte.
    Whole,
}

impl Identity {
    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Whole => "whole",
        }
    }
}

/// The hash of a file's content, and its size.
///
/// # Errors
/// If it cannot be read.
pub fn hash(path: &Path, identity: Identity) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    Ok((hash_of(&mut file, bytes, identity)?, bytes))
}

/// The parts of a content of so many bytes that its hash is made of, in their order.
pub(crate) fn parts(bytes: u64, identity: Identity) -> Vec<Range<u64>> {
    if identity == Identity::Whole || bytes <= 3 * BLOCK {
        return std::iter::once(0..bytes).collect();
    }
    [0, bytes / 2 - BLOCK / 2, bytes - BLOCK].map(|start| start..start + BLOCK).to_vec()
}

/// A hash that is being made, of the parts one after the other.
pub(crate) struct ContentHash {
    hash: Xxh3,
    identity: Identity,
}

impl ContentHash {
    pub(crate) fn new(bytes: u64, identity: Identity) -> Self {
        let mut hash = Xxh3::new();
        hash.update(&bytes.to_le_bytes());
        Self { hash, identity }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// As the store has it.
    pub(crate) fn text(&self) -> String {
        let letter = if self.identity == Identity::Whole { 'w' } else { 'b' };
        format!("{letter}{:032x}", self.hash.digest128())
    }
}

fn hash_of(file: &mut (impl Read + Seek), bytes: u64, identity: Identity) -> io::Result<String> {
    let mut hash = ContentHash::new(bytes, identity);
    let mut buffer = vec![0; usize::try_from(BLOCK).unwrap_or(1 << 16)];
    let mut take = |file: &mut dyn Read| -> io::Result<()> {
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => hash.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    for part in parts(bytes, identity) {
        file.seek(SeekFrom::Start(part.start))?;
        take(&mut (&mut *file).take(part.end - part.start))?;
    }
    Ok(hash.text())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn of(bytes: &[u8], identity: Identity) -> String {
        hash_of(&mut Cursor::new(bytes), bytes.len() as u64, identity).expect("memory can be read")
    }

    #[test]
    fn size_and_three_blocks_count() {
        let file = vec![7; 1_000_000];
        let hash = of(&file, Identity::Blocks);
        for (position, is_seen) in
            [(0, true), (65_535, true), (65_536, false), (500_000, true), (999_999, true), (800_000, false)]
        {
            let mut changed = file.clone();
            changed[position] ^= 1;
            assert_eq!(of(&changed, Identity::Blocks) != hash, is_seen, "byte {position}");
            assert_ne!(of(&changed, Identity::Whole), of(&file, Identity::Whole));
        }
        assert_ne!(of(&file[..999_999], Identity::Blocks), hash);
    }

    #[test]
    fn every_byte_of_small_files_counts() {
        let file: Vec<u8> = vec![1; 190_000];
        for position in [0, 70_000, 100_000, 189_999] {
            let mut changed = file.clone();
            changed[position] ^= 1;
            assert_ne!(of(&changed, Identity::Blocks), of(&file, Identity::Blocks), "byte {position}");
        }
        assert_eq!(of(&[], Identity::Blocks).len(), 33);
    }
}
