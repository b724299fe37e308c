//! Decoding at a half, a quarter or an eighth of the size, where codecs can and callers allow it.

use std::path::Path;

use reelnet_clips::{Crop, Decoder, Filter, FrameGeometry, Limits, Resize};

use crate::barcode::{ffmpeg, folder, number, numbers, plan, video};

const COUNT: usize = 60;

fn reducing(path: &Path, reduce_to: Option<u32>) -> Decoder {
    Decoder::open(path, &Limits { reduce_to, ..Limits::default() }).expect("a sound file")
}

fn resized(resize: Resize) -> FrameGeometry {
    FrameGeometry { resize, crop: Crop::None, filter: Filter::Area }
}

/// A video of 1024x512 pixels whose frames carry their numbers.
fn large(folder: &Path, name: &str, options: &str) -> std::path::PathBuf {
    video(folder, name, COUNT, &format!("-vf scale=1024:512:flags=bicubic {options}"))
}

#[test]
fn codecs_that_can_give_the_same_frames_at_the_same_size() {
    let folder = folder();
    for (name, options) in [
        ("motion.avi", "-c:v mjpeg -q:v 2"),
        ("one.mpg", "-c:v mpeg1video -q:v 2 -g 12 -bf 2"),
        ("two.ts", "-c:v mpeg2video -q:v 2 -g 12 -bf 2"),
        ("four.mp4", "-c:v mpeg4 -q:v 2 -g 12 -bf 2"),
    ] {
        let path = large(folder.path(), name, options);
        let mut whole = reducing(&path, None);
        let mut reduced = reducing(&path, Some(64));
        assert_eq!(reduced.index(), whole.index(), "{name}");
        let wanted = [plan([7, 8, 9, 30, 59, 7]), plan([41])];
        let geometry = resized(Resize::ShorterSide(64));
        let clips = reduced.clips(&wanted, &geometry).expect("all frames decode");
        assert_eq!(numbers(&clips[0]), [7, 8, 9, 30, 59, 7], "{name}");
        assert_eq!(numbers(&clips[1]), [41], "{name}");
        let expected = whole.clips(&wanted, &geometry).expect("all frames decode");
        let apart = clips[0].frames.iter().zip(&expected[0].frames).map(|(ours, theirs)| ours.abs_diff(*theirs));
        let mean = apart.map(f64::from).sum::<f64>() / clips[0].frames.len() as f64;
        assert!(mean < 2.0, "{name}: {mean}");
        // What is shown has the video's own size, whatever it was made from.
        let shown = |decoder: &mut Decoder| {
            decoder.clips(&[plan([21])], &resized(Resize::Native)).expect("all frames decode").remove(0)
        };
        let [small, large] = [shown(&mut reduced), shown(&mut whole)];
        assert_eq!(small.frames.dim(), (1, 512, 1024, 3), "{name}");
        assert_eq!(numbers(&small), [21], "{name}");
        assert_ne!(small.frames, large.frames, "{name}: it was decoded at full size");
    }
}

#[test]
fn codecs_that_cannot_decode_as_ever() {
    let folder = folder();
    let path = large(folder.path(), "a.mp4", "-c:v libx264");
    let geometry = resized(Resize::ShorterSide(64));
    let [whole, reduced] = [None, Some(64)]
        .map(|reduce_to| reducing(&path, reduce_to).clips(&[plan(0..COUNT)], &geometry).expect("all frames decode"));
    assert_eq!(whole[0].frames, reduced[0].frames);
}

#[test]
fn more_than_is_left_is_never_asked_for() {
    let folder = folder();
    let path = large(folder.path(), "motion.avi", "-c:v mjpeg -q:v 2");
    // The half of 512 is less than 257.
    let geometry = resized(Resize::ShorterSide(64));
    let [whole, reduced] = [None, Some(257)]
        .map(|reduce_to| reducing(&path, reduce_to).clips(&[plan([5])], &geometry).expect("all frames decode"));
    assert_eq!(whole[0].frames, reduced[0].frames);
}

#[test]
fn native_frames_and_checks_are_always_whole() {
    let folder = folder();
    let path = large(folder.path(), "motion.avi", "-c:v mjpeg -q:v 2");
    let still = folder.path().join("still.jpg");
    ffmpeg(["-i".as_ref(), path.as_os_str(), "-frames:v".as_ref(), "1".as_ref(), still.as_os_str()], &[]);
    for (path, count) in [(&path, COUNT), (&still, 1)] {
        let mut decoder = reducing(path, Some(64));
        let mut sizes = Vec::new();
        decoder.visit_native(0..count, |frame| sizes.push(frame.size)).expect("all frames decode");
        assert_eq!(sizes, vec![[1024, 512]; count]);
        let soundness = decoder.check().expect("it can be read");
        assert!(soundness.frames == count && soundness.error.is_none(), "{soundness:?}");
        assert_eq!(numbers(&decoder.clips(&[plan([0])], &resized(Resize::ShorterSide(64))).expect("sound")[0]), [0]);
    }
}

#[test]
fn images_of_odd_sizes_that_lie_on_their_side() {
    let folder = folder();
    let path = folder.path().join("still.jpg");
    let source = large(folder.path(), "motion.avi", "-c:v mjpeg -q:v 2");
    let scale = "select=eq(n\\,37),scale=1021:507";
    ffmpeg(
        [
            "-i".as_ref(),
            source.as_os_str(),
            "-vf".as_ref(),
            scale.as_ref(),
            "-frames:v".as_ref(),
            "1".as_ref(),
            path.as_os_str(),
        ],
        &[],
    );
    let plain = std::fs::read(&path).expect("the file was made");
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    std::fs::write(&path, [&plain[..2], exif, &plain[2..]].concat()).expect("the folder is writable");
    let mut decoder = reducing(&path, Some(60));
    let info = decoder.index().info.clone();
    assert_eq!((info.width, info.height, info.coded_width, info.rotation), (507, 1021, 1021, 90), "{info:?}");
    let clip =
        decoder.clips(&[plan([0])], &resized(Resize::Exact { width: 64, height: 128 })).expect("sound").remove(0);
    let mut upright = clip.frames.index_axis(ndarray::Axis(0), 0).to_owned();
    upright.swap_axes(0, 1);
    upright.invert_axis(ndarray::Axis(0));
    assert_eq!(number(&upright.view()), 37);
}
