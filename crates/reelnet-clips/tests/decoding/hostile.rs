//! Files cut at fifty places, and files with flipped bits under two hundred seeds: never a panic, never long, and what comes
//! out without a word is what the sound file holds. `examples/mutate_files` goes on where this ends.

use std::path::Path;
use std::time::{Duration, Instant};

use reelnet_clips::{Decoder, Limits, Media};

use crate::barcode::{folder, video};

const CUTS: usize = 50;
const SEEDS: u64 = 200;

/// Name and options, and how many of a hundred files with flipped bits may hold a changed frame without a word: bits of the
/// pictures themselves that turn one legal picture into another. Measured, with some room.
const CASES: [(&str, &str, usize); 6] = [
    ("a.mp4", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2 -movflags +faststart", 5),
    ("b.mkv", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2", 5),
    ("c.ts", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2", 10),
    ("d.mpg", "-c:v mpeg2video -q:v 2 -bf 2 -g 12", 15),
    ("e.avi", "-c:v mpeg4 -q:v 2 -g 12", 10),
    ("f.mkv", "-c:v ffv1 -level 3 -slicecrc 1 -g 1", 0),
];

/// The frames of a file, as far as they come, and whether anything was said to be wrong.
struct Given {
    /// Seconds, and a hash of the planes.
    frames: Vec<(String, u64)>,
    said: bool,
}

fn decode(bytes: Vec<u8>, told: &dyn Fn() -> String) -> Given {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let start = Instant::now();
    let limits = Limits { deadline: Duration::from_secs(10), ..Limits::default() };
    let given = match Decoder::open(Media::bytes("hostile", bytes), &limits) {
        Err(_) => Given { frames: Vec::new(), said: true },
        Ok(mut decoder) => {
            let mut frames = Vec::new();
            let result = decoder.visit_native(0..decoder.index().frames(), |frame| {
                let mut hasher = DefaultHasher::new();
                (frame.size, frame.bytes).hash(&mut hasher);
                frames.push((format!("{:.3}", frame.pts_seconds), hasher.finish()));
            });
            Given { frames, said: result.is_err() || decoder.index().info.damage().is_some() }
        }
    };
    assert!(start.elapsed() < Duration::from_secs(20), "{} took {:?}", told(), start.elapsed());
    given
}

fn sound(path: &Path) -> (Vec<u8>, Given) {
    let bytes = std::fs::read(path).expect("it was made");
    let given = decode(bytes.clone(), &|| path.display().to_string());
    assert!(!given.said && given.frames.len() == 30, "{}", path.display());
    (bytes, given)
}

#[test]
fn a_cut_file_gives_the_frames_before_the_cut() {
    let folder = folder();
    for (name, options, _) in CASES {
        let (bytes, whole) = sound(&video(folder.path(), name, 30, options));
        let mut most = 0;
        for place in 1..=CUTS {
            let kept = bytes.len() * place / (CUTS + 1);
            let given = decode(bytes[..kept].to_vec(), &|| format!("{name} cut to {kept}"));
            let (last, before) = match given.frames.split_last() {
                Some((last, before)) => (Some(last), before),
                None => (None, &[][..]),
            };
            for frame in before {
                assert!(whole.frames.contains(frame), "{name} cut to {kept}: the frame at {} s is another", frame.0);
            }
            // Where packets carry no times of their own (`mpg`), the last picture may come before those that are shown before
            // it are stored: it is a picture of the file, one place too early.
            if let Some((_, last)) = last {
                assert!(whole.frames.iter().any(|(_, own)| own == last), "{name} cut to {kept}: a picture of no file");
            }
            most = most.max(given.frames.len());
        }
        assert!(most >= 20, "{name}: at most {most} frames of a cut file came out");
    }
}

#[test]
fn flipped_bits_are_said_or_do_no_harm() {
    let folder = folder();
    for (name, options, tolerated) in CASES {
        let (bytes, whole) = sound(&video(folder.path(), name, 30, options));
        let mut silent = Vec::new();
        for seed in 0..SEEDS {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut damaged = bytes.clone();
            for _ in 0..=seed % 16 {
                // The steps of a 64-bit xorshift.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let bit = usize::try_from(random % (bytes.len() as u64 * 8)).expect("a bit of the file");
                damaged[bit / 8] ^= 1 << (bit % 8);
            }
            let given = decode(damaged, &|| format!("{name}, seed {seed}"));
            let changed =
                given.frames.iter().filter(|(_, hash)| whole.frames.iter().all(|(_, own)| own != hash)).count();
            if changed > 0 && !given.said {
                silent.push(seed);
            }
        }
        let bound = tolerated * usize::try_from(SEEDS).expect("few") / 100;
        assert!(silent.len() <= bound, "{name}: {} of {SEEDS} files changed silently: {silent:?}", silent.len());
    }
}
