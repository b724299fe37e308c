//! Where a content lies: whether it is still there as it was scanned, and how it is opened. Files and objects of stores alike.

use std::fs;
use std::io;
use std::sync::Arc;

use reelnet_clips::{Limits, Media, RangeSettings};

use crate::objects::{Address, Bucket, Content, Failure, ObjectState, Reading, medium};
use crate::scan::nanoseconds;
use crate::store::Place;

/// What became of a place since it was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    AsScanned,
    Changed,
    Gone,
    /// Its folder is not there: a disk that is not mounted, a store that is away or refuses.
    RootGone,
}

/// Looks at a place; waits for the network if it lies in a store.
pub(crate) fn state_of(place: &Place) -> State {
    if Address::is_meant(&place.root) {
        return state_of_object(place);
    }
    match fs::metadata(&place.path) {
        Ok(metadata) => {
            let is_same = metadata.len() == place.bytes.unsigned_abs()
                && nanoseconds(metadata.modified().ok()) == place.modified_ns;
            if is_same { State::AsScanned } else { State::Changed }
        }
        Err(_) if fs::read_dir(&place.root).map_or(true, |mut entries| entries.next().is_none()) => State::RootGone,
        Err(error) if error.kind() == io::ErrorKind::NotFound => State::Gone,
        // The decoder says why in its own words.
        Err(_) => State::AsScanned,
    }
}

fn state_of_object(place: &Place) -> State {
    let Ok(bucket) = Bucket::of(&place.root) else { return State::RootGone };
    match bucket.key_of(&place.path).and_then(|key| bucket.state(&key)) {
        Ok(now) if scanned(place).is_still(&now) => State::AsScanned,
        Ok(_) => State::Changed,
        // A bucket that is not there is told in the same words.
        Err(Failure::Missing) if bucket.ask() == Ok(Content::Something) => State::Gone,
        Err(_) => State::RootGone,
    }
}

/// A place as a medium.
pub(crate) struct Opened {
    pub(crate) media: Media,
    /// Counts what is read by ranges, if it is.
    pub(crate) ranges: Option<Arc<Reading>>,
}

/// Makes a medium of a place. Nothing is read yet.
pub(crate) fn open(place: &Place, limits: &Limits) -> Result<Opened, Failure> {
    if !Address::is_meant(&place.root) {
        return Ok(Opened { media: Media::path(&place.path), ranges: None });
    }
    let bucket = Bucket::of(&place.root).map_err(|error| Failure::Away(error.to_string()))?;
    let settings =
        RangeSettings { timeout: limits.deadline, cancel: limits.cancel.clone(), ..RangeSettings::default() };
    let (media, reading) = medium(&bucket, &place.path, scanned(place), settings)?;
    Ok(Opened { media, ranges: Some(reading) })
}

/// An object as a scan saw it.
pub(crate) fn scanned(place: &Place) -> ObjectState {
    ObjectState { bytes: place.bytes.unsigned_abs(), modified_ns: place.modified_ns, version: place.version.clone() }
}
