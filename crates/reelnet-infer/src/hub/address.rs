//! A file at a plain address: fetched once, whole or not at all, going on where it was interrupted.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{HubError, Observer};

/// Bytes between two reports of progress.
const CHUNK: usize = 1 << 16;
/// How long a server may take to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a body may take: 130 MB at 40 kB a second.
const BODY: Duration = Duration::from_hours(1);

/// A file of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// What the address begins with.
    pub endpoint: &'static str,
    /// The environment variable that names a mirror of that.
    pub variable: &'static str,
    /// What it ends with.
    pub path: &'static str,
}

impl Address {
    /// The server's folder, or its mirror's.
    pub(super) fn base(&self) -> String {
        let mirror = env::var(self.variable).ok().filter(|mirror| !mirror.is_empty());
        mirror.unwrap_or_else(|| self.endpoint.to_owned()).trim_end_matches('/').to_owned()
    }

    /// The whole address.
    pub fn url(&self) -> String {
        format!("{}/{}", self.base(), self.path)
    }

    /// The name that the file is kept under.
    pub(super) fn file(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Fetches it into a folder, unless it is there.
    pub(super) fn fetch(&self, folder: &Path, observer: &mut dyn Observer) -> Result<PathBuf, HubError> {
        let path = folder.join(self.file());
        if path.is_file() {
            return Ok(path);
        }
        fs::create_dir_all(folder)?;
        let partial = folder.join(format!("{}.part", self.file()));
        self.fetch_rest(&partial, observer)?;
        fs::rename(&partial, &path)?;
        Ok(path)
    }

    /// Appends what is not there yet.
    fn fetch_rest(&self, partial: &Path, observer: &mut dyn Observer) -> Result<(), HubError> {
        let unreachable = |reason: String| HubError::Unreachable {
            repository: self.base(),
            file: self.path.to_owned(),
            reason,
            variable: self.variable,
        };
        let there = fs::metadata(partial).map_or(0, |metadata| metadata.len());
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_connect(Some(ANSWER))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(BODY))
            .build()
            .into();
        let mut request = agent.get(self.url());
        if there > 0 {
            request = request.header("Range", format!("bytes={there}-"));
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => {
                // What is left to fetch may be nothing, or the file may be another by now: begin again the next time.
                if matches!(error, ureq::Error::StatusCode(416)) {
                    fs::remove_file(partial)?;
                }
                return Err(unreachable(error.to_string()));
            }
        };

        // A server that does not know ranges sends everything from the start.
        let goes_on = response.status() == 206;
        let mut done = if goes_on { there } else { 0 };
        let length =
            response.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let total = length.map(|length| done + length);
        let mut file = OpenOptions::new().create(true).write(true).append(goes_on).truncate(!goes_on).open(partial)?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    file.write_all(&buffer[..read])?;
                    done += read as u64;
                    observer.progress(done, total.unwrap_or(done));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(unreachable(format!("{error}, after {done} bytes; the same command goes on there")));
                }
            }
        }
        file.sync_all()?;
        match total {
            Some(total) if total != done => {
                Err(unreachable(format!("it ended after {done} of {total} bytes; the same command goes on there")))
            }
            _ => Ok(()),
        }
    }
}
