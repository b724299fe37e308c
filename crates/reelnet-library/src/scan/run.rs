//! A scan: walks on a thread of their own, hashes on some more, rows written folder by folder.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reelnet_clips::CancelToken;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::ground::Ground;
use super::plan::{FoundFile, FoundFolder, Plan, plan};
use super::report::{ScanReport, Trouble};
use super::walk::{Rules, Walk};
use crate::identity::Identity;
use crate::store::{Change, FolderRow, Root};
use crate::{LibraryError, Store, names};

/// Folders that wait between the walk and the database.
const WAITING_FOLDERS: usize = 64;
/// Folders whose files are hashed at once: on a network share, waiting is most of the work.
const FOLDERS_AT_ONCE: usize = 8;
/// Files that are written in one transaction.
const FILES_AT_ONCE: usize = 1000;

/// How to scan.
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// Which files belong to the library.
    pub rules: Rules,
    /// How much of a file tells it from others.
    pub identity: Identity,
    /// What an empty folder means where files were.
    pub empty_roots: EmptyRoots,
    /// Only these folders of the library; all if nothing is said.
    pub roots: Option<Vec<PathBuf>>,
    /// Ends the scan between two folders.
    pub cancel: CancelToken,
}

/// What a root without any file means, in which files were before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyRoots {
    /// A disk that is not mounted: nothing is taken for deleted.
    #[default]
    Unmounted,
    /// That all of them were deleted.
    Deleted,
}

/// Compares the library's folders with the store, and the store with them. `progress` hears what was done so far.
///
/// # Errors
/// If the database says no, a rule is no glob, or the identity is not the one that the store was begun with.
pub async fn scan(
    store: &Store,
    options: &ScanOptions,
    mut progress: impl FnMut(&ScanReport),
) -> Result<ScanReport, LibraryError> {
    settle_identity(store, options.identity).await?;
    let mut report = ScanReport::default();
    for root in store.roots().await? {
        if options.roots.as_ref().is_none_or(|wanted| wanted.contains(&root.path)) {
            scan_root(store, &root, options, &mut report, &mut progress).await?;
        }
    }
    Ok(report)
}

/// One store, one way to tell files from each other: or all files would be new.
async fn settle_identity(store: &Store, identity: Identity) -> Result<(), LibraryError> {
    match store.value("identity").await? {
        None => store.set_value("identity", identity.name()).await,
        Some(name) if name == identity.name() => Ok(()),
        Some(name) => Err(LibraryError::Wish(format!(
            "the library tells files by their {name}, and --whole-hash is for libraries that are begun with it"
        ))),
    }
}

async fn scan_root(
    store: &Store,
    root: &Root,
    options: &ScanOptions,
    report: &mut ScanReport,
    progress: &mut impl FnMut(&ScanReport),
) -> Result<(), LibraryError> {
    let ground = match Ground::of(&root.path) {
        Ok(ground) => ground,
        Err(reason) => {
            report.troubles.push(Trouble { path: root.path.clone(), reason });
            return Ok(());
        }
    };
    let known = Arc::new(store.folders(root.id).await?);
    let (sender, mut folders) = mpsc::channel::<FoundFolder>(WAITING_FOLDERS);
    let walking = {
        let (path, rules, cancel) = (root.path.clone(), options.rules.clone(), options.cancel.clone());
        let ground = ground.clone();
        spawn_blocking(move || {
            ground.walk(&path, &rules, &cancel, |folder| {
                if cancel.is_cancelled() || sender.blocking_send(folder).is_err() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
        })
    };

    // ---- Folders as they come ----
    let before = report.files;
    let mut seen = BTreeSet::new();
    // Written in the order of their names, whichever is hashed first: where a content lies twice, it is known by the first place.
    let mut hashing = VecDeque::new();
    while let Some(folder) = folders.recv().await {
        report.folders += 1;
        report.files += folder.files.len() as u64;
        seen.insert(folder.path.clone());
        let digest = folder.digest();
        if digest != 0 && known.get(&folder.path).is_some_and(|row| row.digest == digest) {
            report.unchanged_folders += 1;
        } else {
            while hashing.len() >= FOLDERS_AT_ONCE {
                write_next(store, root, &mut hashing, report).await?;
            }
            let row = known.get(&folder.path).copied();
            let looking = look(store.clone(), ground.clone(), root.path.clone(), folder, row, options.identity);
            hashing.push_back(tokio::spawn(looking));
        }
        progress(report);
    }
    while !hashing.is_empty() {
        write_next(store, root, &mut hashing, report).await?;
        progress(report);
    }
    let walked = walking.await.map_err(|error| {
        LibraryError::Wish(format!("the walk through `{}` broke off: {error}", root.path.display()))
    })??;
    if options.cancel.is_cancelled() {
        return Err(LibraryError::Interrupted);
    }

    // ---- Folders that did not come ----
    report.skipped += walked.skipped;
    let is_empty = report.files == before && root.present > 0;
    let is_unread = walked.unread.iter().any(String::is_empty);
    let is_doubtful = is_empty && !is_unread && options.empty_roots == EmptyRoots::Unmounted;
    let doubt = ground.doubt(&root.path).or(if is_doubtful { Some(ground.doubt_if_empty()) } else { None });
    if let Some(reason) = doubt {
        report.troubles.push(Trouble { path: root.path.clone(), reason: reason.to_owned() });
    } else if !is_unread {
        leave_missing(store, root, &known, (&seen, &walked), report).await?;
        store.set_scanned(root.id).await?;
    }
    report.troubles.extend(walked.troubles);
    Ok(())
}

/// A folder with the hashes of its new files.
struct Looked {
    folder: FoundFolder,
    changes: Vec<Change>,
    hashed: u64,
    troubles: Vec<Trouble>,
}

async fn look(
    store: Store,
    ground: Ground,
    root: PathBuf,
    folder: FoundFolder,
    row: Option<FolderRow>,
    identity: Identity,
) -> Result<Looked, LibraryError> {
    let known = match row {
        Some(row) => store.folder_files(row.id).await?,
        None => HashMap::new(),
    };
    let planned = plan(&folder, &known);
    let place = root.join(names::to_name(&folder.path));
    let broke = |error| LibraryError::Wish(format!("hashing broke off: {error}"));
    spawn_blocking(move || hashed(&ground, folder, &place, planned, identity)).await.map_err(broke)
}

fn hashed(ground: &Ground, mut folder: FoundFolder, place: &Path, planned: Plan, identity: Identity) -> Looked {
    let (mut changes, mut troubles, mut count) = (planned.changes, Vec::new(), 0);
    for file in planned.hash {
        let path = place.join(names::to_name(&file.name));
        let hashed = ground.hash(&path, &file, identity);
        let FoundFile { name, bytes, modified_ns, version } = file;
        match hashed {
            Ok((hash, now)) => {
                count += 1;
                // It is still being written: the next scan has to look again.
                folder.is_partial |= now != bytes.unsigned_abs();
                changes.push(Change::Put { name, hash, bytes, modified_ns, version });
            }
            Err(error) => {
                folder.unread.push(name);
                troubles.push(Trouble { path, reason: error.to_string() });
            }
        }
    }
    Looked { folder, changes, hashed: count, troubles }
}

async fn write_next(
    store: &Store,
    root: &Root,
    hashing: &mut VecDeque<JoinHandle<Result<Looked, LibraryError>>>,
    report: &mut ScanReport,
) -> Result<(), LibraryError> {
    let Some(looking) = hashing.pop_front() else { return Ok(()) };
    let looked = looking.await.map_err(|error| LibraryError::Wish(format!("hashing broke off: {error}")))??;
    report.hashed += looked.hashed;
    report.troubles.extend(looked.troubles);
    // The digest comes with the last part: a scan that is killed in between reads the folder again.
    let digest = looked.folder.digest();
    let mut parts = looked.changes.chunks(FILES_AT_ONCE).peekable();
    if parts.peek().is_none() {
        store.apply_folder(root.id, &looked.folder.path, Some(digest), &[]).await?;
    }
    while let Some(part) = parts.next() {
        let digest = parts.peek().is_none().then_some(digest);
        report.add(&store.apply_folder(root.id, &looked.folder.path, digest, part).await?);
    }
    Ok(())
}

/// The files of folders that are no longer there are gone, unless they lie where nobody could look.
async fn leave_missing(
    store: &Store,
    root: &Root,
    known: &HashMap<String, FolderRow>,
    (seen, walked): (&BTreeSet<String>, &Walk),
    report: &mut ScanReport,
) -> Result<(), LibraryError> {
    let is_unread = |path: &str| {
        walked.unread.iter().any(|unread| {
            unread.is_empty()
                || path == unread
                || path.strip_prefix(unread.as_str()).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    for (path, row) in known {
        // A folder of digest 1 was left already.
        if seen.contains(path) || row.digest == EMPTY || is_unread(path) {
            continue;
        }
        let files = store.folder_files(row.id).await?;
        let changes: Vec<Change> = files.into_values().filter(|file| !file.is_gone).map(Change::Gone).collect();
        for part in changes.chunks(FILES_AT_ONCE) {
            report.add(&store.apply_folder(root.id, path, None, part).await?);
        }
        store.apply_folder(root.id, path, Some(EMPTY), &[]).await?;
    }
    Ok(())
}

/// The digest of a folder all of whose files are gone; no hash is even.
const EMPTY: i64 = 2;
