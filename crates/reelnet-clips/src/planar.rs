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
            let weighed = vec![0; width + columns.padding()];
            Some(PlaneScaler { columns, rows, weighed })
        };
        let rows = std::array::from_fn(|_| vec![0; task.size[0]]);
        let colours = Colours::new(task.matrix, task.range);
        Some(Self { task, luma: plane(task.luma)?, chroma: plane(task.chroma)?, colours, rows })
    }

    /// # Shapes
    /// `target` is `[height, width, 3]`, as large as the task says.
    pub(crate) fn rgb(&mut self, planes: [Plane<'_>; 3], target: &mut [u8]) {
        crate::simd::with_widest(
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
            self.colours.convert(y_row, u_row, v_row, target);
        }
    }
}

impl PlaneScaler {
    #[inline(always)]
    fn row(&mut self, plane: Plane<'_>, row: usize, out: &mut [i16]) {
        let width = plane.size[0];
        let (first, weights) = self.rows.at(row);
        weigh_rows(plane, first, weights, &mut self.weighed[..width]);
        self.columns.apply(&self.weighed, out);
    }
}

/// The weighed sum of some rows, in multiples of 1/128.
#[inline(always)]
fn weigh_rows(plane: Plane<'_>, first: usize, weights: &[u16], out: &mut [i16]) {
    const LANES: usize = 64;
    if let &[_] = weights {
        for (out, &byte) in out.iter_mut().zip(plane.row(first)) {
            *out = i16::from(byte) << 7;
        }
        return;
    }
    // Each product is cut off, by half a unit on average.
    let half = u16::try_from(weights.len() / 2).unwrap_or(0);
    let mut x = 0;
    while x < out.len() {
        // The last block overlaps the one before it, so that there is no remainder to do one by one.
        let lanes = LANES.min(out.len());
        x = x.min(out.len() - lanes);
        let mut sum = [half; LANES];
        if lanes == LANES {
            for (tap, &weight) in weights.iter().enumerate() {
                let row = &plane.row(first + tap)[x..x + LANES];
                for (sum, &byte) in sum.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(high(u16::from(byte) << 8, weight));
                }
            }
        } else {
            for (tap, &weight) in weights.iter().enumerate() {
                for (sum, &byte) in sum.iter_mut().zip(plane.row(first + tap)) {
                    *sum = sum.wrapping_add(high(u16::from(byte) << 8, weight));
                }
            }
        }
        for (out, sum) in out[x..x + lanes].iter_mut().zip(sum) {
            *out = (sum >> 1).cast_signed();
        }
        x += lanes;
    }
}

/// The upper half of a product: one instruction on a vector.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the upper 16 of 32 bits")]
fn high(value: u16, weight: u16) -> u16 {
    (u32::from(value) * u32::from(weight) >> 16) as u16
}

/// Factors between YUV and RGB, in multiples of 1/8192.
#[derive(Debug, Clone, Copy)]
struct Colours {
    black: i16,
    luma: i16,
    red_of_v: i16,
    green_of_u: i16,
    green_of_v: i16,
    blue_of_u: i16,
}

impl Colours {
    fn new(matrix: ColourMatrix, range: ColourRange) -> Self {
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

    #[inline(always)]
    fn convert(self, y: &[i16], u: &[i16], v: &[i16], target: &mut [u8]) {
        const LANES: usize = 32;
        let width = y.len();
        let mut x = 0;
        while x < width {
            let lanes = LANES.min(width);
            x = x.min(width - lanes);
            let mut planes = [[0_u8; LANES]; 3];
            if lanes == LANES {
                let block = |row: &[i16]| <[i16; LANES]>::try_from(&row[x..x + LANES]).unwrap_or([0; LANES]);
                self.block(block(y), block(u), block(v), &mut planes);
            } else {
                let block = |row: &[i16]| std::array::from_fn(|lane| row.get(lane).copied().unwrap_or(0));
                self.block(block(y), block(u), block(v), &mut planes);
            }
            let [red, green, blue] = planes;
            for (lane, pixel) in target[x * 3..(x + lanes) * 3].chunks_exact_mut(3).enumerate() {
                pixel[0] = red[lane];
                pixel[1] = green[lane];
                pixel[2] = blue[lane];
            }
            x += lanes;
        }
    }

    #[inline(always)]
    fn block<const LANES: usize>(
        self,
        y: [i16; LANES],
        u: [i16; LANES],
        v: [i16; LANES],
        [red, green, blue]: &mut [[u8; LANES]; 3],
    ) {
        const HALF: i16 = 128 << 7;
        for lane in 0..LANES {
            let [u, v] = [u[lane] - HALF, v[lane] - HALF];
            // Sums stay below 2^15: the largest is (255 + 2.2 · 128) · 32.
            let luma = product(y[lane] - self.black, self.luma) + 16;
            red[lane] = byte(luma + product(v, self.red_of_v));
            green[lane] = byte(luma + product(u, self.green_of_u) + product(v, self.green_of_v));
            blue[lane] = byte(luma + product(u, self.blue_of_u));
        }
    }
}

/// The rounded product of multiples of 1/128 and 1/8192 in multiples of 1/32: one instruction on a vector.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the product of two 16-bit numbers, shifted by 15")]
fn product(value: i16, factor: i16) -> i16 {
    (((i32::from(value) * i32::from(factor)) >> 14) + 1 >> 1) as i16
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn byte(value: i16) -> u8 {
    (value >> 5).clamp(0, 255) as u8
}
