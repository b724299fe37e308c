//! Pooling, row by row of the output forward and of the input backward: every value is written by one thread, in one order.

use std::mem::MaybeUninit;
use std::sync::Arc;

use burn::backend::flex::FlexTensor;

use super::rows::vectorised;
use super::team::pieces;
use super::tensors::{Dense, Float, fresh};
use crate::window::Window;

/// A window over features of a size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    features: [usize; 5],
    output: [usize; 5],
    /// Frames, height, width.
    axes: [Axis; 3],
}

/// The tap that was largest, for each value of the output.
pub(super) type Winners = Arc<Vec<u32>>;

impl Sweep {
    pub(crate) fn of(window: &Window, features: [usize; 5]) -> Self {
        let [batch, frames, height, width, channels] = features;
        let size = [frames, height, width];
        let output = window.output(size);
        let axes = std::array::from_fn(|axis| Axis {
            size: size[axis],
            output: output[axis],
            taps: window.kernel[axis],
            stride: window.stride[axis],
            dilation: window.dilation[axis],
            before: window.padding[axis].0,
        });
        Self { features, output: [batch, output[0], output[1], output[2], channels], axes }
    }

    /// Whether there is an output, and a value of the features in each of its windows.
    pub(crate) fn is_sound(&self) -> bool {
        !self.output.contains(&0) && self.axes.iter().all(Axis::never_sees_padding_alone)
    }

    fn channels(&self) -> usize {
        self.features[4]
    }

    /// The number of a tap among all of the window's.
    fn tap(&self, [frame, row, column]: [usize; 3]) -> u32 {
        let [_, height, width] = self.axes.map(|axis| axis.taps);
        u32::try_from((frame * height + row) * width + column).expect("a window has few taps")
    }

    /// Where a row of the output begins.
    fn output_row(&self, [sample, frame, row]: [usize; 3]) -> usize {
        let [_, frames, height, width, channels] = self.output;
        ((sample * frames + frame) * height + row) * width * channels
    }

    /// Where a row of the features begins.
    fn features_row(&self, [sample, frame, row]: [usize; 3]) -> usize {
        let [_, frames, height, width, channels] = self.features;
        ((sample * frames + frame) * height + row) * width * channels
    }

    /// One over the values in the window at a position of the output.
    fn share(&self, position: [usize; 3]) -> f32 {
        let count = |axis: usize| self.axes[axis].inputs(position[axis]).count();
        1.0 / (count(0) * count(1) * count(2)) as f32
    }
}

/// A row's `[sample, frame, row]` from its number.
fn place(number: usize, [_, frames, height, ..]: [usize; 5]) -> [usize; 3] {
    [number / (frames * height), number / height % frames, number % height]
}

#[derive(Clone, Copy, Debug)]
struct Axis {
    size: usize,
    output: usize,
    taps: usize,
    stride: usize,
    dilation: usize,
    before: usize,
}

impl Axis {
    /// What the window at a position of the output sees: tap and position, padding left out.
    fn inputs(self, output: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..self.taps).filter_map(move |tap| {
            let position = (output * self.stride + tap * self.dilation).checked_sub(self.before)?;
            (position < self.size).then_some((tap, position))
        })
    }

    /// Which windows see a position of the input, and by which tap: the inverse of [`Self::inputs`].
    fn outputs(self, input: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..self.taps).filter_map(move |tap| {
            let start = (input + self.before).checked_sub(tap * self.dilation)?;
            let output = start / self.stride;
            (start % self.stride == 0 && output < self.output).then_some((tap, output))
        })
    }

    fn never_sees_padding_alone(&self) -> bool {
        (0..self.output).all(|output| self.inputs(output).next().is_some())
    }
}

/// The largest value in each window, and which it was; the first of equals.
pub(super) fn max<E: Float>(sweep: Sweep, features: &FlexTensor) -> (FlexTensor, Winners) {
    let dense = Dense::of(features);
    let values = dense.values::<E>();
    let row = sweep.output[3] * sweep.channels();
    let mut winners = vec![NOBODY; sweep.output.iter().product()];
    let write = |output: &mut [MaybeUninit<E>]| {
        let mut rows: Vec<_> = output.chunks_mut(row).zip(winners.chunks_mut(row)).collect();
        pieces(&mut rows, 1, |number, rows| {
            for (output, winners) in rows {
                let mut largest = vec![f32::NEG_INFINITY; output.len()];
                max_row(&sweep, values, number, &mut largest, winners);
                narrow_row(&largest, output);
            }
        });
    };
    // SAFETY: the rows are all of the output, and each is written through.
    let output = unsafe { fresh(sweep.output.into(), write) };
    (output, Arc::new(winners))
}

/// The winner before there is one.
const NOBODY: u32 = u32::MAX;

vectorised! {
    fn max_row<E: Float>(sweep: &Sweep, values: &[E], number: usize, output: &mut [f32], winners: &mut [u32]) {
        let channels = sweep.channels();
        let [sample, out_frame, out_row] = place(number, sweep.output);
        let [frames, height, width] = sweep.axes;
        for (frame_tap, frame) in frames.inputs(out_frame) {
            for (row_tap, row) in height.inputs(out_row) {
                let start = sweep.features_row([sample, frame, row]);
                let of_columns = output.chunks_mut(channels).zip(winners.chunks_mut(channels)).enumerate();
                for (out_column, (output, winners)) in of_columns {
                    for (column_tap, column) in width.inputs(out_column) {
                        let tap = sweep.tap([frame_tap, row_tap, column_tap]);
                        let values = &values[start + column * channels..][..channels];
                        for ((&value, largest), winner) in values.iter().zip(&mut *output).zip(&mut *winners) {
                            let value = value.widened();
                            // What is not a number wins, and stays, so that it is seen.
                            let wins = value > *largest || value.is_nan() || *winner == NOBODY;
                            *largest = if wins { value } else { *largest };
                            *winner = if wins { tap } else { *winner };
                        }
                    }
                }
            }
        }
    }
}

/// The gradient of [`max`]'s features.
pub(super) fn max_backward<E: Float>(sweep: Sweep, winners: &[u32], slopes: &FlexTensor) -> FlexTensor {
    let dense = Dense::of(slopes);
    let slopes = dense.values::<E>();
    by_rows::<E>(sweep.features, |number, gradient| max_slopes_row(&sweep, winners, slopes, number, gradient))
}

vectorised! {
    fn max_slopes_row<E: Float>(sweep: &Sweep, winners: &[u32], slopes: &[E], number: usize, gradient: &mut [f32]) {
        let channels = sweep.channels();
        let [sample, frame, row] = place(number, sweep.features);
        let [frames, height, width] = sweep.axes;
        for (frame_tap, out_frame) in frames.outputs(frame) {
            for (row_tap, out_row) in height.outputs(row) {
                let start = sweep.output_row([sample, out_frame, out_row]);
                for (column, gradient) in gradient.chunks_mut(channels).enumerate() {
                    for (column_tap, out_column) in width.outputs(column) {
                        let here = start + out_column * channels..start + (out_column + 1) * channels;
                        let tap = sweep.tap([frame_tap, row_tap, column_tap]);
                        for ((gradient, &winner), &slope) in gradient.iter_mut().zip(&winners[here.clone()]).zip(&slopes[here]) {
                            *gradient += if winner == tap { slope.widened() } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}

/// The mean of each window, padding not counted.
pub(super) fn average<E: Float>(sweep: Sweep, features: &FlexTensor) -> FlexTensor {
    let dense = Dense::of(features);
    let values = dense.values::<E>();
    by_rows::<E>(sweep.output, |number, output| average_row(&sweep, values, number, output))
}

vectorised! {
    fn average_row<E: Float>(sweep: &Sweep, values: &[E], number: usize, output: &mut [f32]) {
        let channels = sweep.channels();
        let [sample, out_frame, out_row] = place(number, sweep.output);
        let [frames, height, width] = sweep.axes;
        for (out_column, output) in output.chunks_mut(channels).enumerate() {
            for (_, frame) in frames.inputs(out_frame) {
                for (_, row) in height.inputs(out_row) {
                    let start = sweep.features_row([sample, frame, row]);
                    for (_, column) in width.inputs(out_column) {
                        for (output, &value) in output.iter_mut().zip(&values[start + column * channels..]) {
                            *output += value.widened();
                        }
                    }
                }
            }
            let share = sweep.share([out_frame, out_row, out_column]);
            for output in output {
                *output *= share;
            }
        }
    }
}

/// The gradient of [`average`]'s features.
pub(super) fn average_backward<E: Float>(sweep: Sweep, slopes: &FlexTensor) -> FlexTensor {
    let dense = Dense::of(slopes);
    let slopes = dense.values::<E>();
    by_rows::<E>(sweep.features, |number, gradient| average_slopes_row(&sweep, slopes, number, gradient))
}

vectorised! {
    fn average_slopes_row<E: Float>(sweep: &Sweep, slopes: &[E], number: usize, gradient: &mut [f32]) {
        let channels = sweep.channels();
        let [sample, frame, row] = place(number, sweep.features);
        let [frames, height, width] = sweep.axes;
        for (_, out_frame) in frames.outputs(frame) {
            for (_, out_row) in height.outputs(row) {
                let start = sweep.output_row([sample, out_frame, out_row]);
                for (column, gradient) in gradient.chunks_mut(channels).enumerate() {
                    for (_, out_column) in width.outputs(column) {
                        let share = sweep.share([out_frame, out_row, out_column]);
                        for (gradient, &slope) in gradient.iter_mut().zip(&slopes[start + out_column * channels..]) {
                            *gradient += slope.widened() * share;
                        }
                    }
                }
            }
        }
    }
}

/// A tensor of `shape`, each row of which is summed up in 32 bits, from zeros, and then written.
fn by_rows<E: Float>(shape: [usize; 5], sum: impl Fn(usize, &mut [f32]) + Sync) -> FlexTensor {
    let length = shape[3] * shape[4];
    let write = |output: &mut [MaybeUninit<E>]| {
        pieces(output, length, |number, output| {
            let mut row = vec![0.0; output.len()];
            sum(number, &mut row);
            narrow_row(&row, output);
        });
    };
    // SAFETY: the rows are all of the tensor, and each is written through.
    unsafe { fresh(shape.into(), write) }
}

vectorised! {
    fn narrow_row<E: Float>(row: &[f32], output: &mut [MaybeUninit<E>]) {
        for (&value, output) in row.iter().zip(output) {
            output.write(E::nearest(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;

    #[test]
    fn windows_over_a_position_are_the_inverse_of_positions_in_a_window() {
        let axis = Axis { size: 7, output: 4, taps: 3, stride: 2, dilation: 2, before: 2 };
        for output in 0..axis.output {
            for (tap, input) in axis.inputs(output) {
                assert!(axis.outputs(input).any(|found| found == (tap, output)), "{tap} at {output}");
            }
        }
        let forward: usize = (0..axis.output).map(|output| axis.inputs(output).count()).sum();
        let backward: usize = (0..axis.size).map(|input| axis.outputs(input).count()).sum();
        assert_eq!(forward, backward);
    }
}
