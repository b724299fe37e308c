//! What can go wrong with a library as a whole. What is wrong with a file of it is a row of the store.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A library that cannot be used, or a wish that it cannot fulfil.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The place of a store is none.
    #[error("`{place}` is no place for a store: {detail}")]
    Place {
        /// As it was named.
        place: String,
        /// What is wrong, and what would be right.
        detail: String,
    },
    /// There is no store, and none was to be made.
    #[error("there is no library at `{0}`; `reelnet library add DIR` begins one")]
    NoStore(String),
    /// A newer reelnet made the store.
    #[error("the library has schema {found}, and this reelnet knows schemas up to {known}; use the newer reelnet")]
    TooNew {
        /// Of the store.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The store holds something that this program would not have written.
    #[error("the library is damaged: {0}; `reelnet library doctor` says more")]
    Damaged(String),
    /// The database says no.
    #[error("the library's database: {0}")]
    Database(#[from] sqlx::Error),
    /// A query that does not parse, or asks for a label that there is none of.
    #[error("{0}")]
    Query(#[from] crate::query::QueryError),
    /// A pattern that is no glob.
    #[error("`{pattern}` is no glob: {detail}")]
    Glob {
        /// As it was written.
        pattern: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A folder or a file outside the store.
    #[error("`{}`: {source}", path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A wish that does not fit the library.
    #[error("{0}")]
    Wish(String),
    /// The work was ended from outside.
    #[error("interrupted")]
    Interrupted,
}

impl LibraryError {
    /// Whether the database may come back: it was restarted, is busy, or the network is down for a while.
    pub fn is_passing(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::Tls(_) => true,
            sqlx::Error::Database(error) => match error.code().as_deref() {
                // PostgreSQL: shut down, crashed, starting up, connections; serialization and deadlock. SQLite: busy, locked.
                Some(code) => {
                    code.starts_with("08")
                        || code.starts_with("57P0")
                        || ["53300", "40001", "40P01", "5", "6", "261", "517"].contains(&code)
                }
                None => false,
            },
            _ => false,
        }
    }

    /// Whether there is no room to write, or the disk fails: SQLite's 13 and its kinds of 10, PostgreSQL's 53100 and 58030.
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => match error.code().as_deref() {
                Some("53100" | "58030") => true,
                Some(code) => code.parse().is_ok_and(|code: u32| code == 13 || (code < 10_000 && code & 0xFF == 10)),
                None => false,
            },
            Self::Disk { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }
}
