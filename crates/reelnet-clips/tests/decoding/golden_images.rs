//! Images that FFmpeg cannot write, held against Pillow; see `tests/images/README.md`.

use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis};
use reelnet_clips::{Decoder, Limits, MediaIndex};

use crate::barcode::{ffmpeg, folder, native, number, open, plan, refusal, video};
use crate::images::image;

const SIZE: (usize, usize) = (16, 24);

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images").join(name)
}

fn frames(decoder: &mut Decoder, wanted: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let clip = decoder.clips(&[plan(wanted)], &native()).expect("all frames decode").remove(0);
    clip.frames.outer_iter().map(|frame| frame.iter().copied().collect()).collect()
}

/// How far the worst and the mean byte of all frames are from Pillow's, and the frames themselves.
fn differences(name: &str) -> (u8, f64, Vec<Vec<u8>>) {
    let mut decoder = open(&golden(name));
    let count = decoder.index().frames();
    let found = frames(&mut decoder, 0..count);
    let expected = std::fs::read(golden(&format!("{name}.rgb"))).expect("made by the script");
    assert_eq!(expected.len(), count * SIZE.0 * SIZE.1 * 3, "{name}: {:?}", decoder.index().info);
    let apart: Vec<u8> = found.concat().iter().zip(&expected).map(|(ours, theirs)| ours.abs_diff(*theirs)).collect();
    let mean = apart.iter().copied().map(f64::from).sum::<f64>() / apart.len() as f64;
    (apart.into_iter().max().unwrap_or(0), mean, found)
}

#[test]
fn inks_are_those_of_pillow() {
    // Steps of rounding: Pillow rounds RGB, then mixes black in; FFmpeg mixes black into Y, Cb and Cr, and rounds those.
    for (name, worst, mean) in [("cmyk.jpg", 2, 0.6), ("ycck.jpg", 4, 1.0)] {
        let (found_worst, found_mean, _) = differences(name);
        assert!(found_worst <= worst && found_mean <= mean, "{name}: {found_worst} {found_mean}");
    }
    let (kind, sentence) = refusal(&golden("unnamed-inks.jpg"));
    assert!(kind == "nothing_decodable" && sentence.contains("Adobe"), "{sentence}");
}

#[test]
fn animations_are_painted_like_those_of_pillow() {
    for name in [
        "solid.webp",
        "clear.webp",
        "solid.png",
        "background.png",
        "previous.png",
        "background.gif",
        "kept.gif",
        "palette.png",
    ] {
        let (worst, mean, _) = differences(name);
        assert_eq!(worst, 0, "{name}: {mean}");
    }
    // Lossy, and libwebp rounds otherwise.
    let (worst, mean, _) = differences("lossy.webp");
    assert!(worst <= 2 && mean < 0.5, "{worst} {mean}");
}

#[test]
fn animations_have_their_own_times_and_any_order_gives_the_same() {
    for name in ["solid.webp", "lossy.webp", "clear.webp", "solid.png", "background.gif"] {
        let (_, _, sequential) = differences(name);
        let mut decoder = open(&golden(name));
        let info = decoder.index().info.clone();
        let times: Vec<f64> = (0..5).map(|frame| decoder.index().pts_seconds(frame)).collect();
        for (time, expected) in times.into_iter().zip([0.0, 0.04, 0.12, 0.24, 0.28]) {
            assert!((time - expected).abs() < 0.006, "{name}: {time} {info:?}");
        }
        assert!((info.duration_seconds - 0.58).abs() < 0.006, "{name} {info:?}");
        assert!(info.variable_frame_rate && !info.is_image, "{name}: {info:?}");
        assert_eq!(frames(&mut decoder, [3, 1, 4, 1, 0]), [3, 1, 4, 1, 0].map(|frame| sequential[frame].clone()));
        assert_eq!(frames(&mut decoder, [0]), [sequential[0].clone()]);
        assert_eq!(frames(&mut open(&golden(name)), [2]), [sequential[2].clone()]);
    }
}

#[test]
fn a_cut_animation_gives_its_whole_frames_and_says_so() {
    let (_, _, sequential) = differences("lossy.webp");
    let whole = std::fs::read(golden("lossy.webp")).expect("it is there");
    let folder = folder();
    let path = folder.path().join("cut.webp");
    for keep in 0..whole.len() {
        std::fs::write(&path, &whole[..keep]).expect("the folder is writable");
        let Ok(mut decoder) = Decoder::open(&path, &Limits::default()) else { continue };
        let count = decoder.index().frames();
        assert!(decoder.index().info.damage().is_some(), "{keep} bytes: {:?}", decoder.index().info);
        assert_eq!(frames(&mut decoder, 0..count), sequential[..count], "{keep} bytes");
        assert!(count < 5 || keep > whole.len() - 8, "{keep} bytes: {count} frames");
    }
}

#[test]
fn exif_turns_png_webp_and_tiff() {
    let expected = std::fs::read(golden("turned.rgb")).expect("made by the script");
    for name in ["turned.png", "turned.webp", "turned.tiff"] {
        let mut decoder = open(&golden(name));
        let info = decoder.index().info.clone();
        assert_eq!((info.rotation, info.width, info.height), (90, 16, 24), "{info:?}");
        assert_eq!(frames(&mut decoder, [0]).concat(), expected, "{name}");
    }
}

/// The stored picture of one that is shown, by the words of the standard: where row 0 and column 0 belong.
fn stored(shown: &Array3<u8>, orientation: u8) -> Array3<u8> {
    // Rows top to bottom or bottom to top, columns left to right or right to left; and whether rows are columns.
    let (rows_reversed, columns_reversed, is_turned) = match orientation {
        1 => (false, false, false),
        2 => (false, true, false),
        3 => (true, true, false),
        4 => (true, false, false),
        5 => (false, false, true),
        6 => (false, true, true),
        7 => (true, true, true),
        8 => (true, false, true),
        other => panic!("no orientation {other}"),
    };
    let mut stored = shown.clone();
    if rows_reversed {
        stored.invert_axis(Axis(0));
    }
    if columns_reversed {
        stored.invert_axis(Axis(1));
    }
    if is_turned {
        stored.swap_axes(0, 1);
    }
    stored
}

#[test]
fn all_eight_orientations_of_a_jpeg() {
    let folder = folder();
    let path = image(folder.path(), "a.jpg", &["-q:v", "2", "-pix_fmt", "yuvj420p"]);
    let plain = std::fs::read(&path).expect("the file was made");
    for orientation in 1..=8 {
        // A minimal EXIF segment: big-endian TIFF with one entry, tag 0x0112 (orientation), SHORT.
        let mut exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
        std::fs::write(&path, [&plain[..2], &exif, &plain[2..]].concat()).expect("the folder is writable");
        let mut decoder = open(&path);
        let info = decoder.index().info.clone();
        let size = if orientation > 4 { (64, 128) } else { (128, 64) };
        assert_eq!((info.width, info.height), size, "{orientation}: {info:?}");
        let clip = decoder.clips(&[plan([0])], &native()).expect("an image decodes").remove(0);
        let shown = clip.frames.index_axis(Axis(0), 0).to_owned();
        assert_eq!(number(&stored(&shown, orientation).view()), 83, "{orientation}");
    }
}

#[test]
fn sixteen_bits_become_eight() {
    let folder = folder();
    let path = folder.path().join("deep.png");
    let values: Vec<u16> =
        (0..64 * 16 * 3).map(|n: u32| u16::try_from(n * 40_503 % 65_536).expect("16 bits")).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let name = path.display().to_string();
    ffmpeg(["-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "64x16", "-i", "-", "-pix_fmt", "rgb48be", &name], &bytes);
    let found = frames(&mut open(&path), [0]).concat();
    for (found, value) in found.into_iter().zip(values) {
        assert!((f64::from(found) - f64::from(value) / 257.0).abs() < 1.5, "{found} for {value}");
    }
}

// ---- Folders of numbered images ----

/// 60 numbered frames at 25 a second, as files named by a pattern.
fn numbered_images(folder: &Path, pattern: &str, start: usize, options: &str) {
    video(folder, pattern, 60, &format!("-start_number {start} {options}"));
}

#[test]
fn a_folder_of_numbered_images_is_a_video() {
    for (pattern, start, options) in [
        ("%06d.jpg", 1, "-q:v 2 -pix_fmt yuvj420p"),
        ("frame%d.png", 0, "-pix_fmt rgb24"),
        ("shot_a-%03d.webp", 97, "-c:v libwebp -lossless 1 -f image2"),
        ("%d.bmp", 8, "-pix_fmt bgr24"),
    ] {
        let folder = folder();
        numbered_images(folder.path(), pattern, start, options);
        std::fs::write(folder.path().join("notes.txt"), "12.jpg").expect("the folder is writable");
        crate::barcode::assert_every_frame_is_exact(folder.path(), 60);
        let info = open(folder.path()).index().info.clone();
        assert_eq!(info.container, "image_sequence", "{pattern}");
        assert!((info.fps - 25.0).abs() < 1e-6 && (info.duration_seconds - 2.4).abs() < 1e-6, "{pattern}: {info:?}");
        assert!(!info.is_image && !info.variable_frame_rate && info.damage().is_none(), "{pattern}: {info:?}");
    }
}

#[test]
fn a_folder_has_the_frame_rate_that_the_caller_says() {
    let folder = folder();
    numbered_images(folder.path(), "%06d.png", 1, "-pix_fmt gray");
    for (fps, duration) in [(29.97, 60.0 / 29.97), (0.5, 120.0)] {
        let media = reelnet_clips::Media::path(folder.path()).at_fps(fps);
        let index = MediaIndex::open(media, &Limits::default()).expect("a sound folder");
        assert!((index.info.fps - fps).abs() < 1e-5 && (index.info.duration_seconds - duration).abs() < 1e-3);
        assert!((index.pts_seconds(7) - 7.0 / fps).abs() < 1e-5);
    }
    for fps in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
        let media = reelnet_clips::Media::path(folder.path()).at_fps(fps);
        assert_eq!(MediaIndex::open(media, &Limits::default()).expect_err("no rate").kind.name(), "bad_frame_rate");
    }
}

#[test]
fn gaps_mixed_sizes_and_a_broken_image() {
    let folder = folder();
    numbered_images(folder.path(), "%03d.jpg", 5, "-q:v 2 -pix_fmt yuvj420p");
    let at = |number: usize| folder.path().join(format!("{number:03}.jpg"));
    for number in [20, 21, 22, 64] {
        std::fs::remove_file(at(number)).expect("it is there");
    }
    // Another size and another format, under the same series.
    let large = at(10).with_extension("png");
    ffmpeg(["-i".as_ref(), at(10).as_os_str(), "-vf".as_ref(), "scale=256:128".as_ref(), large.as_os_str()], &[]);
    std::fs::remove_file(at(10)).expect("it is there");
    let whole = std::fs::read(at(5)).expect("it is there");
    std::fs::write(at(5), &whole[..whole.len() / 2]).expect("the folder is writable");
    std::fs::write(at(30), b"").expect("the folder is writable");

    let mut decoder = open(folder.path());
    assert_eq!(decoder.index().frames(), 56);
    assert!((decoder.index().pts_seconds(15) - 18.0 / 25.0).abs() < 1e-9, "the gap takes its time");
    let plans: Vec<_> = (0..56).map(|frame| plan([frame])).collect();
    let salvage = decoder.clips_salvaging(&plans, &native()).expect("legal plans");
    let error = salvage.error.expect("two images are broken").to_string();
    assert!(
        error.contains("damaged at 0.000 s") && error.contains("`005.jpg`") && error.contains("54 frames"),
        "{error}"
    );
    for (frame, clip) in salvage.clips.iter().enumerate() {
        let written = if frame < 15 { frame } else { frame + 3 };
        match clip {
            None => assert!(written == 0 || written == 25, "{frame}"),
            Some(clip) => assert_eq!(crate::barcode::numbers(clip), [written]),
        }
    }
    // Only wanted images are opened: with all but two gone, those two still come.
    let kept = [plan([1]), plan([40])];
    for number in (5..64).filter(|&number| number != 6 && number != 48) {
        let _ = std::fs::remove_file(at(number));
    }
    assert_eq!(crate::barcode::numbers(&decoder.clips(&kept, &native()).expect("both are there")[1]), [43]);
    let gone = decoder.clips(&[plan([1, 2])], &native()).expect_err("the third is gone").to_string();
    assert!(gone.contains("`007.jpg`") && gone.contains("no such file"), "{gone}");
}

#[test]
fn folders_that_are_no_video_say_why() {
    let folder = folder();
    assert_eq!(refusal(folder.path()).0, "is_directory");
    for name in ["a1.jpg", "b1.jpg"] {
        std::fs::write(folder.path().join(name), b"x").expect("the folder is writable");
    }
    let (kind, sentence) = refusal(folder.path());
    assert!(kind == "ambiguous_folder" && sentence.contains("`a…`, `b…`"), "{sentence}");
    std::fs::remove_file(folder.path().join("b1.jpg")).expect("it is there");
    let (kind, sentence) = refusal(folder.path());
    assert!(kind == "nothing_decodable" && sentence.contains("`a1.jpg`"), "{sentence}");
}
