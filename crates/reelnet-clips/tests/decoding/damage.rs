//! Damaged files: what can be decoded is exact, what cannot is named, and nothing is ever put in its place.

use std::fs;
use std::path::{Path, PathBuf};

use reelnet_clips::{ClipErrorKind, Decoder, FramePlan, Limits};

use crate::barcode::{folder, native, numbers, open, plan, refusal, video};

fn cut(path: &Path, keep: f64) -> PathBuf {
    let bytes = fs::read(path).expect("the file was made");
    let cut = path.with_file_name(format!("cut-{keep}-{}", path.file_name().expect("a name").display()));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length is a length")]
    let kept = (bytes.len() as f64 * keep) as usize;
    fs::write(&cut, &bytes[..kept]).expect("the folder is writable");
    cut
}

/// Either refuses the file, or gives all the frames of its index, exactly.
fn assert_cut_is_exact_or_refused(path: &Path) -> Option<usize> {
    let Ok(mut decoder) = Decoder::open(path, &Limits::default()) else { return None };
    let frames = decoder.index().frames();
    let plans: Vec<FramePlan> = (0..frames).map(|frame| plan([frame])).collect();
    let salvage = decoder.clips_salvaging(&plans, &native()).expect("the plans are legal");
    let mut decoded = 0;
    for clip in salvage.clips.iter().flatten() {
        // A lost frame leaves a gap in time, so numbers follow from times. 25 frames a second.
        let gap = (numbers(clip)[0] as f64 - clip.pts_seconds[0] * 25.0).abs();
        // Some containers hold no presentation times next to B-frames: the last frame of a cut file closes up there.
        let may_close_up = clip.indices == [frames - 1]
            && path.extension().is_some_and(|extension| extension == "avi" || extension == "mpg");
        let allowed = if may_close_up { 2.2 } else { 0.2 };
        assert!(gap < allowed, "{}: {} at {} s", path.display(), numbers(clip)[0], clip.pts_seconds[0]);
        decoded += 1;
    }
    assert_eq!(decoded == frames, salvage.error.is_none(), "{}: {:?}", path.display(), salvage.error);
    Some(decoded)
}

const X264: &str = "-c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12";

#[test]
fn an_mp4_without_its_index_is_refused() {
    let folder = folder();
    let whole = video(folder.path(), "a.mp4", 100, X264);
    for keep in [0.001, 0.01, 0.3, 0.7] {
        let (kind, sentence) = refusal(&cut(&whole, keep));
        assert_eq!(kind, "not_media", "{sentence}");
    }
    assert!(refusal(&cut(&whole, 0.5)).1.contains("moov"), "FFmpeg's reason is passed on");
}

#[test]
fn an_mp4_cut_short_gives_what_is_there() {
    let folder = folder();
    let whole = video(folder.path(), "a.mp4", 100, &format!("{X264} -movflags +faststart"));
    let path = cut(&whole, 0.6);
    let info = open(&path).index().info.clone();
    assert_eq!(info.claimed_frames, Some(100));
    assert!(info.frames > 10 && info.frames < 95, "{info:?}");
    for keep in [0.4, 0.45, 0.5, 0.55, 0.6, 0.8, 0.9, 0.99] {
        let decoded = assert_cut_is_exact_or_refused(&cut(&whole, keep));
        assert!(decoded.is_none_or(|decoded| decoded < 100), "a part of the file is missing");
    }
}

#[test]
fn other_containers_cut_short_give_what_is_there() {
    let folder = folder();
    for (name, options) in [
        ("a.mkv", X264),
        ("a.ts", X264),
        ("a.flv", X264),
        ("a.avi", "-c:v mpeg4 -q:v 3 -bf 2 -g 12"),
        ("a.mpg", "-c:v mpeg2video -q:v 3 -bf 2 -g 12"),
        ("a.webm", "-c:v libvpx-vp9 -b:v 1M -g 12 -deadline realtime -cpu-used 8"),
        ("a.gif", ""),
    ] {
        let whole = video(folder.path(), name, 100, options);
        for keep in [0.45, 0.6, 0.77, 0.85] {
            let decoded = assert_cut_is_exact_or_refused(&cut(&whole, keep));
            assert!(decoded.is_some_and(|decoded| decoded > 5 && decoded <= 100), "{name} {keep}: {decoded:?}");
        }
    }
}

#[test]
fn overwritten_bytes_cost_only_the_frames_they_hit() {
    let folder = folder();
    for (name, options) in [("a.mp4", X264), ("a.mkv", X264), ("a.webm", "-c:v libvpx-vp9 -g 12 -b:v 1M -cpu-used 8")] {
        let whole = video(folder.path(), name, 100, options);
        let mut bytes = fs::read(&whole).expect("the file was made");
        let hit = bytes.len() / 2;
        bytes[hit..hit + 200].fill(0x5a);
        let path = whole.with_file_name(format!("hit-{name}"));
        fs::write(&path, &bytes).expect("the folder is writable");

        let mut decoder = open(&path);
        let frames = decoder.index().frames();
        let plans: Vec<FramePlan> = (0..frames).map(|frame| plan([frame])).collect();
        let salvage = decoder.clips_salvaging(&plans, &native()).expect("the plans are legal");
        let found = salvage.clips.iter().flatten().count();
        assert!(found > 30, "{name}: {found} of {frames} frames, {:?}", salvage.error);
        // Frames of groups that were not hit are exact.
        for clip in salvage.clips.iter().take(24).flatten() {
            assert_eq!(numbers(clip), clip.indices, "{name}");
        }
    }
}

#[test]
fn errors_tell_time_and_count() {
    let folder = folder();
    // Frames in one long group: whatever comes after the hole cannot be decoded cleanly.
    let whole = video(folder.path(), "a.webm", 100, "-c:v libvpx-vp9 -g 1000 -b:v 1M -deadline realtime -cpu-used 8");
    let mut bytes = fs::read(&whole).expect("the file was made");
    let hit = bytes.len() / 2;
    bytes[hit..hit + 2000].fill(0xff);
    fs::write(&whole, &bytes).expect("the folder is writable");
    let mut decoder = open(&whole);
    let frames = decoder.index().frames();
    let plans: Vec<FramePlan> = (0..frames).map(|frame| plan([frame])).collect();
    match decoder.clips(&plans, &native()) {
        Err(error) => match error.kind {
            ClipErrorKind::Corrupt { seconds, frames_decoded, .. } => {
                assert!(seconds > 0.0 && seconds < 4.0, "{seconds}");
                assert!(frames_decoded > 0 && frames_decoded < 100, "{frames_decoded}");
            }
            other => panic!("{other:?}"),
        },
        Ok(clips) => assert!(clips.len() < 100, "2000 bytes are gone"),
    }
}

#[test]
fn a_file_says_that_it_is_cut_and_a_whole_one_does_not() {
    let folder = folder();
    let faststart = format!("{X264} -movflags +faststart");
    for (name, options) in [("a.mp4", faststart.as_str()), ("a.mkv", X264), ("a.webm", "-c:v libvpx")] {
        let whole = video(folder.path(), name, 100, options);
        assert_eq!(open(&whole).index().info.damage(), None, "{name}");
        for keep in [0.5, 0.9] {
            let damage = open(&cut(&whole, keep)).index().info.damage();
            assert!(matches!(damage, Some(ClipErrorKind::Corrupt { .. })), "{name} cut to {keep}: {damage:?}");
        }
    }
    for (name, options) in [("a.avi", "-c:v mpeg4"), ("a.ts", X264), ("a.mov", X264), ("a.flv", "-c:v flv")] {
        let whole = video(folder.path(), name, 100, options);
        assert_eq!(open(&whole).index().info.damage(), None, "{name}");
    }
}
