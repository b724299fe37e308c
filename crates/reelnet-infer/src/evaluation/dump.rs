//! Dumps: all scores of an evaluation as a Parquet file, a row a view, for whoever wants to compute with them elsewhere.
//!
//! Rows of a video follow one another, and videos are in the order of the list. What the evaluation measured, and the files that it
//! could not score, are in the file's metadata under `reelnet.header` and `reelnet.failed`, as JSON.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::header::Header;
use super::record::{Failed, FileFacts, Record, Scored, View};
use super::store::{Evaluation, StoreErrorKind as Kind};

/// Logits of a group of rows, about: what a reader has to hold at once.
const GROUP_LOGITS: usize = 1 << 21;
const HEADER_KEY: &str = "reelnet.header";
const FAILED_KEY: &str = "reelnet.failed";
const LISTED: &str = "logits.list.element";

const SCHEMA: &str = "
message scores {
    required int64 position;
    required binary video (STRING);
    required group labels (LIST) { repeated group list { required int32 element; } }
    required int32 clip;
    required int32 crop;
    required double start_seconds;
    required group logits (LIST) { repeated group list { required float element; } }
    required int64 bytes;
    required double duration_seconds;
    required binary codec (STRING);
    required int64 frames;
    required boolean is_short;
    required double seconds;
}";
const COLUMNS: usize = 13;

impl From<ParquetError> for Kind {
    fn from(error: ParquetError) -> Self {
        Self::Form(format!("it is no Parquet file of scores: {error}"))
    }
}

/// Writes all records of an evaluation.
///
/// # Errors
/// If they cannot be read, or the disk says no.
pub fn write(evaluation: &Evaluation, out: impl Write + Send) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(true)
        .set_column_dictionary_enabled(ColumnPath::from(LISTED), false)
        .set_column_encoding(ColumnPath::from(LISTED), Encoding::PLAIN)
        .set_statistics_enabled(EnabledStatistics::None);
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?;
    let mut failed: Vec<Failed> = Vec::new();
    let mut group: Vec<Scored> = Vec::new();
    let mut logits = 0;
    for record in evaluation.records()? {
        match record? {
            Record::Failed(failure) => failed.push(failure),
            Record::Scored(scored) => {
                logits += scored.logits.len();
                group.push(scored);
            }
        }
        if logits >= GROUP_LOGITS {
            write_group(&mut writer, &group)?;
            group.clear();
            logits = 0;
        }
    }
    if !group.is_empty() {
        write_group(&mut writer, &group)?;
    }
    // A dump of all parts is a dump of the whole; one of some of them is of nothing that could be put together again.
    let mut header = evaluation.header().clone();
    if evaluation.parts.len() as u64 == header.shard.of {
        header.shard = super::header::Shard::WHOLE;
    } else if evaluation.parts.len() > 1 {
        return Err("some parts of the evaluation are not there; dump each part alone, or name all of them".into());
    }
    writer.append_key_value_metadata(KeyValue::new(HEADER_KEY.to_owned(), serde_json::to_string(&header)?));
    writer.append_key_value_metadata(KeyValue::new(FAILED_KEY.to_owned(), serde_json::to_string(&failed)?));
    writer.close()?;
    Ok(())
}

fn write_group<W: Write + Send>(writer: &mut SerializedFileWriter<W>, group: &[Scored]) -> Result<(), ParquetError> {
    let mut rows = writer.next_row_group()?;
    let views = || group.iter().flat_map(|video| video.views.iter().map(move |view| (video, view)));
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let class = |label: &usize| i32::try_from(*label).unwrap_or(i32::MAX);
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());

    flat::<Int64Type>(&mut rows, views().map(|(video, _)| whole(video.position)))?;
    flat::<ByteArrayType>(&mut rows, views().map(|(video, _)| text(&video.name)))?;
    listed::<Int32Type>(
        &mut rows,
        views().map(|(video, _)| (video.labels.len(), video.labels.iter().map(class).collect())),
    )?;
    flat::<Int32Type>(&mut rows, views().map(|(_, view)| small(view.clip)))?;
    flat::<Int32Type>(&mut rows, views().map(|(_, view)| small(view.crop)))?;
    flat::<DoubleType>(&mut rows, views().map(|(_, view)| view.start_seconds))?;
    listed::<FloatType>(
        &mut rows,
        group.iter().flat_map(|video| {
            let classes = video.logits.len() / video.views.len().max(1);
            video.logits.chunks_exact(classes.max(1)).map(move |logits| (logits.len(), logits.to_vec()))
        }),
    )?;
    flat::<Int64Type>(&mut rows, views().map(|(video, _)| whole(video.file.bytes)))?;
    flat::<DoubleType>(&mut rows, views().map(|(video, _)| video.file.duration_seconds))?;
    flat::<ByteArrayType>(&mut rows, views().map(|(video, _)| text(&video.file.codec)))?;
    flat::<Int64Type>(&mut rows, views().map(|(video, _)| whole(video.file.frames)))?;
    flat::<BoolType>(&mut rows, views().map(|(video, _)| video.file.is_short))?;
    flat::<DoubleType>(&mut rows, views().map(|(video, _)| video.seconds))?;
    rows.close()?;
    Ok(())
}

fn flat<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = values.collect();
    column::<T>(rows, &values, None)
}

fn listed<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    lists: impl Iterator<Item = (usize, Vec<T::T>)>,
) -> Result<(), ParquetError> {
    let (mut values, mut repetitions) = (Vec::new(), Vec::new());
    for (length, list) in lists {
        values.extend(list);
        // Lists are never empty: the first element begins a row, the others go on with it.
        repetitions.push(0);
        repetitions.extend(std::iter::repeat_n(1, length - 1));
    }
    column::<T>(rows, &values, Some(&repetitions))
}

fn column<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    values: &[T::T],
    repetitions: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = rows.next_column()? else {
        return Err(ParquetError::General("too many columns".to_owned()));
    };
    // Every element is there.
    let definitions = repetitions.map(|repetitions| vec![1; repetitions.len()]);
    column.typed::<T>().write_batch(values, definitions.as_deref(), repetitions)?;
    column.close()
}

/// What a dump is of.
pub(super) fn read_header(path: &Path) -> Result<Header, Kind> {
    let reader = opened(path)?;
    let text = metadata(&reader, HEADER_KEY)?;
    serde_json::from_str(&text).map_err(|error| Kind::Form(format!("its {HEADER_KEY} does not parse: {error}")))
}

/// The records of a dump, in the order of the list; a group of rows at a time is in memory.
pub(super) fn read(path: &Path) -> Result<impl Iterator<Item = Result<Record, Kind>> + use<>, Kind> {
    let reader = opened(path)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    if schema.root_schema() != &parse_message_type(SCHEMA)? {
        return Err(Kind::Form("its columns are not those of a dump of scores".to_owned()));
    }
    let failed: Vec<Failed> = serde_json::from_str(&metadata(&reader, FAILED_KEY)?)
        .map_err(|error| Kind::Form(format!("its {FAILED_KEY} does not parse: {error}")))?;
    Ok(Rows { reader, next_group: 0, videos: VecDeque::new(), failed: failed.into() })
}

/// A file whose columns lie within it: the reader trusts what the end of the file says, and panics where that is impossible.
fn opened(path: &Path) -> Result<SerializedFileReader<File>, Kind> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let reader = unpanicked(|| Ok(SerializedFileReader::new(file)?))?;
    let lies_within = |column: &ColumnChunkMetaData| {
        let start = u64::try_from(column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset()));
        let bytes = u64::try_from(column.compressed_size());
        matches!((start, bytes), (Ok(start), Ok(bytes)) if start.checked_add(bytes).is_some_and(|end| end <= length))
    };
    if reader.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns).all(lies_within) {
        Ok(reader)
    } else {
        Err(Kind::Form("its columns lie outside of it: it is damaged".to_owned()))
    }
}

/// What the reader panics over is damage too.
fn unpanicked<T>(read: impl FnOnce() -> Result<T, Kind>) -> Result<T, Kind> {
    let damaged = |_| Err(Kind::Form("it is damaged".to_owned()));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_else(damaged)
}

fn metadata(reader: &SerializedFileReader<File>, key: &str) -> Result<String, Kind> {
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let value = pairs.into_iter().flatten().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
    value.ok_or_else(|| Kind::Form(format!("it has no {key} in its metadata")))
}

struct Rows {
    reader: SerializedFileReader<File>,
    next_group: usize,
    videos: VecDeque<Scored>,
    failed: VecDeque<Failed>,
}

impl Iterator for Rows {
    type Item = Result<Record, Kind>;

    fn next(&mut self) -> Option<Self::Item> {
        // One more group than is needed: a video may go on in the next one.
        while self.videos.len() < 2 && self.next_group < self.reader.num_row_groups() {
            let group = self.reader.get_row_group(self.next_group).map_err(Kind::from);
            self.next_group += 1;
            if let Err(kind) = group.and_then(|group| unpanicked(|| gather(&*group, &mut self.videos))) {
                self.next_group = usize::MAX;
                return Some(Err(kind));
            }
        }
        let before = match (self.failed.front(), self.videos.front()) {
            (Some(failed), Some(video)) => failed.position < video.position,
            (failed, _) => failed.is_some(),
        };
        if before {
            return self.failed.pop_front().map(|failed| Ok(Record::Failed(failed)));
        }
        self.videos.pop_front().map(|video| Ok(Record::Scored(video)))
    }
}

/// Adds the rows of a group to the videos that they are of.
fn gather(group: &dyn RowGroupReader, videos: &mut VecDeque<Scored>) -> Result<(), Kind> {
    if group.num_columns() != COLUMNS {
        return Err(Kind::Form("a group of its rows has other columns than a dump of scores".to_owned()));
    }
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let cut = || Kind::Form("a group of its rows is cut short".to_owned());
    let whole = |number: &i64| u64::try_from(*number).unwrap_or(0);
    let small = |number: i32| u32::try_from(number).unwrap_or(0);
    let positions = values::<Int64Type>(group, 0, rows)?.0;
    let names = values::<ByteArrayType>(group, 1, rows)?.0;
    let mut labels = lists(values::<Int32Type>(group, 2, rows)?);
    let clips = values::<Int32Type>(group, 3, rows)?.0;
    let crops = values::<Int32Type>(group, 4, rows)?.0;
    let starts = values::<DoubleType>(group, 5, rows)?.0;
    let mut logits = lists(values::<FloatType>(group, 6, rows)?);
    let bytes = values::<Int64Type>(group, 7, rows)?.0;
    let durations = values::<DoubleType>(group, 8, rows)?.0;
    let codecs = values::<ByteArrayType>(group, 9, rows)?.0;
    let frames = values::<Int64Type>(group, 10, rows)?.0;
    let shorts = values::<BoolType>(group, 11, rows)?.0;
    let seconds = values::<DoubleType>(group, 12, rows)?.0;
    let text = |bytes: &ByteArray| String::from_utf8_lossy(bytes.data()).into_owned();
    for row in 0..rows {
        let labels = labels.next().ok_or_else(cut)?;
        let logits = logits.next().ok_or_else(cut)?;
        let view = View { clip: small(clips[row]), crop: small(crops[row]), start_seconds: starts[row] };
        let position = whole(&positions[row]);
        match videos.back_mut().filter(|video| video.position == position) {
            Some(video) => {
                video.views.push(view);
                video.logits.extend(&logits);
            }
            None => videos.push_back(Scored {
                position,
                name: text(&names[row]),
                labels: labels.iter().map(|&label| usize::try_from(label).unwrap_or(usize::MAX)).collect(),
                file: FileFacts {
                    bytes: whole(&bytes[row]),
                    duration_seconds: durations[row],
                    codec: text(&codecs[row]),
                    frames: whole(&frames[row]),
                    is_short: shorts[row],
                },
                views: vec![view],
                logits,
                seconds: seconds[row],
            }),
        }
    }
    Ok(())
}

/// The values of a column, and where lists begin.
fn values<T: DataType>(group: &dyn RowGroupReader, column: usize, rows: usize) -> Result<(Vec<T::T>, Vec<i16>), Kind> {
    let reader = group.get_column_reader(column)?;
    let mut reader: ColumnReaderImpl<T> = get_typed_column_reader(reader);
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        let (records, ..) =
            reader.read_records(rows - read, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
        if records == 0 {
            return Err(Kind::Form("a column of its rows is cut short".to_owned()));
        }
        read += records;
    }
    Ok((values, repetitions))
}

/// Lists one by one.
fn lists<T: Clone>((values, repetitions): (Vec<T>, Vec<i16>)) -> impl Iterator<Item = Vec<T>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= values.len() {
            return None;
        }
        let more = repetitions.get(at + 1..).unwrap_or(&[]).iter().take_while(|&&repetition| repetition > 0).count();
        let list = values.get(at..=at + more)?.to_vec();
        at += more + 1;
        Some(list)
    })
}
