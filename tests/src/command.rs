//! The `reelnet` command in a sandbox of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// An empty folder, and a command that runs in it with a home of its own and no network.
pub struct Sandbox {
    folder: TempDir,
    binary: &'static str,
}

/// Sends a process a signal by its name: `INT`, `KILL`. By the shell's own `kill`, since a small system has no other.
///
/// # Panics
/// If there is no such process.
pub fn signal(process: &str, name: &str) {
    let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, process]).status().expect("a shell runs");
    assert!(sent.success(), "no process {process} to send {name}");
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// Exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it told people.
    pub stderr: String,
}

impl Sandbox {
    /// A new folder for the binary that cargo built for the tests (`env!("CARGO_BIN_EXE_reelnet-under-test")`).
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn new(binary: &'static str) -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), binary }
    }

    /// A path in the folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders that it needs.
    ///
    /// # Panics
    /// If the disk says no.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file in the folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// The command, ready to run.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(self.binary);
        command
            .args(words)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path().join("home"))
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("HF_HOME")
            // A port that nobody listens on.
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    ///
    /// # Panics
    /// If it cannot be started, or was killed.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ended {
        Ended::of(&mut self.command(words))
    }
}

impl Ended {
    /// Runs a command that [`Sandbox::command`] made ready to its end.
    ///
    /// # Panics
    /// If it cannot be started, or was killed.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("the command starts");
        Self {
            code: status.code().expect("the command was not killed"),
            stdout: String::from_utf8(stdout).expect("stdout is text"),
            stderr: String::from_utf8(stderr).expect("stderr is text"),
        }
    }

    /// Asserts on the code, and shows everything if it is another.
    ///
    /// # Panics
    /// If the code is another.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}
