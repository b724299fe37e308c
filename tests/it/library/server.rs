//! Several workers on one library, in PostgreSQL.

use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use reelnet_tests::command::{Sandbox, signal};
use serde_json::Value;
use tempfile::TempDir;

use super::made::{exported, fill, json, prepare, status};

const FILES: usize = 160;
/// Debian's user for nobody in particular: the server refuses to run as root.
const NOBODY: u32 = 65_534;

/// A server with an empty database, for one test.
struct Server {
    folder: TempDir,
    bin: PathBuf,
    port: u16,
    process: Child,
}

/// Where the server's programs are, if they are installed.
fn programs() -> Option<PathBuf> {
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    // Links in the path lead to where the other programs are.
    let programs = debian.chain(env::split_paths(&path)).filter_map(|folder| folder.join("initdb").canonicalize().ok());
    let mut found: Vec<PathBuf> = programs.filter_map(|initdb| initdb.parent().map(Path::to_owned)).collect();
    found.sort();
    found.pop()
}

impl Server {
    fn start() -> Option<Self> {
        let bin = programs()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let data = folder.path().join("data");
        let made = as_user(&bin.join("initdb"))
            .args(["--auth=trust", "--username=reelnet", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success());
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let process = serve(&bin, folder.path(), port);
        let mut server = Self { folder, bin, port, process };
        server.wait();
        Some(server)
    }

    fn place(&self) -> String {
        format!("postgres://reelnet@127.0.0.1:{}/postgres", self.port)
    }

    fn wait(&mut self) {
        let began = Instant::now();
        while !self.answers() {
            assert!(began.elapsed() < Duration::from_secs(30), "the server does not answer");
            sleep(Duration::from_millis(100));
        }
    }

    fn answers(&self) -> bool {
        self.ask("SELECT 1").is_some()
    }

    fn ask(&self, statement: &str) -> Option<String> {
        let output = Command::new(self.bin.join("psql"))
            .args(["-X", "-A", "-t", "-c", statement, &self.place()])
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn scored(&self) -> u64 {
        let count = self.ask("SELECT COUNT(*) FROM jobs WHERE state = 2").expect("the server answers");
        count.parse().expect("a count")
    }

    /// Ends all connections, and begins anew.
    fn restart(&mut self) {
        signal(&self.process.id().to_string(), "INT");
        self.process.wait().expect("it ends");
        // Longer than a worker tries by itself (3 s) and looks whether it is to go on (1 s).
        sleep(Duration::from_secs(6));
        self.process = serve(&self.bin, self.folder.path(), self.port);
        self.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(bin: &Path, folder: &Path, port: u16) -> Child {
    as_user(&bin.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "unix_socket_directories=",
            "-p",
            &port.to_string(),
        ])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts")
}

/// A program of the server, without root's rights.
fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

fn worker(sandbox: &Sandbox, place: &str) -> Child {
    let words = ["library", "--store", place, "work", "--model", "model", "--interval", "0.5", "--jobs", "1", "--json"];
    sandbox.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

#[test]
fn four_workers_two_killed_and_a_server_that_goes_away() {
    let Some(mut server) = Server::start() else {
        // The gate installs one (scripts/setup.sh --tests); elsewhere the rest of the tests has to do.
        let told = "skipped: no PostgreSQL server is installed (initdb); `scripts/setup.sh --tests` installs one";
        writeln!(std::io::stderr(), "{told}").expect("somebody listens");
        return;
    };
    let sandbox = prepare();
    let place = server.place();
    fill(&sandbox, "videos", FILES);
    sandbox.run(["library", "--store", "whole.db", "add", "videos"]).expect_code(0);
    let mut whole = worker(&sandbox, "whole.db");
    assert!(whole.wait().expect("it ends").success());

    sandbox.run(["library", "--store", &place, "add", "videos"]).expect_code(0);
    let mut workers: Vec<Child> = (0..4).map(|_| worker(&sandbox, &place)).collect();
    let began = Instant::now();
    while server.scored() < 20 {
        assert!(began.elapsed() < Duration::from_mins(2), "it stands still");
        sleep(Duration::from_millis(20));
    }
    for mut killed in workers.drain(..2) {
        signal(&killed.id().to_string(), "KILL");
        killed.wait().expect("it ends");
    }
    // Held back while the server is away, however fast they are, so that there is work left when it comes back.
    sandbox.run(["library", "--store", &place, "pause"]).expect_code(0);
    server.restart();
    assert!(server.scored() < FILES as u64, "the server went away when all was done");
    sandbox.run(["library", "--store", &place, "resume"]).expect_code(0);
    let ended: Vec<(Value, String)> = workers
        .into_iter()
        .map(|worker| {
            let output = worker.wait_with_output().expect("it ends");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{stderr}");
            (serde_json::from_slice(&output.stdout).expect("a report"), stderr)
        })
        .collect();
    assert!(ended.iter().any(|(_, stderr)| stderr.contains("waiting for the database")), "{ended:?}");

    // All files once, with the results of a run that nobody disturbed; shares that are fair; no lease left behind.
    assert_eq!(server.scored(), FILES as u64);
    assert_eq!(exported(&sandbox, &place), exported(&sandbox, "whole.db"));
    let shares: Vec<u64> = ended.iter().filter_map(|(report, _)| report["scored"].as_u64()).collect();
    assert!(shares.iter().all(|share| share * 4 >= shares.iter().sum::<u64>()), "{shares:?}");
    assert_eq!(server.ask("SELECT COUNT(*) FROM jobs WHERE token IS NOT NULL OR state <> 2").as_deref(), Some("0"));
    assert_eq!(server.ask("SELECT COUNT(*) FROM scores").as_deref(), Some(FILES.to_string().as_str()));
    sandbox.run(["library", "--store", &place, "doctor"]).expect_code(0);

    // Everything that is read works here as it does on a file.
    let search = |words: &[&str]| {
        let ended = sandbox.run([&["library", "--store", &place, "search"], words].concat()).expect_code(0);
        ended.stderr.lines().last().unwrap_or_default().to_owned()
    };
    sandbox.run(["library", "--store", &place, "settings", "--threshold", "0"]).expect_code(0);
    assert!(search(&["grey AND lines"]).ends_with(&format!("of {FILES} files")));
    assert!(
        search(&["grey NOT (lines OR noise)", "--path", "VIDEOS/0", "--after", "2020-01-01"]).ends_with("of 0 files")
    );
    sandbox.run(["library", "--store", &place, "labels"]).expect_code(0);
    let shown = sandbox.run(["library", "--store", &place, "show", "videos/00/00000.mp4", "--json"]).expect_code(0);
    assert_eq!(json(&shown)["models"][0]["state"], "tagged");
    sandbox.run(["library", "--store", &place, "retry", "--damaged"]).expect_code(0);
    sandbox.run(["library", "--store", &place, "forget", "--folder", "videos"]).expect_code(0);
    assert_eq!(status(&sandbox, &place)["files"], 0);
}
