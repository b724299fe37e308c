//! Videos whose frames carry their number as black and white blocks, readable after any compression and scaling.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ndarray::ArrayView3;
use reelnet_clips::{Clip, ClipError, Crop, Decoder, Filter, FrameGeometry, FramePlan, Limits, Resize};
use tempfile::TempDir;

pub(crate) const WIDTH: usize = 128;
pub(crate) const HEIGHT: usize = 64;
const COLUMNS: usize = 4;
const ROWS: usize = 2;

/// A folder that disappears with the test.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Runs `ffmpeg`, which must be installed, and feeds it bytes.
pub(crate) fn ffmpeg<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>, input: &[u8]) {
    let mut child = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .expect("these tests need the `ffmpeg` command on PATH: apt-get install ffmpeg");
    child.stdin.take().expect("a pipe was asked for").write_all(input).expect("ffmpeg reads its input");
    assert!(child.wait().expect("ffmpeg ends").success(), "ffmpeg failed; its complaint is above");
}

/// Raw grey frames with the numbers 0 to `count`, each in 4x2 blocks.
pub(crate) fn numbered(count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count * WIDTH * HEIGHT);
    for number in 0..count {
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let bit = (y * ROWS / HEIGHT) * COLUMNS + x * COLUMNS / WIDTH;
                bytes.push(if number >> bit & 1 == 1 { 220 } else { 30 });
            }
        }
    }
    bytes
}

/// Encodes `count` numbered frames at 25 frames a second into `folder/name`.
pub(crate) fn video(folder: &Path, name: &str, count: usize, options: &str) -> PathBuf {
    let path = folder.join(name);
    let size = format!("{WIDTH}x{HEIGHT}");
    let mut arguments: Vec<&OsStr> =
        ["-f", "rawvideo", "-pix_fmt", "gray", "-s", &size, "-r", "25", "-i", "-"].map(OsStr::new).to_vec();
    arguments.extend(options.split_whitespace().map(OsStr::new));
    arguments.push(path.as_os_str());
    ffmpeg(arguments, &numbered(count));
    path
}

/// The number that a frame carries.
pub(crate) fn number(frame: &ArrayView3<'_, u8>) -> usize {
    let (height, width, _) = frame.dim();
    (0..COLUMNS * ROWS)
        .filter(|bit| {
            let y = (bit / COLUMNS * 2 + 1) * height / (ROWS * 2);
            let x = (bit % COLUMNS * 2 + 1) * width / (COLUMNS * 2);
            frame[[y, x, 1]] > 125
        })
        .map(|bit| 1 << bit)
        .sum()
}

pub(crate) fn numbers(clip: &Clip) -> Vec<usize> {
    clip.frames.outer_iter().map(|frame| number(&frame)).collect()
}

pub(crate) fn native() -> FrameGeometry {
    FrameGeometry { resize: Resize::Native, crop: Crop::None, filter: Filter::Bilinear }
}

pub(crate) fn plan(indices: impl IntoIterator<Item = usize>) -> FramePlan {
    FramePlan { indices: indices.into_iter().collect(), centre_seconds: 0.0 }
}

pub(crate) fn open(path: &Path) -> Decoder {
    Decoder::open(path, &Limits::default()).expect("a sound file")
}

/// The kind of error that opening a file gives, as its stable name, and its sentence.
pub(crate) fn refusal(path: &Path) -> (&'static str, String) {
    let error: ClipError = match Decoder::open(path, &Limits::default()) {
        Ok(decoder) => panic!("{} was taken for {:?}", path.display(), decoder.index().info),
        Err(error) => error,
    };
    (error.kind.name(), error.to_string())
}

/// Fetches every frame alone, in an order that jumps about, and all of them at once; both must be exact.
pub(crate) fn assert_every_frame_is_exact(path: &Path, count: usize) {
    let mut decoder = open(path);
    assert_eq!(decoder.index().frames(), count, "{}: {:?}", path.display(), decoder.index().info);
    let all = decoder.clips(&[plan(0..count)], &native()).expect("all frames decode");
    assert_eq!(numbers(&all[0]), (0..count).collect::<Vec<_>>(), "{}", path.display());

    let scattered: Vec<usize> = (0..count).map(|step| step * 37 % count).collect();
    let plans: Vec<FramePlan> = scattered.iter().map(|&frame| plan([frame])).collect();
    let clips = decoder.clips(&plans, &native()).expect("all frames decode");
    let found: Vec<usize> = clips.iter().map(|clip| numbers(clip)[0]).collect();
    assert_eq!(found, scattered, "{}", path.display());

    for frame in [count - 1, count / 2, 0, count / 3, count * 3 / 4] {
        let clips = open(path).clips(&[plan([frame])], &native()).expect("one frame decodes");
        assert_eq!(numbers(&clips[0]), [frame], "{} opened for one frame", path.display());
        let clips = decoder.clips(&[plan([frame])], &native()).expect("one frame decodes");
        assert_eq!(numbers(&clips[0]), [frame], "{} asked again", path.display());
    }
}
