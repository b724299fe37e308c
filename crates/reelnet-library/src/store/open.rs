//! Opening a store, and its few values that belong to nobody else.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{AnyPool, Row as _, Transaction};

use super::engine::{Engine, shown};
use super::schema;
use crate::LibraryError;

/// Connections of one process.
const CONNECTIONS: u32 = 8;

/// A library's database. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: AnyPool,
    pub(crate) engine: Engine,
    place: String,
}

/// Whether a store that is not there is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    Make,
    Refuse,
}

impl Store {
    /// Opens a store, or makes it: `postgres://user@host/database`, or a file for SQLite.
    ///
    /// # Errors
    /// If the place is none, the database cannot be reached, or a newer reelnet made it.
    pub async fn create_or_open(place: &str) -> Result<Self, LibraryError> {
        Self::at(place, Absent::Make).await
    }

    /// Opens a store that is there.
    ///
    /// # Errors
    /// As [`create_or_open`](Self::create_or_open), and if there is none.
    pub async fn open(place: &str) -> Result<Self, LibraryError> {
        Self::at(place, Absent::Refuse).await
    }

    async fn at(place: &str, absent: Absent) -> Result<Self, LibraryError> {
        let engine = Engine::of(place);
        if engine == Engine::Sqlite {
            let path = Path::new(place.strip_prefix("sqlite://").unwrap_or(place));
            if absent == Absent::Refuse && !path.exists() {
                return Err(LibraryError::NoStore(shown(place)));
            }
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                fs::create_dir_all(parent).map_err(|source| LibraryError::Disk { path: parent.to_owned(), source })?;
            }
        }
        let pool = engine.connect(place, CONNECTIONS).await?;
        schema::migrate(engine, &pool).await?;
        Ok(Self { pool, engine, place: shown(place) })
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Where it is, without a password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Ends all connections in order, so that SQLite leaves one file.
    pub async fn close(&self) {
        // Costs nothing where plans are good already.
        let _ = sqlx::query(self.engine.analyse()).execute(&self.pool).await;
        self.pool.close().await;
    }

    /// Whether workers are to wait.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn is_paused(&self) -> Result<bool, LibraryError> {
        Ok(self.value("paused").await?.is_some_and(|value| value == "yes"))
    }

    /// Asks all workers, on all machines, to wait after the files that they have; or to go on.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn set_paused(&self, paused: Paused) -> Result<(), LibraryError> {
        self.set_value("paused", if paused == Paused::Yes { "yes" } else { "no" }).await
    }

    pub(crate) async fn value(&self, key: &str) -> Result<Option<String>, LibraryError> {
        let row = sqlx::query("SELECT value FROM meta WHERE key = $1").bind(key).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| row.get(0)))
    }

    pub(crate) async fn set_value(&self, key: &str, value: &str) -> Result<(), LibraryError> {
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(value)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A transaction that will write.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, sqlx::Any>, LibraryError> {
        Ok(self.pool.begin_with(self.engine.begin()).await?)
    }

    /// Does something again and again while the database is away, for as long as `patience`; says so once a try.
    ///
    /// # Errors
    /// What is no passing trouble, or what remained of it in the end.
    pub async fn patiently<T, F: Future<Output = Result<T, LibraryError>>>(
        &self,
        patience: Duration,
        mut tell: impl FnMut(&LibraryError, Duration),
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, LibraryError> {
        let since = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            match attempt().await {
                Err(error) if (error.is_passing() || error.is_full_disk()) && since.elapsed() < patience => {
                    tell(&error, pause);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(15));
                }
                result => return result,
            }
        }
    }
}

/// Whether workers wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// They do.
    Yes,
    /// They work.
    No,
}
