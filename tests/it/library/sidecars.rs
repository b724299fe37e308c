//! `reelnet library sidecars`: a dry run says what `--apply` does, and what has trouble is told with an exit code.

use std::fs;

use serde_json::Value;

use super::made::{fill, library, prepare, work};

#[test]
fn sidecars_are_written_once_and_only_if_asked_for() {
    let sandbox = prepare();
    fill(&sandbox, "videos", 6);
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    sandbox.run(work(&[])).expect_code(0);
    sandbox.run(library(&["settings", "--threshold", "0.01"])).expect_code(0);

    let dry = sandbox.run(library(&["sidecars"])).expect_code(0);
    assert_eq!(dry.stdout.lines().count(), 6, "{dry:?}");
    assert!(dry.stdout.lines().all(|line| line.contains(".mp4.xmp: +\"")), "{dry:?}");
    assert!(dry.stderr.contains("6 new") && dry.stderr.contains("nothing was written"), "{dry:?}");
    let sidecar = sandbox.path("videos/00/00000.mp4.xmp");
    assert!(!sidecar.exists());
    let applied = sandbox.run(library(&["sidecars", "--apply"])).expect_code(0);
    assert_eq!(applied.stdout, dry.stdout, "what was said is what is done");
    let text = fs::read_to_string(&sidecar).expect("a sidecar");
    assert_eq!(text.matches("<rdf:li>lines</rdf:li>").count(), 6, "{text}");
    let again = sandbox.run(library(&["sidecars", "--apply"])).expect_code(0);
    assert!(again.stdout.is_empty() && again.stderr.contains("6 as they should be"), "{again:?}");
    let scanned = sandbox.run(library(&["scan"])).expect_code(0);
    assert!(scanned.stderr.contains("6 files"), "sidecars are no media: {scanned:?}");

    // One damaged, one of which less is wanted now.
    fs::write(&sidecar, "<x:xmpmeta").expect("a file");
    sandbox.run(library(&["settings", "--label", "lines=1"])).expect_code(0);
    let ended = sandbox.run(library(&["sidecars", "--apply", "--json"])).expect_code(1);
    let rows: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |status: &str| rows.iter().filter(|row| row["status"] == status).collect::<Vec<_>>();
    assert_eq!((of("refused").len(), of("changed").len(), rows.len()), (1, 5, 6), "{ended:?}");
    assert_eq!(of("refused")[0]["kind"], "damaged");
    assert!(of("changed").iter().all(|row| row["removed"][0] == "lines"), "{ended:?}");
    assert_eq!(fs::read_to_string(&sidecar).expect("a file"), "<x:xmpmeta");

    let ended = sandbox.run(library(&["sidecars", "videos/01", "--format", "nfo", "--tree", "tags", "--apply"]));
    ended.expect_code(0);
    let text = fs::read_to_string(sandbox.path("tags/videos/01/00001.nfo")).expect("a sidecar");
    assert!(text.contains("<title>00001</title>") && text.contains("<tag>noise</tag>"), "{text}");
    assert!(!sandbox.path("tags/videos/02").exists(), "only what was asked for");
    let ended = sandbox.run(library(&["sidecars", "--format", "text", "--parent", "a/b"])).expect_code(2);
    assert!(ended.stderr.contains("--parent is for XMP"), "{ended:?}");
}
