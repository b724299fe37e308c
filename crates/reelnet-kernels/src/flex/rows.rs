//! Loops over rows of channels, compiled for the vectors of the processor that runs them.

use std::mem::MaybeUninit;

/// Floats that one task walks over: 128 kB, which stay in a core's own cache.
const BLOCK: usize = 1 << 15;
/// Floats that a loop takes at a time at least: with few channels, several rows are one.
const WIDTH: usize = 256;

/// How `[rows, channels]` in memory are walked through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    pub(super) channels: usize,
    /// Rows that a loop takes at a time.
    together: usize,
    /// Rows of one task, a multiple of `together`.
    block: usize,
}

impl Walk {
    pub(super) fn over(channels: usize) -> Self {
        let together = (WIDTH / channels).max(1);
        let block = (BLOCK / (channels * together)).max(1) * together;
        Self { channels, together, block }
    }

    /// Floats of one task.
    pub(super) fn block(&self) -> usize {
        self.block * self.channels
    }

    /// The block that task `index` walks over.
    pub(super) fn of<'a>(&self, values: &'a [f32], index: usize) -> &'a [f32] {
        let begin = index * self.block();
        &values[begin..values.len().min(begin + self.block())]
    }

    /// One value a channel, repeated for all rows that are taken at a time.
    pub(super) fn repeat(&self, values: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
        let values = std::iter::repeat_n(values, self.together);
        values.flatten().collect()
    }

    /// The inverse of [`Self::repeat`] for sums: one sum a channel.
    pub(super) fn fold(&self, sums: &[f32]) -> Vec<f64> {
        let mut folded = vec![0.0; self.channels];
        for row in sums.chunks(self.channels) {
            for (total, &sum) in folded.iter_mut().zip(row) {
                *total += f64::from(sum);
            }
        }
        folded
    }

    /// Zeros to sum in.
    pub(super) fn zeros(&self) -> Vec<f32> {
        vec![0.0; self.channels * self.together]
    }
}

/// A function that exists once for each generation of vectors; the widest that the processor has runs. Additions keep their order,
/// so that all give the same numbers.
macro_rules! vectorised {
    ($(#[$attribute:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$attribute])*
        pub(super) fn $name($($argument: $type),*) {
            // It takes on the instructions of the function that it is inlined into.
            #[inline(always)]
            fn body($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn avx512($($argument: $type),*) {
                    body($($argument),*);
                }
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type),*) {
                    body($($argument),*);
                }
                if std::is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has these instructions, just asked.
                    return unsafe { avx512($($argument),*) };
                }
                if std::is_x86_feature_detected!("avx2") {
                    // SAFETY: as above.
                    return unsafe { avx2($($argument),*) };
                }
            }
            body($($argument),*);
        }
    };
}
pub(super) use vectorised;

/// What batch norm does to each channel.
pub(super) struct Channels<'a> {
    pub(super) mean: &'a [f32],
    pub(super) scale: &'a [f32],
    pub(super) bias: &'a [f32],
    /// The least output: 0 for `ReLU`.
    pub(super) floor: f32,
}

vectorised! {
    /// Adds what is beyond `shift`, and its square, to each channel's sums.
    fn add_moments(block: &[f32], shift: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        for rows in block.chunks(shift.len()) {
            for (((&value, &shift), sum), square) in rows.iter().zip(shift).zip(&mut *sums).zip(&mut *squares) {
                let beyond = value - shift;
                *sum += beyond;
                *square += beyond * beyond;
            }
        }
    }
}

vectorised! {
    /// `(x - mean) · scale + bias`, no less than the floor.
    fn normalise(block: &[f32], channels: &Channels, output: &mut [MaybeUninit<f32>]) {
        let Channels { mean, scale, bias, floor } = *channels;
        for (rows, output) in block.chunks(mean.len()).zip(output.chunks_mut(mean.len())) {
            for ((((&value, &mean), &scale), &bias), output) in rows.iter().zip(mean).zip(scale).zip(bias).zip(output) {
                let normalised = (value - mean) * scale + bias;
                // Not `max`, which would hide what is not a number.
                output.write(if normalised < floor { floor } else { normalised });
            }
        }
    }
}

vectorised! {
    /// Adds each channel's slopes, and their products with what is beyond the mean, where the output is not the floor.
    fn add_slopes(block: &[f32], slopes: &[f32], channels: &Channels, sums: &mut [f32], products: &mut [f32]) {
        let Channels { mean, scale, bias, floor } = *channels;
        let width = mean.len();
        for (rows, slopes) in block.chunks(width).zip(slopes.chunks(width)) {
            let of_channels = mean.iter().zip(scale).zip(bias).zip(&mut *sums).zip(&mut *products);
            for ((&value, &slope), ((((&mean, &scale), &bias), sum), product)) in rows.iter().zip(slopes).zip(of_channels) {
                let beyond = value - mean;
                let slope = if beyond * scale + bias <= floor { 0.0 } else { slope };
                *sum += slope;
                *product += slope * beyond;
            }
        }
    }
}

vectorised! {
    /// `scale · (slope - level - (x - mean) · tilt)`, the slope 0 where the output was the floor.
    fn slopes_of_features(
        block: &[f32],
        slopes: &[f32],
        channels: &Channels,
        level: &[f32],
        tilt: &[f32],
        output: &mut [MaybeUninit<f32>],
    ) {
        let Channels { mean, scale, bias, floor } = *channels;
        let width = mean.len();
        for ((rows, slopes), output) in block.chunks(width).zip(slopes.chunks(width)).zip(output.chunks_mut(width)) {
            let of_channels = mean.iter().zip(scale).zip(bias).zip(level).zip(tilt);
            let of_rows = rows.iter().zip(slopes).zip(output);
            for (((&value, &slope), output), ((((&mean, &scale), &bias), &level), &tilt)) in of_rows.zip(of_channels) {
                let beyond = value - mean;
                let slope = if beyond * scale + bias <= floor { 0.0 } else { slope };
                output.write(scale * (slope - level - beyond * tilt));
            }
        }
    }
}

vectorised! {
    fn sum_at_least_zero(a: &[f32], b: &[f32], output: &mut [MaybeUninit<f32>]) {
        for ((a, b), output) in a.iter().zip(b).zip(output) {
            let sum = a + b;
            output.write(if sum < 0.0 { 0.0 } else { sum });
        }
    }
}

vectorised! {
    /// The slope where the value is positive, else 0.
    fn pass_where_positive(values: &[f32], slopes: &[f32], output: &mut [MaybeUninit<f32>]) {
        for ((&value, &slope), output) in values.iter().zip(slopes).zip(output) {
            output.write(if value <= 0.0 { 0.0 } else { slope });
        }
    }
}

vectorised! {
    fn multiply_rows(block: &[f32], factors: &[f32], output: &mut [MaybeUninit<f32>]) {
        for (rows, output) in block.chunks(factors.len()).zip(output.chunks_mut(factors.len())) {
            for ((value, factor), output) in rows.iter().zip(factors).zip(output) {
                output.write(value * factor);
            }
        }
    }
}

vectorised! {
    /// Adds the products of two blocks to each channel's sums.
    fn add_products(a: &[f32], b: &[f32], sums: &mut [f32]) {
        let width = sums.len();
        for (a, b) in a.chunks(width).zip(b.chunks(width)) {
            for ((a, b), sum) in a.iter().zip(b).zip(&mut *sums) {
                *sum += a * b;
            }
        }
    }
}
