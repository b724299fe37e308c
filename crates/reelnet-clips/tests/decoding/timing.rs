//! Times come from the frames themselves, and plans made from them reach the right frames.

use reelnet_clips::{ClipSpec, Limits, MediaIndex, PastEnd, plan};

use crate::barcode::{folder, native, numbers, open, video};

const X264: &str = "-c:v libx264 -pix_fmt yuv420p -preset veryfast -bf 2 -g 12";

#[test]
fn an_even_video() {
    let folder = folder();
    for name in ["a.mp4", "a.mkv", "a.ts", "a.flv"] {
        let path = video(folder.path(), name, 50, X264);
        let index = MediaIndex::open(&path, &Limits::default()).expect("a sound file");
        let info = &index.info;
        assert_eq!(index.frames(), 50);
        assert!((info.fps - 25.0).abs() < 0.05, "{info:?}");
        assert!((info.duration_seconds - 2.0).abs() < 0.05, "{info:?}");
        assert!(!info.variable_frame_rate && !info.is_image, "{info:?}");
        assert!(info.keyframes >= 4, "{info:?}");
        for frame in 0..50 {
            assert!((index.pts_seconds(frame) - frame as f64 / 25.0).abs() < 0.002, "{name} {frame}");
        }
    }
}

#[test]
fn an_uneven_video_is_covered_evenly_in_time() {
    let folder = folder();
    // Of 100 frames, those from 40 to 59 alone last ten times as long.
    let filter = "setpts='(if(lt(N,40),N,if(lt(N,60),40+(N-40)*10,240+(N-60))))/25/TB'";
    for name in ["a.mp4", "a.mkv"] {
        let path = video(folder.path(), name, 100, &format!("-vf {filter} -vsync vfr {X264}"));
        let mut decoder = open(&path);
        assert_eq!(decoder.index().frames(), 100);
        assert!(decoder.index().info.variable_frame_rate);
        assert!((decoder.index().info.duration_seconds - 11.2).abs() < 0.05, "{:?}", decoder.index().info);
        let spec = ClipSpec { frames: 1, frame_step: 1, past_end: PastEnd::Loop };
        let plans = plan::uniform(decoder.index().timeline(), &spec, 7);
        let clips = decoder.clips(&plans, &native()).expect("frames decode");
        let found: Vec<usize> = clips.iter().map(|clip| numbers(clip)[0]).collect();
        // Centres at 0.8, 2.4, 4.0, 5.6, 7.2, 8.8 and 10.4 s.
        assert_eq!(found, [20, 42, 46, 50, 54, 58, 80], "{name}");
    }
}

#[test]
fn clips_longer_than_the_video() {
    let folder = folder();
    let path = video(folder.path(), "a.mp4", 3, X264);
    let mut decoder = open(&path);
    let spec = ClipSpec { frames: 5, frame_step: 1, past_end: PastEnd::Loop };
    let plans = [
        plan::centre(decoder.index().timeline(), &spec),
        plan::centre(decoder.index().timeline(), &ClipSpec { past_end: PastEnd::RepeatLast, ..spec }),
    ];
    let clips = decoder.clips(&plans, &native()).expect("frames decode");
    assert_eq!(numbers(&clips[0]), [0, 1, 2, 0, 1]);
    assert_eq!(numbers(&clips[1]), [0, 1, 2, 2, 2]);
    assert_eq!(clips[0].indices, [0, 1, 2, 0, 1]);
    assert!((clips[0].pts_seconds[2] - 0.08).abs() < 1e-6);
}
