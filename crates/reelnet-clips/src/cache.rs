//! The indexes of a whole library in one small file, so that a file's packets are read once and not once a run.
//!
//! An entry is used only for the file that it was made from: path, size, time of writing, and the bytes at both ends must
//! be the same. The cache holds nothing that could not be had again. If it is missing, damaged, or made by another release
//! or another FFmpeg, it starts anew and says so. Failures are not kept: a file that could not be indexed is tried again
//! each time, so that a mended disk or a better FFmpeg is noticed.

mod record;
mod store;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use thiserror::Error;

use crate::index::Scan;
use crate::media::Media;
use crate::stamp::FileStamp;
use crate::watch::Watch;
use crate::{ClipError, Decoder, Limits, MediaIndex, ffmpeg_version};
use store::{Record, Sealed, Store, Unusable, unsealed};

/// New entries of so many bytes, or of a quarter of the file if that is more, are saved without being asked: so little is
/// lost when a process is killed, and the file is written again ever more rarely as it grows.
const UNSAVED_BYTES: u64 = 4 << 20;

/// New entries never take more memory than this, whatever becomes of the disk.
const MOST_UNSAVED_BYTES: u64 = 64 << 20;

/// Saving takes less than a second; another process that saves longer than this hangs.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The cache of [`MediaIndex`]es of a library. To be shared by reference between threads, and by path between processes.
///
/// Nothing is written before [`save`](Self::save), except when thousands of new entries have come together.
#[derive(Debug)]
pub struct IndexCache {
    path: PathBuf,
    /// Files below this folder are known by their path from here, so that a library can be moved.
    root: PathBuf,
    ffmpeg: String,
    condition: CacheCondition,
    stored: RwLock<Store>,
    fresh: Mutex<Fresh>,
    /// Held while the file is written.
    saving: Mutex<()>,
    counts: Counts,
}

/// In which state a cache was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheCondition {
    /// There was none yet.
    New,
    /// It was there, with so many entries.
    Found {
        /// Files whose index it held.
        entries: usize,
    },
    /// It was there, but of no use; it starts anew, and costs time once.
    Rebuilt {
        /// Why, in words: `it is damaged`.
        reason: String,
    },
}

/// What a cache was good for so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheReport {
    /// Files whose index was there.
    pub hits: u64,
    /// Files that had to be read, because they are new, changed, or their entry is damaged.
    pub scans: u64,
    /// Of these, entries that were damaged.
    pub damaged: u64,
    /// New indexes that could not be kept: of files written within the last two seconds, which may still change, and of
    /// inputs that are no files.
    pub not_kept: u64,
}

/// A cache file that cannot be used at all.
#[derive(Debug, Error)]
#[error("index cache `{}` cannot be {action}: {source}; {remedy}", path.display())]
pub struct CacheError {
    /// The file of the cache.
    pub path: PathBuf,
    action: &'static str,
    source: io::Error,
    remedy: &'static str,
}

/// New entries, by key.
#[derive(Debug, Default)]
struct Fresh {
    entries: HashMap<Vec<u8>, Sealed>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    scans: AtomicU64,
    damaged: AtomicU64,
    not_kept: AtomicU64,
}

impl IndexCache {
    /// Opens a cache, or starts one that is not there yet or of no use; [`condition`](Self::condition) tells which.
    ///
    /// Best put into the folder of the library: then its entries stay valid when the library moves.
    ///
    /// # Errors
    /// If the file is there and cannot be read, or if its folder is not there.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        let refused = |source| CacheError {
            path: path.to_path_buf(),
            action: "opened",
            source,
            remedy: "name a file that can be read and written, in a folder that exists",
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let root = fs::canonicalize(folder).map_err(refused)?;
        let version = ffmpeg_version();
        let ffmpeg = format!("{} ({:?} {:?})", version.release, version.format, version.codec);
        let (stored, condition) = match Store::open(path, &ffmpeg) {
            Ok(store) => {
                let entries = store.records();
                (store, CacheCondition::Found { entries })
            }
            Err(Unusable::Missing) => (Store::empty(), CacheCondition::New),
            Err(Unusable::Content(reason)) => (Store::empty(), CacheCondition::Rebuilt { reason }),
            Err(Unusable::Io(error)) => return Err(refused(error)),
        };
        Ok(Self {
            path: path.to_path_buf(),
            root,
            ffmpeg,
            condition,
            stored: RwLock::new(stored),
            fresh: Mutex::default(),
            saving: Mutex::default(),
            counts: Counts::default(),
        })
    }

    /// In which state the cache was found: worth a line to people if it is [`CacheCondition::Rebuilt`].
    pub fn condition(&self) -> &CacheCondition {
        &self.condition
    }

    /// What the cache was good for so far.
    pub fn report(&self) -> CacheReport {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { hits, scans, damaged, not_kept } = &self.counts;
        CacheReport { hits: of(hits), scans: of(scans), damaged: of(damaged), not_kept: of(not_kept) }
    }

    /// The index of a file: the one that is known, or what [`MediaIndex::open`] gives, which is known from then on. Folders of
    /// images are listed each time.
    ///
    /// # Errors
    /// Those of [`MediaIndex::open`].
    pub fn index(&self, media: impl Into<Media>, limits: &Limits) -> Result<MediaIndex, ClipError> {
        let media = media.into();
        if media.is_folder() {
            return MediaIndex::open(media, limits);
        }
        let failed = |kind| ClipError::new(media.name(), kind);
        let (reader, stamp) = media.open().map_err(failed)?;
        let key = self.key(&media);
        if let Some(index) = self.known(key.as_deref(), stamp) {
            index.check_size(limits).map_err(failed)?;
            return Ok(index);
        }
        let scan = Scan::of(reader, stamp, &media, limits, &Watch::start(limits)).map_err(failed)?;
        self.keep(key, &scan.index);
        Ok(scan.index)
    }

    /// A decoder, opened without reading the file's packets if its index is known.
    ///
    /// # Errors
    /// Those of [`Decoder::open`].
    pub fn decoder(&self, media: impl Into<Media>, limits: &Limits) -> Result<Decoder, ClipError> {
        let media = media.into();
        if media.is_folder() {
            return Decoder::open(media, limits);
        }
        let failed = |kind| ClipError::new(media.name(), kind);
        let watch = Watch::start(limits);
        let (reader, stamp) = media.open().map_err(failed)?;
        let key = self.key(&media);
        let scan = if let Some(index) = self.known(key.as_deref(), stamp) {
            Scan::known(reader, index, limits, &watch).map_err(failed)?
        } else {
            let scan = Scan::of(reader, stamp, &media, limits, &watch).map_err(failed)?;
            self.keep(key, &scan.index);
            scan
        };
        Ok(Decoder::around(media, scan, limits, watch))
    }

    /// Writes what is new to the file, together with what other processes have written to it meanwhile. Readers and other
    /// writers see either the old file or the new one. Without anything new, nothing is written.
    ///
    /// # Errors
    /// If the file cannot be written; the entries are kept, and can be saved later.
    pub fn save(&self) -> Result<(), CacheError> {
        let guard = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        if self.fresh().entries.is_empty() {
            return Ok(());
        }
        self.write(&guard, |_| true)
    }

    /// Saves, and leaves out the entries of files that are no longer there. Gives their number.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn prune(&self) -> Result<usize, CacheError> {
        let guard = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = AtomicU64::new(0);
        self.write(&guard, |key| {
            // In doubt, such as without permission, it stays.
            let is_there = fs::exists(self.root.join(path_of(key))).unwrap_or(true);
            gone.fetch_add(u64::from(!is_there), Ordering::Relaxed);
            is_there
        })?;
        Ok(usize::try_from(gone.into_inner()).unwrap_or(usize::MAX))
    }

    /// What a file is called in the cache: its path, from the library's folder on if it lies there.
    fn key(&self, media: &Media) -> Option<Vec<u8>> {
        let path = fs::canonicalize(media.as_path()?).ok()?;
        Some(path.strip_prefix(&self.root).unwrap_or(&path).as_os_str().as_encoded_bytes().to_vec())
    }

    fn known(&self, key: Option<&[u8]>, stamp: Option<FileStamp>) -> Option<MediaIndex> {
        let index = self.look_up(key?, stamp?);
        if index.is_some() {
            self.counts.hits.fetch_add(1, Ordering::Relaxed);
        }
        index
    }

    fn look_up(&self, key: &[u8], stamp: FileStamp) -> Option<MediaIndex> {
        let fresh = self.fresh().entries.get(key).cloned();
        let stored;
        let bytes = if let Some(sealed) = &fresh {
            sealed.bytes()
        } else {
            let store = self.stored.read().unwrap_or_else(PoisonError::into_inner);
            stored = store.get(key).unwrap_or_else(|_| {
                self.counts.damaged.fetch_add(1, Ordering::Relaxed);
                None
            })?;
            &stored
        };
        let record = unsealed(bytes).filter(|record| record.stamp == stamp)?;
        let index = record::unpack(record.content, stamp);
        if index.is_none() {
            self.counts.damaged.fetch_add(1, Ordering::Relaxed);
        }
        index
    }

    fn keep(&self, key: Option<Vec<u8>>, index: &MediaIndex) {
        self.counts.scans.fetch_add(1, Ordering::Relaxed);
        let sealed = key
            .zip(index.stamp().copied())
            .filter(|(_, stamp)| !stamp.is_too_fresh(SystemTime::now()))
            .and_then(|(key, stamp)| {
                let content = record::pack(index)?;
                let sealed = Sealed::new(&Record { key: &key, stamp, content: &content })?;
                Some((key, sealed))
            });
        let Some((key, sealed)) = sealed else {
            self.counts.not_kept.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let unsaved = {
            let mut fresh = self.fresh();
            fresh.bytes += sealed.bytes().len() as u64;
            fresh.entries.insert(key, sealed);
            fresh.bytes
        };
        self.save_now_and_then(unsaved);
    }

    fn save_now_and_then(&self, unsaved: u64) {
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner).record_bytes();
        if unsaved < (stored / 4).clamp(UNSAVED_BYTES, MOST_UNSAVED_BYTES) {
            return;
        }
        let guard = match self.saving.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // Whoever saves at the end is told of a full disk; until then, memory is what must not run out.
        if self.write(&guard, |_| true).is_err() && unsaved >= MOST_UNSAVED_BYTES {
            let mut fresh = self.fresh();
            self.counts.not_kept.fetch_add(fresh.entries.len() as u64, Ordering::Relaxed);
            *fresh = Fresh::default();
        }
    }

    fn write(&self, _: &MutexGuard<'_, ()>, is_wanted: impl Fn(&[u8]) -> bool) -> Result<(), CacheError> {
        let refused = |source| CacheError {
            path: self.path.clone(),
            action: "written",
            source,
            remedy: "free the disk, or name another place for it",
        };
        let added: Vec<Sealed> = self.fresh().entries.values().cloned().collect();
        let store = self.write_file(added.clone(), is_wanted).map_err(refused)?;
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = store;
        let mut fresh = self.fresh();
        for sealed in &added {
            let Some(key) = unsealed(sealed.bytes()).map(|record| record.key) else { continue };
            // An entry that came meanwhile waits for the next time.
            if fresh.entries.get(key).is_some_and(|entry| entry.is_same(sealed)) {
                fresh.entries.remove(key);
            }
        }
        fresh.bytes = fresh.entries.values().map(|sealed| sealed.bytes().len() as u64).sum();
        Ok(())
    }

    /// Puts a new file in the place of the one that is there, and opens it.
    fn write_file(&self, added: Vec<Sealed>, is_wanted: impl Fn(&[u8]) -> bool) -> io::Result<Store> {
        let _lock = locked(&self.path)?;
        // Another process may have written since.
        let current = match Store::open(&self.path, &self.ffmpeg) {
            Ok(store) => store,
            Err(Unusable::Missing | Unusable::Content(_)) => Store::empty(),
            Err(Unusable::Io(error)) => return Err(error),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".reelnet-index-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As any file that is made anew, less what the user masks: temporary files are private otherwise.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(&self.root)?;
        current.write_with(temporary.as_file(), &self.ffmpeg, added, is_wanted)?;
        temporary.persist(self.root.join(self.path.file_name().unwrap_or_default()))?;
        match Store::open(&self.path, &self.ffmpeg) {
            Ok(store) => Ok(store),
            Err(Unusable::Io(error)) => Err(error),
            Err(Unusable::Missing | Unusable::Content(_)) => Ok(Store::empty()),
        }
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cache file, locked against other processes that save. Where locks do not work, such as on some network drives, two
/// that save at once can lose entries, which are then read again; the file is whole all the same.
fn locked(path: &Path) -> io::Result<File> {
    let since = Instant::now();
    loop {
        let file = File::options().read(true).append(true).create(true).open(path)?;
        while let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
            if since.elapsed() > LONGEST_WAIT {
                return Ok(file);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Whoever held the lock has put another file into its place.
        if is_still_at(&file, path) || since.elapsed() > LONGEST_WAIT {
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata().map(identity), fs::metadata(path).map(identity)), (Ok(ours), Ok(theirs)) if ours == theirs)
}

#[cfg(not(unix))]
fn is_still_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(unix)]
fn path_of(key: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(key))
}

/// A name that is not Unicode is not found again; its entry costs a scan.
#[cfg(not(unix))]
fn path_of(key: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(key).into_owned())
}
