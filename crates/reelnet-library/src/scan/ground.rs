//! What a root is: a folder of a disk, or one of an object store. Both are walked through, hashed, and doubted.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use reelnet_clips::CancelToken;

use super::plan::{FoundFile, FoundFolder};
use super::walk::{self, Rules, Walk};
use crate::LibraryError;
use crate::identity::{self, Identity};
use crate::objects::{self, Address, Bucket, ObjectState};

/// What lies under a root.
#[derive(Clone)]
pub(super) enum Ground {
    /// A folder, as the device and number that it had when the scan began.
    Folder(u64, u64),
    Objects(Arc<Bucket>),
}

impl Ground {
    /// Or why there is none.
    pub(super) fn of(root: &Path) -> Result<Self, String> {
        if Address::is_meant(root) {
            return Bucket::of(root).map(Self::Objects).map_err(|error| error.to_string());
        }
        let mount = mount_of(root).ok_or("is not there; nothing of it is taken for deleted")?;
        Ok(Self::Folder(mount.0, mount.1))
    }

    pub(super) fn walk(
        &self,
        root: &Path,
        rules: &Rules,
        cancel: &CancelToken,
        visit: impl FnMut(FoundFolder) -> ControlFlow<()>,
    ) -> Result<Walk, LibraryError> {
        match self {
            Self::Folder(..) => walk::walk(root, rules, visit),
            Self::Objects(bucket) => objects::walk(bucket, root, rules, cancel, visit),
        }
    }

    /// The hash of a file's content, and its size now.
    pub(super) fn hash(&self, path: &Path, file: &FoundFile, identity: Identity) -> io::Result<(String, u64)> {
        match self {
            Self::Folder(..) => identity::hash(path, identity),
            Self::Objects(bucket) => {
                let state = ObjectState {
                    bytes: file.bytes.unsigned_abs(),
                    modified_ns: file.modified_ns,
                    version: file.version.clone(),
                };
                Ok((bucket.hash(&bucket.key_of(path)?, &state, identity)?, state.bytes))
            }
        }
    }

    /// Why what was seen is no proof that the rest is gone.
    pub(super) fn doubt(&self, root: &Path) -> Option<&'static str> {
        match self {
            Self::Folder(device, number) if mount_of(root) != Some((*device, *number)) => {
                Some("was unmounted while it was scanned; nothing of it is taken for deleted")
            }
            Self::Folder(..) | Self::Objects(_) => None,
        }
    }

    /// The same if nothing was seen where files were before.
    pub(super) fn doubt_if_empty(&self) -> &'static str {
        match self {
            Self::Folder(..) => {
                "is empty, and was not before: if its disk is mounted and all files are deleted, scan with --empty-roots"
            }
            Self::Objects(_) => {
                "is empty, and was not before: if its address is right and all objects are deleted, scan with --empty-roots"
            }
        }
    }
}

/// The device and number of a folder, if it is there.
fn mount_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_dir)?;
    Some((metadata.dev(), metadata.ino()))
}
