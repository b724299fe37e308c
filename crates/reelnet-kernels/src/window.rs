//! The arithmetic of a window that slides over `[frames, height, width]`: no tensors here.

/// What stands beyond the first and the last frame when a temporal window reaches over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Border {
    /// Zeros, as every published network was trained.
    #[default]
    Zero,
    /// The nearest frame again. A still clip then stays still at its borders, which is what the proof of mean inflation needs.
    Replicate,
}

/// How an axis is padded, before its size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// `(kernel - 1) / 2` on both sides: PyTorch's `padding=kernel//2`, and what the released 2D ResNet-RS does by hand.
    Symmetric,
    /// None: TensorFlow's `VALID`.
    Valid,
    /// TensorFlow's `SAME`: as little as gives `ceil(size / stride)` outputs, the odd one at the end.
    Same,
}

impl Padding {
    /// The padding `(before, after)` of one axis.
    pub fn of_axis(self, size: usize, kernel: usize, stride: usize) -> (usize, usize) {
        match self {
            Self::Symmetric => ((kernel - 1) / 2, (kernel - 1) / 2),
            Self::Valid => (0, 0),
            Self::Same => {
                let outputs = size.div_ceil(stride);
                let total = (outputs.saturating_sub(1) * stride + kernel).saturating_sub(size);
                (total / 2, total - total / 2)
            }
        }
    }
}

/// Kernel, stride, padding and dilation over `[frames, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Taps along each axis.
    pub kernel: [usize; 3],
    /// Step along each axis.
    pub stride: [usize; 3],
    /// `(before, after)` along each axis.
    pub padding: [(usize, usize); 3],
    /// Distance between taps along each axis; 1 where they are neighbours.
    pub dilation: [usize; 3],
}

impl Window {
    /// The window for an input of `size`, padded by `padding`, its taps side by side.
    pub fn fit(kernel: [usize; 3], stride: [usize; 3], padding: Padding, size: [usize; 3]) -> Self {
        let padding = std::array::from_fn(|axis| padding.of_axis(size[axis], kernel[axis], stride[axis]));
        Self { kernel, stride, padding, dilation: [1; 3] }
    }

    /// How many positions the window takes along each axis; 0 where the padded input is smaller than the kernel.
    pub fn output(&self, size: [usize; 3]) -> [usize; 3] {
        std::array::from_fn(|axis| {
            let (before, after) = self.padding[axis];
            let padded = size[axis] + before + after;
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            padded.checked_sub(reach).map_or(0, |room| room / self.stride[axis] + 1)
        })
    }

    /// True when the window is a single position without padding.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1; 3] && self.padding == [(0, 0); 3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_one_at_the_end() {
        // 3D ResNet-RS, stem: kernel 5, stride 2 over 32 frames pads 1 before and 2 after.
        assert_eq!(Padding::Same.of_axis(32, 5, 2), (1, 2));
        assert_eq!(Padding::Same.of_axis(224, 3, 2), (0, 1));
        assert_eq!(Padding::Same.of_axis(225, 3, 2), (1, 1));
        assert_eq!(Padding::Same.of_axis(7, 1, 2), (0, 0));
    }

    #[test]
    fn a_two_by_two_average_covers_odd_sizes() {
        let window = Window::fit([1, 2, 2], [1, 2, 2], Padding::Same, [4, 7, 8]);
        assert_eq!(window.padding, [(0, 0), (0, 1), (0, 0)]);
        assert_eq!(window.output([4, 7, 8]), [4, 4, 4]);
    }

    #[test]
    fn outputs_agree_with_the_convolution_formula() {
        let window = Window::fit([5, 3, 3], [2, 2, 2], Padding::Symmetric, [8, 45, 53]);
        assert_eq!(window.output([8, 45, 53]), [4, 23, 27]);
        assert_eq!(Window { padding: [(0, 0); 3], ..window }.output([3, 45, 53])[0], 0);
        // Three taps two apart reach over five rows.
        assert_eq!(Window { dilation: [1, 2, 3], ..window }.output([8, 45, 53]), [4, 22, 25]);
    }
}
