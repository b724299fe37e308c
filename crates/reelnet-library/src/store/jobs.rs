//! The queue: one job a content and model, leased for a while to a worker.

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Row as _};

use super::Store;
use super::engine::Engine;
use super::files::{Place, SHARDS, listed};
use crate::LibraryError;
use crate::process::{Life, Owner};

/// Times that a file may fail, or take its worker with it, before it is left alone.
pub const MOST_ATTEMPTS: i64 = 3;

/// Nothing rests longer, in seconds. A moment further away is one of a clock that began anew with the machine.
const LONGEST_REST: f64 = 3600.0;

pub(super) const WAITING: i64 = 0;
pub(super) const LEASED: i64 = 1;
pub(super) const SCORED: i64 = 2;
pub(super) const FAILED: i64 = 3;
pub(super) const SKIPPED: i64 = 4;

/// Which jobs a worker wants.
#[derive(Clone, Debug)]
pub struct LeaseWish {
    /// Of this model.
    pub model: i64,
    /// At most.
    pub count: u32,
    /// How long, in seconds; renewed while work goes on.
    pub seconds: f64,
    /// The part of the library, from 0 on, and of how many.
    pub shard: (u64, u64),
    /// Which come first.
    pub queue: Queue,
}

/// Which jobs come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queue {
    /// Files that were written last.
    #[default]
    NewestFirst,
    /// Files that were written first.
    OldestFirst,
}

/// A job that this worker has for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// In the store.
    pub job: i64,
    /// Whoever has it may write.
    pub token: i64,
    /// The content.
    pub video: i64,
    /// How often it was tried, this time included.
    pub attempt: i64,
    /// Where the content lies, paths that are there first.
    pub places: Vec<Place>,
}

impl Lease {
    /// The first of its places.
    pub fn path(&self) -> Option<&PathBuf> {
        self.places.first().map(|place| &place.path)
    }
}

/// Which jobs are to be tried again.
#[derive(Clone, Debug, Default)]
pub struct Retried {
    /// Of this model only.
    pub model: Option<i64>,
    /// Failed for this reason only (`timed_out`, …).
    pub kind: Option<String>,
    /// Also what was scored although it is damaged.
    pub damaged: bool,
}

impl Store {
    /// Makes a job of every content that this model has none of. Gives how many.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn queue_missing(&self, model: i64) -> Result<u64, LibraryError> {
        let (mut queued, mut last) = (0, 0);
        loop {
            // In parts: SQLite has one writer at a time, and others want their turn.
            let rows: Vec<(i64, String, f64)> = sqlx::query_as(
                "SELECT v.id, v.hash, v.modified FROM videos v WHERE v.id > $2 AND v.present > 0 AND NOT EXISTS \
                 (SELECT 1 FROM jobs j WHERE j.video_id = v.id AND j.model_id = $1) ORDER BY v.id LIMIT 2000",
            )
            .bind(model)
            .bind(last)
            .fetch_all(&self.pool)
            .await?;
            let Some(&(end, ..)) = rows.last() else { return Ok(queued) };
            last = end;
            let mut transaction = self.begin().await?;
            for (video, hash, modified) in rows {
                let written = sqlx::query(
                    "INSERT INTO jobs (video_id, model_id, state, present, priority, shard) VALUES ($1, $2, 0, 1, $3, $4) \
                     ON CONFLICT (video_id, model_id) DO NOTHING",
                )
                .bind(video)
                .bind(model)
                .bind(modified)
                .bind(super::files::shard_of(&hash))
                .execute(&mut *transaction)
                .await?;
                queued += written.rows_affected();
            }
            transaction.commit().await?;
        }
    }

    /// Takes jobs for a while. Before that, what dead workers had goes back to the queue.
    ///
    /// Files that nobody tried yet come first, and those that workers died over last: a file that kills its workers does not hold up the
    /// others, and one that was only there when its worker was killed is not tried by the next ones that may be killed as well.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn lease(&self, owner: &Owner, wish: &LeaseWish) -> Result<Vec<Lease>, LibraryError> {
        self.reclaim().await?;
        let now = self.engine.lease_clock(&self.pool).await?;
        let (order, of) =
            (if wish.queue == Queue::NewestFirst { "DESC" } else { "ASC" }, wish.shard.1.clamp(1, SHARDS));
        let token: i64 = rand::random::<i64>() & i64::MAX;
        let statement = format!(
            "UPDATE jobs SET state = {LEASED}, owner = $1, token = $2, deadline = $3, attempts = attempts + 1 WHERE id IN (\
             SELECT id FROM jobs WHERE model_id = $4 AND state = {WAITING} AND present = 1 AND attempts <= $9 AND (not_before <= $5 OR not_before > $5 + {LONGEST_REST}) AND shard % $6 = $7 \
             ORDER BY priority {order}, id {order} LIMIT $8 {}) AND state = {WAITING} RETURNING id, video_id, attempts",
            self.engine.skip_locked()
        );
        let mut leases = Vec::with_capacity(wish.count as usize);
        for most_attempts in 0..=MOST_ATTEMPTS {
            let wanted = i64::from(wish.count) - i64::try_from(leases.len()).unwrap_or(i64::MAX);
            if wanted <= 0 {
                break;
            }
            let rows: Vec<(i64, i64, i64)> = sqlx::query_as(AssertSqlSafe(statement.clone()))
                .bind(owner.to_text())
                .bind(token)
                .bind(now + wish.seconds)
                .bind(wish.model)
                .bind(now)
                .bind(of.cast_signed())
                .bind(wish.shard.0.cast_signed())
                .bind(wanted)
                .bind(most_attempts)
                .fetch_all(&self.pool)
                .await?;
            for (job, video, attempt) in rows {
                leases.push(Lease { job, token, video, attempt, places: self.places(video).await? });
            }
        }
        Ok(leases)
    }

    /// Prolongs leases. Gives those that are no longer this worker's.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn renew(&self, leases: &[(i64, i64)], seconds: f64) -> Result<Vec<i64>, LibraryError> {
        let now = self.engine.lease_clock(&self.pool).await?;
        let mut lost = Vec::new();
        for &(job, token) in leases {
            let renewed = sqlx::query("UPDATE jobs SET deadline = $1 WHERE id = $2 AND token = $3 AND state = 1")
                .bind(now + seconds)
                .bind(job)
                .bind(token)
                .execute(&self.pool)
                .await?;
            if renewed.rows_affected() == 0 {
                lost.push(job);
            }
        }
        Ok(lost)
    }

    /// Puts jobs back whose lease is over or whose worker is dead, and gives up those that were tried too often.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn reclaim(&self) -> Result<u64, LibraryError> {
        let now = self.engine.lease_clock(&self.pool).await?;
        let rows: Vec<(i64, i64, String, f64)> = sqlx::query_as(
            "SELECT id, token, COALESCE(owner, ''), COALESCE(deadline, 0) FROM jobs WHERE state = 1 AND token IS NOT NULL",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut reclaimed = 0;
        for (job, token, owner, deadline) in rows {
            let owner = Owner::parse(&owner);
            let is_dead = match (&owner, self.engine) {
                // The clock of a file's leases began with the boot of its one machine.
                (Some(owner), Engine::Sqlite) if !owner.is_of_this_boot() => true,
                (Some(owner), _) => owner.life() == Life::Dead,
                (None, _) => true,
            };
            if !is_dead && deadline >= now {
                continue;
            }
            let who = owner.map_or_else(|| "its worker".to_owned(), |owner| owner.shown());
            let written = sqlx::query(
                "UPDATE jobs SET state = CASE WHEN attempts >= $1 THEN 3 ELSE 0 END, \
                 kind = CASE WHEN attempts >= $1 THEN 'worker_lost' ELSE kind END, \
                 reason = CASE WHEN attempts >= $1 THEN $2 ELSE reason END, owner = NULL, token = NULL, deadline = NULL \
                 WHERE id = $3 AND token = $4 AND state = 1",
            )
            .bind(MOST_ATTEMPTS)
            .bind(format!("{who} ended or fell silent while it worked on the file, as others did before it; run with --isolate"))
            .bind(job)
            .bind(token)
            .execute(&self.pool)
            .await?;
            reclaimed += written.rows_affected();
        }
        Ok(reclaimed)
    }

    /// Jobs of a model in this part of the library that are waiting or leased.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn pending(&self, model: i64, (shard, of): (u64, u64)) -> Result<(u64, u64), LibraryError> {
        let mut counts = (0, 0);
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT state, COUNT(*) FROM jobs WHERE model_id = $1 AND state IN (0, 1) AND present = 1 AND shard % $2 = $3 GROUP BY state",
        )
        .bind(model)
        .bind(of.clamp(1, SHARDS).cast_signed())
        .bind(shard.cast_signed())
        .fetch_all(&self.pool)
        .await?;
        for (state, count) in rows {
            *(if state == WAITING { &mut counts.0 } else { &mut counts.1 }) = count.unsigned_abs();
        }
        Ok(counts)
    }

    /// Jobs of a model that wait for a moment to come: their folder was not there.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn resting(&self, model: i64) -> Result<u64, LibraryError> {
        let now = self.engine.lease_clock(&self.pool).await?;
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM jobs WHERE model_id = $1 AND state = 0 AND present = 1 AND not_before > $2",
        )
        .bind(model)
        .bind(now)
        .fetch_one(&self.pool)
        .await?;
        Ok(count.unsigned_abs())
    }

    /// Puts failed jobs back into the queue, as if they had never been tried. Gives how many.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn retry(&self, wish: &Retried) -> Result<u64, LibraryError> {
        let damaged = if wish.damaged { " OR (state = 2 AND kind IS NOT NULL)" } else { "" };
        let statement = format!(
            "UPDATE jobs SET state = 0, attempts = 0, not_before = 0 WHERE (state IN ({FAILED}, {SKIPPED}){damaged}) \
             AND ($1 < 0 OR model_id = $1) AND ($2 = '' OR kind = $2)"
        );
        let written = sqlx::query(AssertSqlSafe(statement))
            .bind(wish.model.unwrap_or(-1))
            .bind(wish.kind.clone().unwrap_or_default())
            .execute(&self.pool)
            .await?;
        Ok(written.rows_affected())
    }

    /// Gives back what this worker has and will not do, as if it had never been tried.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn release(&self, leases: &[(i64, i64)]) -> Result<(), LibraryError> {
        for &(job, token) in leases {
            sqlx::query(
                "UPDATE jobs SET state = 0, attempts = attempts - 1, owner = NULL, token = NULL, deadline = NULL \
                 WHERE id = $1 AND token = $2 AND state = 1",
            )
            .bind(job)
            .bind(token)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// Ids of a model's scored jobs after one of them, in ascending order.
    pub(crate) async fn scored_after(&self, model: i64, job: i64, count: i64) -> Result<Vec<(i64, i64)>, LibraryError> {
        Ok(sqlx::query(
            "SELECT id, video_id FROM jobs WHERE model_id = $1 AND state = 2 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(model)
        .bind(job)
        .bind(count)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, sqlx::Error>>()?)
    }

    /// Jobs of contents, as `(job, video)`.
    pub(crate) async fn jobs_of(&self, model: i64, videos: &[i64]) -> Result<Vec<(i64, i64)>, LibraryError> {
        if videos.is_empty() {
            return Ok(Vec::new());
        }
        let statement = format!(
            "SELECT id, video_id FROM jobs WHERE model_id = $1 AND state = 2 AND video_id IN ({})",
            listed(videos)
        );
        Ok(sqlx::query_as(AssertSqlSafe(statement)).persistent(false).bind(model).fetch_all(&self.pool).await?)
    }
}
