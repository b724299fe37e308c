//! Convolution and its gradients by their definition, in 64 bits: nothing here is shared with what it judges.

use reelnet_kernels::Window;

/// A sum, and the sum of its terms' magnitudes: rounding errors are measured by the latter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) value: f64,
    pub(crate) magnitude: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        self.value += term;
        self.magnitude += term.abs();
    }
}

pub(crate) struct Problem {
    /// `[batch, frames, height, width, channels]`
    pub(crate) features: [usize; 5],
    pub(crate) channels_out: usize,
    pub(crate) groups: usize,
    pub(crate) window: Window,
}

pub(crate) struct Answer {
    pub(crate) output: Vec<Sum>,
    pub(crate) features: Vec<Sum>,
    pub(crate) weight: Vec<Sum>,
    pub(crate) bias: Vec<Sum>,
}

impl Problem {
    pub(crate) fn output(&self) -> [usize; 5] {
        let [batch, size @ .., _] = self.features;
        let Window { kernel, stride, padding, dilation } = self.window;
        let [frames, height, width] = std::array::from_fn(|axis| {
            let padded = size[axis] + padding[axis].0 + padding[axis].1;
            (padded - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis] + 1
        });
        [batch, frames, height, width, self.channels_out]
    }

    pub(crate) fn weight(&self) -> [usize; 5] {
        let [frames, height, width] = self.window.kernel;
        [self.channels_out, self.features[4] / self.groups, frames, height, width]
    }

    /// The output, and the gradients of `sum(output * output_gradient)`.
    pub(crate) fn solve(
        &self,
        features: &[f64],
        weight: &[f64],
        bias: Option<&[f64]>,
        output_gradient: &[f64],
    ) -> Answer {
        let (output_dims, weight_dims) = (self.output(), self.weight());
        let zeros = |dims: [usize; 5]| vec![Sum::default(); dims.iter().product()];
        let mut answer = Answer {
            output: zeros(output_dims),
            features: zeros(self.features),
            weight: zeros(weight_dims),
            bias: vec![Sum::default(); self.channels_out],
        };
        let [batch, frames, height, width, channels_out] = output_dims;
        let [_, group_in, ..] = weight_dims;
        let group_out = channels_out / self.groups;
        each([batch, frames, height, width, channels_out], |[sample, frame, row, column, out]| {
            let here = index(output_dims, [sample, frame, row, column, out]);
            let slope = output_gradient[here];
            if let Some(bias) = bias {
                answer.output[here].add(bias[out]);
            }
            answer.bias[out].add(slope);
            let [taps_frames, taps_height, taps_width] = self.window.kernel;
            each([taps_frames, taps_height, taps_width, group_in, 1], |[a, b, c, channel, _]| {
                let Some([t, y, x]) = self.position([frame, row, column], [a, b, c]) else { return };
                let from = index(self.features, [sample, t, y, x, out / group_out * group_in + channel]);
                let tap = index(weight_dims, [out, channel, a, b, c]);
                answer.output[here].add(features[from] * weight[tap]);
                answer.features[from].add(slope * weight[tap]);
                answer.weight[tap].add(slope * features[from]);
            });
        });
        answer
    }

    /// Where a tap of the window at an output's position looks, if that is within the features.
    fn position(&self, output: [usize; 3], tap: [usize; 3]) -> Option<[usize; 3]> {
        let Window { stride, padding, dilation, .. } = self.window;
        let mut position = [0; 3];
        for axis in 0..3 {
            let padded = output[axis] * stride[axis] + tap[axis] * dilation[axis];
            position[axis] = padded.checked_sub(padding[axis].0).filter(|&at| at < self.features[axis + 1])?;
        }
        Some(position)
    }
}

fn index(dims: [usize; 5], at: [usize; 5]) -> usize {
    dims.iter().zip(at).fold(0, |index, (size, at)| index * size + at)
}

fn each(dims: [usize; 5], mut visit: impl FnMut([usize; 5])) {
    for flat in 0..dims.iter().product() {
        let mut rest = flat;
        let mut at = [0; 5];
        for axis in (0..5).rev() {
            at[axis] = rest % dims[axis];
            rest /= dims[axis];
        }
        visit(at);
    }
}
