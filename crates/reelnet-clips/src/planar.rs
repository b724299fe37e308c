//! Planar YUV of 8 bits to RGB at another size, cropped, in one step: the way that most videos take.
//!
//! FFmpeg's scaler computes the same, to within one step of a byte, but weighs columns before rows and interleaves RGB
//! pixel by pixel. Here rows come first, which needs no shuffling, only the cropped area is computed, and all arithmetic
//! fits into 16-bit lanes, whatever the machine. Results do not depend on the machine: it is all integers.
//!
//! Numbers: rows are added up as multiples of 1/256 ([`Row`] weights sum to 65536), columns and the matrix work on
//! multiples of 1/128.

use crate::Filter;
use crate::colour::{ColourMatrix, ColourRange};
use crate::simd::{self, Colours};
use crate::weights::Axis;

/// One plane of a decoded picture.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'picture> {
    pub(crate) bytes: &'picture [u8],
    pub(crate) row_bytes: usize,
    pub(crate) size: [usize; 2],
}

impl Plane<'_> {
    fn row(&self, y: usize) -> &[u8] {
        &self.bytes[y * self.row_bytes..][..self.size[0]]
    }
}

/// What is to be made of pictures that look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlanarTask {
    pub(crate) luma: [usize; 2],
    pub(crate) chroma: [usize; 2],
    /// Width and height after resizing.
    pub(crate) resized: [usize; 2],
    /// Left and top edge of what is kept.
    pub(crate) offset: [usize; 2],
    /// Width and height of what is kept.
    pub(crate) size: [usize; 2],
    pub(crate) filter: Filter,
    pub(crate) matrix: ColourMatrix,
    pub(crate) range: ColourRange,
}

/// The weights and buffers for one task.
pub(crate) struct PlanarScaler {
    pub(crate) task: PlanarTask,
    luma: PlaneScaler,
    chroma: PlaneScaler,
    colours: Colours,
    rows: [Vec<i16>; 3],
}

struct PlaneScaler {
    columns: Axis,
    rows: Axis,
    /// A row of the plane at its own width, after the rows were weighed; longer than that by what the widest group of
    /// weights may touch.
    weighed: Vec<i16>,
}

impl PlanarScaler {
    /// `None` for what is left to FFmpeg: weights that are negative, and shrinking by hundreds.
    pub(crate) fn new(task: PlanarTask) -> Option<Self> {
        let plane = |[width, height]: [usize; 2]| {
            let columns = Axis::new(task.filter, width, task.resized[0], task.offset[0], task.size[0])?;
            let rows = Axis::new(task.filter, height, task.resized[1], task.offset[1], task.size[1])?;
            let weighed = vec![0; columns.source_room()];
            Some(PlaneScaler { columns, rows, weighed })
        };
        let [luma, chroma] = [plane(task.luma)?, plane(task.chroma)?];
        let rows = std::array::from_fn(|_| vec![0; luma.columns.result_room()]);
        Some(Self { task, luma, chroma, colours: Colours::new(task.matrix, task.range), rows })
    }

    /// # Shapes
    /// `target` is `[height, width, 3]`, as large as the task says.
    pub(crate) fn rgb(&mut self, planes: [Plane<'_>; 3], target: &mut [u8]) {
        simd::with_widest(
            #[inline(always)]
            || self.convert(planes, target),
        );
    }

    #[inline(always)]
    fn convert(&mut self, [y, u, v]: [Plane<'_>; 3], target: &mut [u8]) {
        let [y_row, u_row, v_row] = &mut self.rows;
        for (row, target) in target.chunks_exact_mut(self.task.size[0] * 3).enumerate() {
            self.luma.row(y, row, y_row);
            self.chroma.row(u, row, u_row);
            self.chroma.row(v, row, v_row);
            let width = self.task.size[0];
            simd::rgb([&y_row[..width], &u_row[..width], &v_row[..width]], self.colours, target);
        }
    }
}

impl PlaneScaler {
    #[inline(always)]
    fn row(&mut self, plane: Plane<'_>, row: usize, out: &mut [i16]) {
        let width = plane.size[0];
        let (first, weights) = self.rows.at(row);
        if let Some(offset) = self.columns.identity() {
            weigh_rows(plane, first, offset, weights, &mut out[..self.columns.kept()]);
            return;
        }
        weigh_rows(plane, first, 0, weights, &mut self.weighed[..width]);
        self.columns.apply(&self.weighed, out);
    }
}

/// The weighed sum of some rows from `first` on, in multiples of 1/128, from the column `left` on.
#[inline(always)]
fn weigh_rows(plane: Plane<'_>, first: usize, left: usize, weights: &[u16], out: &mut [i16]) {
    if let &[_] = weights {
        for (out, &byte) in out.iter_mut().zip(&plane.row(first)[left..]) {
            *out = i16::from(byte) << 7;
        }
    } else {
        simd::blend_rows(&plane.bytes[first * plane.row_bytes + left..], plane.row_bytes, weights, out);
    }
}

impl Colours {
    pub(crate) fn new(matrix: ColourMatrix, range: ColourRange) -> Self {
        let (red, blue) = matrix.weights();
        let green = 1.0 - red - blue;
        let (black, luma, chroma) = match range {
            ColourRange::Limited => (16, 255.0 / 219.0, 255.0 / 224.0),
            ColourRange::Full => (0, 1.0, 1.0),
        };
        #[expect(clippy::cast_possible_truncation, reason = "no factor of any matrix reaches 4")]
        let fixed = |factor: f64| (factor * 8192.0).round() as i16;
        Self {
            black: black << 7,
            luma: fixed(luma),
            red_of_v: fixed(2.0 * (1.0 - red) * chroma),
            green_of_u: fixed(-2.0 * (1.0 - blue) * blue / green * chroma),
            green_of_v: fixed(-2.0 * (1.0 - red) * red / green * chroma),
            blue_of_u: fixed(2.0 * (1.0 - blue) * chroma),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same in floating point, straight from the definition of the kernels.
    fn exact(task: PlanarTask, planes: [&[u8]; 3]) -> Vec<f64> {
        let axis = |from: usize, to: usize, result: usize| -> Vec<(usize, f64)> {
            let ratio = from as f64 / to as f64;
            let centre = (result as f64 + 0.5) * ratio - 0.5;
            let weight = |distance: f64| match task.filter {
                Filter::Area if ratio > 1.0 => (0.5 + ratio / 2.0 - distance).clamp(0.0, 1.0),
                _ => (1.0 - distance / ratio.max(1.0)).max(0.0),
            };
            let far = i32::try_from(from).expect("small") * 3;
            let weights: Vec<(usize, f64)> = (-far..far)
                .map(|at| {
                    (
                        usize::try_from(at.max(0)).expect("positive").min(from - 1),
                        weight((f64::from(at) - centre).abs()),
                    )
                })
                .filter(|&(_, weight)| weight > 0.0)
                .collect();
            let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
            weights.into_iter().map(|(at, weight)| (at, weight / sum)).collect()
        };
        let sample = |plane: &[u8], [width, height]: [usize; 2], x: usize, y: usize| -> f64 {
            let columns = axis(width, task.resized[0], x + task.offset[0]);
            let rows = axis(height, task.resized[1], y + task.offset[1]);
            rows.iter()
                .flat_map(|&(row, above)| {
                    columns.iter().map(move |&(column, beside)| (row * width + column, above * beside))
                })
                .map(|(at, weight)| f64::from(plane[at]) * weight)
                .sum()
        };
        let (red, blue) = task.matrix.weights();
        let (black, luma, chroma) = match task.range {
            ColourRange::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
            ColourRange::Full => (0.0, 1.0, 1.0),
        };
        let mut pixels = Vec::new();
        for y in 0..task.size[1] {
            for x in 0..task.size[0] {
                let [of_blue, of_red] = [1, 2].map(|plane| (sample(planes[plane], task.chroma, x, y) - 128.0) * chroma);
                let grey = (sample(planes[0], task.luma, x, y) - black) * luma;
                let (reds, blues) = (grey + 2.0 * (1.0 - red) * of_red, grey + 2.0 * (1.0 - blue) * of_blue);
                let greens = (grey - red * reds - blue * blues) / (1.0 - red - blue);
                pixels.extend([reds, greens, blues].map(|channel| channel.clamp(0.0, 255.0)));
            }
        }
        pixels
    }

    #[test]
    fn integers_stay_within_a_rounding_of_the_definition() {
        let sizes = [
            ([16, 16], [16, 16]),
            ([17, 13], [17, 13]),
            ([64, 48], [21, 16]),
            ([40, 90], [16, 36]),
            ([9, 7], [40, 33]),
            ([33, 20], [66, 40]),
            ([130, 6], [13, 3]),
        ];
        for (case, (luma, resized)) in sizes.into_iter().enumerate() {
            for filter in [Filter::Bilinear, Filter::Area] {
                for (matrix, range) in [
                    (ColourMatrix::Bt601, ColourRange::Limited),
                    (ColourMatrix::Bt709, ColourRange::Full),
                    (ColourMatrix::Bt2020, ColourRange::Limited),
                ] {
                    for ([across, down], offset) in
                        [([2, 2], [0, 0]), ([2, 1], [1, 1]), ([1, 1], [0, 2]), ([4, 1], [2, 0])]
                    {
                        let chroma = [usize::div_ceil(luma[0], across), usize::div_ceil(luma[1], down)];
                        let size = [resized[0] - 2 * offset[0], resized[1] - offset[1]];
                        let task = PlanarTask { luma, chroma, resized, offset, size, filter, matrix, range };
                        let noise = |[width, height]: [usize; 2], salt: usize| -> Vec<u8> {
                            // Coarse steps and full contrast, the hardest case for any kernel.
                            (0..width * height)
                                .map(|at| u8::try_from((at * 2_654_435_761 + salt) / 977 % 256).expect("a byte"))
                                .collect()
                        };
                        let bytes = [noise(luma, case), noise(chroma, case + 7), noise(chroma, case + 99)];
                        let [y, u, v] = [0, 1, 2].map(|number| {
                            let size = if number == 0 { luma } else { chroma };
                            Plane { bytes: &bytes[number], row_bytes: size[0], size }
                        });
                        let mut found = vec![0; size[0] * size[1] * 3];
                        PlanarScaler::new(task).expect("positive weights").rgb([y, u, v], &mut found);
                        let expected = exact(task, [&bytes[0], &bytes[1], &bytes[2]]);
                        for (at, (&found, &exact)) in found.iter().zip(&expected).enumerate() {
                            assert!((f64::from(found) - exact).abs() < 0.62, "{task:?}: {found} for {exact} at {at}");
                        }
                    }
                }
            }
        }
    }
}
