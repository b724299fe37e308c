//! How far the library is: counts, failures by reason, speed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use sqlx::Row as _;

use super::Store;
use super::engine::wall_clock_seconds;
use super::pages::{FileState, PageWish};
use super::roots::Root;
use crate::LibraryError;

/// Finished files that speed is told from.
const RECENT: i64 = 500;
/// Seconds without a finished file after which nothing is said about speed.
const STILL: f64 = 3600.0;

/// The state of a library.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its folders.
    pub roots: Vec<Root>,
    /// Contents that are there.
    pub files: u64,
    /// Contents that are not there any more and not forgotten.
    pub gone: u64,
    /// Whether workers wait.
    pub is_paused: bool,
    /// By model, in the order in which they came.
    pub models: Vec<ModelStatus>,
}

/// How far a model is.
#[derive(Clone, Debug, Serialize)]
pub struct ModelStatus {
    /// In the store.
    pub id: i64,
    /// Name and hash.
    pub model: String,
    /// Files by state.
    pub counts: BTreeMap<FileState, u64>,
    /// Scored, although parts of them are damaged.
    pub damaged: u64,
    /// Failures by reason, most first.
    pub failures: Vec<FailureGroup>,
    /// Who works at the moment, with how many files.
    pub workers: BTreeMap<String, u64>,
    /// Hours of video that an hour of work gets through, all workers together, of late; `None` if nothing was done of late.
    pub speed: Option<f64>,
    /// Seconds until all is done at this speed.
    pub seconds_left: Option<f64>,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureGroup {
    /// A stable name, such as `not_media`.
    pub kind: String,
    /// Files.
    pub files: u64,
}

/// A file that failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Its content in the store.
    pub video: i64,
    /// Where it lies.
    pub path: PathBuf,
    /// A stable name.
    pub kind: String,
    /// In a sentence.
    pub reason: String,
    /// Times that it was tried.
    pub attempts: u64,
}

impl Store {
    /// The state of the library.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn status(&self) -> Result<Status, LibraryError> {
        let files: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM videos WHERE present > 0").fetch_one(&self.pool).await?;
        let gone: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM videos WHERE present = 0").fetch_one(&self.pool).await?;
        let mut models = Vec::new();
        for model in self.models().await? {
            models.push(self.model_status(model.id, model.shown(), files.unsigned_abs()).await?);
        }
        Ok(Status {
            roots: self.roots().await?,
            files: files.unsigned_abs(),
            gone: gone.unsigned_abs(),
            is_paused: self.is_paused().await?,
            models,
        })
    }

    async fn model_status(&self, id: i64, name: String, files: u64) -> Result<ModelStatus, LibraryError> {
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT present, state, tagged, COUNT(*) FROM jobs WHERE model_id = $1 GROUP BY present, state, tagged",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        let mut counts: BTreeMap<FileState, u64> = BTreeMap::new();
        let mut queued = 0;
        for (present, state, tagged, count) in rows {
            *counts.entry(FileState::of(state, present != 0, tagged != 0)).or_default() += count.unsigned_abs();
            queued += if present == 0 { 0 } else { count.unsigned_abs() };
        }
        // Files that were found since the model last worked.
        if files > queued {
            *counts.entry(FileState::Waiting).or_default() += files - queued;
        }
        let failures = self.failure_groups(id).await?;
        let damaged: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM jobs WHERE model_id = $1 AND state = 2 AND present = 1 AND kind IS NOT NULL",
        )
        .bind(id)
        .fetch_one(&self.pool)
        .await?;
        let owners: Vec<(String, i64)> = sqlx::query_as(
            "SELECT COALESCE(owner, ''), COUNT(*) FROM jobs WHERE model_id = $1 AND state = 1 GROUP BY owner ORDER BY owner",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        let who =
            |owner: &str| crate::process::Owner::parse(owner).map_or_else(|| owner.to_owned(), |owner| owner.shown());
        let workers = owners.iter().map(|(owner, count)| (who(owner), count.unsigned_abs())).collect();
        let (speed, pace) = self.speed(id).await?;
        let left = counts.get(&FileState::Waiting).copied().unwrap_or(0)
            + counts.get(&FileState::Working).copied().unwrap_or(0);
        Ok(ModelStatus {
            id,
            model: name,
            counts,
            damaged: damaged.unsigned_abs(),
            failures,
            workers,
            speed,
            seconds_left: pace.map(|pace| pace * left as f64),
        })
    }

    /// Hours of video an hour, and seconds a file, of what was finished of late.
    async fn speed(&self, model: i64) -> Result<(Option<f64>, Option<f64>), LibraryError> {
        let rows: Vec<(f64, f64, f64)> = sqlx::query_as(
            "SELECT finished_at, video_seconds, work_seconds FROM jobs WHERE model_id = $1 AND finished_at > $2 \
             ORDER BY finished_at DESC LIMIT $3",
        )
        .bind(model)
        .bind(wall_clock_seconds() - STILL)
        .bind(RECENT)
        .fetch_all(&self.pool)
        .await?;
        let (Some(last), Some(first)) = (rows.first(), rows.last()) else { return Ok((None, None)) };
        // The first of them began earlier than it ended.
        let elapsed = (last.0 - (first.0 - first.2)).max(1e-3);
        let video: f64 = rows.iter().map(|row| row.1).sum();
        Ok((Some(video / elapsed), Some(elapsed / rows.len() as f64)))
    }

    /// Failures of a model by reason, most first.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn failure_groups(&self, model: i64) -> Result<Vec<FailureGroup>, LibraryError> {
        let rows = sqlx::query(
            "SELECT COALESCE(kind, ''), COUNT(*) FROM jobs WHERE model_id = $1 AND state = 3 AND present = 1 GROUP BY kind ORDER BY 2 DESC, 1",
        )
        .bind(model)
        .fetch_all(&self.pool)
        .await?;
        let group = |row: &sqlx::any::AnyRow| -> Result<FailureGroup, LibraryError> {
            Ok(FailureGroup { kind: row.try_get(0)?, files: row.try_get::<i64, _>(1)?.unsigned_abs() })
        };
        rows.iter().map(group).collect()
    }

    /// A page of failed files, newest first.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn failures(&self, model: i64, wish: &PageWish) -> Result<Vec<Failure>, LibraryError> {
        let model = self.model(model).await?;
        let page = self.page(&model, &PageWish { state: Some(FileState::Failed), ..wish.clone() }).await?;
        let failure = |file: super::FileEntry| Failure {
            video: file.video,
            path: file.path,
            kind: file.kind.unwrap_or_default(),
            reason: file.reason.unwrap_or_default(),
            attempts: file.attempts,
        };
        Ok(page.into_iter().map(failure).collect())
    }
}
