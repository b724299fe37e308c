//! The loader: the same samples whatever the number of workers, failures at their places, and an end when it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use reelnet_clips::{
    BatchError, Cancelled, Clip, ClipSpec, Crop, Filter, FrameGeometry, IndexCache, Limits, Loader, LoaderOptions,
    Media, PastEnd, Remainder, Request, Resize, Sample, Seed, Wanted, plan, shuffled,
};

use crate::barcode::{ffmpeg, folder, native, numbers, video};

const X264: &str = "-c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12";

fn spec() -> ClipSpec {
    ClipSpec { frames: 4, frame_step: 2, past_end: PastEnd::Loop }
}

fn small() -> FrameGeometry {
    FrameGeometry {
        resize: Resize::ShorterSide(32),
        crop: Crop::Centre { width: 32, height: 32 },
        filter: Filter::Bilinear,
    }
}

/// Ten files: eight sound ones of several kinds, one that is none, one that is not there.
fn library(folder: &Path) -> Vec<PathBuf> {
    let bad = folder.join("bad.mp4");
    fs::write(&bad, "no video").expect("the folder is writable");
    vec![
        video(folder, "a.mp4", 40, X264),
        video(folder, "b.mkv", 60, X264),
        bad,
        video(folder, "c.avi", 30, "-c:v mpeg4 -bf 2 -g 12"),
        video(folder, "d.ts", 50, X264),
        folder.join("missing.mp4"),
        video(folder, "e.webm", 40, "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 12"),
        video(folder, "f.png", 1, "-frames:v 1"),
        video(folder, "g.gif", 20, ""),
        video(folder, "h.mp4", 3, X264),
    ]
}

/// Three epochs over a library; every seventh sample is refused, every eleventh makes the caller's own function panic.
fn epochs(files: &[PathBuf]) -> impl Iterator<Item = Request<(u64, usize)>> + Send + use<> {
    let files = files.to_vec();
    let order = (0..3_u64).flat_map({
        let count = files.len();
        move |epoch| shuffled(count, 42, epoch).into_iter().map(move |sample| (epoch, sample))
    });
    order.enumerate().map(move |(step, (epoch, sample))| {
        let seed = Seed { run: 42, epoch, sample: sample as u64 };
        Request::new(&files[sample], (epoch, sample), move |index| {
            assert!(step % 11 != 10, "a function that fails");
            if step % 7 == 6 { Err("not today") } else { Ok(()) }?;
            Ok::<_, &str>(Wanted { plans: vec![plan::random(index.timeline(), &spec(), seed)], geometry: small() })
        })
    })
}

fn options(workers: usize) -> LoaderOptions {
    LoaderOptions { workers, items_ahead: 5, bytes_ahead: 40_000, ..LoaderOptions::default() }
}

fn samples<P: Send + 'static>(loader: Loader<P>) -> Vec<(u64, P, Result<Vec<Clip>, String>)> {
    let plain = |sample: Sample<P>| (sample.position, sample.payload, sample.result.map_err(|error| error.to_string()));
    loader.map(|sample| plain(sample.expect("nobody cancels"))).collect()
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let folder = folder();
    let files = library(folder.path());
    let one = samples(Loader::new(epochs(&files), &options(1)));
    assert_eq!(one.len(), 30);
    assert!(one.iter().zip(0..).all(|(sample, position)| sample.0 == position));
    assert!(one.iter().filter(|sample| sample.2.is_ok()).count() >= 16);
    for workers in [4, 7] {
        assert_eq!(samples(Loader::new(epochs(&files), &options(workers))), one, "{workers} workers");
    }
    let cache = Arc::new(IndexCache::open(&folder.path().join("index.cache")).expect("a usable place"));
    for workers in [4, 1] {
        let options = LoaderOptions { cache: Some(Arc::clone(&cache)), ..options(workers) };
        assert_eq!(samples(Loader::new(epochs(&files), &options)), one, "{workers} workers with a cache");
    }
}

#[test]
fn any_position_can_be_the_first() {
    let folder = folder();
    let files = library(folder.path());
    let whole = samples(Loader::new(epochs(&files), &options(2)));
    for first in [1, 13, 29, 30, 99] {
        let loader = Loader::new(epochs(&files), &LoaderOptions { first, ..options(3) });
        assert_eq!(loader.position(), first);
        let rest = whole.iter().filter(|sample| sample.0 >= first).cloned().collect::<Vec<_>>();
        assert_eq!(samples(loader), rest, "from {first} on");
    }
}

#[test]
fn failures_are_told_counted_and_stay_at_their_place() {
    let folder = folder();
    let files = library(folder.path());
    let mut loader = Loader::new(epochs(&files), &options(3));
    let mut counts = BTreeMap::new();
    for sample in loader.by_ref() {
        let Sample { position, payload, result } = sample.expect("nobody cancels");
        let expected = match (position, payload.1) {
            (_, 2) => "not_media",
            (_, 5) => "not_found",
            (position, _) if position % 11 == 10 => "panicked",
            (position, _) if position % 7 == 6 => "refused",
            _ => "ok",
        };
        let found = result.as_ref().map_or_else(|error| error.kind.name(), |_| "ok");
        assert_eq!(found, expected, "{position}");
        *counts.entry(found).or_insert(0) += 1;
        match result {
            Err(error) if found == "panicked" => {
                assert!(error.to_string().contains("a function that fails"), "{error}");
            }
            Err(error) if found == "refused" => {
                assert!(error.to_string().ends_with("was refused: not today"), "{error}");
            }
            Err(error) => assert_eq!(error.path, files[payload.1]),
            Ok(clips) => assert_eq!(clips[0].frames.dim(), (4, 32, 32, 3)),
        }
    }
    let report = loader.report();
    assert_eq!(counts.remove("ok"), Some(report.ok));
    assert_eq!(counts, report.failed);
    assert_eq!(report.failed.len(), 4, "{report:?}");
    assert!(report.decoders.read > Duration::ZERO && report.decoders.decode > Duration::ZERO, "{report:?}");
    assert!(report.decoders.scale > Duration::ZERO && report.wait > Duration::ZERO, "{report:?}");
    assert!(loader.next().is_none() && loader.next().is_none());
}

/// A video whose frames take long to decode: minutes, all together.
fn endless(folder: &Path) -> PathBuf {
    let path = folder.join("long.mp4");
    let name = path.display().to_string();
    let source = "testsrc2=size=1280x720:rate=25:duration=2";
    let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p"];
    ffmpeg(["-f", "lavfi", "-i", source].into_iter().chain(coding).chain([name.as_str()]), &[]);
    path
}

fn forever(path: &Path) -> impl Iterator<Item = Request<usize>> + Send + use<> {
    let media = Media::from(path);
    (0..).map(move |number| {
        Request::new(&media, number, |index| {
            let plans = vec![plan::starting_at(index.timeline(), &ClipSpec { frames: 50, ..spec() }, 0); 8];
            Ok::<_, String>(Wanted { plans, geometry: native() })
        })
    })
}

#[test]
fn cancelling_ends_it_within_a_second() {
    let folder = folder();
    let path = endless(folder.path());
    let limits = Limits::default();
    let options =
        LoaderOptions { workers: 3, bytes_ahead: 900 << 20, limits: limits.clone(), ..LoaderOptions::default() };
    let mut loader = Loader::new(forever(&path), &options);
    // In the middle of the first decoding, with somebody waiting for it.
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(150));
        limits.cancel.cancel();
        Instant::now()
    });
    let last = loader.by_ref().find_map(Result::err);
    let returned = Instant::now();
    assert_eq!(last, Some(Cancelled));
    let cancelled = canceller.join().expect("no panic");
    assert!(returned.saturating_duration_since(cancelled) < Duration::from_secs(1));
    assert!(loader.next().is_none(), "said once");
    drop(loader);
    assert!(cancelled.elapsed() < Duration::from_secs(1), "the threads ended too: {:?}", cancelled.elapsed());
}

#[test]
fn dropping_it_ends_its_threads_and_nothing_else() {
    let folder = folder();
    let path = endless(folder.path());
    let limits = Limits::default();
    let alive = Arc::new(());
    let options = LoaderOptions { workers: 2, limits: limits.clone(), ..LoaderOptions::default() };
    let held = Arc::clone(&alive);
    let loader = Loader::with_finish(forever(&path), &options, move |_, clips| (clips.len(), Arc::clone(&held)).0);
    thread::sleep(Duration::from_millis(100));
    let dropped = Instant::now();
    drop(loader);
    assert!(dropped.elapsed() < Duration::from_secs(1), "{:?}", dropped.elapsed());
    assert_eq!(Arc::strong_count(&alive), 1, "no thread holds anything any more");
    assert!(!limits.cancel.is_cancelled(), "the caller's token is the caller's");
}

#[test]
fn workers_run_ahead_only_so_far() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 40, X264);
    let begun = Arc::new(AtomicUsize::new(0));
    let finished = Arc::new(AtomicUsize::new(0));
    let requests = |begun: &Arc<AtomicUsize>| {
        let (begun, path) = (Arc::clone(begun), path.clone());
        (0..100).map(move |number| {
            begun.fetch_add(1, Ordering::SeqCst);
            Request::new(&path, number, |index| {
                let plans = vec![plan::centre(index.timeline(), &spec())];
                Ok::<_, String>(Wanted { plans, geometry: small() })
            })
        })
    };
    let clip_bytes = 4 * 32 * 32 * 3;
    // The sample that is taken next never waits for room: if it comes last, it is one more than the bytes allow.
    for (items_ahead, bytes_ahead, held) in [(6, u64::MAX, 6..=6), (50, 3 * clip_bytes + 5, 3..=4), (50, 0, 1..=1)] {
        begun.store(0, Ordering::SeqCst);
        finished.store(0, Ordering::SeqCst);
        let options = LoaderOptions { workers: 4, items_ahead, bytes_ahead, ..LoaderOptions::default() };
        let count = Arc::clone(&finished);
        let mut loader = Loader::with_finish(requests(&begun), &options, move |_, clips| {
            count.fetch_add(1, Ordering::SeqCst);
            clips
        });
        let patience = Instant::now() + Duration::from_mins(1);
        while finished.load(Ordering::SeqCst) < *held.start() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(500));
        let finished = finished.load(Ordering::SeqCst);
        assert!(held.contains(&finished), "{finished} finished with {items_ahead} items, {bytes_ahead} bytes");
        assert!(begun.load(Ordering::SeqCst) <= items_ahead, "{begun:?}");
        assert_eq!(loader.by_ref().count(), 100, "it goes on when samples are taken");
        assert!(loader.report().idle > Duration::from_millis(100), "{:?}", loader.report());
    }
}

#[test]
fn what_the_callers_iterator_does_wrong_is_the_callers() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 10, X264);
    let requests = (0..5).map(move |number: usize| {
        assert!(number < 3, "no fourth request");
        Request::new(&path, number, |_| Err::<Wanted, _>("nothing"))
    });
    let mut loader = Loader::new(requests, &options(2));
    for position in 0..3 {
        assert_eq!(loader.next().expect("there are three").expect("nobody cancels").position, position);
    }
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loader.next().is_none()));
    let panic = panic.expect_err("it is passed on");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"no fourth request"));
    assert!(Loader::new(Vec::<Request<()>>::new(), &options(2)).next().is_none());
}

#[test]
fn batches_hold_what_did_not_fail() {
    let folder = folder();
    let files = library(folder.path());
    let expected = samples(Loader::new(epochs(&files), &options(1)));
    for (remainder, count) in [(Remainder::Keep, 8), (Remainder::Drop, 7)] {
        let batches: Vec<_> = Loader::new(epochs(&files), &options(3))
            .batches(4, remainder)
            .map(|batch| batch.expect("nobody cancels, and all clips have one shape"))
            .collect();
        assert_eq!(batches.len(), count);
        for (batch, samples) in batches.iter().zip(expected.chunks(4)) {
            assert_eq!(batch.positions, samples[0].0..samples[0].0 + samples.len() as u64);
            let mut clips = batch.clips.outer_iter();
            let mut members = batch.members.iter();
            let mut failures = batch.failures.iter();
            for (position, payload, result) in samples {
                match result {
                    Ok(decoded) => {
                        let member = members.next().expect("as many as there are sound samples");
                        assert_eq!((member.position, &member.payload), (*position, payload));
                        assert_eq!(member.clips.len(), 1);
                        assert_eq!(clips.next().expect("a clip a member"), decoded[0].frames);
                    }
                    Err(sentence) => {
                        let (member, error) = failures.next().expect("as many as there are failures");
                        assert_eq!((member.position, &error.to_string()), (*position, sentence));
                    }
                }
            }
            assert!(clips.next().is_none() && members.next().is_none() && failures.next().is_none());
        }
    }
}

#[test]
fn batches_need_one_shape() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 10, X264);
    let requests = move || {
        let path = path.clone();
        (0..4_u32).map(move |number| {
            let side = if number == 2 { 16 } else { 32 };
            let geometry = FrameGeometry { crop: Crop::Centre { width: side, height: 32 }, ..small() };
            Request::new(&path, (), move |index| {
                let plans = plan::uniform(index.timeline(), &spec(), 2);
                Ok::<_, String>(Wanted { plans, geometry })
            })
        })
    };
    let mut batches = Loader::new(requests(), &options(2)).batches(2, Remainder::Keep);
    let first = batches.next().expect("two batches").expect("one shape");
    assert_eq!(first.clips.dim(), (4, 4, 32, 32, 3), "two samples of two clips");
    assert_eq!(first.members[1].clips, 2..4);
    let error = batches.next().expect("two batches").expect_err("two shapes");
    assert_eq!(error, BatchError::Shapes { position: 3, shape: [4, 32, 32], expected: [4, 32, 16] });
    assert!(error.to_string().contains("ask for"), "{error}");
    assert_eq!(batches.loader().position(), 4);
}

#[test]
fn the_right_frames_come_with_the_right_payload() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 60, X264);
    let requests = (0..20_u64).map(move |sample| {
        let seed = Seed { run: 1, epoch: 2, sample };
        Request::new(&path, seed, move |index| {
            let plans = vec![plan::random(index.timeline(), &spec(), seed)];
            Ok::<_, String>(Wanted { plans, geometry: native() })
        })
    });
    let timeline = reelnet_clips::Timeline::at_fixed_rate(60, 25.0).expect("a positive rate");
    for sample in Loader::new(requests, &options(3)) {
        let Sample { payload, result, .. } = sample.expect("nobody cancels");
        let clips = result.expect("a sound file");
        assert_eq!(numbers(&clips[0]), plan::random(&timeline, &spec(), payload).indices);
    }
}
