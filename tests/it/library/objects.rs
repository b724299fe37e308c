//! Libraries in an object store: an S3 server in this process, read by ranges, with the results that files of a disk have.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _, stderr};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use reelnet_tests::command::{Ended, Sandbox, signal};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::made::{exported, fill, json, library, numbered, prepare, status, work};

const KEY: &str = "made-up-key";
const SECRET: &str = "made-up-secret";

/// An S3 server over a folder, whose folders are its buckets.
struct S3 {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl S3 {
    fn start(root: &Path, port: u16) -> Self {
        let mut service = S3ServiceBuilder::new(FileSystem::new(root).expect("a folder"));
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let ((stop, mut stopped), (told, listening)) = (oneshot::channel(), channel());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
                told.send(listener.local_addr().expect("an address")).expect("somebody waits");
                loop {
                    let accepted = tokio::select! {
                        accepted = listener.accept() => accepted,
                        _ = &mut stopped => return,
                    };
                    let (stream, _) = accepted.expect("a connection");
                    let service = service.clone();
                    tokio::spawn(async move {
                        // Clients hang up as they like.
                        let _ =
                            Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            });
        });
        Self { address: listening.recv().expect("it listens"), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn command(sandbox: &Sandbox, address: SocketAddr, words: &[&str]) -> Command {
    let mut command = sandbox.command(words);
    command
        .env("AWS_ENDPOINT", format!("http://{address}"))
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    command
}

fn run(sandbox: &Sandbox, address: SocketAddr, words: &[&str]) -> Ended {
    Ended::of(&mut command(sandbox, address, words))
}

/// All that is known of all files, by their names below the folder; but their times, which an S3 server tells in milliseconds.
fn below(sandbox: &Sandbox, store: &str, root: &str) -> Vec<Value> {
    let mut rows = exported(sandbox, store);
    for row in &mut rows {
        let path = row["path"].as_str().and_then(|path| path.split_once(root)).expect("a path below the folder").1;
        row["path"] = path.into();
        row["modified"] = Value::Null;
    }
    rows
}

#[test]
fn objects_are_tagged_as_files_are() {
    let sandbox = prepare();
    fill(&sandbox, "s3/films/made here", 9);
    sandbox.write("s3/films/made here/00/notes.txt", "no media");
    sandbox.write("s3/films/made here/phone/.nomedia", "");
    for name in ["phone/deep/call.mp4", ".trash/gone.mp4", "private/x.mp4"] {
        fs::create_dir_all(sandbox.path(format!("s3/films/made here/{name}")).parent().expect("a folder"))
            .expect("a folder");
        fs::copy(sandbox.path("clips/grey.mp4"), sandbox.path(format!("s3/films/made here/{name}"))).expect("a copy");
    }
    sandbox.write("s3/films/made here/.reelignore", "private/\n");
    sandbox.run(["library", "--store", "disk.db", "add", "s3/films/made here"]).expect_code(0);
    let words = |store| ["library", "--store", store, "work", "--model", "model", "--interval", "1", "--json"];
    sandbox.run(words("disk.db")).expect_code(0);

    let server = S3::start(&sandbox.path("s3"), 0);
    let run = |words: &[&str]| run(&sandbox, server.address, words);
    let added = run(&library(&["add", "s3://films/made%20here/"])).expect_code(0);
    assert!(added.stderr.contains("9 files in 9 folders: 9 new"), "{}", added.stderr);
    let ended = run(&work(&[])).expect_code(0);
    let first = json(&ended);
    assert_eq!((&first["decoded"], &first["scored"]), (&9.into(), &9.into()));
    let size: u64 = (0..9)
        .map(|file| {
            fs::metadata(sandbox.path(format!("s3/films/made here/{file:02}/{file:05}.mp4"))).expect("a file").len()
        })
        .sum();
    assert_eq!(first["bytes_size"], size);
    assert!(first["bytes_read"].as_u64().is_some_and(|read| (1..=size).contains(&read)), "{first}");
    assert!(ended.stderr.contains("in object stores"), "{}", ended.stderr);
    assert_eq!(below(&sandbox, "library.db", "made here"), below(&sandbox, "disk.db", "made here"));

    // Again: nothing is hashed, nothing decoded. What is known from a disk is not decoded in a store.
    let scanned = json(&run(&library(&["scan", "--json"])).expect_code(0));
    assert_eq!((&scanned["hashed"], &scanned["unchanged_folders"]), (&0.into(), &9.into()));
    assert_eq!(json(&run(&work(&[])).expect_code(0))["decoded"], 0);
    let added = run(&["library", "--store", "disk.db", "add", "s3://films/made here"]).expect_code(0);
    assert!(added.stderr.contains("9 renamed, moved or copied"), "{}", added.stderr);
    assert_eq!(json(&run(&words("disk.db")).expect_code(0))["decoded"], 0);

    // Everything names objects by their addresses.
    let address = "s3://films/made here/00/00000.mp4";
    let shown = run(&library(&["show", address])).expect_code(0);
    assert!(shown.stdout.starts_with(address), "{}", shown.stdout);
    let doctor = run(&library(&["doctor"])).expect_code(0);
    assert!(doctor.stdout.contains("well   folder can be read: s3://films/made here"), "{}", doctor.stdout);
    let refused = run(&library(&["sidecars"])).expect_code(2);
    assert!(refused.stderr.contains("--tree"), "{}", refused.stderr);
    run(&library(&["settings", "--threshold", "0"])).expect_code(0);
    run(&library(&["sidecars", "--tree", "tags", "--apply"])).expect_code(0);
    assert!(sandbox.path("tags/made here/00/00000.mp4.xmp").exists());
    let isolated = run(&work(&["--isolate"])).expect_code(2);
    assert!(isolated.stderr.contains("--isolate is for files of disks"), "{}", isolated.stderr);
    run(&library(&["forget", "--folder", "s3://films/made%20here"])).expect_code(0);
    assert_eq!(status(&sandbox, "library.db")["files"], 0);
}

#[test]
fn what_changes_is_noticed_and_what_is_away_is_not_gone() {
    let sandbox = prepare();
    fill(&sandbox, "s3/films", 6);
    let server = S3::start(&sandbox.path("s3"), 0);
    let address = server.address;
    let ran = |words: &[&str]| run(&sandbox, address, words);
    ran(&library(&["add", "s3://films"])).expect_code(0);
    ran(&work(&[])).expect_code(0);

    // Another object of the same size under the same name, and one that is new.
    let clip = fs::read(sandbox.path("clips/lines.mp4")).expect("a clip");
    thread::sleep(Duration::from_millis(1100));
    fs::write(sandbox.path("s3/films/03/00003.mp4"), numbered(&clip, 1003)).expect("a file");
    fs::write(sandbox.path("s3/films/04/new.mp4"), numbered(&clip, 1004)).expect("a file");
    let scanned = json(&ran(&library(&["scan", "--json"])).expect_code(0));
    assert_eq!(
        (&scanned["changed"], &scanned["new"], &scanned["gone"]),
        (&1.into(), &1.into(), &0.into()),
        "{scanned}"
    );
    // One of them changes again before it is looked at.
    thread::sleep(Duration::from_millis(1100));
    fs::write(sandbox.path("s3/films/03/00003.mp4"), numbered(&clip, 2003)).expect("a file");
    let worked = json(&ran(&work(&[])).expect_code(0));
    assert_eq!((&worked["scored"], &worked["skipped"]), (&1.into(), &1.into()), "{worked}");
    ran(&library(&["scan"])).expect_code(0);
    assert_eq!(json(&ran(&work(&[])).expect_code(0))["scored"], 1);

    // Wrong keys are one clear error, and no proof of anything.
    let before = status(&sandbox, "library.db");
    let mut wrong = command(&sandbox, address, &library(&["scan"]));
    let ended = Ended::of(wrong.env("AWS_SECRET_ACCESS_KEY", "another one")).expect_code(1);
    assert_eq!(ended.stderr.matches("is refused by its store").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("AWS_ACCESS_KEY_ID") && !ended.stderr.contains("another one"), "{}", ended.stderr);
    let mut wrong = command(&sandbox, address, &library(&["add", "s3://films/03"]));
    let ended = Ended::of(wrong.env("AWS_ACCESS_KEY_ID", "nobody")).expect_code(2);
    assert!(ended.stderr.contains("is refused by its store"), "{}", ended.stderr);
    let ended = ran(&library(&["add", "s3://key:hush@films"])).expect_code(2);
    assert!(ended.stderr.contains("holds a key or a password") && !ended.stderr.contains("hush"), "{}", ended.stderr);

    // Neither is a server that is away, nor a bucket; what waits goes on waiting.
    fs::write(sandbox.path("s3/films/05/late.mp4"), numbered(&clip, 3000)).expect("a file");
    ran(&library(&["scan"])).expect_code(0);
    drop(server);
    let ended = ran(&library(&["scan"])).expect_code(1);
    assert!(ended.stderr.contains("nothing of it is taken for deleted"), "{}", ended.stderr);
    let waits = json(&ran(&work(&[])).expect_code(0));
    assert_eq!((&waits["left"], &waits["failed"]), (&1.into(), &0.into()), "{waits}");
    assert_eq!(ran(&library(&["doctor"])).code, 1);
    let server = S3::start(&sandbox.path("s3"), address.port());
    fs::rename(sandbox.path("s3/films"), sandbox.path("s3/elsewhere")).expect("a folder");
    assert_eq!(ran(&library(&["scan"])).code, 1);
    let after = status(&sandbox, "library.db");
    assert_eq!((&after["gone"], &after["files"]), (&before["gone"], &8.into()), "{after}");

    // What is really gone is.
    fs::rename(sandbox.path("s3/elsewhere"), sandbox.path("s3/films")).expect("a folder");
    fs::remove_file(sandbox.path("s3/films/00/00000.mp4")).expect("a file");
    let scanned = json(&ran(&library(&["scan", "--json"])).expect_code(0));
    assert_eq!((&scanned["gone"], &scanned["changed"]), (&1.into(), &0.into()), "{scanned}");
    drop(server);
}

#[test]
fn long_videos_are_not_read_whole() {
    let sandbox = prepare();
    sandbox.write("s3/films/long.mp4", "");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-y", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25", "-t", "240"])
        .args(["-vf", "noise=alls=20:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-qp", "24"])
        .args(["-pix_fmt", "yuv420p"])
        .arg(sandbox.path("s3/films/long.mp4"))
        .status()
        .expect("ffmpeg runs");
    assert!(made.success());
    let size = fs::metadata(sandbox.path("s3/films/long.mp4")).expect("a file").len();
    assert!(size > 20 << 20, "{size} bytes");
    let sparse = ["work", "--model", "model", "--interval", "80", "--window", "5", "--no-cuts", "--json"];
    sandbox.run(["library", "--store", "disk.db", "add", "s3/films"]).expect_code(0);
    sandbox.run([&["library", "--store", "disk.db"], &sparse[..]].concat()).expect_code(0);
    let server = S3::start(&sandbox.path("s3"), 0);
    run(&sandbox, server.address, &library(&["add", "s3://films"])).expect_code(0);
    let worked = json(&run(&sandbox, server.address, &library(&sparse)).expect_code(0));
    assert_eq!((&worked["scored"], &worked["windows"]), (&1.into(), &3.into()));
    assert_eq!(worked["bytes_size"], size);
    let read = worked["bytes_read"].as_u64().expect("a count");
    writeln!(stderr(), "{read} of {size} bytes were read").expect("somebody listens");
    assert!(read < size / 4, "{read} of {size} bytes");
    assert_eq!(below(&sandbox, "library.db", "films"), below(&sandbox, "disk.db", "films"));
}

#[test]
fn a_page_plays_objects_by_ranges() {
    let sandbox = prepare();
    fill(&sandbox, "s3/films", 1);
    let bytes = fs::read(sandbox.path("s3/films/00/00000.mp4")).expect("a file");
    let server = S3::start(&sandbox.path("s3"), 0);
    run(&sandbox, server.address, &library(&["add", "s3://films"])).expect_code(0);
    run(&sandbox, server.address, &work(&[])).expect_code(0);
    let mut serving = command(&sandbox, server.address, &library(&["serve", "--port", "0"]));
    let mut page = serving.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(page.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let host = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let get = |path: &str, range: &str| {
        let mut stream = TcpStream::connect(&host).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{range}\r\n");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("headers");
        (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec())
    };
    let (head, body) = get("/media/1", "");
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: video/mp4"), "{head}");
    assert_eq!(body, bytes);
    let (head, body) = get("/media/1", "Range: bytes=100-199\r\n");
    let told = format!("content-range: bytes 100-199/{}", bytes.len());
    assert!(head.starts_with("http/1.1 206") && head.contains(&told), "{head}");
    assert_eq!(body, bytes[100..200]);
    let (head, _) = get("/media/1", "Range: bytes=999999999-\r\n");
    assert!(head.starts_with("http/1.1 416"), "{head}");
    let (head, body) = get("/thumbnails/1", "");
    assert!(head.starts_with("http/1.1 200") && body.starts_with(&[0xFF, 0xD8]), "{head}");
    signal(&page.id().to_string(), "TERM");
    page.wait().expect("it ends");
}
