//! The index cache: what it gives is what a scan gives, and what has changed, moved, or been damaged is noticed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reelnet_clips::{CacheCondition, CacheReport, Decoder, FramePlan, IndexCache, Limits, Media, MediaIndex};

use crate::barcode::{folder, native, numbers, open, plan, video};

const X264: &str = "-c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12";

/// A file that was written long ago.
fn old(path: PathBuf) -> PathBuf {
    written_at(&path, 1_000_000_000);
    path
}

fn written_at(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(path).expect("the file is there").set_modified(time).expect("times can be set");
}

fn opened(path: &Path) -> IndexCache {
    IndexCache::open(path).expect("a usable place")
}

fn index(cache: &IndexCache, path: &Path) -> MediaIndex {
    cache.index(path, &Limits::default()).expect("a sound file")
}

fn scanned(path: &Path) -> MediaIndex {
    MediaIndex::open(path, &Limits::default()).expect("a sound file")
}

fn hits_and_scans(cache: &IndexCache) -> (u64, u64) {
    let CacheReport { hits, scans, .. } = cache.report();
    (hits, scans)
}

#[test]
fn what_is_known_is_what_a_scan_finds() {
    let folder = folder();
    let cache_path = folder.path().join("index.cache");
    let files = [
        video(folder.path(), "a.mp4", 60, X264),
        video(
            folder.path(),
            "open.mkv",
            60,
            "-c:v libx264 -pix_fmt yuv420p -g 10 -x264-params open-gop=1:bframes=4:b-adapt=0",
        ),
        video(folder.path(), "a.ts", 60, X264),
        // Told by counting.
        video(folder.path(), "a.avi", 60, "-c:v mpeg4 -bf 2 -g 12"),
        video(folder.path(), "a.webm", 60, "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 12"),
        video(folder.path(), "a.gif", 60, ""),
        video(folder.path(), "picture.png", 1, "-frames:v 1"),
        video(folder.path(), "picture.jpg", 1, "-frames:v 1"),
    ]
    .map(old);
    let cache = opened(&cache_path);
    assert_eq!(*cache.condition(), CacheCondition::New);
    for path in &files {
        assert_eq!(index(&cache, path), scanned(path), "{}", path.display());
    }
    assert_eq!(hits_and_scans(&cache), (0, 8));
    assert!(!cache_path.exists(), "nothing is written unasked");
    cache.save().expect("the folder is writable");
    let size = fs::metadata(&cache_path).expect("it was saved").len();
    assert!(size < 8 * 400, "{size} bytes for 8 files");

    let later = opened(&cache_path);
    assert_eq!(*later.condition(), CacheCondition::Found { entries: 8 });
    for cache in [&cache, &later] {
        for path in &files {
            assert_eq!(index(cache, path), scanned(path), "{}", path.display());
            let mut decoder = cache.decoder(path, &Limits::default()).expect("a sound file");
            let count = decoder.index().frames();
            let plans: Vec<FramePlan> = (0..count).map(|step| plan([step * 37 % count])).collect();
            let expected = open(path).clips(&plans, &native()).expect("all frames decode");
            assert_eq!(decoder.clips(&plans, &native()).expect("all frames decode"), expected, "{}", path.display());
        }
        assert_eq!(cache.report().damaged, 0);
    }
    assert_eq!(hits_and_scans(&later), (16, 0), "with an index, no packets are read");
    let before = fs::metadata(&cache_path).expect("it is there").modified().expect("times are kept");
    later.save().expect("nothing to write");
    let after = fs::metadata(&cache_path).expect("it is there").modified().expect("times are kept");
    assert_eq!(before, after, "without anything new, nothing is written");
}

#[test]
fn every_change_of_a_file_is_noticed() {
    let folder = folder();
    let path = old(video(folder.path(), "a.mp4", 40, X264));
    let other = fs::read(video(folder.path(), "b.mp4", 50, X264)).expect("it was made");
    let cache = opened(&folder.path().join("index.cache"));
    assert_eq!(index(&cache, &path).frames(), 40);
    let bytes = fs::read(&path).expect("the file is there");

    // Another size, another time, and other bytes at an end while size and time are those of before.
    written_at(&path, 1_000_000_001);
    index(&cache, &path);
    assert_eq!(hits_and_scans(&cache), (0, 2));
    for position in [0x20, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        fs::write(&path, &changed).expect("the folder is writable");
        written_at(&path, 1_000_000_001);
        let _ = cache.index(&path, &Limits::default());
    }
    assert_eq!(cache.report().hits, 0);
    fs::write(&path, &other).expect("the folder is writable");
    written_at(&path, 1_000_000_001);
    assert_eq!(index(&cache, &path).frames(), 50);
    assert_eq!(cache.report().hits, 0);
    assert_eq!(index(&cache, &path).frames(), 50);
    assert_eq!(cache.report().hits, 1);
}

#[test]
fn files_that_may_still_change_are_not_kept() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 10, X264);
    written_at(&path, SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs());
    let cache = opened(&folder.path().join("index.cache"));
    index(&cache, &path);
    index(&cache, &path);
    assert_eq!(hits_and_scans(&cache), (0, 2));
    let bytes = Media::bytes("a.mp4", fs::read(&path).expect("the file is there"));
    assert_eq!(cache.index(&bytes, &Limits::default()).expect("sound bytes").frames(), 10);
    assert_eq!(cache.report().not_kept, 3);
}

#[test]
fn failures_are_not_kept_and_limits_still_hold() {
    let folder = folder();
    let path = folder.path().join("a.mp4");
    fs::write(&path, "no video").expect("the folder is writable");
    let cache = opened(&folder.path().join("index.cache"));
    for _ in 0..2 {
        let error = cache.index(&path, &Limits::default()).expect_err("no video");
        assert_eq!(error.kind.name(), "not_media");
    }
    let path = old(video(folder.path(), "a.mp4", 10, X264));
    index(&cache, &path);
    let limits = Limits { max_pixels_per_frame: 100, ..Limits::default() };
    assert_eq!(cache.index(&path, &limits).expect_err("too large").kind.name(), "too_large");
    assert_eq!(cache.decoder(&path, &limits).err().expect("too large").kind.name(), "too_large");
    assert_eq!(cache.report().hits, 2);
    assert_eq!(cache.index(folder.path().join("none.mp4"), &limits).expect_err("not there").kind.name(), "not_found");
}

#[test]
fn damage_costs_time_and_nothing_else() {
    let folder = folder();
    let cache_path = folder.path().join("index.cache");
    let path = old(video(folder.path(), "a.mp4", 40, X264));
    let expected = scanned(&path);
    let cache = opened(&cache_path);
    index(&cache, &path);
    cache.save().expect("the folder is writable");
    let sound = fs::read(&cache_path).expect("it was saved");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&cache_path, bytes).expect("the folder is writable");
        let cache = opened(&cache_path);
        assert_eq!(index(&cache, &path), expected, "{what}");
        let noticed = matches!(cache.condition(), CacheCondition::Rebuilt { .. } | CacheCondition::New);
        assert!(noticed || cache.report().damaged == 1, "{what}: {:?} {:?}", cache.condition(), cache.report());
        assert_eq!(hits_and_scans(&cache), (0, 1), "{what}");
        cache.save().expect("the folder is writable");
        assert_eq!(fs::read(&cache_path).expect("it was saved"), sound, "{what} is mended");
    };
    for position in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[position] ^= 0x10;
        check(&damaged, &format!("byte {position}"));
    }
    for length in 0..sound.len() {
        check(&sound[..length], &format!("cut to {length} bytes"));
    }
    check(&[&sound[..], b"x"].concat(), "a byte too many");
    check(b"a letter to my aunt", "something else");
    let reason = |bytes: &[u8]| {
        fs::write(&cache_path, bytes).expect("the folder is writable");
        match opened(&cache_path).condition() {
            CacheCondition::Rebuilt { reason } => reason.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason(b"a letter to my aunt, and not short"), "it is not an index cache");
    // The format's number follows the name; then the FFmpeg, whose version starts with a digit.
    let mut changed = sound.clone();
    changed[8] += 1;
    assert!(reason(&changed).contains("its format is 2"), "{}", reason(&changed));
    let mut changed = sound.clone();
    changed[10] ^= 1;
    assert!(reason(&changed).contains("FFmpeg"), "{}", reason(&changed));
}

#[test]
fn places_that_cannot_be_used_are_refused() {
    let folder = folder();
    let sentence = |path: &Path| IndexCache::open(path).expect_err("no usable place").to_string();
    assert!(sentence(folder.path()).contains("cannot be opened"), "{}", sentence(folder.path()));
    assert!(sentence(&folder.path().join("no/such/folder.cache")).contains("in a folder that exists"));

    let path = old(video(folder.path(), "a.mp4", 10, X264));
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("the folder is writable");
    let cache = opened(&place.join("index.cache"));
    index(&cache, &path);
    fs::remove_dir(&place).expect("it is empty");
    let error = cache.save().expect_err("its folder is gone").to_string();
    assert!(error.contains("cannot be written"), "{error}");
    fs::create_dir(&place).expect("the folder is writable");
    cache.save().expect("nothing was lost");
    index(&opened(&place.join("index.cache")), &path);
}

#[test]
fn a_library_can_move_and_lose_files() {
    let parent = folder();
    let library = parent.path().join("library");
    fs::create_dir_all(library.join("deep")).expect("the folder is writable");
    let inside = old(video(&library.join("deep"), "a.mp4", 10, X264));
    let outside = old(video(parent.path(), "b.mp4", 12, X264));
    #[cfg(target_os = "linux")]
    let odd = {
        use std::os::unix::ffi::OsStrExt as _;
        library.join(std::ffi::OsStr::from_bytes(b"latin-\xe9 \n.mp4"))
    };
    #[cfg(not(target_os = "linux"))]
    let odd = library.join("plain.mp4");
    fs::copy(&inside, &odd).expect("the folder is writable");
    written_at(&odd, 1_000_000_000);
    let cache = opened(&library.join("index.cache"));
    for path in [&inside, &outside, &odd] {
        index(&cache, path);
    }
    cache.save().expect("the folder is writable");
    drop(cache);

    let moved = parent.path().join("moved");
    fs::rename(&library, &moved).expect("it can be moved");
    let cache = opened(&moved.join("index.cache"));
    assert_eq!(index(&cache, &moved.join("deep/a.mp4")).frames(), 10);
    assert_eq!(index(&cache, &moved.join("deep/../deep/a.mp4")).frames(), 10);
    assert_eq!(index(&cache, &moved.join(odd.file_name().expect("a name"))).frames(), 10);
    assert_eq!(index(&cache, &outside).frames(), 12);
    assert_eq!(hits_and_scans(&cache), (4, 0));

    assert_eq!(cache.prune().expect("the folder is writable"), 0);
    fs::remove_file(&outside).expect("it is there");
    assert_eq!(cache.prune().expect("the folder is writable"), 1);
    let cache = opened(&moved.join("index.cache"));
    assert_eq!(*cache.condition(), CacheCondition::Found { entries: 2 });
    index(&cache, &moved.join("deep/a.mp4"));
    assert_eq!(hits_and_scans(&cache), (1, 0));
}

#[test]
fn many_threads_and_many_writers_lose_nothing() {
    fn assert_shared<T: Send + Sync>() {}
    assert_shared::<IndexCache>();
    let folder = folder();
    let cache_path = folder.path().join("index.cache");
    let source = old(video(folder.path(), "a.mp4", 20, X264));
    let files: Vec<PathBuf> = (0..24)
        .map(|number| {
            let path = folder.path().join(format!("{number}.mp4"));
            fs::copy(&source, &path).expect("the folder is writable");
            old(path)
        })
        .collect();
    // Four that opened it at the same time, as four processes would, with two threads each.
    let caches = [0; 4].map(|_| opened(&cache_path));
    std::thread::scope(|scope| {
        for (writer, files) in files.chunks(3).enumerate() {
            let cache = &caches[writer / 2];
            scope.spawn(move || {
                for path in files {
                    assert_eq!(index(cache, path).frames(), 20);
                    cache.save().expect("the folder is writable");
                }
            });
        }
    });
    let cache = opened(&cache_path);
    assert_eq!(*cache.condition(), CacheCondition::Found { entries: 24 });
    for path in &files {
        index(&cache, path);
    }
    assert_eq!(hits_and_scans(&cache), (24, 0));
    let left = fs::read_dir(folder.path()).expect("it is there").filter_map(Result::ok);
    let left = left.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b".reelnet")).count();
    assert_eq!(left, 0, "no temporary files stay");
}

#[test]
fn an_index_of_another_file_is_refused() {
    let folder = folder();
    let path = old(video(folder.path(), "a.ts", 60, X264));
    let index = scanned(&path);
    let mut decoder = Decoder::with_index(&path, index.clone(), &Limits::default()).expect("the same file");
    let clips = decoder.clips(&[plan([50, 3])], &native()).expect("frames decode");
    assert_eq!(numbers(&clips[0]), [50, 3]);

    // Replaced between two calls; this container has to be opened again.
    let other = video(folder.path(), "b.ts", 60, "-c:v mpeg2video -q:v 3 -g 12");
    let mut fresh = open(&path);
    fs::copy(&other, &path).expect("the folder is writable");
    written_at(&path, 1_000_000_000);
    for decoder in [&mut decoder, &mut fresh] {
        let error = decoder.clips(&[plan([0])], &native()).expect_err("the file was replaced");
        assert_eq!(error.kind.name(), "changed");
    }
    let error = Decoder::with_index(&path, index.clone(), &Limits::default()).err().expect("another file");
    assert_eq!(error.kind.name(), "changed");
    // Without a stamp, the header tells.
    let bytes = Media::bytes("a.ts", fs::read(&path).expect("the file is there"));
    let error = Decoder::with_index(&bytes, index, &Limits::default()).err().expect("another codec");
    assert_eq!(error.kind.name(), "changed");
}
