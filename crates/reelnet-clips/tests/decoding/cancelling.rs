//! Calls end when they are told to, and say where their time went.

use std::time::{Duration, Instant};

use reelnet_clips::{CancelToken, Decoder, Limits, MediaIndex};

use crate::barcode::{folder, native, open, plan, video};

const FRAMES: usize = 200;

#[test]
fn a_running_call_ends_at_once() {
    let folder = folder();
    for (name, options) in [("a.mkv", "-c:v libx264 -pix_fmt yuv420p -bf 2 -g 50"), ("a.avi", "-c:v mpeg4 -bf 2")] {
        let path = video(folder.path(), name, FRAMES, options);
        let cancel = CancelToken::new();
        let limits = Limits { cancel: cancel.clone(), ..Limits::default() };
        let mut decoder = Decoder::open(&path, &limits).expect("a sound file");
        let mut shown = 0;
        let result = decoder.visit(0..FRAMES, &native(), |frame| {
            shown += 1;
            if frame.index == 20 {
                cancel.cancel();
            }
        });
        assert_eq!(result.expect_err("it was cancelled").kind.name(), "cancelled");
        assert_eq!(shown, 21, "{name}: not one frame more");

        let started = Instant::now();
        let later = decoder.clips(&[plan(0..FRAMES)], &native());
        assert_eq!(later.expect_err("it stays cancelled").kind.name(), "cancelled");
        let opened = Decoder::open(&path, &limits).err().expect("it stays cancelled");
        assert_eq!(opened.kind.name(), "cancelled");
        assert!(MediaIndex::open(&path, &limits).is_err());
        assert!(started.elapsed() < Duration::from_millis(500));
    }
}

#[test]
fn time_is_accounted_for() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", FRAMES, "-c:v libx264 -pix_fmt yuv420p -bf 2 -g 50");
    let started = Instant::now();
    let mut decoder = open(&path);
    let opened = decoder.time_spent();
    assert!(opened.read > Duration::ZERO, "{opened:?}");
    assert_eq!([opened.decode, opened.scale], [Duration::ZERO; 2], "indexing decodes nothing");
    decoder.clips(&[plan(0..FRAMES)], &native()).expect("all frames decode");
    let spent = decoder.time_spent();
    assert!(spent.read > opened.read && spent.decode > Duration::ZERO && spent.scale > Duration::ZERO, "{spent:?}");
    assert!(spent.read + spent.decode + spent.scale <= started.elapsed(), "nothing is counted twice: {spent:?}");
}
