//! Search: from a query's words to labels, and from labels to files.

use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::Store;
use super::files::listed;
use super::jobs::SCORED;
use super::models::ModelRow;
use super::pages::FileEntry;
use crate::LibraryError;
use crate::names;
use crate::query::{Query, QueryError, Term};
use crate::spans::Tag;

/// Which files are wanted.
#[derive(Clone, Debug, Default)]
pub struct SearchWish {
    /// Written at this time or later, in seconds since 1970.
    pub after: Option<f64>,
    /// Written before this time.
    pub before: Option<f64>,
    /// A label counts from this score on.
    pub min_score: f64,
    /// Part of the path, capital letters aside.
    pub path: Option<String>,
    /// Also those that are no longer there.
    pub with_gone: bool,
    /// Files to leave out, best first.
    pub offset: u64,
    /// Files at most.
    pub limit: u32,
}

/// A page of what was found.
#[derive(Clone, Debug)]
pub struct SearchPage {
    /// Files that fit, on all pages.
    pub total: u64,
    /// This page, best first.
    pub hits: Vec<Hit>,
}

/// A file that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// Which.
    #[serde(flatten)]
    pub file: FileEntry,
    /// The tags that were asked for, with their times.
    pub found: Vec<Tag>,
}

/// How many files have a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facet {
    /// Which.
    pub label: String,
    /// Files, those that are gone too.
    pub files: u64,
}

impl Store {
    /// Files whose tags by a model, and by people, fit a query; without one, all.
    ///
    /// # Errors
    /// If a word of the query is no label, or the database says no.
    pub async fn search(
        &self,
        model: &ModelRow,
        query: Option<&Query>,
        wish: &SearchWish,
    ) -> Result<SearchPage, LibraryError> {
        let labels = self.label_ids().await?;
        let mut labels: Vec<(String, i64)> = labels.into_iter().collect();
        labels.sort();
        let sought = Sought { model: model.id, min_score: wish.min_score, labels: &labels };
        let mut conditions = vec![if wish.with_gone { "v.present >= 0" } else { "v.present > 0" }.to_owned()];
        let mut order = "v.modified DESC, v.id DESC".to_owned();
        let mut wanted = Vec::new();
        if let Some(query) = query {
            conditions.push(sought.condition(query)?);
            if query.terms().len() != query.wanted_terms().len() {
                // What nobody has looked at shows nothing, and is not what somebody means who does not want to see something.
                conditions.push(format!(
                    "EXISTS (SELECT 1 FROM jobs j WHERE j.video_id = v.id AND j.model_id = {} AND j.state = {SCORED})",
                    model.id
                ));
            }
            for term in query.wanted_terms() {
                wanted.extend(sought.ids(term)?);
            }
            if !wanted.is_empty() {
                order = format!(
                    "(SELECT SUM(t.score) FROM tags t WHERE t.video_id = v.id AND (t.model_id = {} OR t.model_id IS NULL) \
                     AND t.label_id IN ({})) DESC, v.id DESC",
                    model.id,
                    listed(&wanted)
                );
            }
        }
        conditions.push("v.modified >= $1 AND v.modified < $2".to_owned());
        if wish.path.is_some() {
            conditions.push(format!(
                "EXISTS (SELECT 1 FROM paths p JOIN folders f ON f.id = p.folder_id JOIN roots r ON r.id = f.root_id \
                 WHERE p.video_id = v.id AND r.path || '/' || f.path || '/' || p.name {} $3 ESCAPE '!')",
                self.engine.like()
            ));
        }
        let conditions = conditions.join(" AND ");
        let (after, before) = (wish.after.unwrap_or(f64::MIN), wish.before.unwrap_or(f64::MAX));
        let path = wish.path.as_ref().map(|path| like_pattern(path));
        let bound = |statement: String| {
            let query =
                sqlx::query_as::<_, (i64,)>(AssertSqlSafe(statement)).persistent(false).bind(after).bind(before);
            match &path {
                Some(path) => query.bind(path.clone()),
                None => query,
            }
        };
        let (total,) = bound(format!("SELECT COUNT(*) FROM videos v WHERE {conditions}")).fetch_one(&self.pool).await?;
        let limit = wish.limit.clamp(1, 10_000);
        let found = format!(
            "SELECT v.id FROM videos v WHERE {conditions} ORDER BY {order} LIMIT {limit} OFFSET {}",
            wish.offset
        );
        let videos: Vec<i64> = bound(found).fetch_all(&self.pool).await?.into_iter().map(|(video,)| video).collect();
        let files = self.entries(model.id, &videos).await?;
        let mut tags = if wanted.is_empty() { Vec::new() } else { self.tags_of(model, &videos).await? };
        let names: Vec<&str> =
            labels.iter().filter(|(_, id)| wanted.contains(id)).map(|(name, _)| name.as_str()).collect();
        let hits = files.into_iter().map(|file| {
            let place = tags.iter().position(|(video, _)| *video == file.video);
            let mut found = place.map(|place| tags.swap_remove(place).1).unwrap_or_default();
            found.retain(|tag| names.contains(&tag.label.as_str()));
            Hit { file, found }
        });
        Ok(SearchPage { total: total.unsigned_abs(), hits: hits.collect() })
    }

    /// Labels by how many files have them, most first.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn facets(&self, model: &ModelRow, limit: u32) -> Result<Vec<Facet>, LibraryError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT l.name, c.files FROM (SELECT label_id, COUNT(*) AS files FROM tags WHERE model_id = $1 OR model_id IS NULL \
             GROUP BY label_id) c JOIN labels l ON l.id = c.label_id ORDER BY c.files DESC, l.name LIMIT $2",
        )
        .bind(model.id)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(label, files)| Facet { label, files: files.unsigned_abs() }).collect())
    }
}

/// What the words of a query are looked up in.
struct Sought<'labels> {
    model: i64,
    min_score: f64,
    labels: &'labels [(String, i64)],
}

impl Sought<'_> {
    /// The labels that a term means.
    fn ids(&self, term: &Term) -> Result<Vec<i64>, QueryError> {
        let ids: Vec<i64> = self.labels.iter().filter(|(label, _)| term.fits(label)).map(|(_, id)| *id).collect();
        if !ids.is_empty() {
            return Ok(ids);
        }
        Err(QueryError::Unknown {
            word: term.to_string(),
            near: near(&term.text, self.labels.iter().map(|(label, _)| label.as_str())),
        })
    }

    /// A query as a condition on videos `v`. Only numbers of our own get into the text.
    fn condition(&self, query: &Query) -> Result<String, QueryError> {
        Ok(match query {
            Query::Term(term) => format!(
                "v.id IN (SELECT t.video_id FROM tags t WHERE t.label_id IN ({}) AND t.score >= {:?} \
                 AND (t.model_id = {} OR t.model_id IS NULL))",
                listed(&self.ids(term)?),
                if self.min_score.is_finite() { self.min_score } else { 0.0 },
                self.model
            ),
            Query::Not(query) => format!("NOT ({})", self.condition(query)?),
            Query::And(a, b) => format!("({} AND {})", self.condition(a)?, self.condition(b)?),
            Query::Or(a, b) => format!("({} OR {})", self.condition(a)?, self.condition(b)?),
        })
    }
}

/// Labels that hold the word anywhere, then those whose words are nearly it; three at most.
fn near<'labels>(word: &str, labels: impl Iterator<Item = &'labels str>) -> Vec<String> {
    let word = word.to_lowercase();
    let mut ranked: Vec<(f64, &str)> = labels
        .map(|label| {
            let lower = label.to_lowercase();
            let words = lower.split(|letter: char| !letter.is_alphanumeric());
            let nearest = words.map(|own| strsim::jaro_winkler(own, &word)).fold(0.0, f64::max);
            (if lower.contains(&word) { 2.0 } else { nearest }, label)
        })
        .filter(|(likeness, _)| *likeness > 0.85)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    ranked.into_iter().take(3).map(|(_, label)| label.to_owned()).collect()
}

/// A part of a path as LIKE takes it.
fn like_pattern(path: &str) -> String {
    let text = names::to_text(path.as_ref());
    let escaped: String = text
        .chars()
        .flat_map(|letter| ['%', '_', '!'].contains(&letter).then_some('!').into_iter().chain([letter]))
        .collect();
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_words_get_near_ones() {
        let labels = ["Eskimo dog", "golden retriever", "hotdog", "seashore"];
        assert_eq!(near("retreiver", labels.into_iter()), ["golden retriever"]);
        assert_eq!(near("shore", labels.into_iter()), ["seashore"]);
        assert!(near("xylophone", labels.into_iter()).is_empty());
        assert_eq!(like_pattern("50%_a!"), "%50!%!_a!!%");
    }
}
