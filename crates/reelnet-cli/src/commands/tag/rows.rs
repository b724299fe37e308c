//! What `tag` prints of a file, in each of its formats.

use std::io::Write;
use std::path::Path;

use reelnet_clips::ClipError;
use reelnet_infer::tag::{FileScores, TagError};
use reelnet_infer::{Labels, Score};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::args::Format;
use crate::output::{Align, Columns};

/// Columns that a path may take before it pushes the others aside.
const PATH_WIDTH: usize = 48;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It has tags.
    Tagged,
    /// Nothing reached the threshold.
    None,
    /// It is damaged; the tags are of what could be decoded.
    Partial,
    /// It gave nothing.
    Failed,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Tagged => "tagged",
            Self::None => "none",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// A tag of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Tag {
    label: String,
    class: usize,
    score: f32,
}

/// One file's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    path: String,
    /// The path's bytes in hexadecimal, where they are no UTF-8 and `path` therefore is not the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    pub(super) status: Status,
    tags: Vec<Tag>,
    clips: usize,
    duration_seconds: Option<f64>,
    /// A short, stable name of what is wrong.
    kind: Option<&'static str>,
    /// What is wrong, for people.
    reason: Option<String>,
}

impl Row {
    pub(super) fn new(
        path: &Path,
        result: &Result<FileScores, TagError>,
        top: usize,
        threshold: f32,
        labels: &Labels,
    ) -> Self {
        let path_bytes = bytes_of(path);
        let path = path.display().to_string();
        match result {
            Ok(scores) => {
                let tags: Vec<Tag> =
                    scores.scores.top(top, threshold).into_iter().map(|score| Tag::new(score, labels)).collect();
                let status = match (&scores.damage, tags.is_empty()) {
                    (Some(_), _) => Status::Partial,
                    (None, true) => Status::None,
                    (None, false) => Status::Tagged,
                };
                let damage = scores.damage.as_ref();
                Self {
                    path,
                    path_bytes,
                    status,
                    tags,
                    clips: scores.clips,
                    duration_seconds: Some(scores.duration_seconds),
                    kind: damage.map(|error| error.kind.name()),
                    reason: damage.map(|error| error.kind.to_string()),
                }
            }
            Err(error) => {
                let (kind, reason) = match error {
                    TagError::Clip(ClipError { kind, .. }) => (kind.name(), kind.to_string()),
                    TagError::Score(error) => ("network", error.to_string()),
                };
                Self { path_bytes, ..Self::failed(path, kind, reason) }
            }
        }
    }

    /// A row for what could not even be tried.
    pub(super) fn failed(path: String, kind: &'static str, reason: String) -> Self {
        Self {
            path,
            path_bytes: None,
            status: Status::Failed,
            tags: Vec::new(),
            clips: 0,
            duration_seconds: None,
            kind: Some(kind),
            reason: Some(reason),
        }
    }
}

/// The bytes of a path that is no UTF-8.
fn bytes_of(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    std::str::from_utf8(bytes).err().map(|_| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Tag {
    fn new(score: Score, labels: &Labels) -> Self {
        let label = labels.get(score.class).map_or_else(|| format!("class {}", score.class), str::to_owned);
        Self { label, class: score.class, score: score.score }
    }
}

/// Writes rows in a format.
pub(super) enum Printer {
    Table(Columns),
    Jsonl,
    Csv,
}

impl Printer {
    /// A printer for files of these names, its header written.
    pub(super) fn new<'a>(
        format: Format,
        paths: impl Iterator<Item = &'a Path>,
        out: &mut impl Write,
    ) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Table => {
                let longest = paths.map(|path| path.display().to_string().width()).max().unwrap_or(0);
                let columns = Columns::new(vec![
                    (longest.clamp(4, PATH_WIDTH), Align::Left),
                    (5, Align::Right),
                    (0, Align::Left),
                ]);
                writeln!(out, "{}", columns.row(&["FILE", "SCORE", "TAG"]))?;
                Self::Table(columns)
            }
            Format::Jsonl => Self::Jsonl,
            Format::Csv => {
                write_csv(out, &["path", "status", "rank", "label", "class", "score", "reason"])?;
                Self::Csv
            }
        })
    }

    /// Writes a file's row or rows, and flushes them: another program may be waiting.
    pub(super) fn print(&self, row: &Row, out: &mut impl Write) -> anyhow::Result<()> {
        match self {
            Self::Table(columns) => print_table(columns, row, out)?,
            Self::Jsonl => writeln!(out, "{}", serde_json::to_string(row)?)?,
            Self::Csv => print_csv(row, out)?,
        }
        Ok(out.flush()?)
    }
}

fn print_table(columns: &Columns, row: &Row, out: &mut impl Write) -> anyhow::Result<()> {
    // A newline in a name would look like a second file.
    let mut path = row.path.replace(char::is_control, "\u{fffd}");
    let line = |path: &mut String, score: &str, text: &str| {
        let cells = [std::mem::take(path), score.to_owned(), text.to_owned()];
        columns.row(&cells)
    };
    for tag in &row.tags {
        writeln!(out, "{}", line(&mut path, &format!("{:.2}", tag.score), &tag.label))?;
    }
    if row.status == Status::None {
        writeln!(out, "{}", line(&mut path, "-", "nothing sure enough"))?;
    }
    if let Some(reason) = &row.reason {
        writeln!(out, "{}", line(&mut path, "-", &format!("{}: {reason}", row.status.name())))?;
    }
    Ok(())
}

fn print_csv(row: &Row, out: &mut impl Write) -> anyhow::Result<()> {
    let (status, reason) = (row.status.name(), row.reason.as_deref().unwrap_or_default());
    if row.tags.is_empty() {
        return write_csv(out, &[&row.path, status, "", "", "", "", reason]);
    }
    for (rank, tag) in row.tags.iter().enumerate() {
        let (rank, class, score) = ((rank + 1).to_string(), tag.class.to_string(), format!("{:.6}", tag.score));
        write_csv(out, &[&row.path, status, &rank, &tag.label, &class, &score, reason])?;
    }
    Ok(())
}

fn write_csv(out: &mut impl Write, cells: &[&str]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(cells)?;
    Ok(writer.flush()?)
}
