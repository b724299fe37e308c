//! The models of a library: weights, with the windows that they look at.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use xxhash_rust::xxh3::xxh3_128;

use super::Store;
use super::engine::wall_clock_seconds;
use crate::LibraryError;
use crate::spans::ReadingSettings;
use crate::windows::WindowSettings;

/// A model as a worker brings it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewModel {
    /// The network's name, for people.
    pub name: String,
    /// Of weights, labels and how pixels are prepared.
    pub sha256: String,
    /// What it computes in.
    pub precision: String,
    /// What it looks at.
    pub windows: WindowSettings,
    /// One name a class.
    pub labels: Vec<String>,
    /// How its scores become tags, unless the library says otherwise already.
    pub reading: ReadingSettings,
}

/// A model of the library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRow {
    /// In the store.
    pub id: i64,
    /// The network's name, for people.
    pub name: String,
    /// Of weights, labels and how pixels are prepared.
    pub sha256: String,
    /// What it computes in.
    pub precision: String,
    /// What it looks at.
    pub windows: WindowSettings,
    /// One name a class.
    pub labels: Vec<String>,
    /// How its scores become tags.
    pub reading: ReadingSettings,
    /// Whether the tags that search looks at were made so; if not, [`Store::reread`] was interrupted.
    pub is_read: bool,
}

impl ModelRow {
    /// Its name, and what tells it from others of this name.
    pub fn shown(&self) -> String {
        format!("{} {}", self.name, self.sha256.get(..8).unwrap_or(&self.sha256))
    }
}

impl NewModel {
    /// The same weights with the same windows are the same model.
    fn key(&self) -> Result<String, LibraryError> {
        let windows = json(&self.windows)?;
        let text = format!("{}\n{}\n{windows}", self.sha256, self.precision);
        Ok(format!("{:032x}", xxh3_128(text.as_bytes())))
    }
}

impl Store {
    /// The model in the library; it is added if it is new.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn register_model(&self, model: &NewModel) -> Result<ModelRow, LibraryError> {
        let key = model.key()?;
        let mut transaction = self.begin().await?;
        let reading = json(&model.reading)?;
        sqlx::query(
            "INSERT INTO models (key, name, sha256, precision, windows, labels, reading, stamp, added_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8) ON CONFLICT (key) DO NOTHING",
        )
        .bind(&key)
        .bind(&model.name)
        .bind(&model.sha256)
        .bind(&model.precision)
        .bind(json(&model.windows)?)
        .bind(json(&model.labels)?)
        .bind(reading)
        .bind(wall_clock_seconds())
        .execute(&mut *transaction)
        .await?;
        for label in &model.labels {
            sqlx::query("INSERT INTO labels (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
                .bind(label)
                .execute(&mut *transaction)
                .await?;
        }
        let id: i64 =
            sqlx::query_scalar("SELECT id FROM models WHERE key = $1").bind(&key).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        self.model(id).await
    }

    /// A model by its id.
    ///
    /// # Errors
    /// If there is none, or the database says no.
    pub async fn model(&self, id: i64) -> Result<ModelRow, LibraryError> {
        let found = self.models().await?.into_iter().find(|model| model.id == id);
        found.ok_or_else(|| LibraryError::Wish(format!("the library has no model {id}")))
    }

    /// All models, in the order in which they came.
    ///
    /// # Errors
    /// If the database says no, or a row makes no sense.
    pub async fn models(&self) -> Result<Vec<ModelRow>, LibraryError> {
        let rows =
            sqlx::query("SELECT id, name, sha256, precision, windows, labels, reading, stamp FROM models ORDER BY id")
                .fetch_all(&self.pool)
                .await?;
        let model = |row: &sqlx::any::AnyRow| -> Result<ModelRow, LibraryError> {
            let reading: &str = row.try_get(6)?;
            Ok(ModelRow {
                id: row.try_get(0)?,
                name: row.try_get(1)?,
                sha256: row.try_get(2)?,
                precision: row.try_get(3)?,
                windows: parsed(row.try_get(4)?)?,
                labels: parsed(row.try_get(5)?)?,
                reading: parsed(reading)?,
                is_read: row.try_get::<&str, _>(7)? == reading,
            })
        };
        rows.iter().map(model).collect()
    }

    /// The one model that a word means: its number, its name, or the beginning of its hash; without a word, the newest.
    ///
    /// # Errors
    /// If none fits or several do.
    pub async fn find_model(&self, word: Option<&str>) -> Result<ModelRow, LibraryError> {
        let mut models = self.models().await?;
        let Some(word) = word else {
            let none = || LibraryError::Wish("nothing was tagged yet; `reelnet library work` begins".to_owned());
            return models.pop().ok_or_else(none);
        };
        let names: Vec<String> = models.iter().map(|model| format!("{} ({})", model.id, model.shown())).collect();
        let fits =
            |model: &ModelRow| model.id.to_string() == word || model.name == word || model.sha256.starts_with(word);
        models.retain(fits);
        match (models.pop(), models.is_empty()) {
            (Some(model), true) => Ok(model),
            (Some(_), false) => Err(LibraryError::Wish(format!(
                "several models are `{word}`: {}; name one by its number",
                names.join(", ")
            ))),
            (None, _) => {
                Err(LibraryError::Wish(format!("the library has no model `{word}`, but {}", names.join(", "))))
            }
        }
    }

    /// Ids of all labels by name.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn label_ids(&self) -> Result<HashMap<String, i64>, LibraryError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT name, id FROM labels").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, LibraryError> {
    serde_json::to_string(value).map_err(|error| LibraryError::Damaged(error.to_string()))
}

pub(super) fn parsed<T: for<'text> Deserialize<'text>>(text: &str) -> Result<T, LibraryError> {
    serde_json::from_str(text).map_err(|error| LibraryError::Damaged(format!("a value does not parse: {error}")))
}
