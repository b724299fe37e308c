//! What lies below a root in a store, folder by folder, by the rules that hold for folders of disks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::overrides::Override;
use reelnet_clips::{CancelToken, is_no_media};

use super::bucket::{Bucket, Failure, ObjectState, Visit};
use crate::scan::{FoundFile, FoundFolder, IGNORE_FILE, KEEP_OUT, Rules, Trouble, Walk, globs};
use crate::{LibraryError, names};

/// A larger file of rules is something else.
const RULES_BYTES: u64 = 1 << 20;

/// What a listing holds, by the paths of folders below the root.
#[derive(Default)]
struct Listing {
    folders: BTreeMap<String, FoundFolder>,
    kept_out: BTreeSet<String>,
    rules: Vec<(String, ObjectState)>,
    skipped: u64,
}

/// Shows every folder with media below a root to a visitor. All of it is listed before that: a store that breaks off in between is no
/// proof of anything.
///
/// # Errors
/// If a rule is no glob.
pub(crate) fn walk(
    bucket: &Arc<Bucket>,
    root: &Path,
    rules: &Rules,
    cancel: &CancelToken,
    mut visit: impl FnMut(FoundFolder) -> ControlFlow<()>,
) -> Result<Walk, LibraryError> {
    // Folders of a store have no place on this machine.
    let globs = globs(Path::new(""), rules)?;
    let mut listing = Listing::default();
    let listed = bucket.list(|below, state| {
        listing.take(below, state);
        if cancel.is_cancelled() { Visit::Ends } else { Visit::GoesOn }
    });
    let ignored = listed.and_then(|()| listing.ignored(bucket, root));
    let ignored = match ignored {
        Ok(ignored) => ignored,
        Err(failure) => {
            let trouble =
                Trouble { path: root.to_owned(), reason: format!("{failure}; nothing of it is taken for deleted") };
            return Ok(Walk { troubles: vec![trouble], unread: vec![String::new()], ..Walk::default() });
        }
    };
    for (path, mut folder) in std::mem::take(&mut listing.folders) {
        if is_below(&path, &listing.kept_out) {
            continue;
        }
        folder.files.retain(|file| {
            let name = names::to_name(&file.name);
            is_wanted(&Path::new(&path).join(name), &globs, &ignored)
        });
        folder.files.sort();
        if !folder.files.is_empty() && visit(folder).is_break() {
            break;
        }
    }
    Ok(Walk { skipped: listing.skipped, ..Walk::default() })
}

impl Listing {
    fn take(&mut self, below: &str, state: ObjectState) {
        let (folder, name) = below.rsplit_once('/').unwrap_or(("", below));
        if KEEP_OUT.contains(&name) {
            self.kept_out.insert(folder.to_owned());
        }
        if name == IGNORE_FILE {
            self.rules.push((folder.to_owned(), state.clone()));
        }
        // Consoles mark folders by empty objects.
        let is_marker = state.bytes == 0 && !name.contains('.');
        if below.split('/').any(|part| part.starts_with('.')) || name.is_empty() || is_marker {
            return;
        }
        if is_no_media(Path::new(name)) {
            self.skipped += 1;
            return;
        }
        let path = names::to_text(folder.as_ref());
        let found =
            self.folders.entry(folder.to_owned()).or_insert_with(|| FoundFolder { path, ..FoundFolder::default() });
        found.files.push(FoundFile {
            name: names::to_text(name.as_ref()),
            bytes: i64::try_from(state.bytes).unwrap_or(i64::MAX),
            modified_ns: state.modified_ns,
            version: state.version,
        });
    }

    /// The rules that lie among the objects, innermost first.
    fn ignored(&self, bucket: &Bucket, root: &Path) -> Result<Vec<(String, Gitignore)>, Failure> {
        let mut all = Vec::new();
        for (folder, state) in &self.rules {
            let path = root.join(folder).join(IGNORE_FILE);
            if state.bytes > RULES_BYTES {
                let detail = format!("`{}` has {} bytes, expected at most {RULES_BYTES}", path.display(), state.bytes);
                return Err(Failure::Refused(detail));
            }
            let bytes = bucket.read_whole(&bucket.key_of(&path)?, state)?;
            let mut builder = GitignoreBuilder::new("");
            for line in String::from_utf8_lossy(&bytes).lines() {
                // A line that is no glob is none, as in files of disks.
                let _ = builder.add_line(None, line);
            }
            let rules = builder.build().map_err(|error| Failure::Refused(format!("`{}`: {error}", path.display())))?;
            all.push((folder.clone(), rules));
        }
        all.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.len()));
        Ok(all)
    }
}

/// Whether a folder is one of some, or below one.
fn is_below(path: &str, folders: &BTreeSet<String>) -> bool {
    folders.contains("")
        || Path::new(path).ancestors().any(|folder| folder.to_str().is_some_and(|folder| folders.contains(folder)))
}

/// Whether neither globs nor the rules that lie beside a file leave it, or a folder that it lies in, out.
fn is_wanted(path: &Path, globs: &Override, ignored: &[(String, Gitignore)]) -> bool {
    let steps = path.ancestors().filter(|step| !step.as_os_str().is_empty());
    // A folder that is left out takes with it what lies in it, whatever is said of that.
    steps.enumerate().collect::<Vec<_>>().into_iter().rev().all(|(depth, step)| {
        let is_folder = depth > 0;
        let by_globs = globs.matched(step, is_folder);
        if by_globs.is_ignore() || by_globs.is_whitelist() {
            return by_globs.is_whitelist();
        }
        let said = ignored.iter().find_map(|(folder, rules)| {
            let below = step.strip_prefix(folder).ok().filter(|below| !below.as_os_str().is_empty())?;
            let said = rules.matched(below, is_folder);
            (!said.is_none()).then(|| said.is_whitelist())
        });
        said.unwrap_or(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(lines: &[&str]) -> Gitignore {
        let mut builder = GitignoreBuilder::new("");
        for line in lines {
            builder.add_line(None, line).expect("a rule");
        }
        builder.build().expect("rules")
    }

    #[test]
    fn rules_are_those_of_disks() {
        let ignored =
            [("raw".to_owned(), rules(&["*.mp4", "!keep.mp4"])), (String::new(), rules(&["private/", "/top.mp4"]))];
        let none = globs(Path::new(""), &Rules::default()).expect("no rules");
        for (path, is_in) in [
            ("a.mp4", true),
            ("top.mp4", false),
            ("b/top.mp4", true),
            ("private/a.mp4", false),
            ("b/private/c/a.mp4", false),
            ("raw/1.mp4", false),
            ("raw/keep.mp4", true),
            ("rawer/1.mp4", true),
        ] {
            assert_eq!(is_wanted(Path::new(path), &none, &ignored), is_in, "{path}");
        }
        let said = |include: &[&str], exclude: &[&str]| {
            let text = |globs: &[&str]| globs.iter().map(ToString::to_string).collect();
            globs(Path::new(""), &Rules { include: text(include), exclude: text(exclude) }).expect("globs")
        };
        let globs = said(&["*.mp4"], &["trailers"]);
        for (path, is_in) in [("a.mp4", true), ("b/c.mkv", false), ("b/c.mp4", true), ("trailers/t.mp4", false)] {
            assert_eq!(is_wanted(Path::new(path), &globs, &[]), is_in, "{path}");
        }
    }

    #[test]
    fn a_listing_is_folders_with_their_files() {
        let mut listing = Listing::default();
        for below in [
            "a.mp4",
            "b/c.mkv",
            "b/.hidden.mp4",
            "b/d/e.mp4",
            ".trash/x.mp4",
            "phone/.nomedia",
            "phone/deep/call.mp4",
            "b/notes.txt",
            "films",
        ] {
            let bytes = u64::from(below != "films");
            listing.take(below, ObjectState { bytes, ..ObjectState::default() });
        }
        let kept: Vec<&str> =
            listing.folders.keys().map(String::as_str).filter(|path| !is_below(path, &listing.kept_out)).collect();
        assert_eq!((kept, listing.skipped), (vec!["", "b", "b/d"], 1));
        assert!(is_below("anything", &BTreeSet::from([String::new()])));
    }
}
