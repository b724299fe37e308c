//! The door before FFmpeg: only regular, readable, non-empty files pass, so that nothing behind it can block.
//!
//! What passes is the file as long as it was at that moment: while somebody still writes it, a reader sees one prefix of it,
//! and not an end that moves away.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use crate::ClipErrorKind;
use crate::stamp::FileStamp;

/// Opens a regular file that holds at least one byte.
pub(crate) fn open(path: &Path) -> Result<Prefix, ClipErrorKind> {
    // Asked before opening: opening a pipe waits for its writer.
    let metadata = fs::metadata(path).map_err(|error| from_io(&error))?;
    if metadata.is_dir() {
        return Err(ClipErrorKind::IsDirectory);
    }
    if !metadata.is_file() {
        return Err(ClipErrorKind::NotAFile { what: special(metadata.file_type()).to_string() });
    }
    if metadata.len() == 0 {
        return Err(ClipErrorKind::Empty);
    }
    let file = File::open(path).map_err(|error| from_io(&error))?;
    // Asked again: what the name stood for a moment ago may have been replaced.
    let metadata = file.metadata().map_err(|error| from_io(&error))?;
    Ok(Prefix { file, length: metadata.len(), modified: metadata.modified().ok(), position: 0 })
}

/// The first bytes of a file, as many as it had when it was opened.
#[derive(Debug)]
pub(crate) struct Prefix {
    file: File,
    length: u64,
    modified: Option<SystemTime>,
    position: u64,
}

impl Prefix {
    /// What tells this state of the file from others.
    pub(crate) fn stamp(&mut self) -> io::Result<FileStamp> {
        let (length, modified) = (self.length, self.modified);
        FileStamp::of(self, length, modified)
    }

    /// The same prefix as the one that a stamp was made of, if it is still there.
    pub(crate) fn cut_to(mut self, stamp: &FileStamp) -> Result<Self, ClipErrorKind> {
        let now = self.stamp().map_err(|error| from_io(&error))?;
        if !stamp.still_fits(&mut self, &now).map_err(|error| from_io(&error))? {
            return Err(ClipErrorKind::Changed);
        }
        self.length = stamp.bytes;
        Ok(self)
    }
}

impl Read for Prefix {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = bytes.len().min(left);
        let read = self.file.read(&mut bytes[..wanted])?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Prefix {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let target = match target {
            SeekFrom::End(offset) => {
                let target = self.length.checked_add_signed(offset);
                SeekFrom::Start(target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?)
            }
            other => other,
        };
        self.position = self.file.seek(target)?;
        Ok(self.position)
    }
}

pub(crate) fn from_io(error: &io::Error) -> ClipErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ClipErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ClipErrorKind::PermissionDenied,
        _ => ClipErrorKind::Unreadable { detail: error.to_string() },
    }
}

#[cfg(unix)]
fn special(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match kind {
        _ if kind.is_fifo() => "named pipe",
        _ if kind.is_socket() => "socket",
        _ if kind.is_block_device() || kind.is_char_device() => "device",
        _ => "special file",
    }
}

#[cfg(not(unix))]
fn special(_: fs::FileType) -> &'static str {
    "special file"
}
