//! What earlier runs found: one JSON object a line, written as files are done, so that a killed run loses nothing.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use reelnet_clips::FileStamp;
use serde::{Deserialize, Serialize};

use super::finding::Finding;

const FILE: &str = "journal.jsonl";

/// Where findings are written, one after another.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

/// What earlier runs found, by path.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<String, Line>);

/// Who made the journal: other programs may judge otherwise.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    reelnet: String,
    ffmpeg: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    path: String,
    stamp: FileStamp,
    finding: Finding,
}

impl Journal {
    /// Opens the journal in a folder, and keeps others out of it until this process ends. `again` forgets what is in it.
    pub(super) fn open(folder: &Path, again: bool) -> anyhow::Result<(Self, Known)> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        let path = folder.join(FILE);
        let told = || format!("cannot write `{}`", path.display());
        let mut file = File::options().create(true).append(true).open(&path).with_context(told)?;
        ensure!(
            file.try_lock().is_ok(),
            "another reelnet is at work in `{}`; wait for it, or name another folder with --out",
            folder.display()
        );
        let header =
            Header { reelnet: env!("CARGO_PKG_VERSION").to_owned(), ffmpeg: reelnet_clips::ffmpeg_version().release };
        let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let text = String::from_utf8_lossy(&text);
        if !again && let Some(known) = known(&text, &header) {
            // What comes next begins a line, even behind the half line of a killed run.
            let half = if text.ends_with('\n') { "" } else { "\n" };
            file.write_all(half.as_bytes()).with_context(told)?;
            return Ok((Self { file, path }, known));
        }
        file.set_len(0).with_context(told)?;
        let mut journal = Self { file, path };
        journal.write(&header)?;
        Ok((journal, Known::default()))
    }

    /// Remembers a finding.
    pub(super) fn add(&mut self, path: &Path, stamp: Option<FileStamp>, finding: &Finding) -> anyhow::Result<()> {
        let Some(stamp) = stamp.filter(|_| finding.is_final()) else { return Ok(()) };
        self.write(&Line { path: key(path), stamp, finding: finding.clone() })
    }

    fn write(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string(line)? + "\n";
        self.file.write_all(text.as_bytes()).with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}

impl Known {
    /// What was found when the file was like this.
    pub(super) fn finding(&self, path: &Path, stamp: FileStamp) -> Option<&Finding> {
        let line = self.0.get(&key(path))?;
        (line.stamp == stamp).then_some(&line.finding)
    }
}

/// The findings of a journal that these programs made. A line that cannot be read was not finished; of several lines about
/// a file, the last one counts.
fn known(text: &str, header: &Header) -> Option<Known> {
    let mut lines = text.lines();
    let made_by = serde_json::from_str::<Header>(lines.next()?).ok()?;
    let lines = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
    (made_by == *header).then(|| Known(lines.map(|line| (line.path.clone(), line)).collect()))
}

/// A path from the root on, so that runs from other folders find it.
fn key(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_knows_what_the_first_one_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let video = folder.path().join("a.mp4");
        fs::write(&video, "some bytes").expect("a file");
        let finding = Finding::unreadable("not_media", "no video".to_owned());
        let stamp = FileStamp::of_path(&video).expect("a file");

        let (mut journal, known) = Journal::open(folder.path(), false).expect("opens");
        assert_eq!(known.finding(&video, stamp), None);
        journal.add(&video, Some(stamp), &finding).expect("is written");
        assert!(Journal::open(folder.path(), false).is_err(), "two at once");
        drop(journal);

        // Killed while it wrote.
        let path = folder.path().join(FILE);
        let text = fs::read_to_string(&path).expect("is there");
        fs::write(&path, text.clone() + &text[text.len() / 2..text.len() - 9]).expect("is written");
        let (journal, known) = Journal::open(folder.path(), false).expect("opens");
        assert_eq!(known.finding(&video, stamp), Some(&finding));
        // The same size, and the same time of writing.
        let written = fs::metadata(&video).and_then(|metadata| metadata.modified()).expect("it is there");
        fs::write(&video, "SOME BYTES").expect("a file");
        File::options().write(true).open(&video).and_then(|file| file.set_modified(written)).expect("it is ours");
        assert_eq!(known.finding(&video, FileStamp::of_path(&video).expect("a file")), None);
        drop(journal);

        fs::write(&path, text.replacen("ffmpeg\":\"", "ffmpeg\":\"other ", 1)).expect("is written");
        let (_, known) = Journal::open(folder.path(), false).expect("opens");
        assert_eq!(known.finding(&video, stamp), None);
    }
}
