//! A walk through one root, folder by folder. Opens no file, knows no database.

use std::fs::Metadata;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};
use reelnet_clips::is_no_media;

use super::plan::{FoundFile, FoundFolder};
use super::report::Trouble;
use crate::{LibraryError, names};

/// Files that keep a folder, and all below it, out of the library.
pub(crate) const KEEP_OUT: [&str; 2] = [".nomedia", ".novideo"];
/// What lies in a folder and is left out, in the syntax of `.gitignore`.
pub(crate) const IGNORE_FILE: &str = ".reelignore";

/// Which files belong to the library, beside what lies in the folders themselves says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Only files that one of these fits, in the syntax of `.gitignore`; all if there are none.
    pub include: Vec<String>,
    /// No files and folders that one of these fits.
    pub exclude: Vec<String>,
}

/// What a walk saw beside folders.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// Left out by their endings.
    pub skipped: u64,
    /// What could not be looked at.
    pub troubles: Vec<Trouble>,
    /// Folders below the root that could not be read: what is known of them, and below them, may still be there. As paths, in text.
    pub unread: Vec<String>,
}

/// Shows every folder with media below a root to a visitor. Links are followed; a loop is not.
///
/// # Errors
/// If a rule is no glob.
pub fn walk(
    root: &Path,
    rules: &Rules,
    mut visit: impl FnMut(FoundFolder) -> ControlFlow<()>,
) -> Result<Walk, LibraryError> {
    let mut walk = Walk::default();
    let globs = globs(root, rules)?;
    let entries = WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(true)
        .follow_links(true)
        .add_custom_ignore_filename(IGNORE_FILE)
        .overrides(globs)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| !is_kept_out(entry))
        .build();
    // Folders that are being walked through, each with its files so far: a folder is done when the walk leaves it.
    let mut open: Vec<(usize, FoundFolder)> = Vec::new();
    let mut close = |open: &mut Vec<(usize, FoundFolder)>, depth: usize| {
        while open.last().is_some_and(|(of, _)| *of >= depth) {
            let Some((_, folder)) = open.pop() else { break };
            if !folder.files.is_empty() && visit(folder).is_break() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                note(root, &error, &mut walk, &mut open);
                continue;
            }
        };
        if close(&mut open, entry.depth()).is_break() {
            return Ok(walk);
        }
        let Some(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            let path = below(root, entry.path());
            open.push((entry.depth(), FoundFolder { path, ..FoundFolder::default() }));
            continue;
        }
        if is_no_media(entry.path()) {
            walk.skipped += 1;
            continue;
        }
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => {
                if let Some((_, folder)) = open.last_mut() {
                    folder.files.push(found(&entry, &metadata));
                }
            }
            // A pipe or a device: reading one could block for ever.
            Ok(_) => walk.skipped += 1,
            Err(error) => note(root, &error, &mut walk, &mut open),
        }
    }
    let _ = close(&mut open, 0);
    Ok(walk)
}

/// A path below a root as text.
pub(super) fn below(root: &Path, path: &Path) -> String {
    names::to_text(path.strip_prefix(root).unwrap_or(path).as_os_str())
}

fn found(entry: &DirEntry, metadata: &Metadata) -> FoundFile {
    FoundFile {
        name: names::to_text(entry.file_name()),
        bytes: i64::try_from(metadata.len()).unwrap_or(i64::MAX),
        modified_ns: nanoseconds(metadata.modified().ok()),
        version: String::new(),
    }
}

/// Since 1970; negative before.
pub(crate) fn nanoseconds(time: Option<SystemTime>) -> i64 {
    let Some(time) = time else { return 0 };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanoseconds| -nanoseconds),
    }
}

fn is_kept_out(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_dir()) && KEEP_OUT.iter().any(|name| entry.path().join(name).exists())
}

pub(crate) fn globs(root: &Path, rules: &Rules) -> Result<Override, LibraryError> {
    let wrong = |pattern: &str, error: &ignore::Error| LibraryError::Glob {
        pattern: pattern.to_owned(),
        detail: error.to_string(),
    };
    let mut builder = OverrideBuilder::new(root);
    for pattern in &rules.include {
        builder.add(pattern).map_err(|error| wrong(pattern, &error))?;
    }
    for pattern in &rules.exclude {
        builder.add(&format!("!{pattern}")).map_err(|error| wrong(pattern, &error))?;
    }
    builder.build().map_err(|error| wrong("", &error))
}

/// Takes down what could not be looked at. A loop is no trouble: all of it was seen already.
fn note(root: &Path, error: &ignore::Error, walk: &mut Walk, open: &mut [(usize, FoundFolder)]) {
    match error {
        ignore::Error::Partial(errors) => errors.iter().for_each(|error| note(root, error, walk, open)),
        ignore::Error::Loop { .. } => {}
        ignore::Error::WithDepth { err, .. } if matches!(**err, ignore::Error::Loop { .. }) => {}
        _ => {
            let path = path_of(error).unwrap_or(root).to_owned();
            let text = below(root, &path);
            for (_, folder) in open.iter_mut() {
                folder.is_partial |= folder.path == text;
                if path.parent().is_some_and(|parent| below(root, parent) == folder.path) {
                    folder.unread.extend(path.file_name().map(names::to_text));
                }
            }
            walk.unread.push(text);
            let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
            walk.troubles.push(Trouble { path, reason });
        }
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn seen(root: &Path, rules: &Rules) -> (Vec<String>, Walk) {
        let mut files = Vec::new();
        let walked = walk(root, rules, |folder| {
            files.extend(folder.files.iter().map(|file| format!("{}/{}", folder.path, file.name)));
            ControlFlow::Continue(())
        });
        files.sort();
        (files, walked.expect("good rules"))
    }

    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in paths {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, "x").expect("a file");
        }
        folder
    }

    #[test]
    fn what_folders_say_of_themselves_is_obeyed() {
        let folder = tree(&[
            "a.mp4",
            "b/c.mkv",
            "b/d/e.mp4",
            "private/x.mp4",
            "private/y/z.mp4",
            "phone/.nomedia",
            "phone/call.mp4",
            "phone/deep/call.mp4",
            ".hidden/x.mp4",
            "b/notes.txt",
            "raw/1.mp4",
            "raw/keep.mp4",
        ]);
        fs::write(folder.path().join(".reelignore"), "private/\n").expect("rules");
        fs::write(folder.path().join("raw/.reelignore"), "*.mp4\n!keep.mp4\n").expect("rules");
        let (files, walked) = seen(folder.path(), &Rules::default());
        assert_eq!(files, ["/a.mp4", "b/c.mkv", "b/d/e.mp4", "raw/keep.mp4"]);
        assert_eq!((walked.skipped, walked.troubles.len()), (1, 0));
    }

    #[test]
    fn globs_include_and_exclude() {
        let folder = tree(&["a.mp4", "b/c.mkv", "b/c.mp4", "trailers/t.mp4"]);
        let rules = |include: &[&str], exclude: &[&str]| Rules {
            include: include.iter().map(ToString::to_string).collect(),
            exclude: exclude.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(seen(folder.path(), &rules(&["*.mp4"], &["trailers"])).0, ["/a.mp4", "b/c.mp4"]);
        assert_eq!(seen(folder.path(), &rules(&[], &["*.mp4"])).0, ["b/c.mkv"]);
        assert!(walk(folder.path(), &rules(&["a[b"], &[]), |_| ControlFlow::Continue(())).is_err());
    }

    #[test]
    fn loops_end_and_links_lead_to_files() {
        let folder = tree(&["a/b.mp4"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).expect("a link");
        std::os::unix::fs::symlink(folder.path().join("a/b.mp4"), folder.path().join("link.mp4")).expect("a link");
        let (files, walked) = seen(folder.path(), &Rules::default());
        assert_eq!(files, ["/link.mp4", "a/b.mp4"]);
        assert!(walked.troubles.is_empty());
    }

    #[test]
    fn dangling_links_are_told() {
        let folder = tree(&["a.mp4"]);
        std::os::unix::fs::symlink("nowhere.mp4", folder.path().join("dangling.mp4")).expect("a link");
        let (files, walked) = seen(folder.path(), &Rules::default());
        assert_eq!((files, walked.troubles.len()), (vec!["/a.mp4".to_owned()], 1));
    }

    #[test]
    fn files_of_a_folder_stay_together_whatever_lies_between_them() {
        let folder = tree(&["a.mp4", "b/x.mp4", "c.mp4", "b/y/z.mp4", "b/zz.mp4"]);
        let mut folders = Vec::new();
        walk(folder.path(), &Rules::default(), |found| {
            folders.push((found.path, found.files.len()));
            ControlFlow::Continue(())
        })
        .expect("good rules");
        assert_eq!(folders, [("b/y".to_owned(), 1), ("b".to_owned(), 2), (String::new(), 2)]);
    }
}
