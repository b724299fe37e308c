//! What the export of sidecars asks: paths by folder, and which lines of plain-text sidecars are the library's.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::Store;
use super::models::{json, parsed};
use crate::{LibraryError, names};

/// Lines of a plain-text sidecar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextRecord {
    /// Ours, of the last write that came to its end; also those that somebody took out since.
    pub(crate) ours: Vec<String>,
    /// Of a write that was begun: where they are in the file, they are ours too.
    pub(crate) begun: Vec<String>,
}

impl Store {
    /// All folders with files that are there: id, root, and the path below it.
    pub(crate) async fn sidecar_folders(&self) -> Result<Vec<(i64, PathBuf, PathBuf)>, LibraryError> {
        let rows = sqlx::query(
            "SELECT f.id, r.path, f.path FROM folders f JOIN roots r ON r.id = f.root_id \
             WHERE EXISTS (SELECT 1 FROM paths p WHERE p.folder_id = f.id AND p.is_gone = 0) ORDER BY r.id, f.path",
        )
        .fetch_all(&self.pool)
        .await?;
        let folder = |row: &sqlx::any::AnyRow| -> Result<(i64, PathBuf, PathBuf), LibraryError> {
            let path =
                |column: usize| -> Result<PathBuf, LibraryError> { Ok(names::to_name(row.try_get(column)?).into()) };
            Ok((row.try_get(0)?, path(1)?, path(2)?))
        };
        rows.iter().map(folder).collect()
    }

    /// The files of a folder that are there, with their contents, by name.
    pub(crate) async fn present_files(&self, folder: i64) -> Result<Vec<(PathBuf, i64)>, LibraryError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, video_id FROM paths WHERE folder_id = $1 AND is_gone = 0 ORDER BY name")
                .bind(folder)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(name, video)| (names::to_name(&name).into(), video)).collect())
    }

    pub(crate) async fn text_record(&self, sidecar: &Path) -> Result<TextRecord, LibraryError> {
        let row: Option<String> = sqlx::query_scalar("SELECT record FROM sidecars WHERE path = $1")
            .bind(names::to_text(sidecar.as_os_str()))
            .fetch_optional(&self.pool)
            .await?;
        row.map_or_else(|| Ok(TextRecord::default()), |record| parsed(&record))
    }

    pub(crate) async fn set_text_record(&self, sidecar: &Path, record: &TextRecord) -> Result<(), LibraryError> {
        sqlx::query(
            "INSERT INTO sidecars (path, record) VALUES ($1, $2) ON CONFLICT (path) DO UPDATE SET record = excluded.record",
        )
        .bind(names::to_text(sidecar.as_os_str()))
        .bind(json(record)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
