//! Forgetting: the only way in which something leaves the store.

use std::path::Path;

use sqlx::AnyConnection;

use super::Store;
use crate::{LibraryError, names};

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Paths.
    pub paths: u64,
    /// Contents, with their scores and corrections.
    pub files: u64,
}

impl Store {
    /// Forgets files that are no longer there.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn forget_gone(&self) -> Result<Forgotten, LibraryError> {
        let mut transaction = self.begin().await?;
        let paths =
            sqlx::query("DELETE FROM paths WHERE is_gone = 1").execute(&mut *transaction).await?.rows_affected();
        let files = forget_pathless(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Forgotten { paths, files })
    }

    /// Takes a folder out of the library, with everything that lies nowhere else.
    ///
    /// # Errors
    /// If it is not in the library, or the database says no.
    pub async fn forget_root(&self, path: &Path) -> Result<Forgotten, LibraryError> {
        let mut transaction = self.begin().await?;
        let root: Option<i64> = sqlx::query_scalar("SELECT id FROM roots WHERE path = $1")
            .bind(names::to_text(path.as_os_str()))
            .fetch_optional(&mut *transaction)
            .await?;
        let root =
            root.ok_or_else(|| LibraryError::Wish(format!("`{}` is no folder of the library", path.display())))?;
        let paths = sqlx::query("DELETE FROM paths WHERE folder_id IN (SELECT id FROM folders WHERE root_id = $1)")
            .bind(root)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        sqlx::query("DELETE FROM folders WHERE root_id = $1").bind(root).execute(&mut *transaction).await?;
        sqlx::query("DELETE FROM roots WHERE id = $1").bind(root).execute(&mut *transaction).await?;
        let files = forget_pathless(&mut transaction).await?;
        recount(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Forgotten { paths, files })
    }

    /// Forgets a model with all its scores.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn forget_model(&self, model: i64) -> Result<u64, LibraryError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM tags WHERE model_id = $1").bind(model).execute(&mut *transaction).await?;
        sqlx::query("DELETE FROM scores WHERE job_id IN (SELECT id FROM jobs WHERE model_id = $1)")
            .bind(model)
            .execute(&mut *transaction)
            .await?;
        let jobs = sqlx::query("DELETE FROM jobs WHERE model_id = $1").bind(model).execute(&mut *transaction).await?;
        sqlx::query("DELETE FROM models WHERE id = $1").bind(model).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(jobs.rows_affected())
    }
}

/// What depends on a content goes with it.
async fn forget_pathless(connection: &mut AnyConnection) -> Result<u64, LibraryError> {
    let statement = "DELETE FROM videos WHERE NOT EXISTS (SELECT 1 FROM paths p WHERE p.video_id = videos.id)";
    Ok(sqlx::query(statement).execute(connection).await?.rows_affected())
}

async fn recount(connection: &mut AnyConnection) -> Result<(), LibraryError> {
    for statement in [
        "UPDATE videos SET present = (SELECT COUNT(*) FROM paths p WHERE p.video_id = videos.id AND p.is_gone = 0)",
        "UPDATE jobs SET present = (SELECT CASE WHEN v.present > 0 THEN 1 ELSE 0 END FROM videos v WHERE v.id = jobs.video_id)",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}
