//! An object as a medium: read in blocks, counted, and told when it is no longer what it was.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::path::Path as Key;
use reelnet_clips::{Media, RangeSettings, RangeSource};

use super::bucket::{Bucket, Failure, ObjectState};

/// What reading an object came to.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    bytes: AtomicU64,
    failure: Mutex<Option<Failure>>,
}

impl Reading {
    /// Bytes that were asked for.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Why some of it could not be had. A decoder only hears that, and takes it for damage.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, failure: &Failure) {
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        // That it changed is the last word; everything else may pass.
        if first.is_none() || *failure == Failure::Changed {
            *first = Some(failure.clone());
        }
    }
}

/// An object that lies at a path, in the state in which it was scanned.
pub(crate) fn medium(
    bucket: &Arc<Bucket>,
    path: &Path,
    state: ObjectState,
    settings: RangeSettings,
) -> Result<(Media, Arc<Reading>), Failure> {
    let reading = Arc::new(Reading::default());
    let source =
        ObjectSource { bucket: Arc::clone(bucket), key: bucket.key_of(path)?, state, reading: Arc::clone(&reading) };
    Ok((Media::ranged(path, source, settings), reading))
}

struct ObjectSource {
    bucket: Arc<Bucket>,
    key: Key,
    state: ObjectState,
    reading: Arc<Reading>,
}

impl RangeSource for ObjectSource {
    fn size(&self) -> u64 {
        self.state.bytes
    }

    fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.reading.bytes.fetch_add(range.end - range.start, Ordering::Relaxed);
        self.bucket.read(&self.key, range, &self.state).map_err(|failure| {
            // An object that was deleted meanwhile is one that changed.
            let failure = if failure == Failure::Missing { Failure::Changed } else { failure };
            self.reading.note(&failure);
            failure.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::{ObjectStore, ObjectStoreExt as _};

    use super::super::bucket::runtime;
    use super::*;
    use crate::identity::{self, Identity};

    fn put(store: &Arc<dyn ObjectStore>, key: &Key, bytes: Vec<u8>) {
        let written = runtime().expect("a runtime").block_on(store.put(key, bytes.into()));
        written.expect("memory takes all");
    }

    #[test]
    fn another_object_is_no_damage() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let bucket = Bucket::over(Arc::clone(&store), "s3://bucket/films").expect("an address");
        let path = Path::new("s3://bucket/films/a b.mp4");
        let key = bucket.key_of(path).expect("a key");
        assert_eq!(bucket.state(&key), Err(Failure::Missing));
        let bytes: Vec<u8> = (0..250_000_u32).flat_map(u32::to_be_bytes).collect();
        put(&store, &key, bytes.clone());

        // The hash is that of a file.
        let state = bucket.state(&key).expect("it is there");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.mp4");
        std::fs::write(&file, &bytes).expect("a file");
        for identity in [Identity::Blocks, Identity::Whole] {
            let hash = bucket.hash(&key, &state, identity).expect("it can be read");
            assert_eq!(hash, identity::hash(&file, identity).expect("a file").0);
        }

        let reading = Arc::new(Reading::default());
        let source = ObjectSource { bucket, key: key.clone(), state, reading: Arc::clone(&reading) };
        assert_eq!(source.read(10..20).expect("it is there"), bytes[10..20]);
        assert_eq!((reading.bytes(), reading.failure()), (10, None));
        put(&store, &key, bytes);
        assert!(source.read(10..20).is_err_and(|error| error.to_string().contains("has changed since it was scanned")));
        assert_eq!(reading.failure(), Some(Failure::Changed));
    }

    #[test]
    fn a_deleted_object_is_one_that_changed() {
        let bucket = Bucket::over(Arc::new(InMemory::new()), "s3://bucket").expect("an address");
        let key = bucket.key_of(Path::new("s3://bucket/a.mp4")).expect("a key");
        let reading = Arc::new(Reading::default());
        let state = ObjectState { bytes: 100, ..ObjectState::default() };
        let source = ObjectSource { bucket, key, state, reading: Arc::clone(&reading) };
        assert!(source.read(0..10).is_err());
        assert_eq!(reading.failure(), Some(Failure::Changed));
    }
}
