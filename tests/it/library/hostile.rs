//! Libraries that mean harm, or were just made by people.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::process::Command;

use reelnet_tests::golden;

use super::made::{exported, fill, json, library, numbered, prepare, status, work};

#[test]
fn names_loops_and_broken_files() {
    let sandbox = prepare();
    let clip = fs::read(sandbox.path("clips/lines.mp4")).expect("a clip");
    let names: [&[u8]; 9] = [
        "кот и пёс.mp4".as_bytes(),
        "日本語の動画.mp4".as_bytes(),
        "شريط.mp4".as_bytes(),
        "🐕‍🦺.mp4".as_bytes(),
        "e\u{301}te\u{301}.mp4".as_bytes(),
        "été.mp4".as_bytes(),
        b"two\nlines.mp4",
        b"latin \xe9\xff.mp4",
        b"' OR 1=1; DROP TABLE videos; --%_.mp4",
    ];
    // As empty as `empty.mp4` below: one content with two paths.
    sandbox.write("videos/keep", "");
    for (number, name) in names.iter().enumerate() {
        fs::write(sandbox.path("videos").join(OsStr::from_bytes(name)), numbered(&clip, number)).expect("a file");
    }
    symlink(sandbox.path("videos"), sandbox.path("videos/loop")).expect("a link");
    symlink("nowhere.mp4", sandbox.path("videos/dangling.mp4")).expect("a link");
    let dog = fs::read(golden::media("white-dog.mp4")).expect("the clip is there");
    sandbox.write("videos/broken/empty.mp4", "");
    sandbox.write("videos/broken/zeros.mp4", vec![0; 100_000]);
    sandbox.write("videos/broken/text.mp4", "This is no video.\n".repeat(100));
    sandbox.write("videos/broken/cut.mp4", &dog[..dog.len() / 2]);
    sandbox.write("videos/.reelignore", "secret/\n");
    sandbox.write("videos/secret/x.mp4", &dog);
    sandbox.write("videos/phone/.nomedia", "");
    sandbox.write("videos/phone/x.mp4", &dog);
    assert!(Command::new("mkfifo").arg(sandbox.path("videos/pipe.mp4")).status().is_ok_and(|status| status.success()));
    let added = sandbox.run(library(&["add", "videos"])).expect_code(1);
    assert!(added.stderr.contains("dangling.mp4"), "{}", added.stderr);
    let ended = sandbox.run(work(&[])).expect_code(1);
    let report = json(&ended);
    let scored = report["scored"].as_u64().expect("a count");
    assert_eq!(scored + report["failed"].as_u64().expect("a count"), names.len() as u64 + 4, "{report}");
    let found = status(&sandbox, "library.db");
    let failed: u64 = found["models"][0]["failures"]
        .as_array()
        .expect("kinds")
        .iter()
        .filter_map(|kind| kind["files"].as_u64())
        .sum();
    assert!(failed >= 3, "{found}");
    // Every name is there, the one that is no text with its bytes.
    let rows = exported(&sandbox, "library.db");
    for name in names {
        let is_there = rows.iter().any(|row| match std::str::from_utf8(name) {
            Ok(name) => row["path"].as_str().is_some_and(|path| path.ends_with(name)) && row["path_bytes"].is_null(),
            Err(_) => row["path_bytes"].as_str().is_some_and(|bytes| bytes.ends_with("e9ff2e6d7034")),
        });
        assert!(is_there, "{name:?} is not in {rows:?}");
    }
    assert!(
        rows.iter()
            .all(|row| !row["path"].to_string().contains("secret") && !row["path"].to_string().contains("phone"))
    );
    // Failures are told, tried again when asked, and do not stop the others.
    let failures = sandbox.run(library(&["failures"])).expect_code(0);
    assert!(failures.stdout.contains("empty.mp4: is empty"), "{}", failures.stdout);
    sandbox.run(library(&["retry", "--kind", "empty"])).expect_code(0);
    assert_eq!(json(&sandbox.run(work(&[])).expect_code(1))["failed"], 1);
}

#[test]
fn a_folder_of_ten_thousand_tiny_files() {
    let sandbox = prepare();
    fs::create_dir_all(sandbox.path("videos/many")).expect("a folder");
    for file in 0..10_000 {
        fs::write(sandbox.path(format!("videos/many/{file}.mp4")), format!("{file}")).expect("a file");
    }
    let added = sandbox.run(library(&["add", "videos"])).expect_code(0);
    assert!(added.stderr.contains("10000 files in 1 folders: 10000 new"), "{}", added.stderr);
    // A part of them, so that the test does not take too long.
    let ended = sandbox.run(work(&["--shard", "1/10"])).expect_code(1);
    let failed = json(&ended)["failed"].as_u64().expect("a count");
    assert!((800..1200).contains(&failed), "{failed}");
    let counts = status(&sandbox, "library.db")["models"][0]["counts"].clone();
    assert_eq!((&counts["failed"], &counts["waiting"]), (&failed.into(), &(10_000 - failed).into()));
}

#[test]
fn what_vanishes_is_not_deleted() {
    let sandbox = prepare();
    fill(&sandbox, "share", 10);
    sandbox.run(library(&["add", "share"])).expect_code(0);
    // The share is not mounted: its folder is empty.
    fs::rename(sandbox.path("share"), sandbox.path("away")).expect("a folder");
    fs::create_dir(sandbox.path("share")).expect("a folder");
    let scan = sandbox.run(library(&["scan"])).expect_code(1);
    assert!(scan.stderr.contains("is empty, and was not before"), "{}", scan.stderr);
    let ended = sandbox.run(work(&[])).expect_code(0);
    assert_eq!((&json(&ended)["decoded"], &json(&ended)["left"]), (&0.into(), &10.into()));
    // Its folder is not there at all.
    fs::remove_dir(sandbox.path("share")).expect("a folder");
    let scan = sandbox.run(library(&["scan"])).expect_code(1);
    assert!(scan.stderr.contains("is not there"), "{}", scan.stderr);
    assert_eq!(status(&sandbox, "library.db")["gone"], 0);
    // A folder in it cannot be read: root can, so that there it is emptied by rights that are taken away.
    fs::rename(sandbox.path("away"), sandbox.path("share")).expect("a folder");
    assert_eq!(json(&sandbox.run(library(&["scan", "--json"])).expect_code(0))["unchanged_folders"], 10);
    // Deleted for good.
    fs::remove_dir_all(sandbox.path("share/00")).expect("a folder");
    let scan = json(&sandbox.run(library(&["scan", "--json"])).expect_code(0));
    assert_eq!(scan["gone"], 1);
    fs::remove_dir_all(sandbox.path("share")).expect("a folder");
    fs::create_dir(sandbox.path("share")).expect("a folder");
    let scan = json(&sandbox.run(library(&["scan", "--json", "--empty-roots"])).expect_code(0));
    assert_eq!(scan["gone"], 9);
    assert_eq!(status(&sandbox, "library.db")["gone"], 10);
}

#[test]
fn an_unreadable_folder_is_told_and_keeps_its_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = prepare();
    fill(&sandbox, "videos", 10);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    let locked = sandbox.path("videos/03");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let scan = sandbox.command(library(&["scan", "--json"]));
    // The superuser may read everything, unless that right is taken away.
    let mut command = if fs::read_dir(&locked).is_ok() {
        let mut weaker = Command::new("setpriv");
        weaker.arg("--bounding-set=-dac_override,-dac_read_search").arg(scan.get_program()).args(scan.get_args());
        weaker.current_dir(sandbox.path("")).env("HOME", sandbox.path("home"));
        weaker
    } else {
        scan
    };
    let output = command.output().expect("util-linux has setpriv");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_str(&told).expect("a report");
    assert!(report["gone"] == 0 && told.contains("videos/03"), "{told}");
    assert_eq!(status(&sandbox, "library.db")["gone"], 0);
}

/// Files may not grow beyond some kilobytes, which is what a full disk looks like to whoever writes one.
#[test]
fn a_full_disk_loses_nothing() {
    let sandbox = prepare();
    fill(&sandbox, "videos", 60);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    let size = fs::metadata(sandbox.path("library.db")).expect("a store").len() / 1024;
    let inner = sandbox.command(work(&["--patience", "1"]));
    let mut line = vec![inner.get_program().to_os_string()];
    line.extend(inner.get_args().map(ToOwned::to_owned));
    let mut command = Command::new("bash");
    // The limit's own signal would kill; without it, writing fails as on a full disk.
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", size + 40), "bash"]).args(&line);
    command.current_dir(inner.get_current_dir().expect("the sandbox"));
    let output = command.output().expect("bash is there");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("waiting for the database"), "{told}");
    let doctor = sandbox.run(library(&["doctor"])).expect_code(0);
    assert!(doctor.stdout.contains("integrity of the database: ok"), "{}", doctor.stdout);
    sandbox.run(work(&[])).expect_code(0);
    let counts = status(&sandbox, "library.db")["models"][0]["counts"].clone();
    assert_eq!(counts["tagged"].as_u64().unwrap_or(0) + counts["no_tag"].as_u64().unwrap_or(0), 60, "{counts}");
}

#[test]
fn wrong_words_are_answered() {
    let sandbox = prepare();
    for (words, told) in [
        (&["status"][..], "there is no library at `library.db`"),
        (&["add", "absent"], "`absent`"),
        (&["add", "labels.txt"], "is no folder"),
    ] {
        let ended = sandbox.run(library(words)).expect_code(2);
        assert!(ended.stderr.contains(told), "{words:?}: {}", ended.stderr);
    }
    // Of no library in particular.
    let words = sandbox.run(library(&["labels", "--groups"])).expect_code(0).stdout;
    assert!(words.lines().any(|word| word == "dog"), "{words}");
    fill(&sandbox, "videos/a", 1);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    for (words, told) in [
        (&["add", "videos/a"][..], "lie within each other"),
        (&["scan", "clips"], "is no folder of the library"),
        (&["search", "dog"], "nothing was tagged yet"),
        (&["scan", "--include", "a[b"], "is no glob"),
        (&["scan", "--whole-hash"], "tells files by their blocks"),
        (&["show", "clips/grey.mp4"], "is not in the library"),
        (&["forget", "--folder", "clips"], "is no folder of the library"),
        (&["work", "--interval", "1", "--window", "2"], "windows do not overlap"),
    ] {
        let ended = sandbox.run(library(words)).expect_code(2);
        assert!(ended.stderr.contains(told), "{words:?}: {}", ended.stderr);
    }
    sandbox.run(work(&[])).expect_code(0);
    for (words, told) in [
        (&["search", "grey AND"][..], "a label was expected"),
        (&["search", "gray"], "did you mean `grey`?"),
        (&["settings", "--label", "dog=0.5"], "has no label `dog`"),
        (&["settings", "--top", "0"], "top is 0"),
        (&["search", "grey", "--by", "nobody"], "the library has no model `nobody`"),
        (&["search", "grey", "--after", "yesterday"], "is no day"),
    ] {
        let ended = sandbox.run(library(words)).expect_code(2);
        assert!(ended.stderr.contains(told), "{words:?}: {}", ended.stderr);
    }
    fs::write(sandbox.path("strange.db"), "This is no database.".repeat(100)).expect("a file");
    let ended = sandbox.run(["library", "--store", "strange.db", "status"]).expect_code(2);
    assert!(ended.stderr.contains("file is not a database"), "{}", ended.stderr);
}
