//! Every codec and container that this `ffmpeg` can write: frame i is frame i, access in any order gives the bytes that
//! sequential decoding gives, and the decoded planes are those that FFmpeg itself decodes.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reelnet_clips::{Crop, Decoder, Filter, FrameGeometry, FramePlan, Limits, Resize};
use sha2::{Digest as _, Sha256};

use crate::barcode::{ffmpeg, folder, native, number, numbered, open, plan, video};

const COUNT: usize = 60;

/// Name, options of the encoder and the muxer. Numbered frames of 128x64 at 25 frames a second.
const CASES: &[(&str, &str)] = &[
    ("gop1.mp4", "-c:v libx264 -pix_fmt yuv420p -g 1"),
    ("gop12.mp4", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 3"),
    ("gop600.mkv", "-c:v libx264 -pix_fmt yuv420p -g 600 -bf 16 -x264-params b-pyramid=normal:b-adapt=0:scenecut=0"),
    ("open.mp4", "-c:v libx264 -pix_fmt yuv420p -g 10 -x264-params open-gop=1:bframes=3:b-adapt=0:scenecut=0"),
    ("open.mov", "-c:v libx264 -pix_fmt yuv420p -g 10 -x264-params open-gop=1:bframes=4:b-pyramid=strict:b-adapt=0"),
    ("slices.ts", "-c:v libx264 -pix_fmt yuv420p -g 15 -slices 4"),
    ("weighted.flv", "-c:v libx264 -pix_fmt yuv420p -g 20 -bf 2 -x264-params weightp=2:weightb=1"),
    ("intra-refresh.mp4", "-c:v libx264 -pix_fmt yuv420p -x264-params intra-refresh=1:keyint=16"),
    ("ten-bit.mp4", "-c:v libx264 -pix_fmt yuv420p10le -g 12 -bf 2"),
    ("full-chroma.mp4", "-c:v libx264 -pix_fmt yuv444p -g 12 -bf 2"),
    ("half-chroma.mkv", "-c:v libx264 -pix_fmt yuv422p10le -g 12 -bf 2"),
    ("grey.mp4", "-c:v libx264 -pix_fmt gray -g 12 -bf 2"),
    ("odd.mkv", "-vf scale=127:63 -c:v libx264 -pix_fmt yuv444p -g 12 -bf 2"),
    ("odd.mov", "-vf scale=127:63 -c:v prores_ks"),
    ("interlaced.mp4", "-vf setfield=tff -c:v libx264 -pix_fmt yuv420p -g 12 -bf 2 -flags +ildct+ilme"),
    ("interlaced.mpg", "-vf setfield=tff -c:v mpeg2video -q:v 2 -g 12 -bf 2 -flags +ildct+ilme"),
    ("lossless.mp4", "-c:v libx264rgb -qp 0 -g 12 -bf 2"),
    ("late.ts", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2 -output_ts_offset 500"),
    ("late.mkv", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2 -output_ts_offset 3.3"),
    ("uneven.mkv", "-vf setpts=(N+mod(N*N\\,7))/25/TB -fps_mode passthrough -c:v libx264 -pix_fmt yuv420p -g 12 -bf 2"),
    ("uneven.mp4", "-vf setpts=(N*2+mod(N\\,2))/25/TB -fps_mode passthrough -c:v libx264 -pix_fmt yuv420p -g 12 -bf 2"),
    ("hevc.mp4", "-c:v libx265 -pix_fmt yuv420p -preset ultrafast -x265-params log-level=none:keyint=12:bframes=4"),
    (
        "hevc-open.mkv",
        "-c:v libx265 -pix_fmt yuv420p -preset fast -x265-params log-level=none:keyint=10:open-gop=1:b-pyramid=1",
    ),
    (
        "hevc-layers.mp4",
        "-c:v libx265 -pix_fmt yuv420p -preset fast -x265-params log-level=none:keyint=20:temporal-layers=1:bframes=3",
    ),
    ("hevc-ten-bit.ts", "-c:v libx265 -pix_fmt yuv420p10le -preset ultrafast -x265-params log-level=none:keyint=12"),
    ("vp8.webm", "-c:v libvpx -b:v 1M -g 12 -auto-alt-ref 1 -lag-in-frames 16 -deadline realtime -cpu-used 5"),
    ("vp9.webm", "-c:v libvpx-vp9 -b:v 1M -g 12 -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16"),
    ("vp9.mp4", "-c:v libvpx-vp9 -b:v 1M -g 20 -deadline realtime -cpu-used 8"),
    ("av1.mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 20 -b:v 1M"),
    ("av1.mkv", "-c:v libsvtav1 -preset 12 -g 20"),
    ("mpeg2.ts", "-c:v mpeg2video -q:v 2 -bf 2 -g 12"),
    ("mpeg2.mpg", "-c:v mpeg2video -q:v 2 -bf 2 -g 12 -flags +cgop -sc_threshold 1000000000"),
    ("mpeg4.mp4", "-c:v mpeg4 -q:v 2 -bf 2 -g 12"),
    ("mpeg4.avi", "-c:v mpeg4 -q:v 2 -bf 2 -g 12"),
    ("mpeg4.mkv", "-c:v mpeg4 -q:v 2 -bf 2 -g 12"),
    ("theora.mkv", "-c:v libtheora -q:v 8 -g 12"),
    ("prores.mov", "-c:v prores_ks"),
    ("mjpeg.avi", "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p"),
    ("mjpeg.mov", "-c:v mjpeg -q:v 2 -pix_fmt yuvj444p"),
    ("ffv1.mkv", "-c:v ffv1 -level 3 -g 10"),
    ("ffv1.avi", "-c:v ffv1 -pix_fmt yuv420p"),
    ("one.mp4", "-vf select=lt(n\\,1) -fps_mode passthrough -c:v libx264 -pix_fmt yuv420p"),
    ("two.gif", "-vf select=lt(n\\,2) -fps_mode passthrough"),
    ("many.gif", ""),
];

/// Hashes of all frames as FFmpeg decodes them one after another.
fn expected_hashes(path: &Path) -> Vec<String> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-noautorotate", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framehash", "-hash", "sha256", "-"])
        .output()
        .expect("ffmpeg runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("framehash writes text");
    let hashes = lines.lines().filter(|line| !line.starts_with('#'));
    hashes.map(|line| line.rsplit(',').next().unwrap_or_default().trim().to_string()).collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What the decoder gives for one frame after another, and for frames in other orders and companies.
fn assert_conforms(path: &Path, count: usize) {
    let name = path.display();
    let mut decoder = open(path);
    assert_eq!(decoder.index().frames(), count, "{name}: {:?}", decoder.index().info);
    let mut sequential = Vec::new();
    decoder.visit(0..count, &native(), |frame| sequential.push(frame.bytes.to_vec())).expect("all frames decode");
    assert_eq!(sequential.len(), count, "{name}");

    // ---- Native planes ----
    let expected = expected_hashes(path);
    let mut hashes = vec![String::new(); count];
    decoder.visit_native(0..count, |frame| hashes[frame.index] = hex(frame.bytes)).expect("all frames decode");
    assert_eq!(hashes, expected, "{name}");
    for stride in [7, 13] {
        let wanted: Vec<usize> = (3 % count..count).step_by(stride).collect();
        let mut found = Vec::new();
        let visitor = |frame: reelnet_clips::NativeFrame<'_>| found.push((frame.index, hex(frame.bytes)));
        open(path).visit_native(wanted.iter().copied(), visitor).expect("these frames decode");
        let sparse: Vec<(usize, String)> = wanted.iter().map(|&frame| (frame, expected[frame].clone())).collect();
        assert_eq!(found, sparse, "{name}: every {stride}th");
    }

    // ---- Any order ----
    for threads in [1, 2] {
        let mut decoder =
            Decoder::open(path, &Limits { decoder_threads: threads, ..Limits::default() }).expect("opens");
        let singles: Vec<usize> = (0..count).map(|step| (step * 37 + 11) % count).collect();
        for group in singles.chunks(5) {
            let plans: Vec<FramePlan> = group.iter().map(|&frame| plan([frame])).collect();
            let clips = decoder.clips(&plans, &native()).expect("these frames decode");
            for (clip, &frame) in clips.iter().zip(group) {
                let bytes = clip.frames.as_slice().expect("contiguous");
                assert!(bytes == sequential[frame], "{name}: frame {frame} of {group:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn every_codec_and_container() {
    let folder = folder();
    // Two at a time: encoders and decoders take turns on the cores.
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(&(name, options)) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if std::panic::catch_unwind(|| check(folder.path(), name, options)).is_err() {
                        failed.lock().expect("nobody panics with it").push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics with it");
    assert!(failed.is_empty(), "{failed:?}; their reasons are above");
}

fn check(folder: &Path, name: &str, options: &str) {
    let path = video(folder, name, COUNT, options);
    let count = match name {
        "one.mp4" => 1,
        "two.gif" => 2,
        _ => COUNT,
    };
    assert_conforms(&path, count);
    let clips = open(&path).clips(&[plan(0..count)], &native()).expect("all frames decode");
    let found: Vec<usize> = clips[0].frames.outer_iter().map(|frame| number(&frame)).collect();
    assert_eq!(found, (0..count).collect::<Vec<_>>(), "{name}");
}

/// Two recordings glued together, the second one smaller, as broadcasts do it.
#[test]
fn geometry_that_changes_in_mid_stream() {
    let folder = folder();
    for (ending, codec) in
        [("ts", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2"), ("h264", "-c:v libx264 -pix_fmt yuv420p -g 12")]
    {
        let parts = ["", "-vf scale=64:48 "].map(|scale| {
            let name = format!("{}.{ending}", scale.len());
            video(folder.path(), &name, COUNT, &format!("{scale}{codec}"))
        });
        let glued = folder.path().join(format!("glued.{ending}"));
        let bytes = parts.each_ref().map(|part| std::fs::read(part).expect("it was made"));
        std::fs::write(&glued, bytes.concat()).expect("there is room");
        let expected: Vec<String> = parts.iter().flat_map(|part| expected_hashes(part)).collect();

        let mut decoder = open(&glued);
        assert_eq!(decoder.index().frames(), 2 * COUNT, "{ending}: {:?}", decoder.index().info);
        let (mut hashes, mut sizes) = (Vec::new(), Vec::new());
        let visitor = |frame: reelnet_clips::NativeFrame<'_>| {
            hashes.push(hex(frame.bytes));
            sizes.push(frame.size);
        };
        decoder.visit_native(0..2 * COUNT, visitor).expect("all frames decode");
        assert!(hashes == expected, "{ending}");
        assert_eq!((sizes[0], sizes[2 * COUNT - 1]), ([128, 64], [64, 48]), "{ending}");

        // Clips have one size: that of their first frame.
        let mut sequential = Vec::new();
        decoder
            .visit(0..2 * COUNT, &native(), |frame| sequential.push(frame.bytes.to_vec()))
            .expect("all frames decode");
        let wanted = [2, COUNT - 1, COUNT, 2 * COUNT - 1];
        let clips = open(&glued).clips(&[plan(wanted)], &native()).expect("these frames decode");
        for (frame, index) in clips[0].frames.outer_iter().zip(wanted) {
            assert!(frame.as_slice().expect("contiguous") == sequential[index], "{ending}: frame {index}");
        }
    }
}

#[test]
fn turned_by_the_container() {
    let folder = folder();
    let upright = video(folder.path(), "upright.mp4", COUNT, "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2");
    for degrees in ["90", "180", "270"] {
        let path = folder.path().join(format!("turned-{degrees}.mp4"));
        let rotate = format!("rotate={degrees}");
        let input = upright.as_os_str();
        let mut arguments: Vec<&std::ffi::OsStr> = vec!["-i".as_ref(), input, "-c".as_ref(), "copy".as_ref()];
        arguments.extend(["-metadata:s:v:0".as_ref(), rotate.as_ref(), path.as_os_str()]);
        ffmpeg(arguments, &[]);
        assert_conforms(&path, COUNT);
    }
}

#[test]
fn raw_numbers_are_what_was_written() {
    // The suite would prove nothing if all frames looked alike.
    let frames = numbered(COUNT);
    let size = frames.len() / COUNT;
    let different: std::collections::HashSet<&[u8]> = frames.chunks(size).collect();
    assert_eq!(different.len(), COUNT);
}

#[test]
fn what_is_inside_an_emptied_decoder_is_not_decoded_again() {
    let folder = folder();
    let options = "-c:v libx264 -pix_fmt yuv420p -g 600 -bf 3 -x264-params b-adapt=0:scenecut=0";
    let path = video(folder.path(), "deep.mp4", COUNT, options);
    for decoder_threads in [1, 2] {
        let limits = Limits { decoder_threads, ..Limits::default() };
        let mut decoder = Decoder::open(&path, &limits).expect("a sound file");
        let clips = decoder.clips(&[plan(20..40)], &native()).expect("all frames are there");
        assert_eq!(clips[0].indices, (20..40).collect::<Vec<usize>>());
        // Frame 39 needs at most the two packets that are shown behind it; nothing needs a second pass.
        assert!(decoder.packets_decoded() <= 43, "{} packets for 40 frames", decoder.packets_decoded());
    }
}

#[test]
fn threads_change_no_pixel() {
    let folder = folder();
    let path =
        video(folder.path(), "threads.mp4", COUNT, "-vf scale=512:256 -c:v libx264 -pix_fmt yuv420p -g 12 -bf 3");
    let geometry = FrameGeometry { resize: Resize::ShorterSide(100), crop: Crop::None, filter: Filter::Bilinear };
    let plans = [plan((0..COUNT).step_by(3)), plan([7, 7, 3, 59, 7]), plan([])];
    let mut results = [1, 2, 5].map(|decoder_threads| {
        let limits = Limits { decoder_threads, ..Limits::default() };
        Decoder::open(&path, &limits).and_then(|mut decoder| decoder.clips(&plans, &geometry)).expect("a sound file")
    });
    let [one, others @ ..] = &mut results;
    for other in others {
        for (one, other) in one.iter().zip(other.iter()) {
            assert_eq!((&one.indices, &one.frames), (&other.indices, &other.frames));
        }
    }
}

#[test]
fn a_geometry_that_fits_no_picture_is_refused_by_threads_too() {
    let folder = folder();
    let path = video(folder.path(), "small.mp4", COUNT, "-c:v libx264 -pix_fmt yuv420p -g 12");
    let geometry = FrameGeometry {
        resize: Resize::Native,
        crop: Crop::Centre { width: 500, height: 500 },
        filter: Filter::Bilinear,
    };
    let limits = Limits { decoder_threads: 2, ..Limits::default() };
    let mut decoder = Decoder::open(&path, &limits).expect("a sound file");
    let error = decoder.clips(&[plan(0..5)], &geometry).expect_err("a crop larger than the picture");
    assert_eq!(error.kind.name(), "crop_too_large");
    // The decoder is as good as before.
    assert!(decoder.clips(&[plan(0..5)], &native()).is_ok());
}
