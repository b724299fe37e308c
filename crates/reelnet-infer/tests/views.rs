//! Clips and crops of each protocol against `scripts/golden/views.py`, which knows the published arithmetic and not ours.

use std::path::Path;

use reelnet_clips::Timeline;
use reelnet_infer::evaluation::{Protocol, ViewSettings, Views};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Golden {
    side: u32,
    crops: std::collections::HashMap<String, std::collections::HashMap<String, Vec<[usize; 2]>>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    protocol: String,
    frames: usize,
    step: usize,
    clips: usize,
    fps: f64,
    sha256: String,
    shown: std::collections::HashMap<usize, Vec<Vec<usize>>>,
}

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/views.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the golden file is there")).expect("it parses")
}

fn settings(protocol: &str, views: Views, [frames, frame_step]: [usize; 2], side: u32) -> ViewSettings {
    let protocol: Protocol = protocol.parse().expect("a protocol");
    ViewSettings { protocol, views, frames, frame_step, resize: side, crop: side }
}

#[test]
fn frames_of_every_length_are_the_published_ones() {
    let golden = golden();
    for Case { protocol, frames, step, clips, fps, sha256, shown } in &golden.cases {
        let views = settings(protocol, Views { clips: *clips, crops: 3 }, [*frames, *step], golden.side);
        let mut hash = Sha256::new();
        for length in 1..=1000 {
            let timeline = Timeline::at_fixed_rate(length, *fps).expect("a rate");
            let mut plans: Vec<Vec<usize>> =
                views.plans(&timeline, *fps).into_iter().map(|plan| plan.indices).collect();
            if length == 1 {
                // A picture is looked at once; the published protocols look at it again and again.
                assert_eq!(plans.len(), 1);
                plans = vec![plans[0].clone(); *clips];
            }
            if let Some(shown) = shown.get(&length) {
                assert_eq!(&plans, shown, "{protocol}, {frames}x{step}, {clips} clips of {length} frames at {fps}");
            }
            let words = |plan: &Vec<usize>| plan.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let line = plans.iter().map(words).collect::<Vec<_>>().join("; ");
            hash.update(format!("{length}: {line}\n"));
        }
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&found, sha256, "{protocol}, {frames}x{step}, {clips} clips at {fps}");
    }
}

#[test]
fn crops_lie_where_the_protocols_have_them() {
    let golden = golden();
    for (protocol, sizes) in &golden.crops {
        let views = settings(protocol, Views { clips: 1, crops: 3 }, [1, 1], golden.side);
        for (size, offsets) in sizes {
            let (height, width) = size.split_once('x').expect("a size");
            let size = [height, width].map(|side| side.parse().expect("a number"));
            let found: Vec<[usize; 2]> = (0..3).map(|crop| views.offset(crop, size)).collect();
            assert_eq!(&found, offsets, "{protocol}, {size:?}");
        }
    }
}

#[test]
fn any_number_of_crops_spans_the_frame() {
    for crops in 2..9 {
        let views = settings("reelnet", Views { clips: 1, crops }, [1, 1], 100);
        for size in [[100, 177], [177, 100], [100, 100]] {
            let along = |crop| views.offset(crop, size).iter().sum::<usize>();
            assert_eq!((along(0), along(crops - 1)), (0, size[0].max(size[1]) - 100));
            assert!((1..crops).all(|crop| along(crop) >= along(crop - 1)));
        }
    }
}

#[test]
fn words_are_checked() {
    assert_eq!("10x3".parse(), Ok(Views { clips: 10, crops: 3 }));
    for wrong in ["10", "0x1", "1x0", "x", "3x-1", "9999x1"] {
        assert!(wrong.parse::<Views>().expect_err(wrong).contains("such as 10x3"), "{wrong}");
    }
    assert!(
        "slow"
            .parse::<Protocol>()
            .expect_err("no protocol")
            .contains("expected tf, slowfast, mmaction, pytorchvideo or reelnet")
    );
}
