//! Inputs other than paths give the same frames as files, and files that change under the reader do no harm.

use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reelnet_clips::{Decoder, Limits, Media, MediaIndex};

use crate::barcode::{folder, native, numbers, plan, video};

const X264: &str = "-c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12";

/// With noise, so that files are much larger than any buffer.
const LARGE: &str = "-vf noise=alls=30:allf=t -c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12 -qp 10";

fn assert_frames(media: &Media, count: usize) {
    let mut decoder = Decoder::open(media, &Limits::default()).expect("a sound video");
    assert_eq!(decoder.index().frames(), count, "{media:?}");
    let clips = decoder.clips(&[plan(0..count), plan([count - 1, 3, 0])], &native()).expect("all frames decode");
    assert_eq!(numbers(&clips[0]), (0..count).collect::<Vec<_>>(), "{media:?}");
    assert_eq!(numbers(&clips[1]), [count - 1, 3, 0], "{media:?}");
}

#[test]
fn bytes_and_readers_give_what_the_file_gives() {
    let folder = folder();
    for name in ["a.mp4", "a.mkv", "a.ts", "a.avi"] {
        let path = video(folder.path(), name, 40, X264);
        let bytes: Arc<[u8]> = fs::read(&path).expect("the file was made").into();
        assert_frames(&Media::from(&path), 40);
        assert_frames(&Media::bytes(name, Arc::clone(&bytes)), 40);
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let media = Media::reader(name, move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(Cursor::new(Arc::clone(&bytes)))
        });
        assert_frames(&media, 40);
        assert!(opened.load(Ordering::Relaxed) > 0);
    }
}

#[test]
fn readers_can_refuse_and_be_empty() {
    let refused = |media: Media| {
        let error = MediaIndex::open(media, &Limits::default()).expect_err("there is no video");
        assert_eq!(error.path, Path::new("shard/a.mp4"));
        (error.kind.name(), error.to_string())
    };
    let refusing = |kind: io::ErrorKind| {
        Media::reader("shard/a.mp4", move || Err::<Cursor<Vec<u8>>, _>(io::Error::new(kind, "the bucket is locked")))
    };
    assert_eq!(refused(refusing(io::ErrorKind::NotFound)).0, "not_found");
    assert_eq!(refused(refusing(io::ErrorKind::PermissionDenied)).0, "permission_denied");
    let (kind, sentence) = refused(refusing(io::ErrorKind::ConnectionReset));
    assert!(kind == "unreadable" && sentence.contains("the bucket is locked"), "{sentence}");
    assert_eq!(refused(Media::reader("shard/a.mp4", || Ok(Cursor::new(Vec::new())))).0, "empty");
    assert_eq!(refused(Media::bytes("shard/a.mp4", Vec::new())).0, "empty");
    assert_eq!(refused(Media::bytes("shard/a.mp4", vec![7; 5000])).0, "not_media");
}

/// Cannot read what lies behind some place, like a disk with a bad sector.
struct Failing {
    bytes: Cursor<Arc<[u8]>>,
    sound: u64,
}

impl Read for Failing {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(target)?;
        if self.bytes.position() > self.sound { Err(io::Error::other("a bad sector")) } else { Ok(read) }
    }
}

impl Seek for Failing {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(target)
    }
}

#[test]
fn a_reader_that_breaks_is_said_and_loses_only_what_follows() {
    let folder = folder();
    for name in ["a.mkv", "a.ts"] {
        let path = video(folder.path(), name, 100, LARGE);
        let bytes: Arc<[u8]> = fs::read(&path).expect("the file was made").into();
        let sound = bytes.len() as u64 * 2 / 3;
        let media = Media::reader(name, move || Ok(Failing { bytes: Cursor::new(Arc::clone(&bytes)), sound }));
        let index = MediaIndex::open(&media, &Limits::default()).expect("the first part can be read");
        assert!((10..100).contains(&index.frames()), "{name}: {:?}", index.info);
        assert!(index.info.damage().is_some(), "{name}: {:?}", index.info);
        let mut decoder = Decoder::open(&media, &Limits::default()).expect("the first part can be read");
        let frames = decoder.index().frames();
        let salvage = decoder.clips_salvaging(&[plan(0..8), plan([frames - 1])], &native()).expect("legal plans");
        let first = salvage.clips[0].as_ref().expect("the first frames lie before the break");
        assert_eq!(numbers(first), (0..8).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_file_that_grows_is_one_prefix_of_itself() {
    let folder = folder();
    for name in ["a.ts", "a.mkv"] {
        let whole = fs::read(video(folder.path(), name, 100, LARGE)).expect("the file was made");
        let path = folder.path().join(format!("growing-{name}"));
        fs::write(&path, &whole[..whole.len() / 2]).expect("the folder is writable");
        let mut decoder = Decoder::open(&path, &Limits::default()).expect("the first half is there");
        let frames = decoder.index().frames();
        assert!((20..80).contains(&frames), "{name}: {frames}");
        let mut file = OpenOptions::new().append(true).open(&path).expect("the file is there");
        file.write_all(&whole[whole.len() / 2..]).expect("the folder is writable");
        let usable = frames - 4;
        let clips = decoder.clips(&[plan(0..usable), plan([usable - 1])], &native()).expect("these frames were there");
        assert_eq!(numbers(&clips[0]), (0..usable).collect::<Vec<_>>(), "{name}");
        assert_eq!(numbers(&clips[1]), [usable - 1], "{name}");
        assert_frames(&Media::from(&path), 100);
    }
}

#[test]
fn a_file_that_shrinks_is_damaged_and_not_wrong() {
    let folder = folder();
    for name in ["a.ts", "a.mkv", "a.mp4"] {
        let path = video(folder.path(), name, 100, &format!("{LARGE} -movflags +faststart"));
        let mut decoder = Decoder::open(&path, &Limits::default()).expect("a sound file");
        let length = fs::metadata(&path).expect("the file is there").len();
        OpenOptions::new().write(true).open(&path).expect("writable").set_len(length / 2).expect("it can be cut");
        let plans: Vec<_> = (0..100).map(|frame| plan([frame])).collect();
        let salvage = decoder.clips_salvaging(&plans, &native()).expect("the plans are legal");
        let error = salvage.error.as_ref().expect("half of it is gone");
        if name == "a.ts" {
            // It has to be opened again, and is not the file that was indexed.
            assert_eq!(error.kind.name(), "changed");
            continue;
        }
        let found: Vec<_> = salvage.clips.iter().flatten().collect();
        assert!(found.len() > 5 && found.len() < 100, "{name}: {}", found.len());
        for clip in found {
            assert_eq!(numbers(clip), clip.indices, "{name}");
        }
    }
}
