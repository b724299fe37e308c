//! Videos that are read by ranges: the same frames, few bytes more than there are, and no waiting for what never comes.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use reelnet_clips::{CancelToken, Decoder, Limits, Media, MediaIndex, RangeSettings, RangeSource};

use crate::barcode::{folder, native, numbers, plan, video};

const LARGE: &str = "-vf noise=alls=30:allf=t -c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12 -qp 10";

/// A file on a server that counts, and answers as it is told to.
#[derive(Clone)]
struct Server {
    bytes: Arc<[u8]>,
    answer: fn(u64, Vec<u8>) -> io::Result<Vec<u8>>,
    asked: Arc<AtomicU64>,
    requests: Arc<AtomicUsize>,
    ranges: Arc<Mutex<Vec<Range<u64>>>>,
}

impl Server {
    fn new(bytes: Vec<u8>, answer: fn(u64, Vec<u8>) -> io::Result<Vec<u8>>) -> Self {
        let (asked, requests, ranges) = (Arc::default(), Arc::default(), Arc::default());
        Self { bytes: bytes.into(), answer, asked, requests, ranges }
    }

    fn of(path: &Path) -> Self {
        Self::new(fs::read(path).expect("the file was made"), |_, bytes| Ok(bytes))
    }

    fn media(&self, settings: &RangeSettings) -> Media {
        Media::ranged("store/a.mp4", self.clone(), settings.clone())
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl RangeSource for Server {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        assert!(range.start < range.end && range.end <= self.size(), "{range:?}");
        self.asked.fetch_add(range.end - range.start, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.ranges.lock().expect("no panic").push(range.clone());
        let place = |at: u64| usize::try_from(at).expect("a small file");
        (self.answer)(range.start, self.bytes[place(range.start)..place(range.end)].to_vec())
    }
}

fn small() -> RangeSettings {
    RangeSettings { block_bytes: 5_000, kept_bytes: 60_000, read_ahead: 2, ..RangeSettings::default() }
}

#[test]
fn ranges_give_what_the_file_gives() {
    let folder = folder();
    for name in ["a.mp4", "a.mkv", "a.ts", "a.avi"] {
        let path = video(folder.path(), name, 40, LARGE);
        for settings in [small(), RangeSettings::default(), RangeSettings { block_bytes: 1 << 30, ..small() }] {
            let media = Server::of(&path).media(&settings);
            let mut decoder = Decoder::open(&media, &Limits::default()).expect("a sound video");
            let clips = decoder.clips(&[plan(0..40), plan([39, 3, 0])], &native()).expect("all frames decode");
            assert_eq!(numbers(&clips[0]), (0..40).collect::<Vec<_>>(), "{name}");
            assert_eq!(numbers(&clips[1]), [39, 3, 0], "{name}");
        }
    }
}

#[test]
fn what_fits_into_memory_is_asked_for_once() {
    let folder = folder();
    let server = Server::of(&video(folder.path(), "a.mp4", 100, LARGE));
    let media = server.media(&RangeSettings::default());
    for _ in 0..2 {
        let mut decoder = Decoder::open(&media, &Limits::default()).expect("a sound video");
        decoder.clips(&[plan([5, 50, 99])], &native()).expect("frames decode");
    }
    assert!(server.asked() <= server.size(), "{} of {} bytes", server.asked(), server.size());
}

#[test]
fn a_tight_memory_costs_bytes_and_not_memory() {
    let folder = folder();
    let server = Server::of(&video(folder.path(), "a.mp4", 100, LARGE));
    let media = server.media(&small());
    let mut decoder = Decoder::open(&media, &Limits::default()).expect("a sound video");
    let opened = server.asked();
    decoder.clips(&[plan(0..100)], &native()).expect("frames decode");
    let (whole, size) = (server.asked(), server.size());
    // Once for the index, once for the pictures, and what lies at the borders.
    assert!(
        opened < size * 5 / 4 && whole < size * 9 / 4,
        "opened with {opened}, decoded with {whole} of {size} bytes"
    );
}

#[test]
fn what_follows_is_asked_for_ahead_and_what_does_not_is_not() {
    let server = Server::new(vec![7; 100_000], |_, bytes| Ok(bytes));
    let source = server.clone();
    // A file that is no media is read from its start, and given up.
    assert!(MediaIndex::open(Media::ranged("a", source, small()), &Limits::default()).is_err());
    let ranges = server.ranges.lock().expect("no panic").clone();
    let mut starts: Vec<u64> = ranges.iter().map(|range| range.start).collect();
    starts.sort_unstable();
    starts.dedup();
    assert!(ranges.iter().all(|range| range.end - range.start == 5_000));
    assert!(starts.len() >= 3 && starts.windows(2).all(|pair| pair[1] - pair[0] == 5_000), "{starts:?}");
}

#[test]
fn an_answer_that_is_none_is_told() {
    let refused = |answer| {
        let server = Server::new(vec![7; 100_000], answer);
        let error = MediaIndex::open(server.media(&small()), &Limits::default()).expect_err("nothing can be read");
        (error.kind.name(), error.to_string())
    };
    let (kind, sentence) = refused(|_, _| Err(io::Error::other("the bucket is gone")));
    assert!(kind == "unreadable" && sentence.contains("the bucket is gone"), "{sentence}");
    let (kind, sentence) = refused(|_, bytes| Ok(bytes[1..].to_vec()));
    assert!(kind == "unreadable" && sentence.contains("4999 bytes came for the range 0..5000"), "{sentence}");
    let (kind, sentence) = refused(|_, _| panic!("a test's own panic"));
    assert!(kind == "unreadable" && sentence.contains("the source panicked"), "{sentence}");
}

#[test]
fn who_waits_for_ever_is_let_go() {
    let server = Server::new(vec![7; 100_000], |_, bytes| {
        thread::sleep(Duration::from_secs(5));
        Ok(bytes)
    });
    let since = Instant::now();
    let settings = RangeSettings { timeout: Duration::from_millis(300), ..small() };
    let error = MediaIndex::open(server.media(&settings), &Limits::default()).expect_err("nothing comes");
    assert!(error.to_string().contains("did not come within 300ms"), "{error}");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());

    let cancel = CancelToken::new();
    let settings = RangeSettings { cancel: cancel.clone(), ..small() };
    let limits = Limits { cancel: cancel.clone(), ..Limits::default() };
    let since = Instant::now();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        cancel.cancel();
    });
    assert!(MediaIndex::open(server.media(&settings), &limits).is_err());
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

#[test]
fn an_mp4_is_indexed_from_its_header() {
    let folder = folder();
    let codecs = [
        ("a.mp4", format!("{LARGE} -qp 1")),
        ("fast.mp4", format!("{LARGE} -qp 1 -movflags +faststart")),
        ("a.mov", format!("{LARGE} -qp 1")),
    ];
    for (name, words) in codecs {
        let path = video(folder.path(), name, 400, &words);
        let (server, limits) = (Server::of(&path), Limits::default());
        let settings = RangeSettings { block_bytes: 16 << 10, ..RangeSettings::default() };
        let media = server.media(&settings);
        let index = MediaIndex::open(&media, &limits).expect("a sound video");
        let (asked, size) = (server.asked(), server.size());
        assert!(size > 2 << 20 && asked < size / 4, "{name}: {asked} of {size} bytes");
        let of_file = MediaIndex::open(&path, &limits).expect("a sound video");
        assert_eq!((&index.info, index.timeline()), (&of_file.info, of_file.timeline()), "{name}");
        let mut decoder = Decoder::open(&media, &limits).expect("a sound video");
        let clips = decoder.clips(&[plan([7, 200, 255])], &native()).expect("frames decode");
        assert_eq!(numbers(&clips[0]), [7, 200, 255], "{name}");
        assert!(server.asked() < size / 2, "{name}: {} of {size} bytes", server.asked());
    }
}

#[test]
fn an_mp4_that_is_cut_short_is_the_same_by_ranges() {
    let folder = folder();
    let path = video(folder.path(), "fast.mp4", 400, &format!("{LARGE} -qp 1 -movflags +faststart"));
    let whole = fs::read(&path).expect("the file was made");
    let cut = folder.path().join("cut.mp4");
    fs::write(&cut, &whole[..whole.len() * 2 / 3]).expect("a file");
    let limits = Limits::default();
    let index = MediaIndex::open(Server::of(&cut).media(&RangeSettings::default()), &limits).expect("most of a video");
    let of_file = MediaIndex::open(&cut, &limits).expect("most of a video");
    assert!(index.frames() < 400);
    assert_eq!(index.info, of_file.info);
}
