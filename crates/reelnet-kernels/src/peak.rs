//! What this machine's arithmetic units can do at most: multiply-adds between registers, without a byte from memory.
//!
//! The yardstick of the benches. It is measured and not computed from clock rates, which virtual machines do not tell and
//! processors change under load.

use std::hint::black_box;
use std::num::NonZero;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::fused::Number;

/// Sums that grow at once: as many as processors have multiply-adds in flight, and no more than AVX2 has registers for, beside
/// two constants.
const SUMS: usize = 12;
/// Multiply-adds of each sum in one round: some milliseconds.
const LENGTH: usize = 1 << 20;
/// Of these, the fastest counts: others on the machine only ever slow it down.
const ROUNDS: usize = 8;

/// The most that this machine can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// What it was measured with.
    pub instructions: &'static str,
    /// Operations a second on all threads together; a multiply-add is two.
    pub operations_per_second: f64,
}

/// A loop of multiply-adds, and how many values each of its sums holds at once.
#[derive(Clone, Copy)]
struct Kernel {
    instructions: &'static str,
    /// Multiply-adds of one instruction.
    lanes: usize,
    run: fn(),
}

/// Measures multiply-adds of `number` on so many threads; takes about a tenth of a second. Nothing for numbers that this
/// processor has no multiply-adds for, or none that this crate knows.
pub fn peak(number: Number, threads: NonZero<usize>) -> Option<Peak> {
    let kernel = kernel(number)?;
    let barrier = Barrier::new(threads.get());
    let time = || {
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            barrier.wait();
            let began = Instant::now();
            (kernel.run)();
            // A round is over when the last thread is: the next begins with all of them.
            barrier.wait();
            best = best.min(began.elapsed().as_secs_f64());
        }
        best
    };
    let seconds = thread::scope(|scope| {
        let all: Vec<_> = (0..threads.get()).map(|_| scope.spawn(time)).collect();
        let times = all.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        times.fold(f64::INFINITY, f64::min)
    });
    let operations = 2 * kernel.lanes * SUMS * LENGTH * threads.get();
    Some(Peak { instructions: kernel.instructions, operations_per_second: operations as f64 / seconds })
}

fn kernel(number: Number) -> Option<Kernel> {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = x86::kernel(number) {
        return Some(kernel);
    }
    // Compilers turn it into the vectors that every processor of its kind has.
    (number == Number::F32).then_some(Kernel { instructions: "portable", lanes: portable::LANES, run: portable::run })
}

mod portable {
    use super::{LENGTH, SUMS, black_box};

    pub(super) const LANES: usize = 4;

    /// Each number moves towards 1, so that none overflows or becomes so small that the processor slows down.
    pub(super) fn run() {
        let (factor, rest) = black_box((0.5_f32, 0.5_f32));
        let mut sums: [[f32; LANES]; SUMS] = black_box(std::array::from_fn(|sum| [sum as f32; LANES]));
        for _ in 0..LENGTH {
            for sum in &mut sums {
                for value in sum {
                    *value = *value * factor + rest;
                }
            }
        }
        black_box(sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, __m512i, _mm256_fmadd_ps, _mm256_set1_ps, _mm512_dpbf16_ps, _mm512_dpbusd_epi32,
        _mm512_fmadd_ps, _mm512_set1_epi32, _mm512_set1_ps,
    };

    use super::{Kernel, LENGTH, Number, SUMS, black_box};

    pub(super) fn kernel(number: Number) -> Option<Kernel> {
        let wide = is_x86_feature_detected!("avx512f");
        match number {
            Number::F32 if wide => Some(Kernel { instructions: "AVX-512", lanes: 16, run: || run(f32_avx512) }),
            Number::F32 if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") => {
                Some(Kernel { instructions: "AVX2 and FMA", lanes: 8, run: || run(f32_avx2) })
            }
            Number::Bf16 if wide && is_x86_feature_detected!("avx512bf16") => {
                Some(Kernel { instructions: "vdpbf16ps", lanes: 32, run: || run(bf16_avx512) })
            }
            Number::U8 | Number::S8 if wide && is_x86_feature_detected!("avx512vnni") => {
                Some(Kernel { instructions: "vpdpbusd", lanes: 64, run: || run(int8_avx512) })
            }
            _ => None,
        }
    }

    /// Runs a loop that [`kernel`] offers.
    fn run(of: unsafe fn()) {
        // SAFETY: the loops need nothing but their instructions, and `kernel` offers each only where the processor has them.
        unsafe { of() }
    }

    #[target_feature(enable = "avx512f")]
    fn f32_avx512() {
        let (factor, rest) = (_mm512_set1_ps(black_box(0.5)), _mm512_set1_ps(black_box(0.5)));
        let mut sums: [__m512; SUMS] = std::array::from_fn(|sum| _mm512_set1_ps(black_box(sum as f32)));
        for _ in 0..LENGTH {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, rest);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,fma")]
    fn f32_avx2() {
        let (factor, rest) = (_mm256_set1_ps(black_box(0.5)), _mm256_set1_ps(black_box(0.5)));
        let mut sums: [__m256; SUMS] = std::array::from_fn(|sum| _mm256_set1_ps(black_box(sum as f32)));
        for _ in 0..LENGTH {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, rest);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn bf16_avx512() {
        // SAFETY: a vector of 512 bits is one of 32 bfloat16, whatever its bits say; these are 1.0 twice a lane.
        let ones = unsafe {
            std::mem::transmute::<std::arch::x86_64::__m512i, std::arch::x86_64::__m512bh>(_mm512_set1_epi32(
                black_box(0x3f80_3f80),
            ))
        };
        let mut sums: [__m512; SUMS] = std::array::from_fn(|sum| _mm512_set1_ps(black_box(sum as f32)));
        for _ in 0..LENGTH {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, ones, ones);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    fn int8_avx512() {
        let ones = _mm512_set1_epi32(black_box(0x0101_0101));
        let mut sums: [__m512i; SUMS] = std::array::from_fn(|_| _mm512_set1_epi32(black_box(0)));
        for _ in 0..LENGTH {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, ones, ones);
            }
        }
        black_box(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_peak_in_floats() {
        let found = peak(Number::F32, NonZero::<usize>::MIN).expect("floats are everywhere");
        // A loop that the compiler dropped would reach any number; no core reaches ten trillion a second.
        assert!(found.operations_per_second > 0.0 && found.operations_per_second < 1e13, "{found:?}");
    }

    #[test]
    fn instructions_that_are_missing_have_no_peak() {
        for number in [Number::Bf16, Number::U8] {
            let found = peak(number, NonZero::<usize>::MIN);
            #[cfg(target_arch = "x86_64")]
            {
                let present = if number == Number::Bf16 {
                    is_x86_feature_detected!("avx512bf16")
                } else {
                    is_x86_feature_detected!("avx512vnni")
                };
                assert_eq!(found.is_some(), present, "{number:?}: {found:?}");
            }
            #[cfg(not(target_arch = "x86_64"))]
            assert_eq!(found, None);
        }
    }
}
