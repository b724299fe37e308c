//! What is to be checked: files of folders, and lines of lists.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::commands::files::{self, Found};

/// Bytes that tell a list from a video.
const SNIFFED: usize = 8192;

/// What may stand between a path and its label.
const SEPARATORS: [char; 4] = [' ', '\t', ',', ';'];

/// A file to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Entry {
    pub(in crate::commands) path: PathBuf,
    /// What goes into the list of sound files: the line that named this one, label and all, or its path.
    pub(in crate::commands) line: String,
}

/// All files that the words of a command line mean, and the folders that could not be read.
#[derive(Debug, Default)]
pub(in crate::commands) struct Entries {
    pub(in crate::commands) files: Vec<Entry>,
    pub(in crate::commands) skipped: usize,
    pub(in crate::commands) unreadable: Vec<(PathBuf, String)>,
}

/// Folders are searched through, text files are lists, everything else is a file to be checked.
pub(in crate::commands) fn collect(paths: &[PathBuf]) -> anyhow::Result<Entries> {
    let mut entries = Entries::default();
    for path in paths {
        if let Some(text) = read_list(path)? {
            entries.files.extend(parse(&text, path));
            continue;
        }
        let Found { files, skipped, unreadable } = files::find(std::slice::from_ref(path));
        entries.files.extend(files.into_iter().map(|path| Entry { line: path.display().to_string(), path }));
        entries.skipped += skipped;
        entries.unreadable.extend(unreadable);
    }
    Ok(entries)
}

/// The text of a list; `None` for whatever is none.
fn read_list(path: &Path) -> anyhow::Result<Option<String>> {
    use std::io::Read as _;
    if !path.is_file() {
        return Ok(None);
    }
    let read = || -> std::io::Result<Option<String>> {
        let mut file = fs::File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(SNIFFED as u64).read_to_end(&mut head)?;
        let is_text = match std::str::from_utf8(&head) {
            Ok(_) => !head.contains(&0),
            // A character may be cut by the end of what was read.
            Err(error) => error.error_len().is_none() && head.len() == SNIFFED && !head.contains(&0),
        };
        if !is_text || head.is_empty() || names_media(path) {
            return Ok(None);
        }
        file.read_to_end(&mut head)?;
        Ok(Some(String::from_utf8_lossy(&head).into_owned()))
    };
    read().with_context(|| format!("cannot read the list `{}`", path.display()))
}

/// Whether a name says that the file is a video or an image. Text in it is then the file's trouble.
fn names_media(path: &Path) -> bool {
    const MEDIA: [&str; 28] = [
        "3gp", "apng", "avi", "bmp", "flv", "gif", "jpeg", "jpg", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg",
        "mts", "mxf", "ogg", "ogv", "png", "svg", "tif", "tiff", "ts", "vob", "webm", "webp", "wmv",
    ];
    files::has_ending(path, &MEDIA)
}

/// One entry a line; empty lines and those that begin with `#` are left out.
fn parse(text: &str, list: &Path) -> Vec<Entry> {
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Entry { path: path_in(line, list), line: line.to_owned() }).collect()
}

/// The path that a line begins with. Paths may hold separators, so the longest one that exists is meant; relative ones
/// are looked for beside the list first, then from the current folder.
fn path_in(line: &str, list: &Path) -> PathBuf {
    let candidates = candidates(line);
    let beside = list.parent().unwrap_or(Path::new(""));
    let existing =
        candidates.iter().flat_map(|text| [beside.join(text), PathBuf::from(text)]).find(|path| path.exists());
    existing.unwrap_or_else(|| {
        // Nothing exists: the error should name what looks like a file.
        let named = candidates.iter().find(|text| names_media(Path::new(text)));
        beside.join(named.unwrap_or(&candidates[0]))
    })
}

/// The whole line, then the line without its last word, and so on; of a quoted path, what the quotes hold.
fn candidates<'line>(line: &'line str) -> Vec<&'line str> {
    for quote in ['"', '\''] {
        if let Some((inside, _)) = line.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return vec![inside, line];
        }
    }
    let shorter = |text: &&'line str| {
        let (rest, _) = text.rsplit_once(SEPARATORS)?;
        Some(rest.trim_end_matches(SEPARATORS)).filter(|rest| !rest.is_empty())
    };
    std::iter::successors(Some(line), shorter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_files_with_and_without_labels() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        for name in ["a b.mp4", "c,d.mp4", "e.mp4", "e.mp4 7"] {
            fs::write(root.join(name), "x").expect("a file");
        }
        let list = root.join("train.txt");
        let text = "\u{feff}a b.mp4 3\r\n# a remark\n\nc,d.mp4,12\n\"a b.mp4\" 1\n'e.mp4'\ne.mp4 7\ne.mp4\t1;5;9\nno such.mp4 4\nwhat";
        let paths: Vec<PathBuf> = parse(text, &list).into_iter().map(|entry| entry.path).collect();
        let expected = ["a b.mp4", "c,d.mp4", "a b.mp4", "e.mp4", "e.mp4 7", "e.mp4", "no such.mp4", "what"]
            .map(|name| root.join(name));
        assert_eq!(paths, expected);
        assert_eq!(parse(text, &list)[1].line, "c,d.mp4,12");
    }

    #[test]
    fn text_is_a_list_unless_its_name_says_otherwise() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).expect("a file");
            read_list(&path).expect("readable").is_some()
        };
        assert!(file("list", b"a.mp4\nb.mp4\n"));
        assert!(file("long.csv", "ä.mp4\n".repeat(5000).as_bytes()));
        assert!(!file("text.MP4", b"no video"));
        assert!(!file("binary", b"a\0b"));
        assert!(!file("latin", b"\xe4.mp4\n"));
        assert!(!file("empty", b""));
    }
}
