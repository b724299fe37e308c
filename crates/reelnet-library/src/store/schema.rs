//! The versions of the schema, and the way from one to the next.

use sqlx::{AnyPool, Row as _};

use super::engine::Engine;
use crate::LibraryError;

/// Each makes of the version before it the one of its place, from 1 on.
const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/0001.sql"),
    include_str!("../../migrations/0002.sql"),
    include_str!("../../migrations/0003.sql"),
];

/// The version that this program writes.
pub(super) const VERSION: i64 = 3;

const _: () = assert!(MIGRATIONS.len() == 3, "a version a migration");

/// Brings a store to this program's version, or says that it is too new.
pub(super) async fn migrate(engine: Engine, pool: &AnyPool) -> Result<(), LibraryError> {
    if version(engine, pool).await? == VERSION {
        return Ok(());
    }
    let mut transaction = pool.begin_with(engine.begin()).await?;
    sqlx::query(engine.schema_lock()).fetch_all(&mut *transaction).await?;
    let exists: i64 = sqlx::query_scalar(engine.table_exists()).bind("meta").fetch_one(&mut *transaction).await?;
    let found = if exists == 0 {
        0
    } else {
        let row = sqlx::query("SELECT value FROM meta WHERE key = 'schema'").fetch_optional(&mut *transaction).await?;
        number(row.map(|row| row.get::<String, _>(0)))?
    };
    check(found)?;
    let known = usize::try_from(found).unwrap_or(0);
    for migration in &MIGRATIONS[known..] {
        let text = engine.schema(migration);
        let without_comments: String =
            text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        for statement in without_comments.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
            sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut *transaction).await?;
        }
    }
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ('schema', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(VERSION.to_string())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Of a store; 0 if it is empty.
async fn version(engine: Engine, pool: &AnyPool) -> Result<i64, LibraryError> {
    let exists: i64 = sqlx::query_scalar(engine.table_exists()).bind("meta").fetch_one(pool).await?;
    if exists == 0 {
        return Ok(0);
    }
    let row = sqlx::query("SELECT value FROM meta WHERE key = 'schema'").fetch_optional(pool).await?;
    let found = number(row.map(|row| row.get::<String, _>(0)))?;
    check(found)?;
    Ok(found)
}

fn number(text: Option<String>) -> Result<i64, LibraryError> {
    let text = text.ok_or_else(|| LibraryError::Damaged("it does not say which schema it has".to_owned()))?;
    text.parse().map_err(|_| LibraryError::Damaged(format!("`{text}` is no version of a schema")))
}

fn check(found: i64) -> Result<(), LibraryError> {
    if found > VERSION { Err(LibraryError::TooNew { found, known: VERSION }) } else { Ok(()) }
}
