//! The files that the paths of a command line mean.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use reelnet_clips::is_no_media;
use walkdir::{DirEntry, WalkDir};

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// To be worked on, in the order of the command line, folders in the order of their names.
    pub(crate) files: Vec<PathBuf>,
    /// Left out by their endings.
    pub(crate) skipped: usize,
    /// Folders that could not be read, with the reason.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
}

/// Files as they are named, and those in folders, recursively: without hidden ones, and without those whose endings say that
/// they are something else.
pub(crate) fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        if !path.is_dir() {
            found.files.push(path.clone());
            continue;
        }
        let entries = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if is_no_media(entry.path()) => found.skipped += 1,
                Ok(entry) => found.files.push(entry.into_path()),
                Err(error) => {
                    let place = error.path().unwrap_or(path).to_owned();
                    // A dangling link is a file that cannot be found; the decoder says so in its own words.
                    if place.is_symlink() && error.loop_ancestor().is_none() {
                        found.files.push(place);
                    } else if error.loop_ancestor().is_none() {
                        let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                        found.unreadable.push((place, reason));
                    }
                }
            }
        }
    }
    found
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// Whether a name ends like this, in small letters or large ones.
pub(crate) fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn folders_are_searched_and_named_files_always_tried() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        fs::create_dir_all(root.join("b/.thumbnails")).expect("a folder");
        for name in ["b/2.MKV", "b/1.mp4", "a.mov", "notes.TXT", ".hidden.mp4", "b/.thumbnails/x.mp4", "no-ending"] {
            fs::write(root.join(name), "x").expect("a file");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root, root.join("b/loop")).expect("a link");
        let found = find(&[root.join("notes.TXT"), root.to_owned()]);
        let expected = ["notes.TXT", "a.mov", "b/1.mp4", "b/2.MKV", "no-ending"].map(|name| root.join(name));
        assert_eq!(found, Found { files: expected.to_vec(), skipped: 1, unreadable: Vec::new() });
    }
}
