//! Whether the store is what it should be.

use serde::Serialize;

use super::Store;
use crate::LibraryError;

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// Whether it is as it should be.
    pub is_well: bool,
    /// In words.
    pub detail: String,
}

/// Rows that cannot be, as counts.
const INVARIANTS: [(&str, &str); 5] = [
    (
        "jobs scored without scores",
        "SELECT COUNT(*) FROM jobs j WHERE j.state = 2 AND NOT EXISTS (SELECT 1 FROM scores s WHERE s.job_id = j.id)",
    ),
    ("leases without a token", "SELECT COUNT(*) FROM jobs WHERE state = 1 AND (token IS NULL OR deadline IS NULL)"),
    ("tokens without a lease", "SELECT COUNT(*) FROM jobs WHERE state <> 1 AND token IS NOT NULL"),
    (
        "files whose paths are miscounted",
        "SELECT COUNT(*) FROM videos v WHERE v.present <> (SELECT COUNT(*) FROM paths p WHERE p.video_id = v.id AND p.is_gone = 0)",
    ),
    (
        "scores of nothing",
        "SELECT COUNT(*) FROM scores s WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = s.job_id)",
    ),
];

impl Store {
    /// Lets the database check itself, and checks what has to hold between rows.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn check(&self) -> Result<Vec<Finding>, LibraryError> {
        let mut findings = Vec::new();
        for check in self.engine.integrity_checks() {
            let rows: Vec<(String,)> = sqlx::query_as(*check).fetch_all(&self.pool).await?;
            let is_well = rows.iter().all(|row| row.0 == "ok");
            let detail = rows.iter().take(5).map(|row| row.0.clone()).collect::<Vec<_>>().join("; ");
            findings.push(Finding { what: "integrity of the database", is_well, detail });
        }
        for (what, statement) in INVARIANTS {
            let count: i64 = sqlx::query_scalar(statement).fetch_one(&self.pool).await?;
            findings.push(Finding { what, is_well: count == 0, detail: count.to_string() });
        }
        Ok(findings)
    }
}
