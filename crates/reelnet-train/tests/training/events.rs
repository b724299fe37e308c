//! Event files, read by a reader that shares nothing with what wrote them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use reelnet_clips::CancelToken;
use reelnet_train::journal::Record;
use reelnet_train::{Ending, RunOptions, train};

use crate::made;

/// What a file says, event by event.
#[derive(Debug, PartialEq)]
enum Event {
    Version(String),
    GoesOnAt(u64),
    Scalars(u64, Vec<(String, f32)>),
}

#[test]
fn curves_of_a_run_that_went_on_are_those_of_one_that_was_never_stopped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    made::write_data(root, 8);
    let recipe = made::recipe(&[]);
    made::run(&recipe, &made::options(root, "whole")).0.expect("it trains");

    // Stopped after step 5, and set back to its checkpoint of step 4, as by a kill.
    let cancel = CancelToken::new();
    let options = RunOptions { cancel: cancel.clone(), ..made::options(root, "parts") };
    let ending = train(&recipe, &options, &mut |record| {
        if matches!(record, Record::Step { step: 5, .. }) {
            cancel.cancel();
        }
    });
    assert!(matches!(ending, Ok(Ending::Interrupted { step: 5 })), "{ending:?}");
    fs::remove_dir_all(root.join("parts/checkpoints/step-00000005")).expect("a checkpoint");
    made::run(&recipe, &RunOptions { resume: true, ..made::options(root, "parts") }).0.expect("it goes on");

    let [whole, parts] = ["whole", "parts"].map(|run| files(&root.join(run)));
    assert_eq!([whole.len(), parts.len()], [1, 2]);
    assert_eq!(read(&whole[0])[..2], [Event::Version("brain.Event:2".to_owned()), Event::GoesOnAt(1)]);
    assert_eq!(read(&parts[1])[1], Event::GoesOnAt(5));
    let [whole, parts] = [whole, parts].map(|files| curves(&files));
    assert_eq!(whole.keys().map(String::as_str).collect::<Vec<_>>(), TAGS);
    assert_eq!(whole["training/loss"].keys().copied().collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    assert_eq!(whole["validation/top1/average"].keys().copied().collect::<Vec<_>>(), [4, 8]);
    // What the first step of a warm-up has is zero, and written.
    assert_eq!(whole["training/learning_rate"][&1], 0.0);
    for tag in TAGS.into_iter().filter(|tag| !tag.contains("second") && !tag.contains("waiting")) {
        assert_eq!(whole[tag], parts[tag], "{tag}");
    }
}

const TAGS: [&str; 12] = [
    "training/clips_per_second",
    "training/gradient_norm",
    "training/learning_rate",
    "training/loss",
    "training/share_of_time_waiting",
    "training/top1",
    "validation/loss/average",
    "validation/loss/network",
    "validation/top1/average",
    "validation/top1/network",
    "validation/top5/average",
    "validation/top5/network",
];

/// A run's event files, in the order of their names, as TensorBoard reads them.
fn files(run: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(run.join("tensorboard")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().contains("tfevents")).collect();
    files.sort();
    files
}

/// Curves by name and step. Where a file goes on, later steps of the files before it count no more.
fn curves(files: &[PathBuf]) -> BTreeMap<String, BTreeMap<u64, f32>> {
    let mut curves: BTreeMap<String, BTreeMap<u64, f32>> = BTreeMap::new();
    for event in files.iter().flat_map(|file| read(file)) {
        match event {
            Event::Version(_) => {}
            Event::GoesOnAt(first) => curves.values_mut().for_each(|curve| curve.retain(|step, _| *step < first)),
            Event::Scalars(step, values) => {
                for (tag, value) in values {
                    let before = curves.entry(tag.clone()).or_default().insert(step, value);
                    assert_eq!(before, None, "step {step} of {tag} is there twice");
                }
            }
        }
    }
    curves
}

fn read(file: &Path) -> Vec<Event> {
    let bytes = fs::read(file).expect("an event file");
    let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (length, after) = checked(rest, 8);
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
        let (event, after) = checked(after, usize::try_from(length).expect("a short record"));
        events.push(parsed(event));
        rest = after;
    }
    events
}

/// So many bytes and what follows their checksum.
fn checked(bytes: &[u8], length: usize) -> (&[u8], &[u8]) {
    let (data, rest) = bytes.split_at(length);
    let (sum, rest) = rest.split_at(4);
    // CRC-32C bit by bit (RFC 3720, appendix B.4), and the mask of TensorFlow's record files.
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    let masked = (!crc).rotate_right(15).wrapping_add(0xa282_ead8);
    assert_eq!(u32::from_le_bytes(sum.try_into().expect("four bytes")), masked);
    (data, rest)
}

fn parsed(event: &[u8]) -> Event {
    let (mut step, mut parsed) = (0, None);
    for (field, value) in fields(event) {
        match (field, value) {
            (1, Value::Eight(seconds)) => assert!(f64::from_bits(seconds) > 1.7e9, "no time of today"),
            (2, Value::Number(number)) => step = number,
            (3, Value::Bytes(text)) => parsed = Some(Event::Version(String::from_utf8_lossy(text).into_owned())),
            (5, Value::Bytes(summary)) => parsed = Some(Event::Scalars(0, scalars(summary))),
            (7, Value::Bytes(log)) => {
                assert!(matches!(fields(log)[..], [(1, Value::Number(1))]), "a start");
                parsed = Some(Event::GoesOnAt(0));
            }
            (field, value) => panic!("field {field}: {value:?}"),
        }
    }
    match parsed.expect("an event says something") {
        Event::Version(version) => Event::Version(version),
        Event::GoesOnAt(_) => Event::GoesOnAt(step),
        Event::Scalars(_, values) => Event::Scalars(step, values),
    }
}

fn scalars(summary: &[u8]) -> Vec<(String, f32)> {
    let value = |(field, value): (u64, Value)| {
        let (1, Value::Bytes(value)) = (field, value) else { panic!("no value") };
        let [(1, Value::Bytes(tag)), (2, Value::Four(number))] = fields(value)[..] else { panic!("no scalar") };
        (String::from_utf8_lossy(tag).into_owned(), f32::from_bits(number))
    };
    fields(summary).into_iter().map(value).collect()
}

/// A field of a protocol buffer.
#[derive(Clone, Copy, Debug)]
enum Value<'bytes> {
    Number(u64),
    Eight(u64),
    Bytes(&'bytes [u8]),
    Four(u32),
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)),
            1 => Value::Eight(u64::from_le_bytes(take(&mut bytes, 8).try_into().expect("eight bytes"))),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("a short field");
                Value::Bytes(take(&mut bytes, length))
            }
            5 => Value::Four(u32::from_le_bytes(take(&mut bytes, 4).try_into().expect("four bytes"))),
            kind => panic!("no kind {kind}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn take<'bytes>(bytes: &mut &'bytes [u8], count: usize) -> &'bytes [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a number ends");
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number is too long")
}
