//! Activations, as curves that a value is on: what comes out, and what its slope becomes.
#![expect(clippy::inline_always, reason = "a loop takes on the instructions of the function that it is inlined into")]
#![expect(clippy::excessive_precision, reason = "constants stand as they were published")]

/// An activation, written without branches so that a loop over it becomes vectors.
pub(crate) trait Curve: Copy + Send + Sync {
    fn value(self, x: f32) -> f32;
    /// The slope before the curve, from the one after it.
    fn slope(self, x: f32, slope: f32) -> f32;
}

/// Between two levels; the slope is 0 where a value was cut off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clip {
    pub(super) floor: f32,
    pub(super) ceiling: f32,
}

impl Clip {
    pub(crate) const NOTHING: Self = Self { floor: f32::NEG_INFINITY, ceiling: f32::INFINITY };
    pub(crate) const RELU: Self = Self { floor: 0.0, ceiling: f32::INFINITY };
    pub(crate) const RELU6: Self = Self { floor: 0.0, ceiling: 6.0 };
}

impl Curve for Clip {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        // Not `max` and `min`, which would hide what is not a number.
        let x = if x < self.floor { self.floor } else { x };
        if x > self.ceiling { self.ceiling } else { x }
    }

    #[inline(always)]
    fn slope(self, x: f32, slope: f32) -> f32 {
        if x <= self.floor || x >= self.ceiling { 0.0 } else { slope }
    }
}

/// `x · sigmoid(x)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swish;

impl Curve for Swish {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x / (1.0 + exp(-x))
    }

    #[inline(always)]
    fn slope(self, x: f32, slope: f32) -> f32 {
        let sigmoid = 1.0 / (1.0 + exp(-x));
        slope * (sigmoid * (1.0 + x * (1.0 - sigmoid)))
    }
}

/// `sigmoid(x)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sigmoid;

impl Curve for Sigmoid {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        1.0 / (1.0 + exp(-x))
    }

    #[inline(always)]
    fn slope(self, x: f32, slope: f32) -> f32 {
        let sigmoid = self.value(x);
        slope * sigmoid * (1.0 - sigmoid)
    }
}

/// `e^x` within 2 units in the last place: a power of two, and a polynomial (Cephes' `expf`) for what is left of the exponent.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it leaves the whole part of a small number in the lowest bits.
    const WHOLE: f32 = 12_582_912.0;
    /// ln 2 in two parts, so that products with whole numbers are exact.
    const LN_2: [f32; 2] = [0.693_359_375, -2.121_944_4e-4];
    const TERMS: [f32; 6] = [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_1e-1];
    // Beyond these a float overflows or is no longer normal; comparisons let through what is not a number.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + WHOLE;
    let whole = shifted - WHOLE;
    let rest = x - whole * LN_2[0] - whole * LN_2[1];
    let polynomial = TERMS.iter().fold(0.0, |sum, term| sum * rest + term);
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (polynomial * rest * rest + rest + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::{Clip, Curve, Swish, exp};

    #[test]
    fn the_exponential_is_exact_to_its_last_digits() {
        for step in -87_000..=88_000_i32 {
            let x = step as f32 / 1000.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= 2.4e-7 * exact, "{x}: {} and {exact}", exp(x));
        }
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn nothing_hides_what_is_not_a_number() {
        for curve in [Clip::NOTHING, Clip::RELU, Clip::RELU6] {
            assert!(curve.value(f32::NAN).is_nan() && curve.slope(f32::NAN, 1.0) == 1.0);
        }
        assert!(Swish.value(f32::NAN).is_nan() && Swish.slope(f32::NAN, 1.0).is_nan());
    }

    #[test]
    fn swish_ends_in_nothing_and_in_its_argument() {
        assert_eq!((Swish.value(200.0), Swish.slope(200.0, 3.0)), (200.0, 3.0));
        assert!(Swish.value(-200.0).abs() < 1e-30 && Swish.slope(-200.0, 1.0).abs() < 1e-30);
    }
}
