//! What is to be convolved, as oneDNN is asked: pure arithmetic.

use super::ffi;
use crate::window::Window;

/// Which way a convolution runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward = 0,
    InputGradient = 1,
    WeightGradient = 2,
}

impl Direction {
    pub(super) const ALL: [Self; 3] = [Self::Forward, Self::InputGradient, Self::WeightGradient];
}

/// A convolution, but for the numbers in its tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Convolution {
    /// `[batch, frames, height, width, channels_in]`
    pub(crate) features: [usize; 5],
    pub(crate) channels_out: usize,
    pub(crate) window: Window,
    pub(crate) groups: usize,
    pub(crate) has_bias: bool,
    /// Activations are bfloat16 instead of 32-bit floats.
    pub(crate) half: bool,
}

/// Multiply-accumulates that pay for one more thread: some twenty microseconds of one, while two threads that wait for each
/// other on a busy machine can lose a scheduler's time slice, milliseconds, at every wait.
const MACS_A_THREAD: usize = 1 << 20;

impl Convolution {
    /// `[batch, frames', height', width', channels_out]`
    pub(super) fn output(&self) -> [usize; 5] {
        let [batch, size @ .., _] = self.features;
        let [frames, height, width] = self.window.output(size);
        [batch, frames, height, width, self.channels_out]
    }

    /// Whether nothing is empty, which oneDNN would take for something else.
    pub(super) fn is_sound(&self) -> bool {
        let Window { kernel, stride, dilation, .. } = self.window;
        let positive = |values: &[usize]| values.iter().all(|&value| value > 0);
        positive(&self.features)
            && positive(&self.output())
            && positive(&[kernel, stride, dilation].concat())
            && self.groups > 0
            && self.features[4].is_multiple_of(self.groups)
            && self.channels_out.is_multiple_of(self.groups)
    }

    /// How many of `threads` the convolution is worth.
    fn worth(&self, threads: usize) -> usize {
        let positions: usize = self.output().iter().product();
        let macs = positions * (self.features[4] / self.groups) * self.window.kernel.iter().product::<usize>();
        threads.min(1 + macs / MACS_A_THREAD)
    }

    /// As the shim takes it. Whatever looks at one frame or at one pixel at a time becomes a convolution over two axes, for
    /// which oneDNN has more and better kernels; in channels-last memory that is a change of names.
    pub(super) fn problem(&self, direction: Direction, threads: usize) -> ffi::Conv {
        let Window { kernel, stride, padding, dilation } = self.window;
        let [batch, frames, height, width, channels_in] = self.features;
        let [_, out_frames, out_height, out_width, channels_out] = self.output();
        let before = padding.map(|(before, _)| before);
        let after = padding.map(|(_, after)| after);
        let untouched = |axis: usize| kernel[axis] == 1 && stride[axis] == 1 && padding[axis] == (0, 0);
        let mut problem = ffi::Conv {
            direction: direction as i64,
            axes: 3,
            batch: wide(batch),
            channels_in: wide(channels_in),
            channels_out: wide(channels_out),
            groups: wide(self.groups),
            size: [frames, height, width].map(wide),
            output: [out_frames, out_height, out_width].map(wide),
            kernel: kernel.map(wide),
            stride: stride.map(wide),
            dilation: dilation.map(wide),
            before: before.map(wide),
            after: after.map(wide),
            // The gradient of the input does not know it.
            has_bias: i64::from(self.has_bias && direction != Direction::InputGradient),
            half: i64::from(self.half),
            threads: wide(self.worth(threads)),
        };
        if untouched(0) {
            problem.batch *= problem.size[0];
            problem.size[0] = 1;
            problem.output[0] = 1;
            problem.axes = 2;
        } else if untouched(1) && untouched(2) {
            let pixels = problem.size[1] * problem.size[2];
            (problem.size, problem.output) = ([1, problem.size[0], pixels], [1, problem.output[0], pixels]);
            for triple in [&mut problem.kernel, &mut problem.stride, &mut problem.dilation] {
                *triple = [1, triple[0], 1];
            }
            for pair in [&mut problem.before, &mut problem.after] {
                *pair = [0, pair[0], 0];
            }
            problem.axes = 2;
        }
        problem
    }
}

fn wide(value: usize) -> i64 {
    i64::try_from(value).expect("no axis has 2^63 elements")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Padding;

    fn convolution(kernel: [usize; 3], stride: [usize; 3]) -> Convolution {
        let window = Window::fit(kernel, stride, Padding::Symmetric, [8, 14, 13]);
        Convolution { features: [2, 8, 14, 13, 16], channels_out: 32, window, groups: 1, has_bias: false, half: false }
    }

    #[test]
    fn a_kernel_of_one_frame_sees_images() {
        let problem = convolution([1, 3, 3], [1, 2, 2]).problem(Direction::Forward, 2);
        assert_eq!((problem.axes, problem.batch, problem.size), (2, 16, [1, 14, 13]));
        assert_eq!((problem.output, problem.kernel), ([1, 7, 7], [1, 3, 3]));
    }

    #[test]
    fn a_kernel_of_one_pixel_sees_a_table() {
        let problem = convolution([3, 1, 1], [2, 1, 1]).problem(Direction::Forward, 2);
        assert_eq!((problem.axes, problem.batch, problem.size), (2, 2, [1, 8, 182]));
        assert_eq!((problem.output, problem.kernel, problem.stride), ([1, 4, 182], [1, 3, 1], [1, 2, 1]));
        assert_eq!((problem.before, problem.after), ([0, 1, 0], [0, 1, 0]));
    }

    #[test]
    fn anything_else_stays_a_volume() {
        assert_eq!(convolution([3, 3, 3], [1, 1, 1]).problem(Direction::Forward, 2).axes, 3);
        assert_eq!(convolution([1, 1, 1], [2, 2, 2]).problem(Direction::Forward, 2).axes, 3);
    }

    #[test]
    fn little_work_is_done_by_one_thread() {
        let threads = |convolution: Convolution| convolution.problem(Direction::Forward, 8).threads;
        // 2·8·14·13 positions of 32 channels, each of 16 · 3 · 3 products: 13.4 million.
        assert_eq!(threads(convolution([1, 3, 3], [1, 1, 1])), 8);
        // A gate: two positions of 32 channels, each of 16 products.
        let mut gate = convolution([1, 1, 1], [1, 1, 1]);
        gate.features = [2, 1, 1, 1, 16];
        assert_eq!(threads(gate), 1);
    }

    #[test]
    fn empty_problems_are_unsound() {
        assert!(convolution([3, 3, 3], [1, 1, 1]).is_sound());
        let mut empty = convolution([3, 3, 3], [1, 1, 1]);
        empty.features[0] = 0;
        assert!(!empty.is_sound());
        let mut small = convolution([3, 3, 3], [1, 1, 1]);
        (small.features[1], small.window.padding[0]) = (2, (0, 0));
        assert!(!small.is_sound());
        let uneven = Convolution { groups: 3, ..convolution([3, 3, 3], [1, 1, 1]) };
        assert!(!uneven.is_sound());
    }
}
