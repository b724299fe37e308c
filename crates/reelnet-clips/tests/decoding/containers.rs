//! Frame i is frame i, in every container and codec that video collections hold.

use std::path::Path;

use crate::barcode::{assert_every_frame_is_exact, ffmpeg, folder, native, numbers, open, plan, video};

fn check(name: &str, options: &str) {
    let folder = folder();
    let path = video(folder.path(), name, 100, options);
    assert_every_frame_is_exact(&path, 100);
}

const X264: &str = "-c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12";

#[test]
fn h264_in_mp4() {
    check("a.mp4", X264);
}

#[test]
fn h264_in_fragmented_mp4() {
    check("a.mp4", &format!("{X264} -movflags frag_keyframe+empty_moov"));
}

#[test]
fn h264_with_open_groups_in_mp4_and_mkv() {
    let open = format!("{X264} -x264-params open-gop=1:bframes=3:b-adapt=0:scenecut=0");
    check("a.mp4", &open);
    check("a.mkv", &open);
    check("a.ts", &open);
}

#[test]
fn h264_with_intra_refresh() {
    check("a.mp4", &format!("{X264} -x264-params intra-refresh=1:keyint=20"));
}

#[test]
fn h264_in_one_long_group() {
    check("a.mp4", &format!("{X264} -g 1000 -sc_threshold 0"));
}

#[test]
fn h264_in_mkv() {
    check("a.mkv", X264);
}

#[test]
fn h264_in_transport_stream() {
    check("a.ts", X264);
}

#[test]
fn h264_in_flv() {
    check("a.flv", X264);
}

#[test]
fn h264_in_avi() {
    check("a.avi", X264);
}

#[test]
fn h265_in_mp4() {
    check(
        "a.mp4",
        "-c:v libx265 -pix_fmt yuv420p -preset ultrafast -bf 3 -g 12 -x265-params log-level=error:open-gop=1",
    );
}

#[test]
fn mpeg4_in_avi_and_mp4() {
    check("a.avi", "-c:v mpeg4 -q:v 3 -bf 2 -g 12");
    check("a.mp4", "-c:v mpeg4 -q:v 3 -bf 2 -g 12");
}

#[test]
fn mpeg2_in_program_and_transport_stream() {
    check("a.mpg", "-c:v mpeg2video -q:v 3 -bf 2 -g 12");
    check("a.ts", "-c:v mpeg2video -q:v 3 -bf 2 -g 12");
}

#[test]
fn mpeg1_in_program_stream() {
    check("a.mpg", "-c:v mpeg1video -q:v 3 -bf 2 -g 12");
}

#[test]
fn vp8_in_webm_with_frames_that_are_never_shown() {
    check("a.webm", "-c:v libvpx -b:v 1M -g 12 -auto-alt-ref 1 -lag-in-frames 16 -deadline realtime -cpu-used 5");
}

#[test]
fn vp9_in_webm() {
    check("a.webm", "-c:v libvpx-vp9 -b:v 1M -g 12 -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16");
}

#[test]
fn motion_jpeg_in_avi_and_mov() {
    check("a.avi", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p");
    check("a.mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p");
}

#[test]
fn wmv_in_asf() {
    check("a.wmv", "-c:v wmv2 -b:v 2M -g 12");
}

#[test]
fn gif() {
    check("a.gif", "");
}

#[test]
fn several_decoder_threads_change_nothing() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 60, X264);
    let limits = reelnet_clips::Limits { decoder_threads: 3, ..Default::default() };
    let mut decoder = reelnet_clips::Decoder::open(&path, &limits).expect("a sound file");
    let clips = decoder.clips(&[plan(0..60), plan([59, 30, 31])], &native()).expect("all frames decode");
    assert_eq!(numbers(&clips[0]), (0..60).collect::<Vec<_>>());
    assert_eq!(numbers(&clips[1]), [59, 30, 31]);
}

fn copied(from: &Path, to: &str, before: &[&str], after: &[&str]) -> std::path::PathBuf {
    let path = from.with_file_name(to);
    let mut arguments: Vec<&std::ffi::OsStr> = before.iter().map(std::ffi::OsStr::new).collect();
    arguments.extend([std::ffi::OsStr::new("-i"), from.as_os_str()]);
    arguments.extend(["-c", "copy"].iter().map(std::ffi::OsStr::new));
    arguments.extend(after.iter().map(std::ffi::OsStr::new));
    arguments.push(path.as_os_str());
    ffmpeg(arguments, &[]);
    path
}

#[test]
fn frames_cut_away_by_an_edit_list_do_not_count() {
    let folder = folder();
    let whole = video(folder.path(), "whole.mp4", 100, &format!("{X264} -sc_threshold 0"));
    // A copy from 0.8 s on keeps the group's key frame at 0.48 s, and hides what comes before the cut.
    let cut = copied(&whole, "cut.mp4", &["-ss", "0.8"], &[]);
    let mut decoder = open(&cut);
    let frames = decoder.index().frames();
    let clips = decoder.clips(&[plan(0..frames), plan([frames - 1]), plan([0])], &native()).expect("all frames decode");
    assert_eq!(numbers(&clips[0]), (20..100).collect::<Vec<_>>());
    assert_eq!([numbers(&clips[1]), numbers(&clips[2])], [[99], [20]]);
}

#[test]
fn a_transport_stream_cut_in_the_middle_starts_at_its_first_key_frame() {
    let folder = folder();
    let whole = video(folder.path(), "whole.ts", 100, &format!("{X264} -sc_threshold 0"));
    let bytes = std::fs::read(&whole).expect("the file was made");
    let cut = whole.with_file_name("cut.ts");
    std::fs::write(&cut, &bytes[bytes.len() / 3 / 188 * 188..]).expect("the folder is writable");
    let mut decoder = open(&cut);
    let frames = decoder.index().frames();
    let clips = decoder.clips(&[plan(0..frames)], &native()).expect("all frames decode");
    assert_eq!(numbers(&clips[0]), (100 - frames..100).collect::<Vec<_>>());
    assert!(frames > 40 && (100 - frames).is_multiple_of(12), "{frames} frames");
}

#[test]
fn streams_glued_together_keep_all_their_frames() {
    let folder = folder();
    let one = video(folder.path(), "one.ts", 30, X264);
    let mut bytes = std::fs::read(&one).expect("the file was made");
    bytes.extend(bytes.clone());
    let both = one.with_file_name("both.ts");
    std::fs::write(&both, &bytes).expect("the folder is writable");
    let mut decoder = open(&both);
    let frames = decoder.index().frames();
    // The demuxer marks a packet at the seam as damaged, since the packet counters do not match there.
    assert!(frames >= 58, "{frames} of 60 frames");
    let clips = decoder.clips(&[plan(0..frames), plan([frames - 15])], &native()).expect("all frames decode");
    let found = numbers(&clips[0]);
    let expected: Vec<usize> = (0..30).chain(0..30).collect();
    let skipped = expected.iter().filter(|number| !found.contains(number)).count();
    assert_eq!(skipped, 0);
    assert!(found[..27] == expected[..27] && found[frames - 27..] == expected[33..], "{found:?}");
    assert_eq!(numbers(&clips[1]), [15]);
    assert!((decoder.index().info.duration_seconds - 2.4).abs() < 0.1, "{:?}", decoder.index().info);
}

#[test]
fn a_late_start_is_no_offset() {
    let folder = folder();
    let path = video(folder.path(), "late.ts", 50, &format!("{X264} -output_ts_offset 1000"));
    let info = open(&path).index().info.clone();
    assert!(info.start_seconds > 999.0, "{info:?}");
    assert!((info.duration_seconds - 2.0).abs() < 0.05, "{info:?}");
    assert_every_frame_is_exact(&path, 50);
}
