//! Everything that is known, for other programs: file by file, and as a Parquet file with a row a span.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde::Serialize;

use crate::store::{FileEntry, FileState, ModelRow, PageCursor, PageWish, added_labels};
use crate::{LibraryError, Store};

/// Files that are read at once.
const PAGE: u32 = 200;

const SCHEMA: &str = "
message tags {
    required binary path (STRING);
    required binary status (STRING);
    required binary label (STRING);
    required binary source (STRING);
    required double start_seconds;
    required double end_seconds;
    required float score;
    required double duration_seconds;
    required binary model (STRING);
}";

/// A file with its tags.
#[derive(Clone, Debug, Serialize)]
pub struct ExportedFile {
    /// Where it lies; bytes that are no UTF-8 are replaced, and then `path_bytes` is there.
    pub path: String,
    /// The path's bytes in hexadecimal, of a path that is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// What became of it.
    pub status: FileState,
    /// A stable name of what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds; 0 of an image, and of what was not opened.
    pub duration_seconds: f64,
    /// Its size.
    pub bytes: u64,
    /// When it was written, in seconds since 1970.
    pub modified: f64,
    /// Name and hash of the model.
    pub model: String,
    /// One entry a span.
    pub tags: Vec<ExportedSpan>,
}

/// A tag at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportedSpan {
    /// What is to be seen.
    pub label: String,
    /// `model` or `person`.
    pub source: &'static str,
    /// Seconds after the first frame.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// The best probability; 1 of what a person said.
    pub score: f32,
}

/// Goes through all files of a library, newest first.
#[derive(Debug)]
pub struct Exporter<'store> {
    store: &'store Store,
    model: ModelRow,
    after: Option<PageCursor>,
}

impl<'store> Exporter<'store> {
    /// From the first file on, with the tags of this model.
    pub fn new(store: &'store Store, model: ModelRow) -> Self {
        Self { store, model, after: None }
    }

    /// The next files; none at the end.
    ///
    /// # Errors
    /// If the database says no.
    pub async fn next(&mut self) -> Result<Vec<ExportedFile>, LibraryError> {
        let page = self.store.page(&self.model, &PageWish { state: None, after: self.after, limit: PAGE }).await?;
        if let Some(last) = page.last() {
            self.after = Some(PageCursor { modified: last.modified, video: last.video });
        }
        let videos: Vec<i64> = page.iter().map(|file| file.video).collect();
        let tags = self.store.tags_of(&self.model, &videos).await?;
        let mut exported = Vec::with_capacity(page.len());
        for file in page {
            let said = self.store.corrections(file.video).await?;
            let own = tags.iter().find(|(video, _)| *video == file.video).map_or(&[][..], |(_, tags)| tags);
            let mut spans: Vec<ExportedSpan> = own
                .iter()
                .flat_map(|tag| tag.spans.iter().map(move |span| (tag, span)))
                .map(|(tag, span)| ExportedSpan {
                    label: tag.label.clone(),
                    source: "model",
                    start: span.start,
                    end: span.end,
                    score: span.score,
                })
                .collect();
            for (label, of_person) in added_labels(&said) {
                let whole = vec![(0.0, file.duration.unwrap_or(0.0))];
                for (start, end) in if of_person.is_empty() { whole } else { of_person } {
                    spans.push(ExportedSpan { label: label.clone(), source: "person", start, end, score: 1.0 });
                }
            }
            exported.push(row(file, spans, &self.model));
        }
        Ok(exported)
    }
}

fn row(file: FileEntry, tags: Vec<ExportedSpan>, model: &ModelRow) -> ExportedFile {
    ExportedFile {
        path: file.path.to_string_lossy().into_owned(),
        path_bytes: bytes_of(&file.path),
        status: file.state,
        kind: file.kind,
        reason: file.reason,
        duration_seconds: file.duration.unwrap_or(0.0),
        bytes: file.bytes,
        modified: file.modified,
        model: model.shown(),
        tags,
    }
}

/// The bytes of a path that is no UTF-8.
fn bytes_of(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    std::str::from_utf8(bytes).err().map(|_| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A Parquet file of spans; files without any have none.
pub struct ParquetExport<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> ParquetExport<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub fn new(out: W) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        Ok(Self { writer: SerializedFileWriter::new(out, schema, Arc::new(WriterProperties::builder().build()))? })
    }

    /// Adds files, as a group of rows.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub fn add(&mut self, files: &[ExportedFile]) -> Result<(), ParquetError> {
        let rows: Vec<(&ExportedFile, &ExportedSpan)> =
            files.iter().flat_map(|file| file.tags.iter().map(move |span| (file, span))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
        let mut group = self.writer.next_row_group()?;
        column::<ByteArrayType, W>(&mut group, rows.iter().map(|(file, _)| text(&file.path)))?;
        column::<ByteArrayType, W>(&mut group, rows.iter().map(|(file, _)| text(file.status.name())))?;
        column::<ByteArrayType, W>(&mut group, rows.iter().map(|(_, span)| text(&span.label)))?;
        column::<ByteArrayType, W>(&mut group, rows.iter().map(|(_, span)| text(span.source)))?;
        column::<DoubleType, W>(&mut group, rows.iter().map(|(_, span)| span.start))?;
        column::<DoubleType, W>(&mut group, rows.iter().map(|(_, span)| span.end))?;
        column::<FloatType, W>(&mut group, rows.iter().map(|(_, span)| span.score))?;
        column::<DoubleType, W>(&mut group, rows.iter().map(|(file, _)| file.duration_seconds))?;
        column::<ByteArrayType, W>(&mut group, rows.iter().map(|(file, _)| text(&file.model)))?;
        group.close()?;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub fn close(self) -> Result<(), ParquetError> {
        self.writer.close().map(|_| ())
    }
}

fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = values.collect();
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("too many columns".to_owned()));
    };
    column.typed::<T>().write_batch(&values, None, None)?;
    column.close()
}
