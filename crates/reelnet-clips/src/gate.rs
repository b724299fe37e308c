//! The door before FFmpeg: only regular, readable, non-empty files pass, so that nothing behind it can block.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::ClipErrorKind;

/// Opens a regular file that holds at least one byte.
pub(crate) fn open(path: &Path) -> Result<File, ClipErrorKind> {
    // Asked before opening: opening a pipe waits for its writer.
    let metadata = fs::metadata(path).map_err(|error| from_io(&error))?;
    if metadata.is_dir() {
        return Err(ClipErrorKind::IsDirectory);
    }
    if !metadata.is_file() {
        return Err(ClipErrorKind::NotAFile { what: special(metadata.file_type()) });
    }
    if metadata.len() == 0 {
        return Err(ClipErrorKind::Empty);
    }
    File::open(path).map_err(|error| from_io(&error))
}

fn from_io(error: &io::Error) -> ClipErrorKind {
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
