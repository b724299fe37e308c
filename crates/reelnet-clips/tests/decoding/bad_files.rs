//! Files that are no videos: each is refused at once, with a sentence that says why.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use reelnet_clips::{Decoder, Limits};

use crate::barcode::{assert_every_frame_is_exact, ffmpeg, folder, native, open, plan, refusal, video};

fn written(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("the folder is writable");
    path
}

#[test]
fn missing_files_and_folders() {
    let folder = folder();
    assert_eq!(refusal(&folder.path().join("nothing.mp4")).0, "not_found");
    let (kind, sentence) = refusal(folder.path());
    assert_eq!(kind, "is_directory");
    assert!(sentence.contains("is a folder"), "{sentence}");
    let file = written(&folder, "file", b"x");
    assert_eq!(refusal(&file.join("below.mp4")).0, "not_found");
    assert_eq!(refusal(&PathBuf::from("nul\0byte.mp4")).0, "unreadable");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_not_waited_for() {
    let folder = folder();
    let pipe = folder.path().join("pipe.mp4");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let started = Instant::now();
    assert_eq!(refusal(&pipe).0, "not_a_file");
    assert_eq!(refusal(&PathBuf::from("/dev/zero")).0, "not_a_file");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn empty_zero_and_random_bytes() {
    let folder = folder();
    assert_eq!(refusal(&written(&folder, "empty.mp4", &[])).0, "empty");
    assert_eq!(refusal(&written(&folder, "one.mp4", &[0])).0, "not_media");
    assert_eq!(refusal(&written(&folder, "zeros.mp4", &vec![0; 300_000])).0, "not_media");
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(300_000)
    .collect();
    let (kind, sentence) = refusal(&written(&folder, "noise.mp4", &noise));
    assert!(["not_media", "no_video_stream", "nothing_decodable"].contains(&kind), "{sentence}");
}

#[test]
fn text_is_never_a_video() {
    let folder = folder();
    let prose = "It was a dark and stormy night; the rain fell in torrents.\n".repeat(2000);
    let escapes = "\x1b[31mred\x1b[0m text\x1b[2J\n".repeat(2000);
    let subtitles = "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n".repeat(100);
    let rows = "clip_a.mp4,12\nclip_b.mp4,13\n".repeat(500);
    let json = "{\"a\": [1, 2, 3]}\n".repeat(500);
    for (name, text) in
        [("prose", prose), ("escapes", escapes), ("subtitles", subtitles), ("rows", rows), ("json", json)]
    {
        for extension in ["mp4", "txt", "ans", "avi"] {
            let path = written(&folder, &format!("{name}.{extension}"), text.as_bytes());
            assert_eq!(refusal(&path).0, "not_media", "{}", path.display());
        }
    }
}

#[test]
fn playlists_open_no_other_files() {
    let folder = folder();
    let target = video(folder.path(), "target.ts", 10, "-c:v mpeg2video");
    let name = target.display();
    let hls = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\n{name}\n#EXT-X-ENDLIST\n");
    assert_eq!(refusal(&written(&folder, "list.mp4", hls.as_bytes())).0, "not_media");
    let concat = format!("ffconcat version 1.0\nfile '{name}'\n");
    assert_eq!(refusal(&written(&folder, "concat.mp4", concat.as_bytes())).0, "not_media");
}

#[test]
fn sound_alone_and_sound_with_cover_art() {
    let folder = folder();
    let [sound, cover, covered] = ["sound.mp4", "cover.png", "covered.mp3"].map(|name| folder.path().join(name));
    ffmpeg(
        ["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac"]
            .map(str::to_string)
            .into_iter()
            .chain([sound.display().to_string()]),
        &[],
    );
    let (kind, sentence) = refusal(&sound);
    assert_eq!(kind, "no_video_stream");
    assert!(sentence.contains("audio only"), "{sentence}");

    let [cover_name, covered_name] = [&cover, &covered].map(|path| path.display().to_string());
    ffmpeg(["-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", &cover_name], &[]);
    ffmpeg(
        [
            "-f",
            "lavfi",
            "-i",
            "sine=duration=1",
            "-i",
            &cover_name,
            "-map",
            "0",
            "-map",
            "1",
            "-c:v",
            "copy",
            "-disposition:v",
            "attached_pic",
            &covered_name,
        ],
        &[],
    );
    let (kind, sentence) = refusal(&covered);
    assert_eq!(kind, "no_video_stream");
    assert!(sentence.contains("cover art"), "{sentence}");
}

#[test]
fn odd_names_are_only_names() {
    let folder = folder();
    let source = video(folder.path(), "plain.mp4", 10, "-c:v mpeg4 -q:v 3");
    for name in [
        "with space.mp4",
        "-leading dash.mp4",
        "%03d.mp4",
        "file:a.mp4",
        "http:b.mp4",
        "a|b,c'd\"e.mp4",
        "π 動画.mp4",
        "no extension",
        "picture.jpg",
    ] {
        let path = folder.path().join(name);
        fs::copy(&source, &path).expect("the folder is writable");
        assert_every_frame_is_exact(&path, 10);
    }
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let path = folder.path().join(std::ffi::OsStr::from_bytes(b"latin-\xe9.mp4"));
        fs::copy(&source, &path).expect("the folder is writable");
        assert_every_frame_is_exact(&path, 10);
    }
}

#[test]
fn the_deadline_ends_every_step() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 50, "-c:v mpeg4");
    let limits = Limits { deadline: Duration::ZERO, ..Limits::default() };
    let error = Decoder::open(&path, &limits).err().expect("there was no time");
    assert_eq!(error.kind.name(), "timed_out");
}

#[test]
fn frames_above_the_limit_are_refused() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 5, "-c:v mpeg4");
    let limits = Limits { max_pixels_per_frame: 128 * 64 - 1, ..Limits::default() };
    let error = Decoder::open(&path, &limits).err().expect("the frames are larger");
    assert_eq!(error.kind.name(), "too_large");
}

#[test]
fn files_with_too_many_packets_are_refused() {
    let folder = folder();
    let path = video(folder.path(), "long.mp4", 30, "-c:v libx264 -pix_fmt yuv420p");
    let limited = |max_packets| Decoder::open(&path, &Limits { max_packets, ..Limits::default() });
    assert_eq!(limited(30).map(|decoder| decoder.index().frames()).ok(), Some(30));
    let refusal = limited(29).err().expect("one packet too many");
    assert_eq!(refusal.kind.name(), "too_long");
    assert!(refusal.to_string().contains("holds more than 29 video packets"), "{refusal}");
}

#[test]
fn plans_for_another_file_are_refused() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 5, "-c:v mpeg4");
    let error = open(&path).clips(&[plan([0, 5])], &native()).expect_err("there are 5 frames");
    assert_eq!(error.kind.name(), "frame_out_of_range");
    assert!(open(&path).clips(&[], &native()).expect("no wish is no trouble").is_empty());
}

#[test]
fn decoders_can_move_to_another_thread() {
    fn assert_send<T: Send>() {}
    assert_send::<Decoder>();
    assert_send::<reelnet_clips::MediaIndex>();
}
