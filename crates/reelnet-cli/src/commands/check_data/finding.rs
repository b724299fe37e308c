//! What became of one file, and what that means for a data set.

use std::path::Path;
use std::time::Duration;

use reelnet_clips::{ClipError, ClipErrorKind, Limits, Opener};
use serde::{Deserialize, Serialize};

/// What decoding a file has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Finding {
    pub(super) state: State,
    /// A short, stable name of what is wrong.
    pub(super) kind: Option<String>,
    /// What is wrong, for people.
    pub(super) reason: Option<String>,
    /// Frames that come out of the decoder.
    pub(super) frames: usize,
    pub(super) duration_seconds: f64,
    pub(super) is_image: bool,
}

/// How far a file can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Every frame decodes.
    Sound,
    /// Every frame that is there decodes, but there are fewer than the file claims.
    Incomplete,
    /// Some frames decode.
    Corrupt,
    /// Nothing decodes, or not in time.
    Unreadable,
}

/// What is printed and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Ok,
    Short,
    Corrupt,
    Unreadable,
}

impl Verdict {
    pub(super) const ALL: [Self; 4] = [Self::Ok, Self::Short, Self::Corrupt, Self::Unreadable];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Short => "short",
            Self::Corrupt => "corrupt",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Finding {
    /// Decodes a file from its start to its end. `None` if that was cancelled.
    pub(super) fn of(path: &Path, opener: &Opener, limits: &Limits) -> Option<Self> {
        let checked = opener.open(path, limits).and_then(|mut decoder| {
            // A long film may take longer than a short clip.
            let length = Duration::try_from_secs_f64(decoder.info().duration_seconds).unwrap_or(Duration::MAX);
            decoder.set_deadline(limits.deadline.saturating_add(length));
            let soundness = decoder.check()?;
            Ok((decoder.info().clone(), soundness))
        });
        let (info, soundness) = match checked {
            Ok(checked) => checked,
            Err(error) => return Self::failed(&error),
        };
        let all_sound = soundness.frames == info.frames && soundness.doubtful == 0;
        let whole = all_sound && info.damaged_packets == 0 && info.read_error.is_none();
        let state = match &soundness.error {
            None => State::Sound,
            Some(error) if error.kind == ClipErrorKind::Cancelled => return None,
            Some(error) if soundness.frames == 0 || matches!(error.kind, ClipErrorKind::TimedOut { .. }) => {
                State::Unreadable
            }
            Some(_) if whole => State::Incomplete,
            Some(_) => State::Corrupt,
        };
        Some(Self {
            state,
            kind: soundness.error.as_ref().map(|error| error.kind.name().to_owned()),
            reason: soundness.error.as_ref().map(|error| error.kind.to_string()),
            frames: soundness.frames,
            duration_seconds: info.duration_seconds,
            is_image: info.is_image,
        })
    }

    fn failed(error: &ClipError) -> Option<Self> {
        if error.kind == ClipErrorKind::Cancelled {
            return None;
        }
        Some(Self::unreadable(error.kind.name(), error.kind.to_string()))
    }

    pub(super) fn unreadable(kind: &str, reason: String) -> Self {
        let (kind, reason) = (Some(kind.to_owned()), Some(reason));
        Self { state: State::Unreadable, kind, reason, frames: 0, duration_seconds: 0.0, is_image: false }
    }

    /// Whether the next run need not look again while the file stays the same: a missing disk may be back, and time may be
    /// plenty.
    pub(super) fn is_final(&self) -> bool {
        const PASSING: [&str; 6] = ["not_found", "permission_denied", "unreadable", "timed_out", "library", "bug"];
        self.kind.as_deref().is_none_or(|kind| !PASSING.contains(&kind))
    }

    /// The verdict, and its reason if it is not ok.
    pub(super) fn verdict(&self, min_frames: usize) -> (Verdict, String) {
        let reason = self.reason.clone().unwrap_or_default();
        match self.state {
            State::Sound if !self.is_image && self.frames < min_frames => {
                let frames = if self.frames == 1 { "frame" } else { "frames" };
                (Verdict::Short, format!("holds {} {frames}, fewer than {min_frames}", self.frames))
            }
            State::Sound => (Verdict::Ok, reason),
            State::Incomplete => (Verdict::Short, reason),
            State::Corrupt => (Verdict::Corrupt, reason),
            State::Unreadable => (Verdict::Unreadable, reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_frames_are_short_unless_they_are_an_image() {
        let sound = |frames, is_image| Finding {
            state: State::Sound,
            kind: None,
            reason: None,
            frames,
            duration_seconds: 1.0,
            is_image,
        };
        assert_eq!(sound(63, false).verdict(63).0, Verdict::Ok);
        assert_eq!(sound(62, false).verdict(63), (Verdict::Short, "holds 62 frames, fewer than 63".to_owned()));
        assert_eq!(sound(1, true).verdict(63).0, Verdict::Ok);
    }

    #[test]
    fn what_may_pass_is_asked_again() {
        assert!(Finding::unreadable("not_media", String::new()).is_final());
        assert!(!Finding::unreadable("permission_denied", String::new()).is_final());
    }
}
