//! The derived table that search looks at: tags by file, made from stored scores by a model's reading settings.

use std::collections::HashMap;

use sqlx::AnyConnection;

use super::Store;
use super::corrections;
use super::engine::Engine;
use super::models::{ModelRow, json, parsed};
use super::results::scores_of;
use crate::LibraryError;
use crate::spans::{ReadingSettings, Tag};

/// Files that are read anew in one transaction.
const CHUNK: i64 = 100;

impl Store {
    /// Changes how a model's scores become tags, and makes all tags anew from stored scores. Nothing is decoded. `progress` hears how
    /// many files are done; the same call goes on after an interruption from the start.
    ///
    /// # Errors
    /// If the settings make no sense, or the database says no.
    pub async fn reread(
        &self,
        model: i64,
        reading: &ReadingSettings,
        mut progress: impl FnMut(u64),
    ) -> Result<u64, LibraryError> {
        if let Some(complaint) = reading.complaint() {
            return Err(LibraryError::Wish(complaint));
        }
        let text = json(reading)?;
        // From here on workers read scores the new way.
        sqlx::query("UPDATE models SET reading = $1, stamp = '' WHERE id = $2")
            .bind(&text)
            .bind(model)
            .execute(&self.pool)
            .await?;
        let (model, labels) = (self.model(model).await?, self.label_ids().await?);
        let (mut last, mut done) = (0, 0);
        loop {
            let jobs = self.scored_after(model.id, last, CHUNK).await?;
            let Some(&(end, _)) = jobs.last() else { break };
            last = end;
            done += jobs.len() as u64;
            self.reread_jobs(&model, &labels, &jobs).await?;
            progress(done);
        }
        sqlx::query("UPDATE models SET stamp = $1 WHERE id = $2 AND reading = $1")
            .bind(text)
            .bind(model.id)
            .execute(&self.pool)
            .await?;
        Ok(done)
    }

    /// Makes the tags of a video anew, by all models: after a correction.
    pub(super) async fn reread_video(&self, video: i64) -> Result<(), LibraryError> {
        let labels = self.label_ids().await?;
        for model in self.models().await? {
            let jobs = self.jobs_of(model.id, &[video]).await?;
            self.reread_jobs(&model, &labels, &jobs).await?;
        }
        Ok(())
    }

    async fn reread_jobs(
        &self,
        model: &ModelRow,
        labels: &HashMap<String, i64>,
        jobs: &[(i64, i64)],
    ) -> Result<(), LibraryError> {
        let mut transaction = self.begin().await?;
        let lock = if self.engine == Engine::Postgres { " FOR SHARE" } else { "" };
        let reading: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT reading FROM models WHERE id = $1{lock}")))
                .bind(model.id)
                .fetch_one(&mut *transaction)
                .await?;
        let reading: ReadingSettings = parsed(&reading)?;
        for &(job, video) in jobs {
            let Some(scores) = scores_of(&mut transaction, job, model.labels.len()).await? else { continue };
            let mut tags = scores.tags(&model.labels, &reading);
            let said = corrections::of_video(&mut transaction, video).await?;
            corrections::apply(&mut tags, &said);
            put_tags(&mut transaction, (video, model.id), labels, &tags).await?;
            sqlx::query("UPDATE jobs SET tagged = $1 WHERE id = $2")
                .bind(i64::from(!tags.is_empty()))
                .bind(job)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Replaces the tags of a video by a model.
pub(super) async fn put_tags(
    connection: &mut AnyConnection,
    (video, model): (i64, i64),
    labels: &HashMap<String, i64>,
    tags: &[Tag],
) -> Result<(), LibraryError> {
    sqlx::query("DELETE FROM tags WHERE video_id = $1 AND model_id = $2")
        .bind(video)
        .bind(model)
        .execute(&mut *connection)
        .await?;
    for tag in tags {
        let Some(&label) = labels.get(&tag.label) else {
            return Err(LibraryError::Damaged(format!("the label `{}` is not in it", tag.label)));
        };
        sqlx::query(
            "INSERT INTO tags (video_id, model_id, label_id, score, spans, seconds) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(video)
        .bind(model)
        .bind(label)
        .bind(f64::from(tag.score))
        .bind(i64::try_from(tag.spans.len()).unwrap_or(i64::MAX))
        .bind(tag.seconds())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
