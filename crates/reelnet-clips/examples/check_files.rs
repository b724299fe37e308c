//! Holds files against FFmpeg: the count that `ffprobe -count_frames` gives, and access in random order against
//! decoding from start to end. Prints one line a file; exits with 1 if one of them differs.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use reelnet_clips::{ClipError, ClipErrorKind, Decoder, Limits};

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn main() -> ExitCode {
    let mut all_agree = true;
    for path in std::env::args_os().skip(1).map(PathBuf::from) {
        let counted = counted_by_ffprobe(&path);
        let line = match check(&path) {
            Ok((frames, different)) => {
                let agrees = counted == Some(frames) && different == 0;
                all_agree &= agrees;
                let verdict = if agrees { "same" } else { "DIFFERENT" };
                format!("{verdict} frames={frames} ffprobe={counted:?} random_differs={different}")
            }
            Err(ClipError { kind: ClipErrorKind::Corrupt { frames_decoded, .. }, .. }) => {
                let agrees = counted == Some(frames_decoded);
                all_agree &= agrees;
                let verdict = if agrees { "damaged, same" } else { "DIFFERENT" };
                format!("{verdict} frames={frames_decoded} ffprobe={counted:?}")
            }
            // FFmpeg must not be able to do what we refuse.
            Err(error) => {
                all_agree &= counted.is_none();
                format!("{} ffprobe={counted:?} {error}", if counted.is_none() { "refused" } else { "DIFFERENT" })
            }
        };
        println!("{line} {}", path.display());
    }
    if all_agree { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many frames there are, and how many of some give other bytes when they are fetched alone.
fn check(path: &Path) -> Result<(usize, usize), ClipError> {
    let mut decoder = Decoder::open(path, &Limits::default())?;
    let frames = decoder.index().frames();
    let mut sequential = vec![0; frames];
    decoder.visit_native(0..frames, |frame| sequential[frame.index] = hash(frame.bytes))?;
    let mut different = 0;
    for step in 0..40.min(frames) {
        let wanted = (step * 7919 + 13) % frames;
        let pair = [wanted, (wanted + 5) % frames];
        decoder.visit_native(pair, |frame| {
            different += usize::from(hash(frame.bytes) != sequential[frame.index]);
        })?;
    }
    Ok((frames, different))
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn counted_by_ffprobe(path: &Path) -> Option<usize> {
    let fields = ["-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", "stream=nb_read_frames"];
    let output = Command::new("ffprobe").args(fields).args(["-of", "csv=p=0"]).arg(path).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().next()?.trim_end_matches(',').parse().ok()
}
