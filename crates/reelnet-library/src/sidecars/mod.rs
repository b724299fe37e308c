//! Sidecars: tags in files beside videos, or in a tree of their own, for programs that know nothing of this one.
//!
//! What others wrote into such a file survives, byte for byte; of what is ours there is a record, so that it goes when it is no
//! longer true. Videos are not even opened.

mod disk;
mod document;
mod exporter;
mod nfo;
mod reconciling;
#[cfg(test)]
mod tests;
mod text;
mod xmp;

use std::fmt;
use std::path::{Path, PathBuf};

pub use exporter::{Sidecar, SidecarEnd, SidecarOptions, SidecarReport, Writing, sidecars};

use document::is_allowed;
use reconciling::Knowledge;

/// For which programs sidecars are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidecarFormat {
    /// digiKam, Lightroom, darktable, Immich: `video.mp4.xmp`.
    Xmp,
    /// Kodi, Jellyfin, Emby: `video.nfo`.
    Nfo,
    /// Hydrus: `video.mp4.txt`, a tag a line.
    Text,
}

impl SidecarFormat {
    /// Where the sidecar of a video is, if it is beside it.
    pub fn beside(self, video: &Path) -> PathBuf {
        let ending = match self {
            Self::Nfo => return video.with_extension("nfo"),
            Self::Xmp => ".xmp",
            Self::Text => ".txt",
        };
        let mut name = video.as_os_str().to_owned();
        name.push(ending);
        name.into()
    }
}

/// Why a sidecar that is there was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A stable name.
    pub kind: &'static str,
    /// In a sentence.
    pub detail: String,
}

impl Refusal {
    fn damaged(detail: &str) -> Self {
        Self { kind: "damaged", detail: format!("the sidecar is damaged: {detail}") }
    }

    fn encoding(detail: &str) -> Self {
        Self { kind: "encoding", detail: format!("{detail}, expected UTF-8") }
    }

    fn other(detail: &str) -> Self {
        Self { kind: "form", detail: detail.to_owned() }
    }

    fn locked(detail: &str) -> Self {
        Self { kind: "locked", detail: detail.to_owned() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.detail)
    }
}

/// What a sidecar should say.
#[derive(Clone, Copy, Debug)]
struct Wish<'wish> {
    /// Best first.
    labels: &'wish [String],
    /// Above the labels, where a format has such a thing.
    parent: &'wish [String],
    knowledge: Knowledge,
    /// The video's name without its ending.
    title: &'wish str,
    /// What of a plain text is ours: it has no place for a record.
    ours: &'wish [String],
}

/// A sidecar as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Merged {
    /// None if nothing is to be written.
    text: Option<String>,
    /// Labels that come in.
    added: Vec<String>,
    /// Labels that go.
    removed: Vec<String>,
    /// Labels that somebody took out with another program.
    left_out: usize,
    /// What is ours then.
    ours: Vec<String>,
}

fn merge(format: SidecarFormat, existing: Option<&[u8]>, wish: &Wish<'_>) -> Result<Merged, Refusal> {
    let existing = existing.map(utf8).transpose()?;
    match format {
        SidecarFormat::Xmp => xmp::merge(existing, wish),
        SidecarFormat::Nfo => nfo::merge(existing, wish),
        SidecarFormat::Text => text::merge(existing, wish),
    }
}

/// A text, with its byte order mark if it has one.
fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Refusal::encoding("the sidecar is in UTF-16"));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        Refusal::encoding(&format!("the sidecar has bytes that are no UTF-8, from byte {} on", error.valid_up_to()))
    })?;
    match text.find('\0') {
        Some(at) => Err(Refusal::encoding(&format!("the sidecar has a zero at byte {at}"))),
        None => Ok(text),
    }
}

/// A label in one line, of characters that XML allows.
fn clean(label: &str) -> String {
    let character = |character: char| match character {
        character if character.is_whitespace() => ' ',
        // A byte order mark, which readers of text swallow.
        '\u{feff}' => '\u{fffd}',
        character if is_allowed(character) && !character.is_control() => character,
        _ => '\u{fffd}',
    };
    label.chars().map(character).collect::<String>().trim().to_owned()
}

/// All labels that are something, once each.
fn cleaned(labels: &[String], clean_one: impl Fn(&str) -> String) -> Vec<String> {
    let mut all = Vec::with_capacity(labels.len());
    for label in labels.iter().map(|label| clean_one(label)).filter(|label| !label.is_empty()) {
        if !all.contains(&label) {
            all.push(label);
        }
    }
    all
}
