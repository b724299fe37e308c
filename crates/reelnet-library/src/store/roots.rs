//! The folders that were given to the library.

use std::path::{Path, PathBuf};

use sqlx::Row as _;

use super::Store;
use super::engine::wall_clock_seconds;
use crate::{LibraryError, names};

/// A folder of the library, with everything below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Root {
    /// In the store.
    pub id: i64,
    /// Absolute.
    pub path: PathBuf,
    /// When it was last scanned to its end, in seconds since 1970.
    pub scanned_at: Option<f64>,
    /// Paths in it that are there.
    pub present: u64,
}

impl Store {
    /// Takes a folder into the library; nothing if it is there already.
    ///
    /// # Errors
    /// If it lies within another one, or the other way round: its files would be there twice.
    pub async fn add_root(&self, path: &Path) -> Result<Root, LibraryError> {
        let roots = self.roots().await?;
        if let Some(root) = roots.iter().find(|root| root.path == path) {
            return Ok(root.clone());
        }
        if let Some(root) = roots.iter().find(|root| root.path.starts_with(path) || path.starts_with(&root.path)) {
            return Err(LibraryError::Wish(format!(
                "`{}` and `{}`, which is in the library, lie within each other; one of them is enough",
                path.display(),
                root.path.display()
            )));
        }
        sqlx::query("INSERT INTO roots (path, added_at) VALUES ($1, $2) ON CONFLICT (path) DO NOTHING")
            .bind(names::to_text(path.as_os_str()))
            .bind(wall_clock_seconds())
            .execute(&self.pool)
            .await?;
        let added = self.roots().await?.into_iter().find(|root| root.path == path);
        added.ok_or_else(|| LibraryError::Damaged("a folder that was added is not there".to_owned()))
    }

    /// All of them, in the order in which they were added.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn roots(&self) -> Result<Vec<Root>, LibraryError> {
        let rows = sqlx::query(
            "SELECT r.id, r.path, r.scanned_at, (SELECT COUNT(*) FROM paths p JOIN folders f ON f.id = p.folder_id \
             WHERE f.root_id = r.id AND p.is_gone = 0) FROM roots r ORDER BY r.id",
        )
        .fetch_all(&self.pool)
        .await?;
        let root = |row: &sqlx::any::AnyRow| -> Result<Root, LibraryError> {
            Ok(Root {
                id: row.try_get(0)?,
                path: names::to_name(row.try_get(1)?).into(),
                scanned_at: row.try_get(2)?,
                present: row.try_get::<i64, _>(3)?.unsigned_abs(),
            })
        };
        rows.iter().map(root).collect()
    }

    pub(crate) async fn set_scanned(&self, root: i64) -> Result<(), LibraryError> {
        let query = sqlx::query("UPDATE roots SET scanned_at = $1 WHERE id = $2");
        query.bind(wall_clock_seconds()).bind(root).execute(&self.pool).await?;
        Ok(())
    }
}
