//! Memory stays bounded: while clips are loaded for long, and when headers lie. Alone in its binary, one after another: other
//! tests would be measured too. `examples/load_clips.rs` is the long version.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reelnet_clips::{
    ClipSpec, Crop, Decoder, Filter, FrameGeometry, Limits, Loader, LoaderOptions, Media, PastEnd, Remainder, Request,
    Resize, Seed, Wanted, plan,
};

const MEBIBYTE: u64 = 1 << 20;

#[test]
fn memory_is_bounded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    headers_that_lie(folder.path());
    long_loading(folder.path());
}

fn made(path: PathBuf, options: &[&str]) -> PathBuf {
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=160x120:duration=3"])
        .args(options)
        .arg(&path)
        .status()
        .expect("these tests need the `ffmpeg` command on PATH: apt-get install ffmpeg");
    assert!(done.success(), "ffmpeg failed; its complaint is above");
    path
}

// ---- Headers that lie ----

/// A file whose header lies. It may be refused with one of these kinds, or give so many frames: those that are really there.
struct Lie {
    name: &'static str,
    bytes: Vec<u8>,
    refusals: &'static [&'static str],
    frames: Option<usize>,
}

/// FFmpeg reads the entries that are there, or gives the file up.
const BROKEN_TABLE: &[&str] = &["not_media", "nothing_decodable", "no_video_stream", "unreadable", "corrupt"];
const BROKEN_PICTURE: &[&str] = &["too_large", "nothing_decodable", "corrupt"];
const MOST: [u8; 4] = 0x7fff_ffff_u32.to_be_bytes();
/// What stands before height and width in a JPEG.
const START_OF_FRAME: &[u8] = b"\xff\xc0\0\x11\x08";

fn videos_that_lie(folder: &Path) -> Vec<Lie> {
    let mp4 = made(folder.join("a.mp4"), &["-c:v", "libx264", "-g", "12"]);
    let avi = made(folder.join("b.avi"), &["-c:v", "mjpeg"]);
    let ivf = made(folder.join("c.ivf"), &["-c:v", "libvpx"]);
    let mkv = made(folder.join("d.mkv"), &["-c:v", "ffv1"]);
    let [mp4, avi, ivf, mkv] = [mp4, avi, ivf, mkv].map(|path| fs::read(path).expect("it was made"));
    // Where the codec is asked before the container is believed, all frames are there.
    let large = |name, bytes| Lie { name, bytes, refusals: &["too_large"], frames: Some(75) };
    let table = |name, kind, count| Lie {
        name,
        bytes: patched(&mp4, kind, count, &MOST),
        refusals: BROKEN_TABLE,
        frames: Some(75),
    };
    let picture = |name, bytes| Lie { name, bytes, refusals: BROKEN_PICTURE, frames: None };
    vec![
        large("MP4 of 16384x16384", patched(&mp4, b"avc1", 28, &[0x40, 0, 0x40, 0])),
        large("AVI of 16384x16384", patched(&avi, b"vids", 64, &[0, 0x40, 0, 0, 0, 0x40, 0, 0])),
        large("IVF of 65535x65535", [&ivf[..12], &[0xff; 4], &ivf[16..]].concat()),
        table("2^31 sizes", b"stsz", 12),
        table("2^31 times", b"stts", 8),
        table("2^31 offsets", b"stco", 8),
        table("2^31 delays", b"ctts", 8),
        picture("a packet of 2^31 bytes", patched(&mp4, b"stsz", 16, &MOST)),
        picture("Motion JPEG of 65500x65500", patched(&avi, START_OF_FRAME, 5, &[0xff, 0xdc, 0xff, 0xdc])),
        // FFmpeg goes on behind it as if nothing were.
        picture(
            "a cluster of 2^56 bytes",
            patched(&mkv, b"\x1f\x43\xb6\x75", 4, &[1, 255, 255, 255, 255, 255, 255, 254]),
        ),
    ]
}

fn images_that_lie(folder: &Path) -> Vec<Lie> {
    let png = made(folder.join("e.png"), &["-frames:v", "1"]);
    let jpeg = made(folder.join("f.jpg"), &["-frames:v", "1", "-q:v", "3"]);
    let gif = made(folder.join("g.gif"), &["-t", "0.4"]);
    let [png, jpeg, gif] = [png, jpeg, gif].map(|path| fs::read(path).expect("it was made"));
    let lie = |name, bytes| Lie { name, bytes, refusals: BROKEN_PICTURE, frames: None };
    vec![
        lie("PNG of 16384x16384", with_png_size(&png, 16_384)),
        lie("JPEG of 65500x65500", patched(&jpeg, START_OF_FRAME, 5, &[0xff, 0xdc, 0xff, 0xdc])),
        lie("GIF of 65535x65535", [&gif[..6], &[0xff; 4], &gif[10..]].concat()),
    ]
}

fn headers_that_lie(folder: &Path) {
    let lies = videos_that_lie(folder).into_iter().chain(images_that_lie(folder));
    let before = peak_bytes();
    for Lie { name, bytes, refusals, frames } in lies {
        let start = Instant::now();
        let limits = Limits { deadline: Duration::from_secs(10), ..Limits::default() };
        let checked = Decoder::open(Media::bytes(name, bytes), &limits).and_then(|mut decoder| decoder.check());
        let given = checked.and_then(|soundness| soundness.error.map_or(Ok(soundness.frames), Err));
        match given {
            Err(error) => assert!(refusals.contains(&error.kind.name()), "{name}: {error}"),
            Ok(found) => assert_eq!(Some(found), frames, "{name}"),
        }
        assert!(start.elapsed() < Duration::from_secs(11), "{name} took {:?}", start.elapsed());
        let grown = peak_bytes().saturating_sub(before);
        assert!(grown < 200 * MEBIBYTE, "{name}: {grown} bytes");
    }
}

/// With other bytes, `offset` behind the start of the first place where a mark stands.
fn patched(bytes: &[u8], mark: &[u8], offset: usize, patch: &[u8]) -> Vec<u8> {
    let at = bytes.windows(mark.len()).position(|window| window == mark).expect("the mark is there") + offset;
    [&bytes[..at], patch, &bytes[at + patch.len()..]].concat()
}

/// A PNG whose header says that it is `side` pixels wide and high, with the checksum that this needs.
fn with_png_size(png: &[u8], side: u32) -> Vec<u8> {
    let mut bytes = png.to_vec();
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let sum = bytes[12..29].iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 })
    });
    bytes[29..33].copy_from_slice(&(!sum).to_be_bytes());
    bytes
}

// ---- Long loading ----

const CLIP_BYTES: u64 = 16 * 112 * 112 * 3;

fn long_loading(folder: &Path) {
    let files = [("h.mp4", "libx264"), ("i.mkv", "mpeg4"), ("j.webm", "libvpx")]
        .map(|(name, coder)| made(folder.join(name), &["-c:v", coder, "-g", "12"]));
    let spec = ClipSpec { frames: 16, frame_step: 2, past_end: PastEnd::Loop };
    let crop = Crop::Centre { width: 112, height: 112 };
    let geometry = FrameGeometry { resize: Resize::ShorterSide(120), crop, filter: Filter::Bilinear };
    let requests = (0..1200).map(move |sample| {
        let (spec, geometry) = (spec.clone(), geometry.clone());
        let seed = Seed { run: 0, epoch: 0, sample };
        Request::new(&files[usize::try_from(sample % 3).expect("small")], (), move |index| {
            Ok::<_, String>(Wanted { plans: vec![plan::random(index.timeline(), &spec, seed)], geometry })
        })
    });
    let options = LoaderOptions { workers: 3, bytes_ahead: 8 * CLIP_BYTES, ..LoaderOptions::default() };
    let mut early = None;
    let mut clips = 0;
    for batch in Loader::new(requests, &options).batches(4, Remainder::Keep) {
        clips += batch.expect("nobody cancels").clips.dim().0;
        if clips == 300 {
            early = Some(peak_bytes());
        }
    }
    assert_eq!(clips, 1200);
    let grown = peak_bytes().saturating_sub(early.expect("300 clips came first"));
    // 900 clips more hold 540 MB. The slack is that of the C library's allocator, which has an arena for each thread: over the last
    // 80 % of 1200 clips, `examples/load_clips.rs` grew by 0 to 0.6 MiB with one arena (MALLOC_ARENA_MAX=1), by 0.6 to 4.1 without.
    assert!(grown < 64 * MEBIBYTE, "{grown} bytes more after 900 clips more");
}

/// The most memory so far. Linux adds up what its threads hold only now and then, so a later answer can be a little smaller.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kibibytes * 1024
}
