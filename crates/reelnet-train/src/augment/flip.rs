//! Left and right.

use ndarray::Array4;
use reelnet_infer::Labels;

use super::bytes::pixels_of;
use super::config::FlipConfig;
use super::error::AugmentError;

/// Mirrors every frame left to right.
pub(super) fn mirror(clip: &mut Array4<u8>) {
    let (_, _, width, _) = clip.dim();
    for row in pixels_of(clip).chunks_exact_mut(width.max(1)) {
        row.reverse();
    }
}

/// The class of each class's mirror image.
pub(super) fn mirrored_labels(config: &FlipConfig, labels: &Labels) -> Result<Vec<usize>, AugmentError> {
    let mut mirrored: Vec<usize> = (0..labels.len()).collect();
    let wrong = |value: String, expected: &str| AugmentError {
        key: "augment.flip.label_swaps",
        value,
        expected: expected.to_owned(),
    };
    for pair in &config.label_swaps {
        let mut classes = [0; 2];
        for (class, name) in classes.iter_mut().zip(pair) {
            *class = (0..labels.len())
                .find(|&class| labels.get(class) == Some(name))
                .ok_or_else(|| wrong(format!("{pair:?}"), &format!("names of classes, which `{name}` is not")))?;
        }
        let [left, right] = classes;
        if left == right || mirrored[left] != left || mirrored[right] != right {
            return Err(wrong(format!("{pair:?}"), "two different classes, each in one pair only"));
        }
        mirrored.swap(left, right);
    }
    Ok(mirrored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swaps(pairs: &[[&str; 2]]) -> FlipConfig {
        let label_swaps = pairs.iter().map(|pair| pair.map(str::to_owned)).collect();
        FlipConfig { probability: 0.5, label_swaps }
    }

    #[test]
    fn classes_are_swapped_in_pairs() {
        let labels = Labels::lines("up\nto the left\nto the right\ndown");
        assert_eq!(mirrored_labels(&swaps(&[]), &labels), Ok(vec![0, 1, 2, 3]));
        assert_eq!(mirrored_labels(&swaps(&[["to the right", "to the left"]]), &labels), Ok(vec![0, 2, 1, 3]));
        for (pairs, told) in [
            (&[["up", "sideways"]][..], "`sideways` is not"),
            (&[["up", "up"]], "two different classes"),
            (&[["up", "down"], ["down", "to the left"]], "in one pair only"),
        ] {
            let error = mirrored_labels(&swaps(pairs), &labels).expect_err("it means nothing").to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn rows_are_reversed_and_pixels_stay_whole() {
        let clip = Array4::from_shape_fn([2, 3, 4, 3], |(frame, y, x, channel)| {
            u8::try_from(frame * 100 + y * 20 + x * 4 + channel).expect("small")
        });
        let mut flipped = clip.clone();
        mirror(&mut flipped);
        assert_eq!(flipped, clip.slice(ndarray::s![.., .., ..;-1, ..]));
    }
}
