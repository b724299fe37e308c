//! What is redone after a change, and what is not.

use std::fs;

use reelnet_tests::golden;

use super::made::{exported, fill, json, library, numbered, prepare, status, work};

#[test]
fn only_what_is_new_is_decoded() {
    let sandbox = prepare();
    fill(&sandbox, "videos", 30);
    let added = sandbox.run(library(&["add", "videos"])).expect_code(0);
    assert!(added.stderr.contains("30 files in 10 folders: 30 new"), "{}", added.stderr);
    let first = json(&sandbox.run(work(&[])).expect_code(0));
    assert_eq!((&first["decoded"], &first["scored"]), (&30.into(), &30.into()));
    assert_eq!(first["video_seconds"], 30.0 * super::made::SECONDS as f64);

    // Again, and again with everything touched: nothing is decoded.
    let decoded = |words: &[&str]| json(&sandbox.run(words).expect_code(0))["decoded"].as_u64().expect("a count");
    assert_eq!(decoded(&work(&[])), 0);
    let scan = || json(&sandbox.run(library(&["scan", "--json"])).expect_code(0));
    let unchanged = scan();
    assert_eq!((&unchanged["hashed"], &unchanged["unchanged_folders"]), (&0.into(), &10.into()));

    // A rename, a move to another folder, a copy, an edit, a deletion, a new file.
    let path = |name: &str| sandbox.path(format!("videos/{name}"));
    fs::rename(path("00/00000.mp4"), path("00/renamed.mp4")).expect("a file");
    fs::rename(path("01/00001.mp4"), path("02/moved.mp4")).expect("a file");
    fs::copy(path("03/00003.mp4"), path("03/copy.mp4")).expect("a file");
    let clip = fs::read(sandbox.path("clips/lines.mp4")).expect("a clip");
    fs::write(path("04/00004.mp4"), numbered(&clip, 1000)).expect("a file");
    fs::remove_file(path("05/00005.mp4")).expect("a file");
    fs::write(path("06/new.mp4"), numbered(&clip, 1001)).expect("a file");
    let report = scan();
    let counts = ["hashed", "new", "moved", "changed", "gone"].map(|key| report[key].as_u64().expect("a count"));
    assert_eq!(counts, [5, 1, 3, 1, 3], "{report}");
    let again = json(&sandbox.run(work(&[])).expect_code(0));
    assert_eq!(again["decoded"], 2, "the edited one and the new one");
    let found = status(&sandbox, "library.db");
    assert_eq!((&found["files"], &found["gone"]), (&30.into(), &2.into()));

    // Another threshold decodes nothing and changes what is found; another model redoes everything, and nothing of the first one.
    let tagged = |store: &str| {
        let counts = &status(&sandbox, store)["models"][0]["counts"];
        counts["tagged"].as_u64().unwrap_or(0)
    };
    let before = exported(&sandbox, "library.db");
    sandbox.run(library(&["settings", "--threshold", "0"])).expect_code(0);
    assert_eq!(tagged("library.db"), 30);
    let ended = sandbox.run(library(&["settings", "--threshold", "1"])).expect_code(0);
    assert!(ended.stderr.contains("nothing was decoded"), "{}", ended.stderr);
    assert_eq!(tagged("library.db"), 0);
    sandbox.run(library(&["settings", "--threshold", "0.3"])).expect_code(0);
    assert_eq!(exported(&sandbox, "library.db"), before);
    assert_eq!(decoded(&work(&[])), 0);
    let other = library(&["work", "--model", "other", "--interval", "1", "--json"]);
    assert_eq!(decoded(&other), 30);
    assert_eq!(decoded(&other), 0);
    assert_eq!(decoded(&work(&[])), 0);
    assert_eq!(status(&sandbox, "library.db")["models"].as_array().map(Vec::len), Some(2));

    // What is gone stays known until it is forgotten.
    let forgotten = sandbox.run(library(&["forget", "--gone"])).expect_code(0);
    assert!(forgotten.stderr.contains("forgot 3 paths and 2 files"), "{}", forgotten.stderr);
    assert_eq!(status(&sandbox, "library.db")["gone"], 0);
    sandbox.run(library(&["doctor"])).expect_code(0);
}

#[test]
fn a_real_video_is_found_with_its_times() {
    let sandbox = prepare();
    let dog = fs::read(golden::media("white-dog.mp4")).expect("the clip is there");
    sandbox.write("videos/dog.mp4", dog);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    sandbox.run(library(&["work"])).expect_code(0);
    let hit = json(&sandbox.run(library(&["search", "samoyed", "--json"])).expect_code(0));
    assert!(hit["path"].as_str().is_some_and(|path| path.ends_with("videos/dog.mp4")), "{hit}");
    let span = &hit["found"][0]["spans"][0];
    assert_eq!((&hit["found"][0]["label"], &span["start"]), (&"Samoyed".into(), &0.0.into()));
    assert!(
        span["end"].as_f64().is_some_and(|end| (1.0..2.0).contains(&end)) && span["score"].as_f64() > Some(0.7),
        "{span}"
    );
    // An everyday word finds what the model calls by its breed.
    let dogs = json(&sandbox.run(library(&["search", "dog", "--json"])).expect_code(0));
    assert_eq!(dogs, hit);
    let none = sandbox.run(library(&["search", "samoyed", "NOT", "samoyed"])).expect_code(0);
    assert!(none.stderr.contains("0 of 0 files"), "{}", none.stderr);
    let unknown = sandbox.run(library(&["search", "samoyd"])).expect_code(2);
    assert!(unknown.stderr.contains("did you mean `Samoyed`?"), "{}", unknown.stderr);
    let csv = sandbox.run(library(&["export", "--format", "csv"])).expect_code(0);
    assert!(csv.stdout.contains("dog.mp4,tagged,Samoyed,model,0.000,1."), "{}", csv.stdout);
    sandbox.run(library(&["export", "--format", "parquet", "--out", "tags.parquet"])).expect_code(0);
    assert!(
        fs::read(sandbox.path("tags.parquet"))
            .is_ok_and(|bytes| bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"))
    );
    let shown = sandbox.run(library(&["show", "videos/dog.mp4"])).expect_code(0);
    assert!(shown.stdout.contains("Samoyed  0:00-0:02"), "{}", shown.stdout);
}

#[test]
fn a_paused_library_waits() {
    let sandbox = prepare();
    fill(&sandbox, "videos", 3);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    sandbox.run(library(&["pause"])).expect_code(0);
    let ended = sandbox.run(work(&["--max-hours", "0.0005"])).expect_code(0);
    assert_eq!(json(&ended)["decoded"], 0);
    assert!(ended.stderr.contains("paused"), "{}", ended.stderr);
    sandbox.run(library(&["resume"])).expect_code(0);
    assert_eq!(json(&sandbox.run(work(&["--nice", "--oldest-first"])).expect_code(0))["decoded"], 3);
}

#[test]
fn parts_are_the_whole() {
    let sandbox = prepare();
    fill(&sandbox, "videos", 20);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    let counts = ["1/3", "2/3", "3/3"]
        .map(|part| json(&sandbox.run(work(&["--shard", part])).expect_code(0))["decoded"].as_u64());
    assert_eq!(counts.iter().flatten().sum::<u64>(), 20, "{counts:?}");
    assert!(counts.iter().all(|count| count.is_some_and(|count| (1..20).contains(&count))), "{counts:?}");
    assert_eq!(json(&sandbox.run(work(&[])).expect_code(0))["decoded"], 0);
}
