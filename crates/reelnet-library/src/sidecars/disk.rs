//! Sidecars on disk: read whole, written whole or not at all.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use super::Refusal;

/// A larger file is something else.
const MOST_BYTES: u64 = 16 << 20;

/// A sidecar that is there.
#[derive(Debug)]
pub(super) struct Existing {
    pub(super) bytes: Vec<u8>,
    metadata: Metadata,
}

/// Why a sidecar stays as it is.
#[derive(Debug)]
pub(super) enum Trouble {
    Refused(Refusal),
    Failed(io::Error),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn refused(kind: &'static str, detail: &str) -> Trouble {
    Trouble::Refused(Refusal { kind, detail: detail.to_owned() })
}

/// What is there; nothing if nothing is.
pub(super) fn read(path: &Path) -> Result<Option<Existing>, Trouble> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Replacing a link would cut it; a pipe would be waited for.
    if metadata.is_symlink() {
        return Err(refused("link", "the sidecar is a link, expected a file"));
    }
    if !metadata.is_file() {
        return Err(refused("form", "where the sidecar belongs is something else than a file"));
    }
    if metadata.len() > MOST_BYTES {
        let detail = format!("the sidecar has {} bytes, expected at most {MOST_BYTES}", metadata.len());
        return Err(refused("too_large", &detail));
    }
    Ok(Some(Existing { bytes: fs::read(path)?, metadata }))
}

/// Puts a text there, with the owner and the permissions of what was there before.
pub(super) fn write(path: &Path, text: &str, before: Option<&Existing>) -> Result<(), Trouble> {
    if before.is_some_and(|before| before.metadata.permissions().readonly()) {
        return Err(refused("read_only", "the sidecar is read-only"));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut part = tempfile::Builder::new()
        .prefix(".reelnet-")
        .suffix(".part")
        // Less the user's mask, as of any new file.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    part.write_all(text.as_bytes())?;
    if let Some(Existing { metadata, .. }) = before {
        let new = part.as_file().metadata()?;
        if (new.uid(), new.gid()) != (metadata.uid(), metadata.gid()) {
            fchown(part.as_file(), Some(metadata.uid()), Some(metadata.gid()))
                .map_err(|error| io::Error::new(error.kind(), format!("its owner cannot be kept: {error}")))?;
        }
        part.as_file().set_permissions(metadata.permissions())?;
    }
    part.as_file().sync_all()?;
    match before {
        Some(before) if is_same(&before.metadata, &fs::symlink_metadata(path)?) => {
            part.persist(path).map_err(|error| error.error)?;
        }
        Some(_) => return Err(refused("changed", "somebody wrote the sidecar at this moment; the next run takes it")),
        None => {
            part.persist_noclobber(path).map_err(|error| error.error)?;
        }
    }
    Ok(())
}

fn is_same(before: &Metadata, now: &Metadata) -> bool {
    let told = |file: &Metadata| (file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec());
    told(before) == told(now)
}

/// Makes renames in a folder outlive a power cut. Where a file system cannot do that for folders, it is as good without.
pub(super) fn settle(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}
