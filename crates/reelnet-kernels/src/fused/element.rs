//! One loop for every kind of number, compiled for every generation of vectors.
#![expect(clippy::inline_always, reason = "a loop takes on the instructions of the function that it is inlined into")]

use super::number::Number;

/// Something that is done alike for every kind of number.
pub(super) trait Pass {
    fn run<E: Element>(self);
}

pub(super) fn by_number(number: Number, pass: impl Pass) {
    match number {
        Number::F32 => pass.run::<f32>(),
        Number::Bf16 => pass.run::<Bf16>(),
        Number::U8 => pass.run::<u8>(),
        Number::S8 => pass.run::<i8>(),
    }
}

/// A number in memory.
pub(super) trait Element: bytemuck::Pod + Send + Sync {
    fn to_float(self) -> f32;
    /// The nearest that it can hold.
    fn of_float(value: f32) -> Self;
}

impl Element for f32 {
    #[inline(always)]
    fn to_float(self) -> f32 {
        self
    }
    #[inline(always)]
    fn of_float(value: f32) -> Self {
        value
    }
}

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub(super) struct Bf16(u16);

impl Element for Bf16 {
    #[inline(always)]
    fn to_float(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
    #[inline(always)]
    fn of_float(value: f32) -> Self {
        let bits = value.to_bits();
        // To the nearest, and to the even one of two.
        let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16;
        Self(if value.is_nan() { 0x7fc0 } else { rounded })
    }
}

impl Element for u8 {
    #[inline(always)]
    fn to_float(self) -> f32 {
        f32::from(self)
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as it is to")]
    fn of_float(value: f32) -> Self {
        value.round_ties_even() as Self
    }
}

impl Element for i8 {
    #[inline(always)]
    fn to_float(self) -> f32 {
        f32::from(self)
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as it is to")]
    fn of_float(value: f32) -> Self {
        value.round_ties_even() as Self
    }
}

/// Runs a loop compiled for the widest vectors that the processor has. Additions keep their order, so that all give the same
/// numbers.
#[inline(always)]
pub(super) fn vectorised(body: impl FnOnce()) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        fn avx512(body: impl FnOnce()) {
            body();
        }
        #[target_feature(enable = "avx2")]
        fn avx2(body: impl FnOnce()) {
            body();
        }
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the processor has the instructions.
            return unsafe { avx512(body) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the instructions.
            return unsafe { avx2(body) };
        }
    }
    body();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bfloat16_rounds_to_the_nearest_even() {
        for (bits, expected) in
            [(0x3f80_8000, 0x3f80), (0x3f81_8000, 0x3f82), (0x3f80_8001, 0x3f81), (0xff80_0000, 0xff80)]
        {
            assert_eq!(Bf16::of_float(f32::from_bits(bits)).0, expected);
        }
        assert!(Bf16::of_float(f32::NAN).to_float().is_nan());
    }
}
