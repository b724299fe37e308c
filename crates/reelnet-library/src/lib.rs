//! Folders of videos in, a searchable and resumable store of tags out.
//!
//! 1. A [`Store`] is a database: SQLite in a file, or PostgreSQL for several machines.
//! 2. [`scan`] finds out what lies in the library's folders, and what of it is new.
//! 3. [`work`] leases files, decodes them window by window, and stores the scores of every window.
//! 4. Tags are made when they are read: [`spans`] turns scores into labels with times, by settings that can change at any moment.
//!
//! What a network is, and how it works inside, is unknown here, and so is the terminal.

pub mod analysis;
pub mod cuts;
mod error;
pub mod export;
pub mod identity;
pub mod names;
pub mod objects;
pub mod pictures;
mod places;
pub mod process;
pub mod query;
pub mod scan;
pub mod serve;
pub mod sidecars;
pub mod spans;
pub mod store;
pub mod watching;
pub mod windows;
pub mod work;

pub use error::LibraryError;
pub use store::Store;
