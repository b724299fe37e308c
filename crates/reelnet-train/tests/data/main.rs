//! Data sets as people have them: every layout, and what is wrong with them.

use std::fs;
use std::path::Path;

use reelnet_clips::{Limits, MediaIndex};
use reelnet_train::data::{DataConfig, DataSet};
use tempfile::TempDir;

/// Names that have broken other loaders.
const NAMES: [&str; 4] = ["a b.mp4", "it's \"quoted\".mp4", "🎬 clip, 2.mp4", "plain.mp4"];

fn root(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        write(root.path(), name, text.as_bytes());
    }
    root
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

fn open(root: &Path, config: &str) -> Result<(DataSet, DataSet), String> {
    let config: DataConfig = toml::from_str(config).map_err(|error| error.to_string())?;
    let sets = DataSet::open(&config, root).map_err(|error| error.to_string())?;
    Ok((sets.training, sets.validation))
}

/// Opens one source twice, as both sets.
fn open_one(root: &Path, source: &str, rest: &str) -> Result<DataSet, String> {
    open(root, &format!("train = {source}\nvalidation = {source}\n{rest}")).map(|(training, _)| training)
}

fn listed(set: &DataSet) -> Vec<(&str, Vec<usize>)> {
    set.samples.iter().map(|sample| (sample.name.as_str(), sample.labels())).collect()
}

const LIST: &str = r#"{ format = "list", file = "list.txt", files = "videos" }"#;

#[test]
fn lists_with_any_separator_and_any_name() {
    for separator in ["\t", ";", "|", ",", " ", "   "] {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let lines: Vec<String> =
            NAMES.iter().enumerate().map(|(class, name)| format!("{}{separator}{class}", quoted(name))).collect();
        let root = root(&[("list.txt", &format!("\u{feff}{}\r\n\r\n", lines.join("\r\n")))]);
        for name in NAMES {
            write(root.path(), &format!("videos/{name}"), b"x");
        }
        let set = open_one(root.path(), LIST, "").expect(separator);
        let expected: Vec<_> = NAMES.iter().enumerate().map(|(class, name)| (*name, vec![class])).collect();
        assert_eq!(listed(&set), expected, "{separator:?}");
        assert_eq!(set.samples[0].path, root.path().join("videos").join(NAMES[0]));
    }
}

#[test]
fn blanks_in_names_need_no_quotes() {
    let root = root(&[
        ("list.txt", "path label\nmy videos/take 2 of 3.mp4 riding a bike\nb.mp4 swimming\n"),
        ("labels.txt", "riding\nbike\nswimming\n"),
        ("my videos/take 2 of 3.mp4 riding a", "x"),
        ("b.mp4", "x"),
    ]);
    // With blanks between columns the last word is the label; a class of several words wants quotes or another separator.
    let list = r#"{ format = "list", file = "list.txt" }"#;
    let error = open_one(root.path(), list, "labels = \"labels.txt\"").expect_err("riding has no samples");
    assert!(error.contains("`riding`"), "{error}");
    write(root.path(), "list.txt", b"my videos/take 2 of 3.mp4\triding a bike\nb.mp4\tswimming\n");
    write(root.path(), "my videos/take 2 of 3.mp4", b"x");
    let set = open_one(root.path(), list, "").expect("a good list");
    assert_eq!(listed(&set), [("my videos/take 2 of 3.mp4", vec![0]), ("b.mp4", vec![1])]);
    assert_eq!(set.labels.get(0), Some("riding a bike"));
}

#[test]
fn spans_and_several_labels() {
    let root = root(&[
        ("list.txt", "\"take 1.mp4\" 2.5 7 0 2\nb.mp4 0 1 1\n\"take 1.mp4\" 8 9 1,2\n"),
        ("take 1.mp4", "x"),
        ("b.mp4", "x"),
    ]);
    let list = r#"{ format = "list", file = "list.txt", columns = ["path", "start", "end", "labels"] }"#;
    let blanks = open_one(root.path(), list, "").expect("a good list");
    write(root.path(), "list.txt", b"take 1.mp4\t2.5\t7\t0 ,2\nb.mp4\t0\t1\t1\ntake 1.mp4\t8\t9\t1,2\n");
    let set = open_one(root.path(), list, "").expect("a good list");
    assert_eq!(listed(&set), [("take 1.mp4", vec![0, 2]), ("b.mp4", vec![1]), ("take 1.mp4", vec![1, 2])]);
    assert_eq!(set.samples, blanks.samples);
    write(root.path(), "list.txt", b"take 1.mp4 2.5 7 0 2\n");
    let error = open_one(root.path(), list, "").expect_err("it needs quotes");
    assert!(error.contains("line 1: the start is `1.mp4`"), "{error}");
    assert_eq!(set.samples[0].span.map(|span| (span.start_seconds, span.end_seconds)), Some((2.5, 7.0)));
    assert_eq!(set.class_counts(), [1, 2, 2]);
}

#[test]
fn bad_lists_say_which_line_and_why() {
    for (text, told) in [
        ("", "no samples"),
        ("\r\n \r\n", "no samples"),
        ("a.mp4\nb.mp4 1", "line 1: it has 1 of 2 columns, expected path, label"),
        ("a.mp4\t0\n\"b.mp4\t1", "line 2: a quote is not closed"),
        ("a.mp4,0\na.mp4,1", "of different classes, such as `a.mp4`"),
        ("a.mp4,0\nzz.mp4,0", "1 of 2 files are missing, such as `zz.mp4`; at most 0 may be"),
        ("a.mp4,0\nb.mp4,2", "1 of 3 classes have no samples, such as `class 1`"),
    ] {
        let root = root(&[("list.txt", text), ("videos/a.mp4", "x"), ("videos/b.mp4", "x")]);
        let error = open_one(root.path(), LIST, "").expect_err(text);
        assert!(error.contains(told) && error.contains("list.txt"), "{text:?}: {error}");
    }
    let root = root(&[("list.txt", "a.mp4 3\nb.mp4 hopping"), ("videos/a.mp4", "x"), ("labels.txt", "hop\nskip")]);
    let error = open_one(root.path(), LIST, "labels = \"labels.txt\"").expect_err("unknown classes");
    assert!(error.contains("2 samples are of unknown classes, such as `3`, `hopping`"), "{error}");
    write(root.path(), "list.txt", b"a.mp4 0\nb\xff.mp4 1");
    let error = open_one(root.path(), LIST, "").expect_err("no UTF-8");
    assert!(error.contains("line 2: it is no UTF-8"), "{error}");
}

#[test]
fn what_may_be_missing_is_named_and_repetitions_are_counted() {
    let root =
        root(&[("list.txt", "a.mp4 0\nb.mp4 1\nb.mp4 1\ngone.mp4 1\n"), ("videos/a.mp4", "x"), ("videos/b.mp4", "x")]);
    let set = open_one(root.path(), LIST, "max_missing = 0.5").expect("one of three may be missing");
    assert_eq!(set.findings.missing, ["gone.mp4"]);
    assert_eq!(set.findings.repeated, ["b.mp4"]);
    assert_eq!((set.findings.listed, set.samples.len()), (4, 2));
}

#[test]
fn folders_keep_the_order_of_names() {
    let root = root(&[
        ("train/10/x.mp4", "x"),
        ("train/2/deep er/y z.mp4", "x"),
        ("train/2/notes.txt", "left out"),
        ("train/🤸 tumble/.hidden.mp4", "x"),
        ("train/🤸 tumble/1.mp4", "x"),
        ("validation/10/1.mp4", "x"),
    ]);
    let config = r#"
        train = { format = "folders", path = "train" }
        validation = { format = "folders", path = "validation" }
    "#;
    let (training, validation) = open(root.path(), config).expect("good folders");
    assert_eq!(training.labels.to_text(), "10\n2\n🤸 tumble\n");
    let expected =
        [("train/10/x.mp4", vec![0]), ("train/2/deep er/y z.mp4", vec![1]), ("train/🤸 tumble/1.mp4", vec![2])];
    assert_eq!(listed(&training), expected);
    assert_eq!(training.findings.passed_over, 1);
    assert_eq!(validation.findings.empty_classes, ["2", "🤸 tumble"]);
    assert_ne!(training.fingerprint(), validation.fingerprint());

    write(root.path(), "validation/jump/1.mp4", b"x");
    let error = open(root.path(), config).expect_err("a class that training does not have");
    assert!(error.contains("unknown classes, such as `jump`"), "{error}");
    fs::remove_dir_all(root.path().join("validation/jump")).expect("a folder");
    fs::create_dir(root.path().join("train/empty")).expect("a folder");
    let error = open(root.path(), config).expect_err("a class without samples");
    assert!(error.contains("1 of 4 classes have no samples, such as `empty`"), "{error}");
    let error = open_one(root.path(), r#"{ format = "folders", path = "nowhere" }"#, "").expect_err("no folder");
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn kinetics_is_found_wherever_its_videos_lie() {
    let csv = "\u{feff}label,youtube_id,time_start,time_end,split\r\n\
               \"dancing, slowly\",-abc_DEF,7,17,train\r\nswimming,xyz,0,10,train\r\nswimming,xyz,20,30,train\r\n\
               swimming,other,1,11,validate\r\n";
    let root = root(&[
        ("train.csv", csv),
        ("videos/dancing, slowly/-abc_DEF_000007_000017.mp4", "x"),
        ("videos/xyz_000000_000010.mkv", "x"),
        ("videos/a/b/xyz_000020_000030.webm", "x"),
    ]);
    let source = r#"{ format = "kinetics", csv = "train.csv", videos = "videos", split = "train" }"#;
    let set = open_one(root.path(), source, "").expect("a good data set");
    assert_eq!(set.labels.to_text(), "dancing, slowly\nswimming\n");
    assert_eq!(set.samples[2].path, root.path().join("videos/a/b/xyz_000020_000030.webm"));
    assert_eq!(set.samples[1].group, set.samples[2].group);
    let error = open_one(root.path(), &source.replace("\"train\"", "\"validate\""), "").expect_err("no video");
    assert!(error.contains("`other_000001_000011`"), "{error}");
    for (text, told) in [
        ("label,youtube_id,time_start\na,b,1\n", "line 1: the columns time_end, split are missing"),
        ("label,youtube_id,time_start,time_end,split\na,b,x,2,train\n", "line 2: time_start is `x`"),
        ("label,youtube_id,time_start,time_end,split\na,b,1\n", "line 2"),
        ("", "line 1: the columns label"),
    ] {
        write(root.path(), "train.csv", text.as_bytes());
        let error = open_one(root.path(), source, "").expect_err(text);
        assert!(error.contains(told), "{text:?}: {error}");
    }
}

#[test]
fn imagenets_validation_images() {
    let root = root(&[
        ("labels.txt", "n00000001 first\nn00000002 second\n"),
        ("val/ILSVRC2012_val_00000001.JPEG", "x"),
        ("val/ILSVRC2012_val_00000002.JPEG", "x"),
        ("val/ILSVRC2012_val_00000003.JPEG", "x"),
        ("by-synset.txt", "n00000002\nn00000001\nn00000002\n"),
        ("by-number.txt", "1\n2\n1\n"),
        ("synsets.txt", "n00000002 whatever\nn00000001\n"),
        (
            "solution.csv",
            "ImageId,PredictionString\nILSVRC2012_val_00000003,n00000002 1 2 3 4\nILSVRC2012_val_00000001,n00000002 1 2 3 4\nILSVRC2012_val_00000002,n00000001 5 6 7 8 n00000001 1 1 1 1\n",
        ),
    ]);
    let of = |truth: &str| {
        let source = format!("{{ format = \"imagenet-validation\", images = \"val\", truth = {truth} }}");
        open_one(root.path(), &source, "labels = \"labels.txt\"")
    };
    for truth in ["\"by-synset.txt\"", "\"solution.csv\"", "\"by-number.txt\", synsets = \"synsets.txt\""] {
        let set = of(truth).expect(truth);
        assert_eq!(set.samples.iter().map(|sample| sample.label).collect::<Vec<_>>(), [1, 0, 1], "{truth}");
        assert_eq!(set.labels.get(0), Some("first"));
    }
    assert!(of("\"by-number.txt\"").expect_err("numbers of nothing").contains("development kit"));
    write(root.path(), "by-synset.txt", b"n00000002\n");
    assert!(of("\"by-synset.txt\"").expect_err("too few").contains("1 lines, and there are 3 images"));
}

#[test]
fn shards_are_read_where_they_lie() {
    let root = root(&[]);
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("a member");
    };
    add("a/0 1.mp4", b"first bytes");
    add("a/0 1.cls", b"1\n");
    add("a/02.cls", b"0");
    add("a/02.txt", b"a caption");
    add("a/02.mp4", b"second");
    let mut picture = Vec::new();
    let writer = png::Encoder::new(&mut picture, 5, 3).write_header();
    writer.and_then(|mut writer| writer.write_image_data(&[7; 15])).expect("a picture");
    add("a/03.png", &picture);
    add("a/03.json", b"{\"label\": 1}");
    let bytes = tar.into_inner().expect("a tar file");
    write(root.path(), "shards/0.tar", &bytes);
    let source = r#"{ format = "shards", paths = ["shards"] }"#;
    let set = open_one(root.path(), source, "").expect("a good shard");
    let expected =
        [("shards/0.tar/a/0 1.mp4", vec![1]), ("shards/0.tar/a/02.mp4", vec![0]), ("shards/0.tar/a/03.png", vec![1])];
    assert_eq!(listed(&set), expected);
    let section = set.samples[1].section.expect("a place in the tar file");
    let from = usize::try_from(section.offset).expect("small");
    assert_eq!(&bytes[from..from + 6], b"second");
    assert_eq!(section.length, 6);

    let media = open_one(root.path(), source, "").expect("a good shard").samples.remove(2).media();
    let index = MediaIndex::open(media, &Limits::default()).expect("a picture in a tar file");
    assert_eq!((index.info.width, index.info.height), (5, 3));

    write(root.path(), "shards/0.tar", &bytes[..700]);
    open_one(root.path(), source, "").expect_err("it is cut short");
    write(root.path(), "shards/0.tar", b"this is no tar file, but longer than nothing");
    assert!(open_one(root.path(), source, "").expect_err("text").contains("0.tar"));
}

#[test]
fn a_part_is_held_out_and_settings_are_checked() {
    let root = tempfile::tempdir().expect("a folder");
    for number in 0..100 {
        write(root.path(), &format!("all/{}/{number}.mp4", number % 2), b"x");
    }
    let config = |rest: &str| format!("train = {{ format = \"folders\", path = \"all\" }}\n{rest}");
    let of = |rest: &str| open(root.path(), &config(rest));
    let (training, validation) = of("hold_out = { share = 0.2, seed = 3 }").expect("a good split");
    assert_eq!((training.samples.len(), validation.samples.len()), (80, 20));
    assert!(validation.samples.iter().all(|sample| !training.samples.contains(sample)));
    let (again, _) = of("hold_out = { share = 0.2, seed = 3 }").expect("a good split");
    assert_eq!(training.fingerprint(), again.fingerprint());
    for (rest, told) in [
        ("", "one of data.validation and data.hold_out"),
        ("hold_out = { share = 0.001, seed = 3 }", "none is held out"),
        ("hold_out = { share = 1.5, seed = 3 }", "data.hold_out.share is 1.5"),
        ("max_missing = 1.0\nhold_out = { share = 0.2, seed = 3 }", "data.max_missing is 1"),
        ("hold_out = { share = 0.2, seed = 3, sed = 1 }", "unknown field `sed`"),
    ] {
        let error = of(rest).expect_err(rest);
        assert!(error.contains(told), "{rest:?}: {error}");
    }
}
