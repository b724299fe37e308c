//! Event files for TensorBoard: the journal's numbers as curves that somebody can watch.
//!
//! A file is a row of records, each with its length and two checksums around a protocol buffer. Every start of a run writes
//! a file of its own, whose name sorts behind the older ones. It opens with the step that it goes on from, so that readers
//! forget what an earlier start wrote of later steps.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::error::TrainError;
use crate::journal::{Record, WeightsOf};

/// What files of events are known by.
const NAME: &str = "events.out.tfevents.";
/// Since this version, readers heed the step that a file goes on from.
const VERSION: &str = "brain.Event:2";

/// `tensorflow.Event`, as much of it as is needed.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    /// Optional, because a zero has to be written too.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    /// 1 is a start.
    #[prost(int32, tag = "1")]
    status: i32,
}

/// A file of events that grows.
#[derive(Debug)]
pub(crate) struct Events {
    file: File,
    path: PathBuf,
}

impl Events {
    /// A new file in a folder, for the steps behind `step`.
    pub(crate) fn begin(folder: &Path, step: u64) -> Result<Self, TrainError> {
        let failed = |source| TrainError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join(format!("{NAME}{:010}.reelnet", next_number(folder)));
        let file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(failed)?;
        let mut events = Self { file, path };
        events.put(0, What::FileVersion(VERSION.to_owned()))?;
        events.put(step + 1, What::SessionLog(SessionLog { status: 1 }))?;
        Ok(events)
    }

    /// Writes what a record holds of curves.
    pub(crate) fn write(&mut self, record: &Record) -> Result<(), TrainError> {
        let (step, scalars) = scalars(record);
        if scalars.is_empty() {
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, reason = "TensorBoard's curves are of f32")]
        let value = |(tag, value): (String, f64)| Value { tag, simple_value: Some(value as f32) };
        self.put(step, What::Summary(Summary { values: scalars.into_iter().map(value).collect() }))
    }

    fn put(&mut self, step: u64, what: What) -> Result<(), TrainError> {
        let wall_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let record = framed(&Event { wall_time, step, what: Some(what) }.encode_to_vec());
        self.file.write_all(&record).map_err(|source| TrainError::Write { path: self.path.clone(), source })
    }
}

/// The seconds since 1970, or one more than the last file's.
fn next_number(folder: &Path) -> u64 {
    let number = |name: &str| name.strip_prefix(NAME)?.split('.').next()?.parse::<u64>().ok();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let last = entries.filter_map(|entry| number(entry.file_name().to_str()?)).max();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    now.max(last.map_or(0, |last| last.saturating_add(1)))
}

/// The curves' names and values.
fn scalars(record: &Record) -> (u64, Vec<(String, f64)>) {
    match record {
        Record::Step { step, loss, accuracy, learning_rate, gradient_norm, clips, seconds, waited, .. } => {
            let seconds = seconds.max(1e-9);
            let rows = [
                ("training/loss", *loss),
                ("training/top1", *accuracy),
                ("training/learning_rate", Some(*learning_rate)),
                ("training/gradient_norm", Some(*gradient_norm)),
                ("training/clips_per_second", Some(*clips as f64 / seconds)),
                ("training/share_of_time_waiting", Some(waited / seconds)),
            ];
            // A step whose samples all failed has no loss.
            (*step, rows.into_iter().filter_map(|(tag, value)| Some((tag.to_owned(), value?))).collect())
        }
        Record::Validation { step, weights, accuracy, .. } => {
            let whose = match weights {
                WeightsOf::Network => "network",
                WeightsOf::Ema => "average",
            };
            let rows = [("loss", accuracy.loss()), ("top1", accuracy.top1_share()), ("top5", accuracy.top5_share())];
            (*step, rows.map(|(tag, value)| (format!("validation/{tag}/{whose}"), value)).into())
        }
        _ => (0, Vec::new()),
    }
}

/// A record: the length, its checksum, the bytes, their checksum.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(bytes.len() + 16);
    for part in [&length[..], bytes] {
        record.extend_from_slice(part);
        record.extend(masked_crc(part).to_le_bytes());
    }
    record
}

/// CRC-32C, turned and moved, so that a checksum of data that hold checksums is a good one.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `RecordWriter` of tensorboard 2.21.0 (Python) writes of the same events.
    #[test]
    fn records_are_those_of_tensorboard() {
        let version = Event { wall_time: 1.5, step: 0, what: Some(What::FileVersion(VERSION.to_owned())) };
        assert_eq!(
            hex(&framed(&version.encode_to_vec())),
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"
        );
        let zero = Value { tag: "loss".to_owned(), simple_value: Some(0.0) };
        let scalar = Event { wall_time: 2.5, step: 300, what: Some(What::Summary(Summary { values: vec![zero] })) };
        assert_eq!(
            hex(&framed(&scalar.encode_to_vec())),
            "1b000000000000001a0d9e1309000000000000044010ac022a0d0a0b0a046c6f73731500000000d0a7ee8d"
        );
        let start = Event { wall_time: 3.5, step: 7, what: Some(What::SessionLog(SessionLog { status: 1 })) };
        assert_eq!(
            hex(&framed(&start.encode_to_vec())),
            "0f000000000000006d532b09090000000000000c4010073a0208018c2b37c8"
        );
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
