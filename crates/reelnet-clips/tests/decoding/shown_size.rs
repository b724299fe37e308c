//! Frames look as they were meant to: turned, stretched, resized, cropped, in the right colours.

use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis};
use reelnet_clips::{Clip, Crop, Decoder, Filter, FrameGeometry, Resize};

use crate::barcode::{ffmpeg, folder, native, number, numbers, open, plan, video};

const X264: &str = "-c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12";

/// The same stream, with another rotation in its header: FFmpeg's option counts counter-clockwise.
fn rotated(folder: &Path, degrees: &str) -> PathBuf {
    let plain = video(folder, "plain.mp4", 20, X264);
    let path = folder.join(format!("rotated{degrees}.mp4"));
    let [plain, name] = [&plain, &path].map(|path| path.display().to_string());
    ffmpeg(["-i", &plain, "-c", "copy", "-metadata:s:v:0", &format!("rotate={degrees}"), &name], &[]);
    path
}

fn frame(decoder: &mut Decoder, index: usize) -> Array3<u8> {
    let clip: Clip = decoder.clips(&[plan([index])], &native()).expect("a frame decodes").remove(0);
    clip.frames.index_axis(Axis(0), 0).to_owned()
}

#[test]
fn rotations_are_undone() {
    let folder = folder();
    for (degrees, shown) in [("90", (64, 128)), ("180", (128, 64)), ("270", (64, 128))] {
        let mut decoder = open(&rotated(folder.path(), degrees));
        let info = decoder.index().info.clone();
        assert_eq!((360 - info.rotation).to_string(), degrees);
        assert_eq!((info.width, info.height), shown);
        assert_eq!((info.coded_width, info.coded_height), (128, 64));
        let mut frame = frame(&mut decoder, 13);
        // Turning back counter-clockwise by the same angle must give the coded frame.
        for _ in 0..info.rotation / 90 {
            frame.swap_axes(0, 1);
            frame.invert_axis(Axis(0));
        }
        assert_eq!(number(&frame.view()), 13, "rotation by {degrees}");
    }
}

#[test]
fn the_same_as_ffmpeg_turns() {
    let folder = folder();
    for degrees in ["0", "90", "180", "270"] {
        let path = rotated(folder.path(), degrees);
        let raw = folder.path().join("raw");
        let [name, raw_name] = [&path, &raw].map(|path| path.display().to_string());
        ffmpeg(["-i", &name, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", &raw_name], &[]);
        let theirs = std::fs::read(&raw).expect("ffmpeg wrote it");
        let ours = frame(&mut open(&path), 0);
        let worst = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!(ours.len(), theirs.len());
        assert!(worst <= Some(2), "rotation by {degrees} differs by {worst:?}");
    }
}

#[test]
fn pixels_that_are_not_square_are_stretched() {
    let folder = folder();
    for (aspect, width) in [("2/1", 256), ("4/3", 171), ("1/2", 64)] {
        for container in ["mp4", "mkv"] {
            let options = format!("{X264} -vf setsar={aspect}");
            let path = video(folder.path(), &format!("sar.{container}"), 20, &options);
            let mut decoder = open(&path);
            let info = decoder.index().info.clone();
            assert_eq!((info.width, info.height), (width, 64), "{info:?}");
            let frame = frame(&mut decoder, 11);
            assert_eq!(frame.dim(), (64, width as usize, 3));
            assert_eq!(number(&frame.view()), 11);
        }
    }
}

#[test]
fn resize_and_crop() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 20, X264);
    for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Area] {
        for (resize, crop, size) in [
            (Resize::ShorterSide(32), Crop::None, (32, 64)),
            (Resize::ShorterSide(96), Crop::None, (96, 192)),
            (Resize::Exact { width: 50, height: 50 }, Crop::None, (50, 50)),
            (Resize::ShorterSide(32), Crop::Centre { width: 32, height: 32 }, (32, 32)),
        ] {
            let geometry = FrameGeometry { resize, crop, filter };
            let clip = open(&path).clips(&[plan([3, 17])], &geometry).expect("frames decode").remove(0);
            assert_eq!(clip.frames.dim(), (2, size.0, size.1, 3));
            if crop == Crop::None {
                assert_eq!(numbers(&clip), [3, 17], "{geometry:?}");
            }
        }
    }
    let crop = Crop::Centre { width: 65, height: 65 };
    let geometry = FrameGeometry { resize: Resize::Native, crop, filter: Filter::Area };
    let error = open(&path).clips(&[plan([3])], &geometry).expect_err("the crop is larger than the frame");
    assert_eq!(error.kind.name(), "crop_too_large");
}

#[test]
fn a_crop_is_a_part_of_the_whole() {
    let folder = folder();
    let path = rotated(folder.path(), "90");
    let whole = FrameGeometry { resize: Resize::ShorterSide(48), crop: Crop::None, filter: Filter::Bicubic };
    let part = FrameGeometry { crop: Crop::Centre { width: 31, height: 40 }, ..whole.clone() };
    let [whole, part] =
        [whole, part].map(|geometry| open(&path).clips(&[plan([7])], &geometry).expect("decodes").remove(0));
    assert_eq!(whole.frames.dim(), (1, 96, 48, 3));
    // (48 - 31) / 2 = 8.5 rounds to the even 8.
    let cropped = whole.frames.slice(ndarray::s![.., 28..68, 8..39, ..]);
    assert_eq!(part.frames, cropped);
}

#[test]
fn stated_colours_are_followed() {
    let folder = folder();
    for (matrix, range) in [("bt709", "tv"), ("smpte170m", "tv"), ("bt709", "pc"), ("smpte170m", "pc")] {
        let path = folder.path().join(format!("{matrix}-{range}.mkv"));
        let name = path.display().to_string();
        let filter =
            format!("color=0xc03020:s=64x64:d=1,scale=out_color_matrix={matrix}:out_range={range},format=yuv444p");
        ffmpeg(
            ["-f", "lavfi", "-i", &filter, "-c:v", "ffv1", "-colorspace", matrix, "-color_range", range, &name],
            &[],
        );
        let mut decoder = open(&path);
        let info = decoder.index().info.clone();
        let frame = frame(&mut decoder, 0);
        let pixel = [0, 1, 2].map(|channel| frame[[32, 32, channel]]);
        let near = pixel.iter().zip([0xc0_u8, 0x30, 0x20]).all(|(ours, wanted)| ours.abs_diff(wanted) <= 2);
        assert!(near, "{matrix} {range}: {pixel:?} {info:?}");
    }
}

#[test]
fn a_video_that_changes_its_size_keeps_one_clip_size() {
    let folder = folder();
    let small = video(folder.path(), "small.ts", 25, X264);
    let large = video(folder.path(), "large.ts", 25, &format!("{X264} -vf scale=256:128"));
    let mut bytes = std::fs::read(&small).expect("the file was made");
    bytes.extend(std::fs::read(&large).expect("the file was made"));
    let both = folder.path().join("both.ts");
    std::fs::write(&both, &bytes).expect("the folder is writable");
    let mut decoder = open(&both);
    let frames = decoder.index().frames();
    let clip = decoder.clips(&[plan(0..frames)], &native()).expect("all frames decode").remove(0);
    assert_eq!(clip.frames.dim(), (frames, 64, 128, 3));
    let found = numbers(&clip);
    // A frame or two are lost at the seam.
    let expected: Vec<usize> = (0..25).chain(0..25).collect();
    assert!(found[..22] == expected[..22] && found[frames - 22..] == expected[28..], "{found:?}");
}
