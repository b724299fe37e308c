//! What people said of tags. A model never touches it; what it says is seen through it.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::Store;
use super::engine::wall_clock_seconds;
use crate::LibraryError;
use crate::spans::Tag;

/// What a person said of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is to be seen there.
    Added,
    /// It is not.
    Removed,
}

/// Something that a person says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewCorrection {
    /// The content.
    pub video: i64,
    /// One of a model's, or a new one.
    pub label: String,
    /// Whether it is there.
    pub verdict: Verdict,
    /// Where, in seconds from its start to its end; the whole file if nothing is said.
    pub span: Option<(f64, f64)>,
    /// Who says so.
    pub author: String,
    /// Anything.
    pub note: String,
}

/// Something that a person said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// In the store.
    pub id: i64,
    /// What was said.
    #[serde(flatten)]
    pub said: NewCorrection,
    /// When, in seconds since 1970.
    pub made_at: f64,
}

impl Store {
    /// Keeps what a person said, and makes the file's tags for search anew.
    ///
    /// # Errors
    /// If the label is empty, the span is none, there is no such content, or the database says no.
    pub async fn correct(&self, said: &NewCorrection) -> Result<i64, LibraryError> {
        let label = said.label.trim();
        if label.is_empty() || label.len() > 200 || label.contains(char::is_control) {
            return Err(LibraryError::Wish("a label has 1 to 200 bytes, in one line".to_owned()));
        }
        if let Some((start, end)) = said.span
            && !(start.is_finite() && end.is_finite() && 0.0 <= start && start <= end)
        {
            return Err(LibraryError::Wish(format!(
                "{start} to {end} s is no span, expected two times in their order"
            )));
        }
        let mut transaction = self.begin().await?;
        let known: Option<i64> = sqlx::query_scalar("SELECT id FROM videos WHERE id = $1")
            .bind(said.video)
            .fetch_optional(&mut *transaction)
            .await?;
        if known.is_none() {
            return Err(LibraryError::Wish(format!("the library has no file {}", said.video)));
        }
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO corrections (video_id, label, verdict, start_seconds, end_seconds, author, note, made_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        )
        .bind(said.video)
        .bind(label)
        .bind(if said.verdict == Verdict::Added { "added" } else { "removed" })
        .bind(said.span.map(|span| span.0))
        .bind(said.span.map(|span| span.1))
        .bind(&said.author)
        .bind(&said.note)
        .bind(wall_clock_seconds())
        .fetch_one(&mut *transaction)
        .await?;
        put_added(&mut transaction, said.video).await?;
        transaction.commit().await?;
        self.reread_video(said.video).await?;
        Ok(id)
    }

    /// Takes back what a person said.
    ///
    /// # Errors
    /// If nobody said it, or the database says no.
    pub async fn withdraw(&self, correction: i64) -> Result<(), LibraryError> {
        let mut transaction = self.begin().await?;
        let video: Option<i64> = sqlx::query_scalar("DELETE FROM corrections WHERE id = $1 RETURNING video_id")
            .bind(correction)
            .fetch_optional(&mut *transaction)
            .await?;
        let video = video.ok_or_else(|| LibraryError::Wish(format!("there is no correction {correction}")))?;
        put_added(&mut transaction, video).await?;
        transaction.commit().await?;
        self.reread_video(video).await
    }

    /// What was said of a video, in the order in which it was.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn corrections(&self, video: i64) -> Result<Vec<Correction>, LibraryError> {
        of_video(&mut *self.pool.acquire().await?, video).await
    }

    /// Everything that was said after a correction, in order: for lists to train with.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn all_corrections(&self, after: i64, limit: u32) -> Result<Vec<Correction>, LibraryError> {
        let rows = sqlx::query(
            "SELECT id, video_id, label, verdict, start_seconds, end_seconds, author, note, made_at FROM corrections \
             WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(correction).collect()
    }
}

pub(super) async fn of_video(connection: &mut AnyConnection, video: i64) -> Result<Vec<Correction>, LibraryError> {
    let rows = sqlx::query(
        "SELECT id, video_id, label, verdict, start_seconds, end_seconds, author, note, made_at FROM corrections \
         WHERE video_id = $1 ORDER BY id",
    )
    .bind(video)
    .fetch_all(connection)
    .await?;
    rows.iter().map(correction).collect()
}

fn correction(row: &AnyRow) -> Result<Correction, LibraryError> {
    let (start, end): (Option<f64>, Option<f64>) = (row.try_get(4)?, row.try_get(5)?);
    let said = NewCorrection {
        video: row.try_get(1)?,
        label: row.try_get(2)?,
        verdict: if row.try_get::<String, _>(3)? == "added" { Verdict::Added } else { Verdict::Removed },
        span: start.zip(end),
        author: row.try_get(6)?,
        note: row.try_get(7)?,
    };
    Ok(Correction { id: row.try_get(0)?, said, made_at: row.try_get(8)? })
}

/// The labels that people gave to a video and did not take away again later, for search.
async fn put_added(connection: &mut AnyConnection, video: i64) -> Result<(), LibraryError> {
    let said = of_video(&mut *connection, video).await?;
    sqlx::query("DELETE FROM tags WHERE video_id = $1 AND model_id IS NULL")
        .bind(video)
        .execute(&mut *connection)
        .await?;
    for (label, spans) in added_labels(&said) {
        sqlx::query("INSERT INTO labels (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
            .bind(&label)
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "INSERT INTO tags (video_id, model_id, label_id, score, spans, seconds) \
             SELECT $1, NULL, id, 1.0, $2, $3 FROM labels WHERE name = $4",
        )
        .bind(video)
        .bind(i64::try_from(spans.len()).unwrap_or(i64::MAX))
        .bind(spans.iter().map(|(start, end)| end - start).sum::<f64>())
        .bind(&label)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The labels that people say are there, with their spans; no spans mean the whole file. Later words count more.
pub fn added_labels(said: &[Correction]) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut labels: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for Correction { said, .. } in said {
        let place = labels.iter().position(|(label, _)| *label == said.label);
        match (said.verdict, said.span, place) {
            (Verdict::Added, span, None) => labels.push((said.label.clone(), span.into_iter().collect())),
            (Verdict::Added, Some(span), Some(place)) => labels[place].1.push(span),
            (Verdict::Added, None, Some(place)) => labels[place].1.clear(),
            (Verdict::Removed, None, Some(place)) => {
                labels.remove(place);
            }
            (Verdict::Removed, Some(span), Some(place)) => {
                let spans = &mut labels[place].1;
                let before = spans.len();
                spans.retain(|own| !mostly_within(*own, span));
                if before > 0 && spans.is_empty() {
                    labels.remove(place);
                }
            }
            (Verdict::Removed, _, None) => {}
        }
    }
    labels
}

/// Takes away from a model's tags what people say is not there. Where somebody says later that it is, it stays.
pub(super) fn apply(tags: &mut Vec<Tag>, said: &[Correction]) {
    for (place, Correction { said: word, .. }) in said.iter().enumerate() {
        let is_taken_back = said[place + 1..].iter().any(|later| {
            let later = &later.said;
            later.label == word.label
                && later.verdict == Verdict::Added
                && (later.span.is_none() || later.span == word.span)
        });
        if word.verdict == Verdict::Added || is_taken_back {
            continue;
        }
        for tag in tags.iter_mut().filter(|tag| tag.label == word.label) {
            match word.span {
                None => tag.spans.clear(),
                Some(span) => tag.spans.retain(|own| !mostly_within((own.start, own.end), span)),
            }
            tag.score = tag.spans.iter().map(|span| span.score).fold(0.0, f32::max);
        }
        tags.retain(|tag| !tag.spans.is_empty());
    }
}

/// Whether at least half of one span lies within another.
fn mostly_within((start, end): (f64, f64), (from, to): (f64, f64)) -> bool {
    let within = end.min(to) - start.max(from);
    within >= 0.0 && within * 2.0 >= end - start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spans::Span;

    type Word<'word> = (&'word str, Verdict, Option<(f64, f64)>);

    fn said(words: &[Word<'_>]) -> Vec<Correction> {
        let word = |(label, verdict, span): &Word<'_>| Correction {
            id: 0,
            said: NewCorrection {
                video: 1,
                label: (*label).to_owned(),
                verdict: *verdict,
                span: *span,
                author: String::new(),
                note: String::new(),
            },
            made_at: 0.0,
        };
        words.iter().map(word).collect()
    }

    #[test]
    fn a_removed_span_takes_its_tag_only_if_nothing_is_left() {
        let span = |start: f64, score| Span { class: 0, start, end: start + 5.0, score };
        let tag = Tag { class: 0, label: "dog".to_owned(), score: 0.9, spans: vec![span(0.0, 0.9), span(20.0, 0.6)] };
        let after = |words: &[Word<'_>]| {
            let mut tags = vec![tag.clone()];
            apply(&mut tags, &said(words));
            tags.first().map(|tag| (tag.score, tag.spans.len()))
        };
        assert_eq!(after(&[("dog", Verdict::Removed, Some((0.0, 4.0)))]), Some((0.6, 1)));
        assert_eq!(after(&[("dog", Verdict::Removed, Some((0.0, 2.0)))]), Some((0.9, 2)), "less than half of it");
        assert_eq!(after(&[("dog", Verdict::Removed, None)]), None);
        assert_eq!(after(&[("dog", Verdict::Removed, None), ("dog", Verdict::Added, None)]), Some((0.9, 2)));
        assert_eq!(after(&[("cat", Verdict::Removed, None)]), Some((0.9, 2)));
    }

    #[test]
    fn later_words_count_more() {
        let words = said(&[
            ("beach", Verdict::Added, Some((1.0, 2.0))),
            ("beach", Verdict::Added, Some((5.0, 9.0))),
            ("sea", Verdict::Added, None),
            ("beach", Verdict::Removed, Some((1.0, 2.0))),
            ("sea", Verdict::Removed, None),
        ]);
        assert_eq!(added_labels(&words), [("beach".to_owned(), vec![(5.0, 9.0)])]);
    }
}
