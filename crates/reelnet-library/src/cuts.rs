//! Cuts between shots, told from colour histograms of frames that lie some time apart: the classical measure (Zhang, Kankanhalli and
//! Smoliar, "Automatic partitioning of full-motion video", Multimedia Systems 1, 1993), with a threshold that rises where pictures
//! change all the time.

use std::collections::VecDeque;

use ndarray::ArrayView3;

/// Bins a channel; three channels together.
const BINS: usize = 8;
/// Of a row and of a column of pixels, every so many are counted.
const STRIDE: usize = 4;
/// How far a cut goes at least, as a share of the way from what pictures of the shot differ by anyway to having no colour in common. (A
/// multiple of that difference would be out of reach in a restless shot: nothing differs by more than 1.)
const LEAST: f32 = 0.35;
/// Differences that are remembered.
const MEMORY: usize = 8;

/// The colours of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    shares: Vec<f32>,
}

impl Histogram {
    /// Of RGB bytes, `[height, width, 3]`.
    pub fn of(picture: &ArrayView3<'_, u8>) -> Self {
        let mut counts = vec![0_u32; BINS * BINS * BINS];
        let mut total = 0_u32;
        let (height, width, _) = picture.dim();
        for row in (0..height).step_by(STRIDE) {
            for column in (0..width).step_by(STRIDE) {
                let bin = |channel: usize| usize::from(picture[[row, column, channel]]) * BINS / 256;
                counts[(bin(0) * BINS + bin(1)) * BINS + bin(2)] += 1;
                total += 1;
            }
        }
        Self { shares: counts.into_iter().map(|count| count as f32 / total.max(1) as f32).collect() }
    }

    /// From 0, the same colours, to 1, none in common.
    pub fn difference(&self, other: &Self) -> f32 {
        self.shares.iter().zip(&other.shares).map(|(a, b)| (a - b).abs()).sum::<f32>() / 2.0
    }
}

/// Finds cuts in a sequence of pictures.
#[derive(Clone, Debug, Default)]
pub struct CutDetector {
    last: Option<Histogram>,
    differences: VecDeque<f32>,
}

impl CutDetector {
    /// Whether there is a cut between the picture before and this one.
    pub fn is_cut(&mut self, picture: &ArrayView3<'_, u8>) -> bool {
        let histogram = Histogram::of(picture);
        let Some(last) = self.last.replace(histogram) else { return false };
        let difference = self.last.as_ref().map_or(0.0, |now| now.difference(&last));
        let usual = self.differences.iter().sum::<f32>() / self.differences.len().max(1) as f32;
        // The first difference of a shot only tells how restless it is.
        let is_cut = !self.differences.is_empty() && difference > usual + LEAST * (1.0 - usual);
        if is_cut {
            self.differences.clear();
            return true;
        }
        self.differences.push_back(difference);
        if self.differences.len() > MEMORY {
            self.differences.pop_front();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    fn plain(colour: [u8; 3]) -> Array3<u8> {
        Array3::from_shape_fn((32, 32, 3), |(_, _, channel)| colour[channel])
    }

    #[test]
    fn histograms_compare_colours() {
        let [red, blue] = [plain([200, 10, 10]), plain([10, 10, 200])].map(|picture| Histogram::of(&picture.view()));
        assert_eq!(red.difference(&red), 0.0);
        assert!((red.difference(&blue) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_change_is_a_cut_and_restlessness_is_none() {
        let mut detector = CutDetector::default();
        let colours = [[200, 10, 10], [200, 10, 10], [10, 10, 200], [10, 10, 200], [10, 10, 200], [10, 200, 10]];
        let cuts: Vec<bool> = colours.iter().map(|colour| detector.is_cut(&plain(*colour).view())).collect();
        assert_eq!(cuts, [false, false, true, false, false, true]);
        // A strobe light.
        let mut detector = CutDetector::default();
        let flashes: Vec<bool> =
            (0..20).map(|turn| detector.is_cut(&plain([if turn % 2 == 0 { 10 } else { 250 }; 3]).view())).collect();
        assert!(flashes.iter().all(|cut| !cut), "{flashes:?}");
        // A restless shot ends where something quite different begins: three of its pictures have half their colours in common.
        let half = |colour| {
            Array3::from_shape_fn(
                (32, 32, 3),
                |(row, _, channel)| if row < 16 { [200, 10, 10][channel] } else { colour },
            )
        };
        let mut detector = CutDetector::default();
        let restless = [half(20), half(60), half(100), plain([10, 10, 200])];
        let cuts: Vec<bool> = restless.iter().map(|picture| detector.is_cut(&picture.view())).collect();
        assert_eq!(cuts, [false, false, false, true]);
    }
}
