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
    /// Of RGB bytes, `[height, width, 3]`. A pixel counts for the bins on both sides of it, the nearer one more: a plain area at the
    /// border of two would otherwise go over as a whole, by a rounding error of a codec.
    pub fn of(picture: &ArrayView3<'_, u8>) -> Self {
        let mut shares = vec![0.0_f32; BINS * BINS * BINS];
        let mut total = 0.0_f32;
        let (height, width, _) = picture.dim();
        for row in (0..height).step_by(STRIDE) {
            for column in (0..width).step_by(STRIDE) {
                let sides = [0, 1, 2].map(|channel| sides(picture[[row, column, channel]]));
                for (red, a) in sides[0] {
                    for (green, b) in sides[1] {
                        for (blue, c) in sides[2] {
                            shares[(red * BINS + green) * BINS + blue] += a * b * c;
                        }
                    }
                }
                total += 1.0;
            }
        }
        for share in &mut shares {
            *share /= total.max(1.0);
        }
        Self { shares }
    }

    /// From 0, the same colours, to 1, none in common.
    pub fn difference(&self, other: &Self) -> f32 {
        self.shares.iter().zip(&other.shares).map(|(a, b)| (a - b).abs()).sum::<f32>() / 2.0
    }
}

/// The bins whose middles a value lies between, and how much it counts for each.
fn sides(value: u8) -> [(usize, f32); 2] {
    const WIDTH: usize = 256 / BINS;
    let last = BINS - 1;
    // In halves of a value, from the middle of the first bin on.
    let place = (2 * usize::from(value) + 1).saturating_sub(WIDTH);
    let lower = (place / (2 * WIDTH)).min(last);
    let upper = (lower + 1).min(last);
    let share = (place - lower * 2 * WIDTH) as f32 / (2 * WIDTH) as f32;
    [(lower, 1.0 - share), (upper, share)]
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
        let near = Histogram::of(&plain([201, 9, 11]).view());
        assert!((0.01..0.1).contains(&red.difference(&near)), "{}", red.difference(&near));
    }

    #[test]
    fn nothing_jumps_from_one_value_to_the_next() {
        for value in 0..=255_u8 {
            let [(lower, a), (upper, b)] = sides(value);
            assert!(
                upper < BINS && upper - lower <= 1 && (a + b - 1.0).abs() < 1e-6 && a >= 0.0 && b >= 0.0,
                "{value}"
            );
            let grey = |value: u8| Histogram::of(&plain([value; 3]).view());
            let step = grey(value).difference(&grey(value.saturating_add(1)));
            assert!(step < 0.1, "{value}: {step}");
        }
        let of = |value| sides(value).map(|(bin, _)| bin);
        assert_eq!((of(0), of(15), of(16), of(240), of(255)), ([0, 1], [0, 1], [0, 1], [7, 7], [7, 7]));
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
