//! What a scan saw and did.

use std::path::PathBuf;

use serde::Serialize;

use crate::store::Applied;

/// Something that a scan could not look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

/// What a scan saw and did, in counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScanReport {
    /// Files that could be media.
    pub files: u64,
    /// Folders with such files.
    pub folders: u64,
    /// Folders in which nothing has changed.
    pub unchanged_folders: u64,
    /// Left out by their endings.
    pub skipped: u64,
    /// Files that were opened and hashed.
    pub hashed: u64,
    /// Contents that nobody had seen.
    pub new: u64,
    /// New paths of known contents: renamed, moved or copied.
    pub moved: u64,
    /// Paths whose content is another one now.
    pub changed: u64,
    /// Paths that were written again with the same content.
    pub touched: u64,
    /// Paths that are no longer there: moved away, or deleted.
    pub gone: u64,
    /// Paths that are there again.
    pub back: u64,
    /// Roots, folders and files that could not be looked at. Nothing of them counts as deleted.
    pub troubles: Vec<Trouble>,
}

impl ScanReport {
    pub(super) fn add(&mut self, applied: &Applied) {
        self.new += applied.new_contents;
        self.moved += applied.known_contents;
        self.changed += applied.changed;
        self.touched += applied.touched;
        self.gone += applied.gone;
        self.back += applied.back;
    }

    /// Whether the library is as it was.
    pub fn is_unchanged(&self) -> bool {
        self.new + self.moved + self.changed + self.touched + self.gone + self.back == 0
    }
}
