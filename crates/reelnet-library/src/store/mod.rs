//! The store: one schema, two engines.

mod corrections;
mod engine;
mod files;
mod forgetting;
mod health;
mod jobs;
mod models;
mod open;
mod pages;
mod results;
mod roots;
mod schema;
mod search;
mod sidecars;
mod status;
mod tags;

pub use corrections::{Correction, NewCorrection, Verdict, added_labels};
pub use engine::Engine;
pub use files::{Applied, Change, FolderFiles, FolderRow, PathRow, Place};
pub use forgetting::Forgotten;
pub use health::Finding;
pub use jobs::{Lease, LeaseWish, MOST_ATTEMPTS, Queue, Retried};
pub use models::{ModelRow, NewModel};
pub use open::{Paused, Store};
pub use pages::{FileDetails, FileEntry, FileState, ModelScores, PageCursor, PageWish};
pub use results::{JobEnd, JobResult, MayPass, MediaFacts, Written};
pub use roots::Root;
pub use search::{Facet, Hit, SearchPage, SearchWish};
pub(crate) use sidecars::TextRecord;
pub use status::{Failure, FailureGroup, ModelStatus, Status};
