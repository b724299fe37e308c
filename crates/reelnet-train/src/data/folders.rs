//! A folder a class.

use std::path::{Path, PathBuf};

use reelnet_clips::is_no_media;
use walkdir::{DirEntry, WalkDir};

use super::error::{DataError, DataErrorKind as Kind};
use super::rows::{Row, Rows};

/// Every file below each folder, in the order of their names.
pub(super) fn rows(root: &Path, path: &Path) -> Result<Rows, DataError> {
    let folder = root.join(path);
    let mut rows = Rows::default();
    for class in children(&folder)? {
        // Files beside the classes' folders belong to none.
        if !class.is_dir() {
            rows.passed_over += 1;
            continue;
        }
        let label = text_of(class.strip_prefix(&folder).unwrap_or(&class), &class)?;
        rows.classes.push(label.clone());
        for file in files(&class)? {
            if is_no_media(&file) {
                rows.passed_over += 1;
                continue;
            }
            let name = text_of(file.strip_prefix(root).unwrap_or(&file), &file)?;
            rows.listed.push(Row::file(name, file, label.clone()));
        }
    }
    if rows.classes.is_empty() {
        let why = "it holds no folders, expected a folder a class".to_owned();
        return Err(Kind::Form(why).at(&folder));
    }
    Ok(rows)
}

/// What a folder holds, but for hidden files, in the order of their names.
fn children(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    walk(folder, WalkDir::new(folder).max_depth(1))
}

/// All files in a folder and in folders in it, but for hidden ones, in the order of their names.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = walk(folder, WalkDir::new(folder))?;
    files.retain(|path| !path.is_dir());
    Ok(files)
}

fn walk(folder: &Path, walk: WalkDir) -> Result<Vec<PathBuf>, DataError> {
    let is_hidden = |entry: &DirEntry| entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
    let entries = walk.min_depth(0).follow_links(true).sort_by_file_name().into_iter();
    let mut paths = Vec::new();
    for entry in entries.filter_entry(|entry| !is_hidden(entry)) {
        match entry {
            Ok(entry) if entry.depth() == 0 => {}
            Ok(entry) => paths.push(entry.into_path()),
            Err(error) => {
                let place = error.path().unwrap_or(folder).to_owned();
                let told = error.to_string();
                let kind = error.into_io_error().map_or(Kind::Form(told), Kind::File);
                return Err(kind.at(&place));
            }
        }
    }
    Ok(paths)
}

/// A path as text, with slashes, as names are written into checkpoints and label files.
pub(super) fn text_of(path: &Path, place: &Path) -> Result<String, DataError> {
    let text = path.to_str().map(|text| text.replace(std::path::MAIN_SEPARATOR, "/"));
    text.ok_or_else(|| Kind::Form("its name is no UTF-8; rename it".to_owned()).at(place))
}
