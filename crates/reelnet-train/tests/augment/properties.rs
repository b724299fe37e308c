//! What holds for every seed and every size.

use ndarray::{Array4, Axis, s};
use proptest::prelude::*;
use reelnet_clips::{Resize, Seed};
use reelnet_infer::{Interpolation, Labels};
use reelnet_train::augment::rand_augment::{Operation, Step};
use reelnet_train::augment::{
    AugmentConfig, Augmenter, ColourJitterConfig, CropConfig, ErasingConfig, ErasingFill, FlipConfig, RandAugmentConfig,
};

fn everything(crop: CropConfig) -> AugmentConfig {
    AugmentConfig {
        crop,
        interpolation: Interpolation::Bicubic,
        flip: Some(FlipConfig { probability: 0.5, label_swaps: vec![["left".to_owned(), "right".to_owned()]] }),
        rand_augment: Some(RandAugmentConfig::released(15.0)),
        colour_jitter: Some(ColourJitterConfig { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }),
        erasing: Some(ErasingConfig {
            probability: 0.5,
            area: [0.02, 0.33],
            aspect: [0.3, 3.3],
            fill: ErasingFill::Noise,
        }),
    }
}

fn augmenter(config: &AugmentConfig, size: usize) -> Augmenter {
    let augmenter = Augmenter::new(config, size).expect("good numbers");
    augmenter.with_labels(&Labels::lines("left\nright\nup")).expect("known classes")
}

fn noise([frames, height, width]: [usize; 3], seed: u64) -> Array4<u8> {
    let mut state = seed;
    Array4::from_shape_simple_fn([frames, height, width, 3], || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()[7]
    })
}

fn crops(size: u32) -> impl Strategy<Value = CropConfig> {
    prop_oneof![
        Just(CropConfig::RandomResized { area: [0.08, 1.0], aspect: [0.75, 4.0 / 3.0], shorter_side: None }),
        Just(CropConfig::ScaleJitter { shorter_side: [size, size + 40] }),
        Just(CropConfig::Centre { shorter_side: size + 7 }),
        Just(CropConfig::Whole {}),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_clip_becomes_one_of_the_right_shape_and_a_seed_is_a_clip(
        shape in [1_usize..4, 1_usize..60, 1_usize..60],
        (size, crop) in (1_u32..50).prop_flat_map(|size| (Just(size), crops(size))),
        run: u64, epoch in 0_u64..1000, sample: u64,
    ) {
        let size = size as usize;
        let augmenter = augmenter(&everything(crop), size);
        let (clip, seed) = (noise(shape, sample), Seed { run, epoch, sample });
        let one = augmenter.apply(clip.clone(), seed);
        prop_assert_eq!(one.dim(), (shape[0], size, size, 3));
        prop_assert_eq!(&one, &augmenter.apply(clip, seed));
    }

    #[test]
    fn a_still_clip_stays_still(sample: u64, frames in 2_usize..5) {
        let config = everything(CropConfig::RandomResized { area: [0.08, 1.0], aspect: [0.75, 4.0 / 3.0], shorter_side: None });
        let augmenter = augmenter(&config, 24);
        let frame = noise([1, 40, 30], sample);
        let still = frame.broadcast([frames, 40, 30, 3]).expect("more frames").to_owned();
        let moved = augmenter.apply(still, Seed { run: 1, epoch: 2, sample });
        for frame in moved.axis_iter(Axis(0)) {
            prop_assert_eq!(frame, moved.index_axis(Axis(0), 0));
        }
    }

    #[test]
    fn no_strength_makes_an_operation_fail(
        operation in 0_usize..16, strength in -1e6_f64..1e6, place in [0.0_f64..1.0, 0.0_f64..1.0],
        shape in [0_usize..3, 1_usize..12, 1_usize..12],
    ) {
        let mut clip = noise(shape, 7);
        Step { operation: Operation::ALL[operation], strength, place }.apply(&mut clip);
        prop_assert_eq!(clip.dim(), (shape[0], shape[1], shape[2], 3));
    }
}

#[test]
fn frames_are_decoded_no_larger_than_their_crops_can_use() {
    let of = |crop: CropConfig, frame, frames| {
        let augmenter = augmenter(&everything(crop), 224);
        augmenter.geometry(frame, frames, Seed { run: 1, epoch: 2, sample: 3 }).resize
    };
    let random =
        |shorter_side| CropConfig::RandomResized { area: [0.08, 1.0], aspect: [0.75, 4.0 / 3.0], shorter_side };
    // Videos: to 256 for 224, and never larger; images: all that there is; unless the recipe says otherwise.
    assert_eq!(of(random(None), [1920, 1080], 32), Resize::ShorterSide(256));
    assert_eq!(of(random(None), [1080, 1920], 32), Resize::ShorterSide(256));
    assert_eq!(of(random(None), [340, 256], 32), Resize::Native);
    assert_eq!(of(random(None), [1920, 1080], 1), Resize::Native);
    assert_eq!(of(random(Some(320)), [1920, 1080], 1), Resize::ShorterSide(320));
    assert_eq!(of(CropConfig::Centre { shorter_side: 240 }, [100, 90], 8), Resize::ShorterSide(240));
    assert_eq!(of(CropConfig::Whole {}, [640, 360], 8), Resize::Exact { width: 224, height: 224 });
    let jitter = CropConfig::ScaleJitter { shorter_side: [224, 320] };
    let Resize::ShorterSide(side) = of(jitter.clone(), [640, 360], 8) else { panic!("a side is drawn") };
    assert!((224..=320).contains(&side));
    // Decoded at that size, a clip is cut and not resized: every pixel is one of the frame's.
    let calm =
        AugmentConfig { rand_augment: None, colour_jitter: None, erasing: None, flip: None, ..everything(jitter) };
    let frame = noise([1, side as usize, side as usize + 40], 5);
    let cut = augmenter(&calm, 224).apply(frame.clone(), Seed { run: 1, epoch: 2, sample: 3 });
    let [rows, columns] = [side as usize - 224, side as usize + 40 - 224];
    let is_at = |top: usize, left: usize| cut == frame.slice(s![.., top..top + 224, left..left + 224, ..]);
    assert!((0..=rows).any(|top| (0..=columns).any(|left| is_at(top, left))));
}

#[test]
fn labels_are_swapped_when_clips_are_mirrored() {
    let config =
        AugmentConfig { rand_augment: None, colour_jitter: None, erasing: None, ..everything(CropConfig::Whole {}) };
    let augmenter = augmenter(&config, 8);
    let clip = noise([2, 8, 8], 1);
    let mut mirrored = 0;
    for sample in 0..200 {
        let seed = Seed { run: 5, epoch: 0, sample };
        let is_mirrored = augmenter.apply(clip.clone(), seed) != clip;
        mirrored += usize::from(is_mirrored);
        let expected = if is_mirrored { [1, 0, 2] } else { [0, 1, 2] };
        assert_eq!([0, 1, 2].map(|label| augmenter.label(label, seed)), expected);
    }
    // Five standard deviations of a fair count of 100.
    assert!((65..=135).contains(&mirrored), "{mirrored}");
}

#[test]
fn steps_draw_for_themselves() {
    // Switching a step off leaves the others' draws as they are.
    let whole = everything(CropConfig::RandomResized { area: [0.3, 0.3], aspect: [1.0, 1.0], shorter_side: None });
    let bare = AugmentConfig { rand_augment: None, colour_jitter: None, erasing: None, ..whole.clone() };
    let calm = AugmentConfig {
        rand_augment: Some(RandAugmentConfig { layers: 0, ..RandAugmentConfig::released(10.0) }),
        ..bare.clone()
    };
    let clip = noise([1, 50, 50], 3);
    let of = |config: &AugmentConfig| {
        let augmenter = augmenter(config, 16);
        augmenter.apply(clip.clone(), Seed { run: 1, epoch: 1, sample: 1 })
    };
    assert_eq!(of(&bare), of(&calm));
    assert_ne!(of(&bare), of(&whole));
}

#[test]
fn erasing_covers_the_share_that_was_asked_for() {
    let erasing = ErasingConfig { probability: 1.0, area: [0.25, 0.25], aspect: [1.0, 1.0], fill: ErasingFill::Grey };
    let config = AugmentConfig {
        flip: None,
        rand_augment: None,
        colour_jitter: None,
        erasing: Some(erasing),
        ..everything(CropConfig::Whole {})
    };
    let augmenter = augmenter(&config, 32);
    let black = Array4::zeros([3, 32, 32, 3]);
    let covered = augmenter.apply(black, Seed { run: 1, epoch: 0, sample: 9 });
    let count = covered.iter().filter(|byte| **byte == 128).count();
    assert_eq!(count, 3 * 16 * 16 * 3);
    assert!(covered.iter().all(|byte| [0, 128].contains(byte)));
}
