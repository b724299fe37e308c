//! What has to be done about a folder: pure comparisons of what was found with what is known.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::Xxh3;

use crate::store::{Change, FolderFiles, PathRow};

/// A file as a walk sees it, unopened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundFile {
    /// Its name, as text.
    pub name: String,
    /// Its size.
    pub bytes: i64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Of an object of a store: its `ETag`, if it has one.
    pub version: String,
}

/// A folder as a walk sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundFolder {
    /// Below the root, as text.
    pub path: String,
    /// Its media.
    pub files: Vec<FoundFile>,
    /// Names in it that could not be looked at.
    pub unread: Vec<String>,
    /// Whether there may be more in it than could be seen.
    pub is_partial: bool,
}

/// What is to be done about a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// New or changed: to be hashed.
    pub hash: Vec<FoundFile>,
    /// Gone, or there again.
    pub changes: Vec<Change>,
    /// Unchanged.
    pub same: u64,
}

impl FoundFolder {
    /// A number of names, sizes and times; 0, which is no state of a folder, if not all of it was seen.
    pub fn digest(&self) -> i64 {
        if self.is_partial || !self.unread.is_empty() {
            return 0;
        }
        let mut sum = 0_u128;
        // A sum of hashes, so that the order does not count.
        for file in &self.files {
            let mut hash = Xxh3::new();
            hash.update(file.name.as_bytes());
            hash.update(&[0]);
            hash.update(&file.bytes.to_le_bytes());
            hash.update(&file.modified_ns.to_le_bytes());
            hash.update(file.version.as_bytes());
            sum = sum.wrapping_add(hash.digest128());
        }
        let mut hash = Xxh3::new();
        hash.update(&sum.to_le_bytes());
        hash.digest().cast_signed() | 1
    }
}

/// Compares a folder with what is known of it.
pub fn plan(found: &FoundFolder, known: &FolderFiles) -> Plan {
    let mut plan = Plan::default();
    let mut names = BTreeSet::new();
    for file in &found.files {
        names.insert(file.name.as_str());
        match known.get(&file.name) {
            Some(row)
                if (row.bytes, row.modified_ns, &row.version) == (file.bytes, file.modified_ns, &file.version) =>
            {
                if row.is_gone {
                    plan.changes.push(Change::Back(row.clone()));
                } else {
                    plan.same += 1;
                }
            }
            _ => plan.hash.push(file.clone()),
        }
    }
    let mut gone: Vec<(&String, &PathRow)> =
        known.iter().filter(|(name, row)| !row.is_gone && !names.contains(name.as_str())).collect();
    // What could not be looked at may still be there.
    gone.retain(|(name, _)| !found.is_partial && !found.unread.contains(name));
    gone.sort();
    plan.changes.extend(gone.into_iter().map(|(_, row)| Change::Gone(row.clone())));
    plan
}

impl PartialOrd for PathRow {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PathRow {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.id.cmp(&other.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: i64, modified_ns: i64) -> FoundFile {
        FoundFile { name: name.to_owned(), bytes, modified_ns, version: String::new() }
    }

    fn folder(files: &[FoundFile]) -> FoundFolder {
        FoundFolder { path: "a".to_owned(), files: files.to_vec(), ..FoundFolder::default() }
    }

    #[test]
    fn a_digest_tells_every_change_and_no_order() {
        let [a, b] = [file("a", 1, 1), file("b", 2, 2)];
        let digest = folder(&[a.clone(), b.clone()]).digest();
        assert_eq!(folder(&[b.clone(), a.clone()]).digest(), digest);
        for other in [
            vec![a.clone()],
            vec![a.clone(), file("b", 3, 2)],
            vec![a.clone(), file("b", 2, 3)],
            vec![a.clone(), file("c", 2, 2)],
            vec![a.clone(), b.clone(), b],
            vec![],
        ] {
            assert_ne!(folder(&other).digest(), digest, "{other:?}");
        }
        assert_ne!(folder(&[]).digest(), 0);
    }

    #[test]
    fn only_what_changed_is_hashed() {
        let row =
            |id, bytes, is_gone| PathRow { id, video_id: id, bytes, modified_ns: 5, version: String::new(), is_gone };
        let known = FolderFiles::from([
            ("same".to_owned(), row(1, 10, false)),
            ("edited".to_owned(), row(2, 10, false)),
            ("deleted".to_owned(), row(3, 10, false)),
            ("gone before".to_owned(), row(4, 10, true)),
            ("back".to_owned(), row(5, 10, true)),
            ("replaced".to_owned(), PathRow { version: "old".to_owned(), ..row(6, 10, false) }),
        ]);
        let replaced = FoundFile { version: "new".to_owned(), ..file("replaced", 10, 5) };
        let files = [file("same", 10, 5), file("edited", 11, 5), file("back", 10, 5), file("new", 1, 1), replaced];
        let planned = plan(&folder(&files), &known);
        assert_eq!(planned.same, 1);
        assert_eq!(
            planned.hash.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
            ["edited", "new", "replaced"]
        );
        assert_eq!(planned.changes, [Change::Back(row(5, 10, true)), Change::Gone(row(3, 10, false))]);
        let unread = FoundFolder { unread: vec!["deleted".to_owned()], ..folder(&files) };
        assert_eq!(plan(&unread, &known).changes.len(), 1);
        let partial = FoundFolder { is_partial: true, ..folder(&files) };
        assert_eq!(plan(&partial, &known).changes.len(), 1);
    }
}
