//! What workers found, written in one transaction with the end of their leases.

use std::collections::HashMap;

use half::f16;
use sqlx::AnyConnection;
use sqlx::Row as _;

use super::Store;
use super::corrections;
use super::engine::{Engine, wall_clock_seconds};
use super::jobs::{FAILED, MOST_ATTEMPTS, SCORED, SKIPPED};
use super::models::{ModelRow, json, parsed};
use super::tags::put_tags;
use crate::LibraryError;
use crate::spans::{ReadingSettings, WindowScores};

/// A job that is done, one way or another.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// In the store.
    pub job: i64,
    /// Of the lease: without it nothing is written.
    pub token: i64,
    /// The content.
    pub video: i64,
    /// How it ended.
    pub end: JobEnd,
    /// Seconds that were worked on it.
    pub work_seconds: f64,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub enum JobEnd {
    /// With scores.
    Scored {
        /// Of its windows.
        scores: WindowScores,
        /// What it is.
        media: MediaFacts,
        /// What is wrong with the rest of the file: a stable name, and a sentence.
        damage: Option<(String, String)>,
    },
    /// Without any.
    Failed {
        /// A stable name, such as `not_media`.
        kind: String,
        /// A sentence.
        reason: String,
        /// Whether another attempt could end otherwise.
        may_pass: MayPass,
    },
    /// There is nothing to score, for a reason that is no failure.
    Skipped {
        /// A stable name.
        kind: String,
        /// A sentence.
        reason: String,
    },
    /// Not tried: it goes back to the queue, for so many seconds.
    Released {
        /// Until it may be leased again.
        seconds: f64,
    },
}

/// Whether a failure is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayPass {
    /// The disk, the time, this program: it is tried again, in all three times.
    Yes,
    /// The file is what it is.
    No,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaFacts {
    /// Seconds; 0 of an image.
    pub duration: f64,
    /// FFmpeg's name of its codec.
    pub codec: String,
    /// As shown.
    pub width: u32,
    /// As shown.
    pub height: u32,
}

/// What became of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Written.
    pub written: u64,
    /// Not written: the lease had gone to somebody else.
    pub lost: u64,
}

impl Store {
    /// Writes results, all or none, each only if its lease is still this worker's.
    ///
    /// # Errors
    /// If the database says no; then nothing is written, and the same results may be tried again.
    pub async fn write_results(
        &self,
        model: &ModelRow,
        labels: &HashMap<String, i64>,
        results: &[JobResult],
    ) -> Result<Written, LibraryError> {
        let now = self.engine.lease_clock(&self.pool).await?;
        let mut transaction = self.begin().await?;
        // As they are at this moment: somebody may just be changing them.
        let lock = if self.engine == Engine::Postgres {
            "SELECT reading FROM models WHERE id = $1 FOR SHARE"
        } else {
            "SELECT reading FROM models WHERE id = $1"
        };
        let reading = sqlx::query(lock).bind(model.id).fetch_optional(&mut *transaction).await?;
        let Some(reading) = reading else {
            return Err(LibraryError::Wish(format!("the model {} was forgotten while it worked", model.shown())));
        };
        let reading: ReadingSettings = parsed(reading.try_get(0)?)?;
        let mut written = Written::default();
        for result in results {
            if write(&mut transaction, (model, labels, &reading), result, now).await? {
                written.written += 1;
            } else {
                written.lost += 1;
            }
        }
        transaction.commit().await?;
        Ok(written)
    }
}

async fn write(
    connection: &mut AnyConnection,
    (model, labels, reading): (&ModelRow, &HashMap<String, i64>, &ReadingSettings),
    result: &JobResult,
    now: f64,
) -> Result<bool, LibraryError> {
    let (mut tagged, mut windows, mut seconds, mut not_before) = (0, 0, 0.0, 0.0);
    let (mut kind, mut reason) = (None, None);
    let mut is_untried = false;
    let mut tags = Vec::new();
    let state = match &result.end {
        JobEnd::Scored { scores, media, damage } => {
            tags = scores.tags(&model.labels, reading);
            let said = corrections::of_video(&mut *connection, result.video).await?;
            corrections::apply(&mut tags, &said);
            tagged = i64::from(!tags.is_empty());
            windows = i64::try_from(scores.windows.len()).unwrap_or(i64::MAX);
            seconds = media.duration;
            (kind, reason) = damage.clone().unzip();
            SCORED.to_string()
        }
        JobEnd::Failed { kind: name, reason: sentence, may_pass } => {
            (kind, reason) = (Some(name.clone()), Some(sentence.clone()));
            not_before = now;
            match may_pass {
                MayPass::No => FAILED.to_string(),
                MayPass::Yes => format!("CASE WHEN attempts >= {MOST_ATTEMPTS} THEN {FAILED} ELSE 0 END"),
            }
        }
        JobEnd::Skipped { kind: name, reason: sentence } => {
            (kind, reason) = (Some(name.clone()), Some(sentence.clone()));
            SKIPPED.to_string()
        }
        JobEnd::Released { seconds } => {
            not_before = now + seconds;
            is_untried = true;
            0.to_string()
        }
    };
    let attempts = if is_untried { "attempts - 1" } else { "attempts" };
    let statement = format!(
        "UPDATE jobs SET state = {state}, attempts = {attempts}, not_before = $1, owner = NULL, token = NULL, deadline = NULL, tagged = $2, \
         kind = $3, reason = $4, windows = $5, video_seconds = $6, work_seconds = $7, finished_at = $8 \
         WHERE id = $9 AND token = $10 AND state = 1"
    );
    let guarded = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(not_before)
        .bind(tagged)
        .bind(kind)
        .bind(reason)
        .bind(windows)
        .bind(seconds)
        .bind(result.work_seconds)
        .bind(wall_clock_seconds())
        .bind(result.job)
        .bind(result.token)
        .execute(&mut *connection)
        .await?;
    if guarded.rows_affected() == 0 {
        return Ok(false);
    }
    if let JobEnd::Failed { .. } = &result.end {
        // Of an earlier attempt that somebody wanted repeated.
        put_tags(connection, (result.video, model.id), labels, &[]).await?;
    }
    if let JobEnd::Scored { scores, media, .. } = &result.end {
        put_scores(connection, result.job, scores).await?;
        put_tags(connection, (result.video, model.id), labels, &tags).await?;
        sqlx::query("UPDATE videos SET duration = $1, codec = $2, width = $3, height = $4 WHERE id = $5")
            .bind(media.duration)
            .bind(&media.codec)
            .bind(i64::from(media.width))
            .bind(i64::from(media.height))
            .bind(result.video)
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}

async fn put_scores(connection: &mut AnyConnection, job: i64, scores: &WindowScores) -> Result<(), LibraryError> {
    let logits: Vec<u8> = scores.logits.iter().flat_map(|logit| logit.to_le_bytes()).collect();
    sqlx::query(
        "INSERT INTO scores (job_id, windows, logits) VALUES ($1, $2, $3) \
         ON CONFLICT (job_id) DO UPDATE SET windows = excluded.windows, logits = excluded.logits",
    )
    .bind(job)
    .bind(json(&scores.windows)?)
    .bind(logits)
    .execute(connection)
    .await?;
    Ok(())
}

/// The scores of a job, if it has any.
pub(super) async fn scores_of(
    connection: &mut AnyConnection,
    job: i64,
    classes: usize,
) -> Result<Option<WindowScores>, LibraryError> {
    let row = sqlx::query("SELECT windows, logits FROM scores WHERE job_id = $1")
        .bind(job)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let bytes: &[u8] = row.try_get(1)?;
    if !bytes.len().is_multiple_of(2 * classes.max(1)) {
        return Err(LibraryError::Damaged(format!(
            "job {job} has {} bytes of logits for {classes} classes",
            bytes.len()
        )));
    }
    let logits = bytes.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes)).collect();
    Ok(Some(WindowScores { windows: parsed(row.try_get(0)?)?, logits, classes }))
}
