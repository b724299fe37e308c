//! Loops over rows of channels, compiled for the vectors of the processor that runs them.

use std::mem::MaybeUninit;

use super::curve::Curve;
use super::tensors::Float;

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
    pub(super) fn of<'a, E>(&self, values: &'a [E], index: usize) -> &'a [E] {
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
    (
        $(#[$attribute:meta])*
        fn $name:ident $(<$($generic:ident: $bound:ident),+>)? ($($argument:ident: $type:ty),* $(,)?) $body:block
    ) => {
        $(#[$attribute])*
        pub(super) fn $name $(<$($generic: $bound),+>)? ($($argument: $type),*) {
            // It takes on the instructions of the function that it is inlined into.
            #[inline(always)]
            fn body $(<$($generic: $bound),+>)? ($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn avx512 $(<$($generic: $bound),+>)? ($($argument: $type),*) {
                    body($($argument),*);
                }
                #[target_feature(enable = "avx2")]
                fn avx2 $(<$($generic: $bound),+>)? ($($argument: $type),*) {
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
}

vectorised! {
    /// Adds what is beyond `shift`, and its square, to each channel's sums.
    fn add_moments<E: Float>(block: &[E], shift: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        for rows in block.chunks(shift.len()) {
            for (((&value, &shift), sum), square) in rows.iter().zip(shift).zip(&mut *sums).zip(&mut *squares) {
                let beyond = value.widened() - shift;
                *sum += beyond;
                *square += beyond * beyond;
            }
        }
    }
}

vectorised! {
    /// `(x - mean) · scale + bias`, on a curve.
    fn normalise<E: Float, C: Curve>(block: &[E], channels: &Channels, curve: C, output: &mut [MaybeUninit<E>]) {
        let Channels { mean, scale, bias } = *channels;
        for (rows, output) in block.chunks(mean.len()).zip(output.chunks_mut(mean.len())) {
            for ((((&value, &mean), &scale), &bias), output) in rows.iter().zip(mean).zip(scale).zip(bias).zip(output) {
                output.write(E::nearest(curve.value((value.widened() - mean) * scale + bias)));
            }
        }
    }
}

vectorised! {
    /// Adds each channel's slopes before the curve, and their products with what is beyond the mean.
    fn add_slopes<E: Float, C: Curve>(
        block: &[E],
        slopes: &[E],
        channels: &Channels,
        curve: C,
        sums: &mut [f32],
        products: &mut [f32],
    ) {
        let Channels { mean, scale, bias } = *channels;
        let width = mean.len();
        for (rows, slopes) in block.chunks(width).zip(slopes.chunks(width)) {
            let of_channels = mean.iter().zip(scale).zip(bias).zip(&mut *sums).zip(&mut *products);
            for ((&value, &slope), ((((&mean, &scale), &bias), sum), product)) in rows.iter().zip(slopes).zip(of_channels) {
                let beyond = value.widened() - mean;
                let slope = curve.slope(beyond * scale + bias, slope.widened());
                *sum += slope;
                *product += slope * beyond;
            }
        }
    }
}

vectorised! {
    /// `scale · (slope - level - (x - mean) · tilt)`, the slope that before the curve.
    fn slopes_of_features<E: Float, C: Curve>(
        block: &[E],
        slopes: &[E],
        channels: &Channels,
        curve: C,
        level: &[f32],
        tilt: &[f32],
        output: &mut [MaybeUninit<E>],
    ) {
        let Channels { mean, scale, bias } = *channels;
        let width = mean.len();
        for ((rows, slopes), output) in block.chunks(width).zip(slopes.chunks(width)).zip(output.chunks_mut(width)) {
            let of_channels = mean.iter().zip(scale).zip(bias).zip(level).zip(tilt);
            let of_rows = rows.iter().zip(slopes).zip(output);
            for (((&value, &slope), output), ((((&mean, &scale), &bias), &level), &tilt)) in of_rows.zip(of_channels) {
                let beyond = value.widened() - mean;
                let slope = curve.slope(beyond * scale + bias, slope.widened());
                output.write(E::nearest(scale * (slope - level - beyond * tilt)));
            }
        }
    }
}

vectorised! {
    /// `a + b`, on a curve.
    fn sum_on_curve<E: Float, C: Curve>(a: &[E], b: &[E], curve: C, output: &mut [MaybeUninit<E>]) {
        for ((a, b), output) in a.iter().zip(b).zip(output) {
            output.write(E::nearest(curve.value(a.widened() + b.widened())));
        }
    }
}

vectorised! {
    /// The slope where the value is positive, else 0.
    fn pass_where_positive<E: Float>(values: &[E], slopes: &[E], output: &mut [MaybeUninit<E>]) {
        for ((&value, &slope), output) in values.iter().zip(slopes).zip(output) {
            let slope = if value.widened() <= 0.0 { 0.0 } else { slope.widened() };
            output.write(E::nearest(slope));
        }
    }
}

vectorised! {
    fn multiply_rows<E: Float>(block: &[E], factors: &[f32], output: &mut [MaybeUninit<E>]) {
        for (rows, output) in block.chunks(factors.len()).zip(output.chunks_mut(factors.len())) {
            for ((value, factor), output) in rows.iter().zip(factors).zip(output) {
                output.write(E::nearest(value.widened() * factor));
            }
        }
    }
}

vectorised! {
    /// Adds the products of two blocks to each channel's sums.
    fn add_products<E: Float>(a: &[E], b: &[E], sums: &mut [f32]) {
        let width = sums.len();
        for (a, b) in a.chunks(width).zip(b.chunks(width)) {
            for ((a, b), sum) in a.iter().zip(b).zip(&mut *sums) {
                *sum += a.widened() * b.widened();
            }
        }
    }
}

vectorised! {
    /// Adds a block to each channel's sums.
    fn add_rows<E: Float>(block: &[E], sums: &mut [f32]) {
        for rows in block.chunks(sums.len()) {
            for (value, sum) in rows.iter().zip(&mut *sums) {
                *sum += value.widened();
            }
        }
    }
}

vectorised! {
    /// The same row again and again.
    fn repeat_row<E: Float>(row: &[f32], output: &mut [MaybeUninit<E>]) {
        for output in output.chunks_mut(row.len()) {
            for (&value, output) in row.iter().zip(output) {
                output.write(E::nearest(value));
            }
        }
    }
}
