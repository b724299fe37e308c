//! What lies in the library's folders, and what of it is new.
//!
//! A folder is compared by one number, a digest of the names, sizes and times of its files: a folder in which nothing has changed
//! costs no row of the database. Only files whose size or time changed are opened, and hashed. A folder that is not there, is empty
//! where it was full, or cannot be read is no proof that its files are gone.

mod ground;
mod plan;
mod report;
mod run;
mod walk;

pub use plan::{FoundFile, FoundFolder, Plan, plan};
pub use report::{ScanReport, Trouble};
pub use run::{EmptyRoots, ScanOptions, scan};
pub(crate) use walk::{IGNORE_FILE, KEEP_OUT, globs, nanoseconds};
pub use walk::{Rules, Walk, walk};
