//! Numbers from records against `scripts/golden/metrics.py`; shards, dumps and fusion against the whole.

use std::path::{Path, PathBuf};

use reelnet_infer::evaluation::{
    DataId, Evaluation, Failed, FileFacts, HEADER_FILE, Header, Journal, ModelId, Protocol, RECORDS_FILE, Record,
    Scored, Shard, Summary, View, ViewSettings, Views, compare, dump, fit_temperature, fuse, summarise, sweep,
};
use serde_json::Value;

fn golden() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/metrics.json");
    let text = std::fs::read_to_string(path).expect("the golden file is there");
    let golden: Value = serde_json::from_str(&text).expect("it parses");
    golden["cases"].as_array().expect("cases").clone()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a number")).expect("a small one")
}

/// The files of a case, and one that is bad at its end.
fn records(case: &Value) -> Vec<Record> {
    let classes = number(&case["classes"]);
    let videos = case["videos"].as_array().expect("videos");
    let scored = |(position, video): (u64, &Value)| {
        #[expect(clippy::cast_possible_truncation, reason = "it was a 32-bit float")]
        let logits: Vec<f32> =
            video["logits"].as_array().expect("logits").iter().map(|x| x.as_f64().expect("a number") as f32).collect();
        let views = (0_u32..).zip(logits.chunks(classes));
        Record::Scored(Scored {
            position,
            name: format!("video {position}.mp4"),
            labels: video["labels"].as_array().expect("labels").iter().map(number).collect(),
            file: FileFacts { bytes: 7, duration_seconds: 1.5, codec: "h264".to_owned(), frames: 45, is_short: false },
            views: views.map(|(clip, _)| View { clip, crop: 0, start_seconds: f64::from(clip) }).collect(),
            logits,
            seconds: 0.5,
        })
    };
    let mut records: Vec<Record> = (0..).zip(videos).map(scored).collect();
    let position = records.len() as u64;
    let (name, kind, reason) = ("bad.mp4".to_owned(), "corrupt".to_owned(), "it is".to_owned());
    records.push(Record::Failed(Failed { position, name, kind, reason }));
    records
}

fn header(case: &Value, shard: Shard) -> Header {
    let views = Views { clips: number(&case["views"]), crops: 1 };
    Header {
        format: 1,
        reelnet: "0".to_owned(),
        decoder: "none".to_owned(),
        model: ModelId { name: "made".to_owned(), sha256: "ab".repeat(32), precision: "f32".to_owned(), macs: 1000 },
        views: ViewSettings { protocol: Protocol::Reelnet, views, frames: 8, frame_step: 2, resize: 32, crop: 32 },
        labels: (0..number(&case["classes"])).map(|class| format!("class {class}")).collect(),
        data: DataId {
            name: "made".to_owned(),
            sha256: "cd".repeat(32),
            files: case["videos"].as_array().expect("videos").len() as u64 + 1,
            missing: vec!["gone 1.mp4".to_owned(), "gone 2.mp4".to_owned()],
            repeated: 0,
        },
        shard,
    }
}

/// A folder as `reelnet eval` writes it.
fn folder(place: &Path, name: &str, header: &Header, records: &[Record]) -> PathBuf {
    let folder = place.join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(HEADER_FILE), serde_json::to_string(header).expect("JSON")).expect("a file");
    let (mut journal, _) = Journal::open(&folder.join(RECORDS_FILE)).expect("a journal");
    let own = records.iter().filter(|record| header.shard.holds(record.position()));
    own.for_each(|record| journal.write(record).expect("room"));
    folder
}

fn whole(place: &Path, case: &Value) -> Evaluation {
    let folder = folder(place, "whole", &header(case, Shard::WHOLE), &records(case));
    Evaluation::open(&[folder]).expect("an evaluation")
}

fn summary(evaluation: &Evaluation) -> Summary {
    summarise(evaluation, None).expect("records")
}

#[test]
fn numbers_are_those_of_another_program() {
    for case in golden() {
        let place = tempfile::tempdir().expect("a folder");
        let found = summary(&whole(place.path(), &case));
        let expected = &case["found"];
        let count = |name: &str| expected[name].as_u64().expect("a count");
        let (video, clip) = (&found.video_level, &found.clip_level);
        assert_eq!(
            [video.videos, video.top1_count, video.top5_count, clip.views, clip.top1_count, clip.top5_count],
            ["videos", "top1_count", "top5_count", "views", "views_top1_count", "views_top5_count"].map(count)
        );
        let mut pairs = vec![
            (video.top1, &expected["top1"]),
            (video.top5, &expected["top5"]),
            (clip.top1, &expected["views_top1"]),
            (clip.top5, &expected["views_top5"]),
            (video.mean_class_accuracy, &expected["mean_class_accuracy"]),
            (video.loss, &expected["loss"]),
            (found.calibration.error, &expected["calibration_error"]),
            (video.intervals.top1.low, &expected["top1_interval"][0]),
            (video.intervals.top1.high, &expected["top1_interval"][1]),
        ];
        assert_eq!(found.multi_label.is_some(), expected.get("mean_average_precision").is_some());
        pairs.extend(
            found.multi_label.iter().map(|many| (many.mean_average_precision, &expected["mean_average_precision"])),
        );
        for (found, expected) in pairs {
            // To the last digit.
            assert_eq!(Ok(found), expected.as_str().expect("digits").parse());
        }
        let coverage = &found.coverage;
        assert_eq!((coverage.listed, coverage.missing, coverage.unreadable), (video.videos + 3, 2, 1));
        assert_eq!((coverage.scored, coverage.left, found.failed.len()), (video.videos, 0, 3));
        assert!((video.top1_of_listed - video.top1_count as f64 / coverage.listed as f64).abs() < 1e-12);
    }
}

#[test]
fn shards_and_dumps_are_the_whole() {
    for case in golden() {
        let place = tempfile::tempdir().expect("a folder");
        let expected = summary(&whole(place.path(), &case));
        let records = records(&case);
        let part =
            |number| folder(place.path(), &format!("part {number}"), &header(&case, Shard { number, of: 3 }), &records);
        // In any order.
        let parts = [3, 1, 2].map(part);
        let merged = Evaluation::open(&parts).expect("three parts");
        assert_eq!(summary(&merged), expected);
        let dumped = place.path().join("scores.parquet");
        dump::write(&merged, std::fs::File::create(&dumped).expect("a file")).expect("room");
        let read = Evaluation::open(std::slice::from_ref(&dumped)).expect("a dump");
        assert_eq!(summary(&read), expected);
        let of_dump: Vec<Record> = read.records().expect("a dump").map(|record| record.expect("sound")).collect();
        assert_eq!(of_dump, records);
        // Some of the parts are some of the numbers, and say so.
        let some = summary(&Evaluation::open(&parts[..2]).expect("two parts"));
        assert!(some.coverage.listed < expected.coverage.listed && some.header.shard != Shard::WHOLE);
        let error = Evaluation::open(&[parts[0].clone(), parts[0].clone()]).expect_err("twice").to_string();
        assert!(error.contains("name each part once"), "{error}");
        // Averaged with itself, a model says what it says.
        let fused = fuse(&[read.clone(), read], None).expect("two models");
        assert_eq!(fused.video_level, expected.video_level);
        assert_eq!(fused.header.model.macs, 2000);
    }
}

#[test]
fn all_views_are_the_end_of_the_sweep() {
    for case in golden() {
        let place = tempfile::tempdir().expect("a folder");
        let whole = whole(place.path(), &case);
        let (expected, sweep) = (summary(&whole).video_level, sweep(&whole).expect("records"));
        let last = sweep.views.last().expect("a number of views");
        assert_eq!((last.views, last.top1, last.top5), (number(&case["views"]), expected.top1, expected.top5));
        assert!(sweep.exits.windows(2).all(|pair| pair[0].views <= pair[1].views && pair[0].macs <= pair[1].macs));
        let temperature = fit_temperature(&whole).expect("records").expect("videos");
        let cooled = summarise(&whole, Some(temperature)).expect("records").calibration;
        assert_eq!(cooled.temperature, Some(temperature));
        assert!(cooled.error_at_temperature.is_some_and(|error| (0.0..=1.0).contains(&error)));
    }
}

#[test]
fn a_model_is_compared_with_itself_and_with_a_worse_one() {
    let case = &golden()[0];
    let place = tempfile::tempdir().expect("a folder");
    let one = whole(place.path(), case);
    let same = compare(&one, &one).expect("records");
    assert_eq!((same.p_value, same.difference, same.warnings.len()), (1.0, 0.0, 0));
    // Every logit turned around, another file behind a name, and one file less.
    let mut records = records(case);
    for record in &mut records {
        if let Record::Scored(scored) = record {
            scored.logits.iter_mut().for_each(|logit| *logit = -*logit);
        }
    }
    if let Record::Scored(scored) = &mut records[3] {
        scored.file.bytes = 8;
    }
    let taken = records.remove(0);
    let path = folder(place.path(), "worse", &header(case, Shard::WHOLE), &records);
    let worse = compare(&one, &Evaluation::open(&[path]).expect("an evaluation")).expect("records");
    assert_eq!((worse.both, worse.only_first, worse.only_second), (59, 1, 0));
    assert!(worse.p_value < 1e-3 && worse.difference < -0.2 && worse.interval.high < 0.0, "{worse:?}");
    let told = worse.warnings.join("\n");
    for words in ["1 videos were scored by the first one only", "1 videos are other files", "1 files of the second one"]
    {
        assert!(told.contains(words), "{told}\nwithout {:?}", taken.position());
    }
    let videos: u64 = worse.classes.iter().map(|class| class.videos).sum();
    assert_eq!(videos, 59);
}

#[test]
fn what_is_no_evaluation_says_so() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("scores.parquet");
    for (bytes, told) in [(&b"PAR1"[..], "no Parquet file"), (b"", "no Parquet file")] {
        std::fs::write(&file, bytes).expect("a file");
        let error = Evaluation::open(std::slice::from_ref(&file)).expect_err("no dump").to_string();
        assert!(error.contains(told) && error.contains("expected a folder"), "{error}");
    }
    let error = Evaluation::open(&[place.path().to_owned()]).expect_err("no folder").to_string();
    assert!(error.contains("no evaluation.json"), "{error}");
    let error = Evaluation::open(&[place.path().join("absent")]).expect_err("nothing").to_string();
    assert!(error.contains("--out DIR"), "{error}");
    // Logits that cannot be of the header's classes are refused before they are counted.
    let case = &golden()[0];
    let mut records = records(case);
    if let Record::Scored(scored) = &mut records[0] {
        scored.logits.pop();
    }
    let path = folder(place.path(), "wrong", &header(case, Shard::WHOLE), &records);
    let error = summarise(&Evaluation::open(&[path]).expect("a header"), None).expect_err("wrong logits").to_string();
    assert!(error.contains("are not of 7 classes"), "{error}");
    // And a dump that a disk broke somewhere is an error or a dump, and never a panic.
    let whole = whole(place.path(), case);
    let mut bytes = Vec::new();
    dump::write(&whole, &mut bytes).expect("memory");
    for at in (0..bytes.len()).step_by(bytes.len() / 199) {
        let mut broken = bytes.clone();
        broken[at] ^= 0x55;
        std::fs::write(&file, &broken).expect("a file");
        if let Ok(evaluation) = Evaluation::open(std::slice::from_ref(&file)) {
            let _ = summarise(&evaluation, None);
        }
        std::fs::write(&file, &bytes[..at]).expect("a file");
        assert!(Evaluation::open(std::slice::from_ref(&file)).is_err(), "cut at {at}");
    }
}

#[test]
fn models_together_rank_the_videos_that_all_of_them_scored() {
    let cases = golden();
    let case =
        cases.iter().find(|case| case["found"].get("mean_average_precision").is_some()).expect("several classes");
    let place = tempfile::tempdir().expect("a folder");
    // The first videos have one class, so that several come into view later; the second model has not scored the very first.
    let mut all = records(case);
    for record in &mut all[..4] {
        let Record::Scored(scored) = record else { unreachable!("bad files come last") };
        scored.labels.truncate(1);
    }
    let mut fewer = all.clone();
    fewer[0] = Record::Failed(Failed {
        position: 0,
        name: "video 0.mp4".to_owned(),
        kind: "corrupt".to_owned(),
        reason: "it is".to_owned(),
    });
    let open = |name: &str, records: &[Record]| {
        let folder = folder(place.path(), name, &header(case, Shard::WHOLE), records);
        Evaluation::open(&[folder]).expect("an evaluation")
    };
    let (whole, part) = (open("all", &all), open("fewer", &fewer));
    let alone = summary(&part).multi_label.expect("several classes");
    let together = fuse(&[whole, part], None).expect("they are of one list").multi_label.expect("several classes");
    assert!((together.mean_average_precision - alone.mean_average_precision).abs() < 1e-6, "{together:?} {alone:?}");
    assert_eq!(together.videos, alone.videos);
}
