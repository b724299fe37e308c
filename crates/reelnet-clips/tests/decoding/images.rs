//! Still images come through the same door, as videos of one frame.

use std::fs;
use std::path::{Path, PathBuf};

use reelnet_clips::{ClipSpec, PastEnd, plan};

use crate::barcode::{HEIGHT, WIDTH, native, number, numbers, open, refusal};
use crate::barcode::{ffmpeg, folder, numbered};

/// Frame 83 as an image.
pub(crate) fn image(folder: &Path, name: &str, options: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let size = format!("{WIDTH}x{HEIGHT}");
    let name = path.display().to_string();
    let mut arguments = vec!["-f", "rawvideo", "-pix_fmt", "gray", "-s", &size, "-i", "-"];
    arguments.extend(options);
    arguments.extend(["-frames:v", "1", &name]);
    ffmpeg(arguments, &numbered(84)[83 * WIDTH * HEIGHT..]);
    path
}

#[test]
fn every_kind_of_image_is_a_video_of_one_frame() {
    let folder = folder();
    for (name, options) in [
        ("a.jpg", &["-q:v", "2", "-pix_fmt", "yuvj420p"][..]),
        ("grey.jpg", &["-q:v", "2", "-pix_fmt", "gray"]),
        ("a.png", &["-pix_fmt", "rgb24"]),
        ("grey.png", &["-pix_fmt", "gray"]),
        ("alpha.png", &["-pix_fmt", "rgba"]),
        ("deep.png", &["-pix_fmt", "rgb48be"]),
        ("a.webp", &["-c:v", "libwebp"]),
        ("a.bmp", &["-pix_fmt", "bgr24"]),
        ("a.tiff", &["-pix_fmt", "rgb24"]),
        ("a.gif", &[]),
    ] {
        let path = image(folder.path(), name, options);
        let mut decoder = open(&path);
        let info = decoder.index().info.clone();
        assert!(info.is_image, "{info:?}");
        assert_eq!((info.frames, info.width, info.height), (1, 128, 64), "{info:?}");
        let spec = ClipSpec { frames: 1, frame_step: 1, past_end: PastEnd::Loop };
        let plans = plan::uniform(decoder.index().timeline(), &spec, 2);
        let clips = decoder.clips(&plans, &native()).expect("an image decodes");
        assert_eq!([numbers(&clips[0]), numbers(&clips[1])], [[83], [83]], "{name}");
        let dark = clips[0].frames[[0, HEIGHT * 3 / 4, WIDTH * 7 / 8, 0]];
        let bright = clips[0].frames[[0, HEIGHT / 4, WIDTH / 8, 0]];
        assert!(dark.abs_diff(30) <= 3 && bright.abs_diff(220) <= 3, "{name}: {dark} {bright}");
    }
}

#[test]
fn exif_orientation_turns_a_jpeg() {
    let folder = folder();
    let path = image(folder.path(), "a.jpg", &["-q:v", "2", "-pix_fmt", "yuvj420p"]);
    let plain = fs::read(&path).expect("the file was made");
    // A minimal EXIF segment: big-endian TIFF with one entry, tag 0x0112 (orientation), SHORT, value 6.
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = [&plain[..2], exif, &plain[2..]].concat();
    let path = path.with_file_name("turned.jpg");
    fs::write(&path, turned).expect("the folder is writable");
    let mut decoder = open(&path);
    let info = decoder.index().info.clone();
    assert_eq!((info.rotation, info.width, info.height), (90, 64, 128), "{info:?}");
    let clip = decoder.clips(&[crate::barcode::plan([0])], &native()).expect("an image decodes").remove(0);
    let mut upright = clip.frames.index_axis(ndarray::Axis(0), 0).to_owned();
    // A quarter turn counter-clockwise: a transposition, upside down.
    upright.swap_axes(0, 1);
    upright.invert_axis(ndarray::Axis(0));
    assert_eq!(number(&upright.view()), 83);
}

#[test]
fn cut_images_are_refused() {
    let folder = folder();
    for (name, options) in
        [("a.jpg", &["-q:v", "2"][..]), ("a.png", &["-pix_fmt", "rgb24"]), ("a.webp", &["-c:v", "libwebp"])]
    {
        let path = image(folder.path(), name, options);
        let bytes = fs::read(&path).expect("the file was made");
        for keep in [bytes.len() / 4, bytes.len() / 2, bytes.len() * 3 / 4] {
            fs::write(&path, &bytes[..keep]).expect("the folder is writable");
            let (kind, sentence) = refusal(&path);
            assert!(["not_media", "nothing_decodable"].contains(&kind), "{name} {keep}: {sentence}");
        }
    }
}
