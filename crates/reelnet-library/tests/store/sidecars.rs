//! Sidecars on a disk: beside videos and in a tree, read back by exiftool, and the troubles that a disk has.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use reelnet_clips::CancelToken;
use reelnet_library::sidecars::{Sidecar, SidecarEnd, SidecarFormat, SidecarOptions, SidecarReport, Writing, sidecars};
use reelnet_library::spans::ReadingSettings;
use reelnet_library::store::{NewCorrection, Verdict};
use reelnet_library::{LibraryError, Store};

use crate::library::{Library, filled, hash, new_model, put, run};

const DIGIKAM: &str = include_str!("../sidecars/digikam.xmp");

/// A library whose root is a folder on disk, with a file of each name that shows an Eskimo dog, and then a seashore.
struct Shelf {
    library: Library,
    folder: tempfile::TempDir,
}

impl Shelf {
    async fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store_folder = tempfile::tempdir().expect("a folder");
        let place = store_folder.path().join("library.db").display().to_string();
        let store = Store::create_or_open(&place).await.expect("a store");
        let library = filled(store, store_folder, 0).await;
        let root = folder.path().join("videos");
        fs::create_dir(&root).expect("a folder");
        let mut changes = Vec::new();
        for (file, name) in names.iter().enumerate() {
            fs::write(root.join(name), format!("video {file}")).expect("a file");
            changes.push(put(name, &hash(file), file));
        }
        let root = library.store.add_root(&root).await.expect("a root");
        library.store.apply_folder(root.id, "", Some(1), &changes).await.expect("files");
        library.store.queue_missing(library.model.id).await.expect("jobs");
        let leases = library.lease(1000).await;
        assert_eq!(leases.len(), names.len());
        library.score(&leases, &[0.9, 0.1]).await;
        Self { library, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("videos").join(name)
    }

    fn options(&self, format: SidecarFormat, writing: Writing) -> SidecarOptions {
        SidecarOptions {
            format,
            tree: None,
            parent: Vec::new(),
            models: vec![self.library.model.clone()],
            min_score: 0.0,
            folders: Vec::new(),
            writing,
            cancel: CancelToken::new(),
        }
    }

    async fn export(&self, options: &SidecarOptions) -> (SidecarReport, BTreeMap<String, String>) {
        let mut told = BTreeMap::new();
        let report = sidecars(&self.library.store, options, |sidecar| {
            let name = sidecar.video.file_name().expect("a name").to_string_lossy().into_owned();
            told.insert(name, what(sidecar));
        });
        (report.await.expect("an export"), told)
    }

    async fn apply(&self, format: SidecarFormat) -> (SidecarReport, BTreeMap<String, String>) {
        self.export(&self.options(format, Writing::Applied)).await
    }

    /// Name, content, permissions and time of everything in the folder.
    fn everything(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32, i64, i64)> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let metadata = fs::symlink_metadata(&path).expect("it is there");
                if metadata.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = if metadata.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
                all.insert(path, (bytes, metadata.mode(), metadata.mtime(), metadata.mtime_nsec()));
            }
        }
        all
    }

    async fn correct(&self, name: &str, label: &str, verdict: Verdict) {
        let video = self.library.store.find_file(&self.path(name)).await.expect("a file of the library");
        let author = "me".to_owned();
        let said = NewCorrection { video, label: label.to_owned(), verdict, span: None, author, note: String::new() };
        self.library.store.correct(&said).await.expect("a correction");
    }
}

fn what(sidecar: &Sidecar) -> String {
    match &sidecar.end {
        SidecarEnd::New { added } => format!("new: {}", added.join(" | ")),
        SidecarEnd::Changed { added, removed } => format!("+{} -{}", added.join(" | "), removed.join(" | ")),
        SidecarEnd::Unchanged => "unchanged".to_owned(),
        SidecarEnd::Nothing => "nothing".to_owned(),
        SidecarEnd::Refused(refusal) => refusal.kind.to_owned(),
        SidecarEnd::Failed(error) => format!("failed: {error}"),
    }
}

const FORMATS: [SidecarFormat; 3] = [SidecarFormat::Xmp, SidecarFormat::Nfo, SidecarFormat::Text];

#[test]
fn a_dry_run_writes_nothing_and_a_second_export_changes_nothing() {
    run(async {
        for format in FORMATS {
            let shelf = Shelf::new(&["a.mp4", "кот 猫 &.mkv", "c.avi"]).await;
            let before = shelf.everything();
            let (dry, told) = shelf.export(&shelf.options(format, Writing::Dry)).await;
            assert_eq!((dry.new, told["a.mp4"].as_str()), (3, "new: Eskimo dog | seashore"), "{told:?}");
            assert_eq!(shelf.everything(), before, "a dry run");
            assert_eq!(shelf.apply(format).await, (dry, told), "it does what the dry run said");
            let after = shelf.everything();
            assert_eq!(after.len(), 6);
            assert!(before.iter().all(|(path, video)| after.get(path) == Some(video)), "videos are not touched");
            let (again, _) = shelf.apply(format).await;
            assert_eq!(again, SidecarReport { unchanged: 3, ..SidecarReport::default() });
            assert_eq!(shelf.everything(), after, "not even a time");
        }
    });
}

#[test]
fn a_new_threshold_and_people_change_what_is_there() {
    run(async {
        for format in FORMATS {
            let mut shelf = Shelf::new(&["a.mp4", "b.mp4"]).await;
            shelf.apply(format).await;
            shelf.correct("b.mp4", "Eskimo dog", Verdict::Removed).await;
            shelf.correct("b.mp4", "Grandma & Anna", Verdict::Added).await;
            let (_, told) = shelf.apply(format).await;
            assert_eq!(told["b.mp4"], "+Grandma & Anna -Eskimo dog");
            assert_eq!(told["a.mp4"], "unchanged");

            let reading = ReadingSettings { threshold: 0.95, ..ReadingSettings::default() };
            shelf.library.store.reread(shelf.library.model.id, &reading, |_| {}).await.expect("tags");
            shelf.library.model = shelf.library.store.model(shelf.library.model.id).await.expect("the model");
            let (_, told) = shelf.apply(format).await;
            assert_eq!((told["a.mp4"].as_str(), told["b.mp4"].as_str()), ("+ -Eskimo dog | seashore", "+ -seashore"));

            // A model that has seen nothing yet takes nothing away, and people's words are there for it too.
            let other = shelf.library.store.register_model(&new_model("other")).await.expect("a model");
            let mut options = shelf.options(format, Writing::Applied);
            options.models = vec![other];
            let (report, told) = shelf.export(&options).await;
            assert_eq!((report.not_scored, told["b.mp4"].as_str()), (2, "unchanged"));
        }
    });
}

#[test]
fn a_tree_mirrors_the_library() {
    run(async {
        let shelf = Shelf::new(&["a.mp4"]).await;
        let mut options = shelf.options(SidecarFormat::Xmp, Writing::Applied);
        options.tree = Some(shelf.folder.path().join("tags"));
        options.parent = vec!["Auto".to_owned()];
        shelf.export(&options).await;
        let text = fs::read_to_string(shelf.folder.path().join("tags/videos/a.mp4.xmp")).expect("a sidecar");
        assert!(text.contains("<rdf:li>Auto/seashore</rdf:li>"), "{text}");
        assert!(!shelf.path("a.mp4.xmp").exists());
        options.folders = vec![PathBuf::from("/nowhere")];
        let error = sidecars(&shelf.library.store, &options, |_| {}).await.expect_err("no folder of the library");
        assert!(matches!(error, LibraryError::Wish(_)), "{error}");

        let second = shelf.folder.path().join("other/videos");
        let root = shelf.library.store.add_root(&second).await.expect("a root");
        shelf.library.store.apply_folder(root.id, "", Some(1), &[put("b.mp4", &hash(7), 7)]).await.expect("a file");
        options.folders = Vec::new();
        let error = sidecars(&shelf.library.store, &options, |_| {}).await.expect_err("one place for two");
        assert!(error.to_string().contains("would share one place in the tree"), "{error}");
    });
}

#[test]
fn what_has_trouble_is_left_alone_and_the_others_go_on() {
    run(async {
        let names = ["a.mp4", "b.mp4", "c.mp4", "d.mp4", "e.mp4", "f.mp4", "g.mp4"];
        let shelf = Shelf::new(&names).await;
        fs::write(shelf.path("a.mp4.xmp"), &DIGIKAM[..700]).expect("a file");
        fs::write(shelf.path("b.mp4.xmp"), [0xFF, 0xFE, b'<', 0]).expect("a file");
        symlink("elsewhere.xmp", shelf.path("c.mp4.xmp")).expect("a link");
        fs::create_dir(shelf.path("d.mp4.xmp")).expect("a folder");
        fs::write(shelf.path("e.mp4.xmp"), DIGIKAM).expect("a file");
        fs::set_permissions(shelf.path("e.mp4.xmp"), fs::Permissions::from_mode(0o444)).expect("permissions");
        fs::write(shelf.path("f.mp4.xmp"), DIGIKAM).expect("a file");
        fs::set_permissions(shelf.path("f.mp4.xmp"), fs::Permissions::from_mode(0o640)).expect("permissions");
        let before = shelf.everything();
        let (report, told) = shelf.apply(SidecarFormat::Xmp).await;
        let ends: Vec<&str> = told.values().map(String::as_str).collect();
        let [added, new] = ["+Eskimo dog | seashore -", "new: Eskimo dog | seashore"];
        assert_eq!(ends, ["damaged", "encoding", "link", "form", "read_only", added, new]);
        assert_eq!((report.refused, report.changed, report.new), (5, 1, 1));
        let after = shelf.everything();
        assert_eq!(after.len(), before.len() + 1, "no half of a file is left");
        for (path, file) in &before {
            assert!(path.ends_with("f.mp4.xmp") || after[path] == *file, "{}", path.display());
        }
        assert_eq!(after[&shelf.path("f.mp4.xmp")].1 & 0o777, 0o640);
    });
}

#[test]
fn two_videos_do_not_share_a_sidecar() {
    run(async {
        let shelf = Shelf::new(&["a.mp4", "a.mkv", "b.mp4"]).await;
        let (_, told) = shelf.apply(SidecarFormat::Nfo).await;
        let ends: Vec<&str> = told.values().map(String::as_str).collect();
        assert_eq!(ends, ["clash", "clash", "new: Eskimo dog | seashore"]);
        assert!(!shelf.path("a.nfo").exists() && shelf.path("b.nfo").exists());
    });
}

/// Nobody may write below `/sys`, not even who may do everything.
#[test]
fn a_folder_that_cannot_be_written_to_is_told() {
    run(async {
        let shelf = Shelf::new(&["a.mp4"]).await;
        let tree = shelf.folder.path().join("tags");
        fs::create_dir(&tree).expect("a folder");
        symlink("/sys/kernel", tree.join("videos")).expect("a link");
        let other = shelf.folder.path().join("others");
        fs::create_dir(&other).expect("a folder");
        let root = shelf.library.store.add_root(&other).await.expect("a root");
        shelf.library.store.apply_folder(root.id, "", Some(1), &[put("b.mp4", &hash(0), 7)]).await.expect("a file");
        let mut options = shelf.options(SidecarFormat::Text, Writing::Applied);
        options.tree = Some(tree.clone());
        let (report, told) = shelf.export(&options).await;
        assert!(told["a.mp4"].starts_with("failed: "), "{told:?}");
        assert_eq!((report.failed, report.new), (1, 1));
        assert_eq!(fs::read_to_string(tree.join("others/b.mp4.txt")).expect("text"), "Eskimo dog\nseashore\n");
    });
}

/// Files may not grow beyond two megabytes, which is what a full disk looks like to whoever writes one. The limit is of a process, so
/// that this test runs itself once more.
#[test]
fn a_full_disk_leaves_what_was_there() {
    const INNER: &str = "REELNET_TEST_FULL_DISK";
    if std::env::var_os(INNER).is_none() {
        let name = "sidecars::a_full_disk_leaves_what_was_there";
        let mut command = Command::new("bash");
        command.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "bash"]);
        command.arg(std::env::current_exe().expect("this test")).args(["--exact", name]);
        let output = command.env(INNER, "1").output().expect("bash is there");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    run(async {
        let shelf = Shelf::new(&["a.mp4", "b.mp4"]).await;
        // A limit hinders nobody who may ignore it; one byte more than it allows shows whether it holds.
        let large = DIGIKAM.replace("somebody's remark", &"x".repeat((2 << 20) - DIGIKAM.len()));
        fs::write(shelf.path("a.mp4.xmp"), &large).expect("just room enough");
        let (report, told) = shelf.apply(SidecarFormat::Xmp).await;
        assert!(told["a.mp4"].starts_with("failed: "), "{told:?}");
        assert_eq!((report.failed, report.new), (1, 1), "{told:?}");
        assert_eq!(fs::read_to_string(shelf.path("a.mp4.xmp")).expect("text"), large);
        assert_eq!(fs::read_dir(shelf.path("")).expect("the folder").count(), 4, "no half of a file is left");
    });
}

#[test]
fn lines_of_text_that_others_wrote_or_took_out_are_respected() {
    run(async {
        let shelf = Shelf::new(&["a.mp4"]).await;
        let sidecar = shelf.path("a.mp4.txt");
        fs::write(&sidecar, "anna\nseashore\n").expect("a file");
        shelf.apply(SidecarFormat::Text).await;
        assert_eq!(fs::read_to_string(&sidecar).expect("text"), "anna\nseashore\nEskimo dog\n");
        fs::write(&sidecar, "anna\nseashore\n").expect("a file");
        let (report, told) = shelf.apply(SidecarFormat::Text).await;
        assert_eq!((report.left_out, told["a.mp4"].as_str()), (1, "unchanged"), "somebody took the dog out");
        shelf.correct("a.mp4", "seashore", Verdict::Removed).await;
        let (_, told) = shelf.apply(SidecarFormat::Text).await;
        assert_eq!(told["a.mp4"], "unchanged", "the seashore was somebody else's");
        fs::remove_file(&sidecar).expect("it is there");
        let (_, told) = shelf.apply(SidecarFormat::Text).await;
        assert_eq!(told["a.mp4"], "new: Eskimo dog", "a new file begins anew");
    });
}

#[test]
fn exiftool_reads_what_is_written() {
    match Command::new("exiftool").arg("-ver").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        found => assert!(found.is_ok_and(|output| output.status.success())),
    }
    run(async {
        let shelf = Shelf::new(&["a.mp4", "b.mp4"]).await;
        fs::write(shelf.path("b.mp4.xmp"), DIGIKAM).expect("a file");
        for label in ["R&D <b>\"q\" 'a' ]]>", "кот", "猫 と 犬", "قطة", "ฉัน", "🐕"] {
            shelf.correct("a.mp4", label, Verdict::Added).await;
        }
        let mut options = shelf.options(SidecarFormat::Xmp, Writing::Applied);
        options.parent = vec!["Auto".to_owned(), "Video".to_owned()];
        shelf.export(&options).await;
        let people = ["R&D <b>\"q\" 'a' ]]>", "кот", "قطة", "ฉัน", "猫 と 犬", "🐕"];
        let mut labels: Vec<&str> = people.iter().copied().chain(["Eskimo dog", "seashore"]).collect();
        labels.sort_unstable();
        assert_eq!(exiftool(&shelf.path("a.mp4.xmp"), "XMP-dc:Subject"), labels);
        let under = |separator: &str| -> Vec<String> {
            labels.iter().map(|label| format!("Auto{separator}Video{separator}{label}")).collect()
        };
        assert_eq!(exiftool(&shelf.path("a.mp4.xmp"), "XMP-digiKam:TagsList"), under("/"));
        let hierarchies = exiftool(&shelf.path("a.mp4.xmp"), "XMP-lr:HierarchicalSubject");
        assert_eq!(hierarchies, under("|"));

        let subject = exiftool(&shelf.path("b.mp4.xmp"), "XMP-dc:Subject");
        assert_eq!(subject, ["Anna", "Eskimo dog", "Großmutter", "seashore"]);
        let tags = exiftool(&shelf.path("b.mp4.xmp"), "XMP-digiKam:TagsList");
        let ours = ["Auto/Video/Eskimo dog", "Auto/Video/seashore"];
        assert_eq!(tags, [&ours[..], &["Familie & Freunde/Großmutter", "People/Anna"]].concat());
        assert_eq!(exiftool(&shelf.path("b.mp4.xmp"), "XMP-xmp:Rating"), ["4"]);
        assert_eq!(exiftool(&shelf.path("b.mp4.xmp"), "XMP-dc:Description"), ["At the sea, 海"]);
    });
}

/// The values of a tag, sorted.
fn exiftool(path: &Path, tag: &str) -> Vec<String> {
    let output = Command::new("exiftool").args(["-json", "-struct", &format!("-{tag}")]).arg(path).output();
    let output = output.expect("exiftool runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let name = tag.rsplit(':').next().unwrap_or(tag);
    let mut values: Vec<String> = match &json[0][name] {
        serde_json::Value::Array(values) => {
            values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
        }
        serde_json::Value::String(value) => vec![value.clone()],
        value => vec![value.to_string()],
    };
    values.sort();
    values
}
