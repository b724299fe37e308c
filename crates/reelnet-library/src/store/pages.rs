//! Files a page at a time, and everything about one of them: what people and the web page look at.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::Store;
use super::corrections::{self, Correction};
use super::files::{Place, listed};
use super::jobs::{FAILED, LEASED, SCORED, SKIPPED, WAITING};
use super::models::ModelRow;
use super::results::scores_of;
use crate::spans::{Tag, WindowScores};
use crate::{LibraryError, names};

/// What became of a file by one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It has tags.
    Tagged,
    /// It was scored, and nothing is sure enough.
    NoTag,
    /// It gave nothing; the reason is told.
    Failed,
    /// It was left out; the reason is told.
    Skipped,
    /// Its turn will come.
    Waiting,
    /// Somebody is at it.
    Working,
    /// It is no longer there. What is known of it stays until it is forgotten.
    Gone,
}

impl FileState {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Tagged, Self::NoTag, Self::Failed, Self::Skipped, Self::Waiting, Self::Working, Self::Gone];

    /// Its name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tagged => "tagged",
            Self::NoTag => "no_tag",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Gone => "gone",
        }
    }

    pub(super) fn of(state: i64, present: bool, tagged: bool) -> Self {
        match state {
            _ if !present => Self::Gone,
            SCORED if tagged => Self::Tagged,
            SCORED => Self::NoTag,
            FAILED => Self::Failed,
            SKIPPED => Self::Skipped,
            LEASED => Self::Working,
            _ => Self::Waiting,
        }
    }

    /// As a condition on jobs `j`.
    fn condition(self) -> String {
        match self {
            Self::Tagged => format!("j.state = {SCORED} AND j.present = 1 AND j.tagged = 1"),
            Self::NoTag => format!("j.state = {SCORED} AND j.present = 1 AND j.tagged = 0"),
            Self::Failed => format!("j.state = {FAILED} AND j.present = 1"),
            Self::Skipped => format!("j.state = {SKIPPED} AND j.present = 1"),
            Self::Waiting => format!("j.state = {WAITING} AND j.present = 1"),
            Self::Working => format!("j.state = {LEASED} AND j.present = 1"),
            Self::Gone => "j.present = 0".to_owned(),
        }
    }
}

/// Which files are wanted: newest first, those after the cursor.
#[derive(Clone, Debug, Default)]
pub struct PageWish {
    /// Only those of this state.
    pub state: Option<FileState>,
    /// Where the page before this one ended.
    pub after: Option<PageCursor>,
    /// Files of a page.
    pub limit: u32,
}

/// The last file of a page.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PageCursor {
    /// When it was written.
    pub modified: f64,
    /// Its content.
    pub video: i64,
}

/// A file in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileEntry {
    /// Its content in the store.
    pub video: i64,
    /// Where it lies: the first of its paths that are there.
    #[serde(serialize_with = "shown")]
    pub path: PathBuf,
    /// Paths that are there.
    pub copies: u64,
    /// Its size.
    pub bytes: u64,
    /// When it was written, in seconds since 1970.
    pub modified: f64,
    /// Its length in seconds, once it was opened.
    pub duration: Option<f64>,
    /// What became of it.
    pub state: FileState,
    /// A stable name of what is wrong with it; of a scored file, of its damage.
    pub kind: Option<String>,
    /// In a sentence.
    pub reason: Option<String>,
    /// Times that it was tried.
    pub attempts: u64,
    /// Best first, with their scores.
    pub tags: Vec<(String, f64)>,
}

/// Everything about a file.
#[derive(Clone, Debug)]
pub struct FileDetails {
    /// Its content in the store.
    pub video: i64,
    /// Of its content.
    pub hash: String,
    /// Everywhere that it lies or lay.
    pub places: Vec<Place>,
    /// Its length in seconds, codec and size as shown, once it was opened.
    pub media: Option<(f64, String, [u32; 2])>,
    /// By model, in the order in which they came.
    pub models: Vec<ModelScores>,
    /// What people said.
    pub corrections: Vec<Correction>,
}

impl FileDetails {
    /// As `reelnet library show --json` prints it and the page asks for it.
    pub fn to_json(&self) -> Value {
        let place = |place: &Place| json!({ "path": place.path.to_string_lossy(), "gone": place.is_gone });
        let media = self.media.as_ref().map(|(duration, codec, [width, height])| {
            json!({ "duration": duration, "codec": codec, "width": width, "height": height })
        });
        let by = |by: &ModelScores| {
            json!({
                "model": by.model.shown(), "state": by.state, "kind": by.kind, "reason": by.reason, "attempts": by.attempts,
                "windows": by.scores.as_ref().map(|scores| &scores.windows), "tags": by.tags,
            })
        };
        json!({
            "video": self.video, "hash": self.hash, "places": self.places.iter().map(place).collect::<Vec<_>>(), "media": media,
            "models": self.models.iter().map(by).collect::<Vec<_>>(), "corrections": self.corrections,
        })
    }
}

/// A file by one model.
#[derive(Clone, Debug)]
pub struct ModelScores {
    /// Which.
    pub model: ModelRow,
    /// What became of it.
    pub state: FileState,
    /// A stable name of what is wrong.
    pub kind: Option<String>,
    /// In a sentence.
    pub reason: Option<String>,
    /// Times that it was tried.
    pub attempts: u64,
    /// Its scores by window.
    pub scores: Option<WindowScores>,
    /// What they mean, by the model's reading settings and without what people say is not there. Best first.
    pub tags: Vec<Tag>,
}

impl Store {
    /// A page of files.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn page(&self, model: &ModelRow, wish: &PageWish) -> Result<Vec<FileEntry>, LibraryError> {
        let after = wish.after.unwrap_or(PageCursor { modified: f64::MAX, video: i64::MAX });
        let statement = match wish.state {
            // Jobs have an index by state and time of writing.
            Some(state) => format!(
                "SELECT j.video_id, j.priority FROM jobs j WHERE j.model_id = $1 AND {} \
                 AND (j.priority < $2 OR (j.priority = $2 AND j.video_id < $3)) ORDER BY j.priority DESC, j.video_id DESC LIMIT $4",
                state.condition()
            ),
            None => "SELECT v.id, v.modified FROM videos v WHERE $1 = $1 AND (v.modified < $2 OR (v.modified = $2 AND v.id < $3)) \
                     ORDER BY v.modified DESC, v.id DESC LIMIT $4"
                .to_owned(),
        };
        let rows: Vec<(i64, f64)> = sqlx::query_as(AssertSqlSafe(statement))
            .bind(model.id)
            .bind(after.modified)
            .bind(after.video)
            .bind(i64::from(wish.limit.clamp(1, 10_000)))
            .fetch_all(&self.pool)
            .await?;
        let videos: Vec<i64> = rows.into_iter().map(|(video, _)| video).collect();
        self.entries(model.id, &videos).await
    }

    /// Files in the order of these contents.
    pub(crate) async fn entries(&self, model: i64, videos: &[i64]) -> Result<Vec<FileEntry>, LibraryError> {
        if videos.is_empty() {
            return Ok(Vec::new());
        }
        let ids = listed(videos);
        let statement = format!(
            "SELECT v.id, v.bytes, v.modified, v.duration, v.present, COALESCE(j.state, 0), COALESCE(j.tagged, 0), j.kind, j.reason, \
             COALESCE(j.attempts, 0) FROM videos v LEFT JOIN jobs j ON j.video_id = v.id AND j.model_id = $1 WHERE v.id IN ({ids})"
        );
        let rows = sqlx::query(AssertSqlSafe(statement)).persistent(false).bind(model).fetch_all(&self.pool).await?;
        let tags = format!(
            "SELECT t.video_id, l.name, MAX(t.score) FROM tags t JOIN labels l ON l.id = t.label_id \
             WHERE t.video_id IN ({ids}) AND (t.model_id = $1 OR t.model_id IS NULL) GROUP BY t.video_id, l.name ORDER BY 3 DESC, l.name"
        );
        let tags: Vec<(i64, String, f64)> =
            sqlx::query_as(AssertSqlSafe(tags)).persistent(false).bind(model).fetch_all(&self.pool).await?;
        let paths: HashMap<i64, PathBuf> = self.first_paths(videos).await?.into_iter().collect();
        let mut by_video: HashMap<i64, Vec<(String, f64)>> = HashMap::new();
        for (video, label, score) in tags {
            by_video.entry(video).or_default().push((label, score));
        }
        let entry = |row: &AnyRow| -> Result<FileEntry, LibraryError> {
            let (video, present): (i64, i64) = (row.try_get(0)?, row.try_get(4)?);
            Ok(FileEntry {
                video,
                path: paths.get(&video).cloned().unwrap_or_default(),
                copies: present.unsigned_abs(),
                bytes: row.try_get::<i64, _>(1)?.unsigned_abs(),
                modified: row.try_get(2)?,
                duration: row.try_get(3)?,
                state: FileState::of(row.try_get(5)?, present > 0, row.try_get::<i64, _>(6)? != 0),
                kind: row.try_get(7)?,
                reason: row.try_get(8)?,
                attempts: row.try_get::<i64, _>(9)?.unsigned_abs(),
                tags: by_video.get(&video).cloned().unwrap_or_default(),
            })
        };
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let order: HashMap<i64, usize> = videos.iter().enumerate().map(|(place, video)| (*video, place)).collect();
        entries.sort_by_key(|entry| order.get(&entry.video).copied());
        Ok(entries)
    }

    /// One path of each content, one that is there if there is any.
    pub(crate) async fn first_paths(&self, videos: &[i64]) -> Result<Vec<(i64, PathBuf)>, LibraryError> {
        let statement = format!(
            "SELECT p.video_id, r.path, f.path, p.name FROM paths p JOIN folders f ON f.id = p.folder_id JOIN roots r ON r.id = f.root_id \
             WHERE p.video_id IN ({}) ORDER BY p.video_id, p.is_gone, p.id",
            listed(videos)
        );
        let rows: Vec<(i64, String, String, String)> =
            sqlx::query_as(AssertSqlSafe(statement)).persistent(false).fetch_all(&self.pool).await?;
        let mut paths: Vec<(i64, PathBuf)> = Vec::with_capacity(videos.len());
        for (video, root, folder, name) in rows {
            if paths.last().is_none_or(|(last, _)| *last != video) {
                let folder = PathBuf::from(names::to_name(&root)).join(names::to_name(&folder));
                paths.push((video, folder.join(names::to_name(&name))));
            }
        }
        Ok(paths)
    }

    /// The content of a path, absolute, that is or was in the library.
    ///
    /// # Errors
    /// If there is none, or the database says no.
    pub async fn find_file(&self, path: &Path) -> Result<i64, LibraryError> {
        for root in self.roots().await? {
            let Ok(below) = path.strip_prefix(&root.path) else { continue };
            let folder = below.parent().map(|folder| names::to_text(folder.as_os_str())).unwrap_or_default();
            let name = below.file_name().map(names::to_text).unwrap_or_default();
            let video: Option<i64> = sqlx::query_scalar(
                "SELECT p.video_id FROM paths p JOIN folders f ON f.id = p.folder_id WHERE f.root_id = $1 AND f.path = $2 AND p.name = $3",
            )
            .bind(root.id)
            .bind(folder)
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
            if let Some(video) = video {
                return Ok(video);
            }
        }
        Err(LibraryError::Wish(format!(
            "`{}` is not in the library; `reelnet library scan` looks for new files",
            path.display()
        )))
    }

    /// Everything about a content.
    ///
    /// # Errors
    /// If there is none, or the database says no.
    pub async fn details(&self, video: i64) -> Result<FileDetails, LibraryError> {
        let row = sqlx::query("SELECT hash, present, duration, codec, width, height FROM videos WHERE id = $1")
            .bind(video)
            .fetch_optional(&self.pool)
            .await?;
        let row = row.ok_or_else(|| LibraryError::Wish(format!("the library has no file {video}")))?;
        let present: i64 = row.try_get(1)?;
        let side = |column: usize| -> Result<u32, LibraryError> {
            Ok(u32::try_from(row.try_get::<Option<i64>, _>(column)?.unwrap_or(0)).unwrap_or(0))
        };
        let media: Option<(f64, String)> = row.try_get::<Option<f64>, _>(2)?.zip(row.try_get::<Option<String>, _>(3)?);
        let media = match media {
            Some((duration, codec)) => Some((duration, codec, [side(4)?, side(5)?])),
            None => None,
        };
        let said = self.corrections(video).await?;
        let mut models = Vec::new();
        for model in self.models().await? {
            let job = sqlx::query(
                "SELECT id, state, tagged, kind, reason, attempts FROM jobs WHERE video_id = $1 AND model_id = $2",
            )
            .bind(video)
            .bind(model.id)
            .fetch_optional(&self.pool)
            .await?;
            let Some(job) = job else { continue };
            let scores = scores_of(&mut *self.pool.acquire().await?, job.try_get(0)?, model.labels.len()).await?;
            let scores = scores.filter(|_| job.try_get::<i64, _>(1).is_ok_and(|state| state == SCORED));
            let mut tags = scores.as_ref().map(|scores| scores.tags(&model.labels, &model.reading)).unwrap_or_default();
            corrections::apply(&mut tags, &said);
            models.push(ModelScores {
                state: FileState::of(job.try_get(1)?, present > 0, job.try_get::<i64, _>(2)? != 0),
                kind: job.try_get(3)?,
                reason: job.try_get(4)?,
                attempts: job.try_get::<i64, _>(5)?.unsigned_abs(),
                model,
                scores,
                tags,
            });
        }
        Ok(FileDetails {
            video,
            hash: row.try_get(0)?,
            places: self.places(video).await?,
            media,
            models,
            corrections: said,
        })
    }

    /// The tags with their spans of contents by one model, in their order, without what people say is not there.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn tags_of(&self, model: &ModelRow, videos: &[i64]) -> Result<Vec<(i64, Vec<Tag>)>, LibraryError> {
        let mut jobs = self.jobs_of(model.id, videos).await?;
        let order: HashMap<i64, usize> = videos.iter().enumerate().map(|(place, video)| (*video, place)).collect();
        jobs.sort_by_key(|(_, video)| order.get(video).copied());
        let mut connection = self.pool.acquire().await?;
        let mut all = Vec::with_capacity(jobs.len());
        for (job, video) in jobs {
            let scores = scores_of(&mut connection, job, model.labels.len()).await?;
            let mut tags = scores.map(|scores| scores.tags(&model.labels, &model.reading)).unwrap_or_default();
            corrections::apply(&mut tags, &corrections::of_video(&mut connection, video).await?);
            all.push((video, tags));
        }
        Ok(all)
    }
}

fn shown<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
