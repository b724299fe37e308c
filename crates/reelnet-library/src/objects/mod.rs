//! Objects of stores as files of a library: S3, Google's and Azure's stores, and web servers that list what they hold (`WebDAV`).
//!
//! A root is an address, such as `s3://bucket/films`, and its objects are told by their addresses too, as files are by their paths. Keys
//! and endpoints come from the environment and are never part of an address. Everything here waits for the network, on a runtime of its
//! own, and is called from threads that may wait.

mod address;
mod bucket;
mod listing;
mod source;

pub use address::Address;
pub(crate) use bucket::{Bucket, Content, Failure, ObjectState, Slice, Wanted};
pub(crate) use listing::walk;
pub(crate) use source::{Reading, medium};

use std::path::Path;

use crate::LibraryError;

/// Asks the store of a root whether it lets itself be listed.
///
/// # Errors
/// If it is no address of a store, is away, or refuses.
pub async fn check(root: &Path) -> Result<(), LibraryError> {
    let root = root.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let asked = Bucket::of(&root)?.ask();
        asked.map(drop).map_err(|failure| LibraryError::Wish(format!("`{}` {failure}", root.display())))
    });
    asked.await.map_err(|error| LibraryError::Wish(format!("asking the store broke off: {error}")))?
}
