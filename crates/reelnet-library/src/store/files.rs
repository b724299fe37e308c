//! What lies where: folders by their digests, paths, and the contents that they lead to.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use sqlx::AnyConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::Store;
use super::engine::wall_clock_seconds;
use crate::{LibraryError, names};

/// Ids in one statement.
const IDS: usize = 500;
/// Contents belong to one of so many parts by their hash; `--shard i/n` takes every n-th of them.
pub(crate) const SHARDS: u64 = 1 << 20;

/// A folder as the store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// In the store.
    pub id: i64,
    /// Of the names, sizes and times of its files when it was last read.
    pub digest: i64,
}

/// A path as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRow {
    /// In the store.
    pub id: i64,
    /// Where its content is.
    pub video_id: i64,
    /// Of the file when it was last looked at.
    pub bytes: i64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Of an object of a store: its `ETag`, if it has one.
    pub version: String,
    /// Whether it was not there any more.
    pub is_gone: bool,
}

/// The files of a folder by name.
pub type FolderFiles = HashMap<String, PathRow>;

/// What a scan found in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file with this content, whether the path was there before or not.
    Put {
        /// Its name, as text.
        name: String,
        /// Of its content.
        hash: String,
        /// Its size.
        bytes: i64,
        /// When it was last written, in nanoseconds since 1970.
        modified_ns: i64,
        /// Of an object of a store: its `ETag`, if it has one.
        version: String,
    },
    /// A path that is no longer there.
    Gone(PathRow),
    /// A path that is there again, unchanged.
    Back(PathRow),
}

/// What became of a folder's changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Contents that nobody had seen.
    pub new_contents: u64,
    /// New paths of known contents.
    pub known_contents: u64,
    /// Paths whose content is another one now.
    pub changed: u64,
    /// Paths that were written again, with the same content.
    pub touched: u64,
    /// Paths that are no longer there.
    pub gone: u64,
    /// Paths that are there again.
    pub back: u64,
}

impl Store {
    /// The folders of a root, by their path below it.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn folders(&self, root: i64) -> Result<HashMap<String, FolderRow>, LibraryError> {
        let rows = sqlx::query("SELECT path, id, digest FROM folders WHERE root_id = $1")
            .bind(root)
            .fetch_all(&self.pool)
            .await?;
        let folder = |row: &sqlx::any::AnyRow| -> Result<(String, FolderRow), LibraryError> {
            Ok((row.try_get(0)?, FolderRow { id: row.try_get(1)?, digest: row.try_get(2)? }))
        };
        rows.iter().map(folder).collect()
    }

    /// The files of a folder, those that are gone too.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn folder_files(&self, folder: i64) -> Result<FolderFiles, LibraryError> {
        let rows = sqlx::query(
            "SELECT name, id, video_id, bytes, modified_ns, is_gone, version FROM paths WHERE folder_id = $1",
        )
        .bind(folder)
        .fetch_all(&self.pool)
        .await?;
        let file = |row: &sqlx::any::AnyRow| -> Result<(String, PathRow), LibraryError> {
            let path = PathRow {
                id: row.try_get(1)?,
                video_id: row.try_get(2)?,
                bytes: row.try_get(3)?,
                modified_ns: row.try_get(4)?,
                is_gone: row.try_get::<i64, _>(5)? != 0,
                version: row.try_get(6)?,
            };
            Ok((row.try_get(0)?, path))
        };
        rows.iter().map(file).collect()
    }

    /// Writes what was found in a folder, in one transaction. With a digest, the folder counts as read.
    ///
    /// # Errors
    /// If the database says no; nothing of it is written then.
    pub async fn apply_folder(
        &self,
        root: i64,
        path: &str,
        digest: Option<i64>,
        changes: &[Change],
    ) -> Result<Applied, LibraryError> {
        let mut transaction = self.begin().await?;
        let folder: i64 = sqlx::query_scalar(
            "INSERT INTO folders (root_id, path, digest) VALUES ($1, $2, 0) \
             ON CONFLICT (root_id, path) DO UPDATE SET path = excluded.path RETURNING id",
        )
        .bind(root)
        .bind(path)
        .fetch_one(&mut *transaction)
        .await?;
        let (mut applied, mut touched) = (Applied::default(), BTreeSet::new());
        for change in changes {
            match change {
                Change::Put { name, hash, bytes, modified_ns, version } => {
                    let file = Put { name, hash, version, bytes: *bytes, modified_ns: *modified_ns };
                    put(&mut transaction, folder, &file, &mut applied, &mut touched).await?;
                }
                Change::Gone(row) => {
                    set_gone(&mut transaction, row, 1).await?;
                    touched.insert(row.video_id);
                    applied.gone += 1;
                }
                Change::Back(row) => {
                    set_gone(&mut transaction, row, 0).await?;
                    touched.insert(row.video_id);
                    applied.back += 1;
                }
            }
        }
        refresh(&mut transaction, &touched).await?;
        if let Some(digest) = digest {
            let query = sqlx::query("UPDATE folders SET digest = $1 WHERE id = $2");
            query.bind(digest).bind(folder).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(applied)
    }

    /// A path is no longer what it was when it was scanned, or not there at all: the next scan has to read its folder, whatever it
    /// looks like.
    pub(crate) async fn doubt_path(&self, path: i64) -> Result<(), LibraryError> {
        sqlx::query("UPDATE folders SET digest = 0 WHERE id = (SELECT folder_id FROM paths WHERE id = $1)")
            .bind(path)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The same of a path that is not there any more.
    pub(crate) async fn set_path_gone(&self, path: i64, video: i64) -> Result<(), LibraryError> {
        self.doubt_path(path).await?;
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE paths SET is_gone = 1 WHERE id = $1").bind(path).execute(&mut *transaction).await?;
        refresh(&mut transaction, &BTreeSet::from([video])).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Where a content lies, paths that are there first: ids of the paths, the root, and the path itself.
    pub(crate) async fn places(&self, video: i64) -> Result<Vec<Place>, LibraryError> {
        let rows = sqlx::query(
            "SELECT p.id, r.path, f.path, p.name, p.is_gone, p.bytes, p.modified_ns, p.version FROM paths p \
             JOIN folders f ON f.id = p.folder_id JOIN roots r ON r.id = f.root_id WHERE p.video_id = $1 ORDER BY p.is_gone, p.id",
        )
        .bind(video)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(place).collect()
    }
}

/// A place where a content lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of the path, in the store.
    pub id: i64,
    /// The folder of the library.
    pub root: PathBuf,
    /// Absolute.
    pub path: PathBuf,
    /// Whether it is no longer there.
    pub is_gone: bool,
    /// Size of the file when it was last looked at.
    pub bytes: i64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Of an object of a store: its `ETag`, if it has one.
    pub version: String,
}

fn place(row: &sqlx::any::AnyRow) -> Result<Place, LibraryError> {
    let root = PathBuf::from(names::to_name(row.try_get(1)?));
    let folder: &str = row.try_get(2)?;
    let mut path = root.clone();
    if !folder.is_empty() {
        path.push(names::to_name(folder));
    }
    path.push(names::to_name(row.try_get(3)?));
    Ok(Place {
        id: row.try_get(0)?,
        root,
        path,
        is_gone: row.try_get::<i64, _>(4)? != 0,
        bytes: row.try_get(5)?,
        modified_ns: row.try_get(6)?,
        version: row.try_get(7)?,
    })
}

/// A file as it was found.
struct Put<'change> {
    name: &'change str,
    hash: &'change str,
    version: &'change str,
    bytes: i64,
    modified_ns: i64,
}

async fn put(
    connection: &mut AnyConnection,
    folder: i64,
    &Put { name, hash, version, bytes, modified_ns }: &Put<'_>,
    applied: &mut Applied,
    touched: &mut BTreeSet<i64>,
) -> Result<(), LibraryError> {
    let known: Option<i64> =
        sqlx::query_scalar("SELECT id FROM videos WHERE hash = $1").bind(hash).fetch_optional(&mut *connection).await?;
    let video = match known {
        Some(video) => video,
        None => {
            sqlx::query_scalar(
                "INSERT INTO videos (hash, bytes, modified, added_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (hash) DO UPDATE SET bytes = excluded.bytes RETURNING id",
            )
            .bind(hash)
            .bind(bytes)
            .bind(modified_ns as f64 / 1e9)
            .bind(wall_clock_seconds())
            .fetch_one(&mut *connection)
            .await?
        }
    };
    let before: Option<(i64, i64)> =
        sqlx::query_as("SELECT video_id, is_gone FROM paths WHERE folder_id = $1 AND name = $2")
            .bind(folder)
            .bind(name)
            .fetch_optional(&mut *connection)
            .await?;
    match before {
        Some((old, _)) if old == video => applied.touched += 1,
        Some((old, _)) => {
            touched.insert(old);
            applied.changed += 1;
        }
        None if known.is_some() => applied.known_contents += 1,
        None => applied.new_contents += 1,
    }
    sqlx::query(
        "INSERT INTO paths (folder_id, name, video_id, bytes, modified_ns, version, is_gone) VALUES ($1, $2, $3, $4, $5, $6, 0) \
         ON CONFLICT (folder_id, name) DO UPDATE SET video_id = excluded.video_id, bytes = excluded.bytes, \
         modified_ns = excluded.modified_ns, version = excluded.version, is_gone = 0",
    )
    .bind(folder)
    .bind(name)
    .bind(video)
    .bind(bytes)
    .bind(modified_ns)
    .bind(version)
    .execute(&mut *connection)
    .await?;
    touched.insert(video);
    // It was left out because it had changed since it was scanned; now it was scanned.
    sqlx::query(
        "UPDATE jobs SET state = 0, kind = NULL, reason = NULL WHERE video_id = $1 AND state = 4 AND kind = 'changed'",
    )
    .bind(video)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

async fn set_gone(connection: &mut AnyConnection, row: &PathRow, is_gone: i64) -> Result<(), LibraryError> {
    sqlx::query("UPDATE paths SET is_gone = $1 WHERE id = $2").bind(is_gone).bind(row.id).execute(connection).await?;
    Ok(())
}

/// Counts anew how often contents are there, and tells the queue.
pub(super) async fn refresh(connection: &mut AnyConnection, videos: &BTreeSet<i64>) -> Result<(), LibraryError> {
    let videos: Vec<i64> = videos.iter().copied().collect();
    for chunk in videos.chunks(IDS) {
        let ids = listed(chunk);
        for statement in [
            format!(
                "UPDATE videos SET present = (SELECT COUNT(*) FROM paths p WHERE p.video_id = videos.id AND p.is_gone = 0), \
                 modified = COALESCE((SELECT CAST(MAX(p.modified_ns) AS DOUBLE PRECISION) / 1e9 FROM paths p WHERE p.video_id = videos.id AND p.is_gone = 0), \
                 modified) WHERE id IN ({ids})"
            ),
            format!(
                "UPDATE jobs SET present = (SELECT CASE WHEN v.present > 0 THEN 1 ELSE 0 END FROM videos v WHERE v.id = jobs.video_id), \
                 priority = (SELECT v.modified FROM videos v WHERE v.id = jobs.video_id) WHERE video_id IN ({ids})"
            ),
        ] {
            // Another text each time: it is of no use to remember how to run it.
            sqlx::query(AssertSqlSafe(statement)).persistent(false).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Numbers as a list in SQL.
pub(super) fn listed(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// The part of a library that a content belongs to, from its hash.
pub(crate) fn shard_of(hash: &str) -> i64 {
    let digits = hash.get(hash.len().saturating_sub(5)..).unwrap_or_default();
    i64::from_str_radix(digits, 16).unwrap_or(0) % SHARDS.cast_signed()
}
