//! `RandAugment`'s operations against `scripts/golden/rand_augment.py`.

use ndarray::{Array4, ArrayView4, Axis, concatenate};
use reelnet_train::augment::RandAugmentConfig;
use reelnet_train::augment::rand_augment::{Operation, Step};
use safetensors::SafeTensors;
use serde::Deserialize;

const GOLDEN: &[u8] = include_bytes!("../golden/rand-augment.safetensors");

#[derive(Deserialize)]
struct Case {
    key: String,
    operation: String,
    strength: f64,
    place: [f64; 2],
}

fn metadata<T: for<'json> Deserialize<'json>>(key: &str) -> T {
    let (_, header) = SafeTensors::read_metadata(GOLDEN).expect("a safetensors header");
    let metadata = header.metadata().as_ref().expect("metadata");
    serde_json::from_str(&metadata[key]).expect("JSON, as the script writes it")
}

fn image(key: &str) -> Array4<u8> {
    let file = SafeTensors::deserialize(GOLDEN).expect("a safetensors file");
    let tensor = file.tensor(key).expect("a tensor of this name");
    let [height, width, channels] = tensor.shape().try_into().expect("an image");
    ArrayView4::from_shape([1, height, width, channels], tensor.data()).expect("as many bytes").to_owned()
}

fn operation(name: &str) -> Operation {
    let index = NAMES.iter().position(|known| *known == name).expect("a known operation");
    Operation::ALL[index]
}

/// What the script calls the operations, in our order.
const NAMES: [&str; 16] = [
    "auto-contrast",
    "equalize",
    "invert",
    "rotate",
    "posterize",
    "solarize",
    "colour",
    "contrast",
    "brightness",
    "sharpness",
    "shear-x",
    "shear-y",
    "translate-x",
    "translate-y",
    "cutout",
    "solarize-add",
];

#[test]
fn every_operation_is_the_released_one_to_the_byte() {
    let input = image("input");
    let cases: Vec<Case> = metadata("cases");
    assert!(NAMES.iter().all(|name| cases.iter().any(|case| case.operation == *name)), "no operation is left out");
    for Case { key, operation: name, strength, place } in cases {
        let step = Step { operation: operation(&name), strength, place };
        let mut ours = input.clone();
        step.apply(&mut ours);
        let expected = image(&key);
        let differing = ours.iter().zip(&expected).filter(|(ours, expected)| ours != expected).count();
        assert_eq!(differing, 0, "{name} of {strength} at {place:?}: bytes that differ");
    }
}

#[test]
fn magnitudes_make_operations_as_strong_as_released() {
    let magnitudes: std::collections::HashMap<String, Vec<[f64; 2]>> = metadata("magnitudes");
    assert_eq!(magnitudes.len(), NAMES.len());
    for (name, strengths) in magnitudes {
        for [magnitude, expected] in strengths {
            let strength = operation(&name).strength(&RandAugmentConfig::released(magnitude));
            assert!((strength - expected).abs() < 1e-12, "{name} at {magnitude}: {strength}, expected {expected}");
        }
    }
}

#[test]
fn all_frames_of_a_clip_get_the_same() {
    // Statistics are those of the clip: two equal frames have the ones of one.
    let input = image("input");
    let twice = concatenate![Axis(0), input, input];
    for operation in Operation::ALL {
        let strength = operation.strength(&RandAugmentConfig::released(4.0));
        let step = Step { operation, strength, place: [0.4, 0.6] };
        let [mut one, mut two] = [input.clone(), twice.clone()];
        step.apply(&mut one);
        step.apply(&mut two);
        assert_eq!(two, concatenate![Axis(0), one, one], "{operation:?}");
    }
}
