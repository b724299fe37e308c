//! Folders that a command makes.

use std::fs;
use std::path::Path;

use anyhow::ensure;

/// Refuses a folder with something in it before any work is done.
pub(super) fn check_new(folder: &Path) -> anyhow::Result<()> {
    let taken = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => folder.exists(),
    };
    ensure!(!taken, "`{}` exists and is not an empty folder; name a new one with --out", folder.display());
    Ok(())
}
