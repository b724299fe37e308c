//! The two lists that a run leaves behind.

use std::path::{Path, PathBuf};

use super::entries::Entry;
use super::finding::Verdict;
use crate::output::write_whole;

/// Sound files, one a line as they were named; and the others, with their verdicts and reasons.
#[derive(Default)]
pub(super) struct Lists {
    ok: Vec<String>,
    bad: Vec<(String, Verdict, String)>,
    /// Sound files that no line can name.
    pub(super) unlisted: usize,
}

impl Lists {
    pub(super) fn add(&mut self, entry: &Entry, verdict: Verdict, reason: &str) {
        match verdict {
            Verdict::Ok if entry.line.contains(['\n', '\r']) => self.unlisted += 1,
            Verdict::Ok => self.ok.push(entry.line.clone()),
            _ => self.bad.push((entry.path.display().to_string(), verdict, reason.to_owned())),
        }
    }

    pub(super) fn add_folder(&mut self, folder: &Path, reason: &str) {
        self.bad.push((folder.display().to_string(), Verdict::Unreadable, reason.to_owned()));
    }

    /// Writes `ok.txt` and `bad.csv`, and says where they are.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<[PathBuf; 2]> {
        let files = ["ok.txt", "bad.csv"].map(|name| folder.join(name));
        write_whole(&files[0], |file| {
            for line in &self.ok {
                writeln!(file, "{line}")?;
            }
            Ok(())
        })?;
        write_whole(&files[1], |file| {
            let mut rows = csv::Writer::from_writer(file);
            rows.write_record(["path", "verdict", "reason"])?;
            for (path, verdict, reason) in &self.bad {
                rows.write_record([path, verdict.name(), reason])?;
            }
            Ok(rows.flush()?)
        })?;
        Ok(files)
    }
}
