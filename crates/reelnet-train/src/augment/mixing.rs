//! What happens across the clips of a batch: mixup (Zhang et al. 2017), cutmix (Yun et al. 2019), smoothed labels.

use ndarray::{Array2, Array5, ArrayViewMut1, Axis};
use rand_distr::{Beta, Distribution};
use reelnet_clips::Seed;
use serde::{Deserialize, Serialize};

use super::config::probability;
use super::draws::{Draws, Purpose};
use super::error::{AugmentError, require};

/// How the clips of a batch are mixed, and how sure targets are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixingConfig {
    /// The share of a target that is spread over all classes. The paper has 0.1.
    pub label_smoothing: f64,
    /// How likely a batch is mixed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub probability: f64,
    /// Both parameters of the beta distribution of mixup's weights. Absent: no mixup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixup_alpha: Option<f64>,
    /// Both parameters of the beta distribution of cutmix's areas. Absent: no cutmix. With both, a batch gets the one or the
    /// other, as often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutmix_alpha: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's wish")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// Mixes batches.
#[derive(Clone, Debug)]
pub struct Mixing {
    label_smoothing: f64,
    probability: f64,
    methods: Vec<Method>,
}

#[derive(Clone, Copy, Debug)]
enum Method {
    Mixup(Beta<f64>),
    Cutmix(Beta<f64>),
}

impl Mixing {
    /// What a recipe asks for.
    ///
    /// # Errors
    /// If a number means nothing.
    pub fn new(config: &MixingConfig) -> Result<Self, AugmentError> {
        let MixingConfig { label_smoothing, probability: mixed, mixup_alpha, cutmix_alpha } = config;
        probability("mixing.label_smoothing", *label_smoothing)?;
        probability("mixing.probability", *mixed)?;
        let expected = "a number from 0.001 to 1000";
        let mut methods = Vec::new();
        for (key, alpha, method) in [
            ("mixing.mixup_alpha", mixup_alpha, Method::Mixup as fn(Beta<f64>) -> Method),
            ("mixing.cutmix_alpha", cutmix_alpha, Method::Cutmix),
        ] {
            let Some(alpha) = alpha else { continue };
            require((0.001..=1000.0).contains(alpha), key, alpha, expected)?;
            let beta = Beta::new(*alpha, *alpha);
            methods.push(method(beta.map_err(|_| AugmentError {
                key,
                value: alpha.to_string(),
                expected: expected.to_owned(),
            })?));
        }
        let consistent = (*mixed > 0.0) != methods.is_empty();
        require(consistent, "mixing.probability", mixed, "above 0 with mixup_alpha or cutmix_alpha, and 0 without")?;
        Ok(Self { label_smoothing: *label_smoothing, probability: *mixed, methods })
    }

    /// Mixes each clip with the one that has its place in the reversed batch, and gives what is to be learned of them.
    ///
    /// # Shapes
    /// - `clips`: `[batch, frames, height, width, 3]`
    /// - `labels`: one entry a clip, each with at least one class below `classes`
    /// - result: `[batch, classes]`, each row with a sum of 1
    ///
    /// # Panics
    /// If there are not as many labels as clips, a label is not below `classes`, or clips are not in their standard layout.
    pub fn apply(
        &self,
        clips: &mut Array5<u8>,
        labels: &[impl AsRef<[usize]>],
        classes: usize,
        seed: Seed,
    ) -> Array2<f32> {
        assert_eq!(clips.len_of(Axis(0)), labels.len(), "every clip has its labels");
        let mut targets = one_hot(labels, classes);
        let mut draws = Draws::new(seed, Purpose::Mixing);
        if draws.chance(self.probability) && !self.methods.is_empty() {
            match self.methods[draws.below(self.methods.len())] {
                Method::Mixup(beta) => mixup(clips, &mut targets, beta.sample(draws.generator())),
                Method::Cutmix(beta) => {
                    let weight = beta.sample(draws.generator());
                    cutmix(clips, &mut targets, weight, &mut draws);
                }
            }
        }
        smoothed(targets, self.label_smoothing)
    }
}

/// One row a clip: 1 at its class, or as much at each of its classes.
///
/// # Panics
/// If a label is not below `classes`.
pub fn one_hot(labels: &[impl AsRef<[usize]>], classes: usize) -> Array2<f32> {
    let mut targets = Array2::zeros([labels.len(), classes]);
    for (labels, mut row) in labels.iter().zip(targets.rows_mut()) {
        let labels = labels.as_ref();
        for &label in labels {
            assert!(label < classes, "label {label} is not below the number of classes, {classes}");
            row[label] += 1.0 / labels.len() as f32;
        }
    }
    targets
}

/// `(1 - share) * target + share / classes`.
#[expect(clippy::cast_possible_truncation, reason = "targets are f32")]
pub fn smoothed(targets: Array2<f32>, share: f64) -> Array2<f32> {
    let even = share / targets.ncols() as f64;
    targets.mapv_into(|target| ((1.0 - share) * f64::from(target) + even) as f32)
}

/// A clip keeps this weight, in steps of 1/256, and gets the rest of its partner.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 256")]
fn mixup(clips: &mut Array5<u8>, targets: &mut Array2<f32>, weight: f64) {
    // Whole numbers, so that the loop keeps to narrow registers and targets are what pixels are.
    let own = (weight * 256.0).round() as u16;
    let other = 256 - own;
    for_each_pair(clips, |[first, second], _| {
        for (a, b) in first.iter_mut().zip(second) {
            let [x, y] = [u16::from(*a), u16::from(*b)];
            // At most 255 * 256 + 128: it fits, and so does the result into a byte.
            *a = ((x * own + y * other + 128) >> 8) as u8;
            *b = ((y * own + x * other + 128) >> 8) as u8;
        }
    });
    mix_targets(targets, f32::from(own) / 256.0);
}

/// Partners exchange a rectangle that takes about `1 - weight` of their area.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths within a frame")]
fn cutmix(clips: &mut Array5<u8>, targets: &mut Array2<f32>, weight: f64, draws: &mut Draws) {
    let (_, _, height, width, channels) = clips.dim();
    let share = (1.0 - weight).max(0.0).sqrt();
    // Centred anywhere, and cut off at the edges: the area that is left decides about the targets.
    let [rows, columns] = [height, width].map(|side| {
        let length = (side as f64 * share) as usize;
        let middle = draws.below(side);
        middle.saturating_sub(length / 2)..(middle + length / 2).min(side)
    });
    let exchanged = rows.len() * columns.len();
    for_each_pair(clips, |[first, second], row_bytes| {
        let frame_bytes = height * row_bytes;
        let frames = first.chunks_exact_mut(frame_bytes).zip(second.chunks_exact_mut(frame_bytes));
        for (first, second) in frames {
            for row in rows.clone() {
                let bytes = row * row_bytes + columns.start * channels..row * row_bytes + columns.end * channels;
                first[bytes.clone()].swap_with_slice(&mut second[bytes]);
            }
        }
    });
    mix_targets(targets, 1.0 - exchanged as f32 / (height * width).max(1) as f32);
}

/// Clips and their partners, with the bytes of a row. The one in the middle of an odd batch is its own partner.
fn for_each_pair(clips: &mut Array5<u8>, mut mix: impl FnMut([&mut [u8]; 2], usize)) {
    let (batch, frames, height, width, channels) = clips.dim();
    let clip_bytes = frames * height * width * channels;
    if clip_bytes == 0 {
        return;
    }
    let bytes = clips.as_slice_mut().expect("clips in their standard layout");
    let (first, rest) = bytes.split_at_mut(batch / 2 * clip_bytes);
    let second = &mut rest[batch % 2 * clip_bytes..];
    for (first, second) in first.chunks_exact_mut(clip_bytes).zip(second.chunks_exact_mut(clip_bytes).rev()) {
        mix([first, second], width * channels);
    }
}

fn mix_targets(targets: &mut Array2<f32>, own: f32) {
    let mut partners = targets.clone();
    partners.invert_axis(Axis(0));
    let mix = |mut row: ArrayViewMut1<f32>, partner: ndarray::ArrayView1<f32>| {
        row.zip_mut_with(&partner, |target, other| *target = own * *target + (1.0 - own) * other);
    };
    for (row, partner) in targets.rows_mut().into_iter().zip(partners.rows()) {
        mix(row, partner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clips(batch: usize) -> Array5<u8> {
        Array5::from_shape_fn([batch, 2, 8, 6, 3], |(clip, frame, y, x, channel)| {
            u8::try_from((clip * 61 + frame * 31 + y * 13 + x * 7 + channel) % 256).expect("a byte")
        })
    }

    fn seed(sample: u64) -> Seed {
        Seed { run: 3, epoch: 1, sample }
    }

    fn config(mixup_alpha: Option<f64>, cutmix_alpha: Option<f64>) -> MixingConfig {
        MixingConfig { label_smoothing: 0.1, probability: 1.0, mixup_alpha, cutmix_alpha }
    }

    #[test]
    fn smoothing_is_that_of_keras() {
        // Keras: y (1 - 0.1) + 0.1 / 4.
        let targets = smoothed(one_hot(&[vec![2], vec![0, 3]], 4), 0.1);
        let expected = [[0.025, 0.025, 0.925, 0.025], [0.475, 0.025, 0.025, 0.475]];
        for (ours, expected) in targets.iter().zip(expected.as_flattened()) {
            assert!((ours - expected).abs() < 1e-6, "{targets}");
        }
    }

    #[test]
    fn mixup_is_the_weighted_sum_of_a_batch_and_its_reverse() {
        for batch in [1, 2, 5, 8] {
            let before = clips(batch);
            let mut after = before.clone();
            let labels: Vec<[usize; 1]> = (0..batch).map(|clip| [clip % 3]).collect();
            let plain = one_hot(&labels, 3);
            let mut targets = plain.clone();
            mixup(&mut after, &mut targets, 0.7);
            let own = (0.7_f64 * 256.0).round() / 256.0;
            for (at, &mixed) in after.indexed_iter() {
                let mut partner = at;
                partner.0 = batch - 1 - at.0;
                let exact = own * f64::from(before[at]) + (1.0 - own) * f64::from(before[partner]);
                assert!((f64::from(mixed) - exact).abs() <= 0.501, "{at:?}: {mixed} for {exact}");
            }
            for ((clip, class), &target) in targets.indexed_iter() {
                let exact =
                    own * f64::from(plain[[clip, class]]) + (1.0 - own) * f64::from(plain[[batch - 1 - clip, class]]);
                assert!((f64::from(target) - exact).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn cutmix_exchanges_pixels_and_targets_say_how_many() {
        let mut exchanged_some = false;
        for sample in 0..40 {
            let before = clips(4);
            let mut after = before.clone();
            let mixing = Mixing::new(&MixingConfig { label_smoothing: 0.0, ..config(None, Some(1.0)) }).expect("good");
            let targets = mixing.apply(&mut after, &[[0], [1], [2], [3]], 4, seed(sample));
            for clip in 0..4 {
                let partner = 3 - clip;
                let mut kept = 0;
                for (at, &byte) in after.index_axis(Axis(0), clip).indexed_iter() {
                    let (frame, y, x, channel) = at;
                    let own = before[[clip, frame, y, x, channel]];
                    let other = before[[partner, frame, y, x, channel]];
                    assert_ne!(own, other, "the made clips differ everywhere");
                    assert!(byte == own || byte == other);
                    kept += usize::from(byte == own);
                }
                let share = kept as f32 / (2 * 8 * 6 * 3) as f32;
                assert!((targets[[clip, clip]] - share).abs() < 1e-6);
                assert!((targets[[clip, partner]] - (1.0 - share)).abs() < 1e-6);
                exchanged_some |= share < 1.0;
            }
        }
        assert!(exchanged_some);
    }

    #[test]
    fn targets_are_distributions_and_a_seed_is_a_batch() {
        for method in [config(Some(0.2), None), config(None, Some(1.0)), config(Some(0.8), Some(1.0))] {
            let mixing = Mixing::new(&method).expect("good numbers");
            let labels = [[0], [4], [2], [2], [1]];
            let mut weights = Vec::new();
            for sample in 0..50 {
                let [mut one, mut two] = [clips(5), clips(5)];
                let targets = mixing.apply(&mut one, &labels, 5, seed(sample));
                assert_eq!(targets, mixing.apply(&mut two, &labels, 5, seed(sample)));
                assert_eq!(one, two);
                assert!(targets.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));
                assert!(targets.iter().all(|&target| target > 0.0), "smoothed");
                weights.push(targets[[0, 0]]);
            }
            weights.dedup();
            assert!(weights.len() > 10, "draws differ: {weights:?}");
        }
        let never = Mixing::new(&MixingConfig { probability: 0.0, ..config(None, None) }).expect("good numbers");
        let mut batch = clips(3);
        never.apply(&mut batch, &[[0], [1], [2]], 3, seed(0));
        assert_eq!(batch, clips(3));
    }

    #[test]
    fn contradictions_are_refused() {
        for (bad, key) in [
            (MixingConfig { label_smoothing: 1.1, ..config(Some(1.0), None) }, "mixing.label_smoothing"),
            (config(Some(0.0), None), "mixing.mixup_alpha"),
            (config(None, Some(f64::NAN)), "mixing.cutmix_alpha"),
            (config(None, None), "mixing.probability"),
            (MixingConfig { probability: 0.0, ..config(Some(1.0), None) }, "mixing.probability"),
        ] {
            assert_eq!(Mixing::new(&bad).expect_err("it means nothing").key, key);
        }
    }
}
