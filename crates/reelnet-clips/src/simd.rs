//! The vector instructions of this machine, for the few loops that need them. Each has a plain twin that computes the
//! same numbers; which of them runs changes nothing but the time.

/// Runs a closure, which must be inlined all the way down, compiled for the widest vectors at hand.
#[inline]
pub(crate) fn with_widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the one feature that the function needs was just detected.
        return unsafe { avx2::run(work) };
    }
    work()
}

/// Sums of products of neighbouring pixels and their weights, in multiples of 1/32768, rounded.
///
/// Result `i` takes the pixels from `starts[i]` on, as many as there are weights for it: `taps` of `weights`, 2 or a
/// multiple of 8.
///
/// # Panics
/// If a start leads out of the pixels, or the lengths do not fit each other.
#[inline]
pub(crate) fn weigh(pixels: &[i16], starts: &Starts, weights: &[i16], taps: usize, out: &mut [i16]) {
    assert!(starts.farthest + taps <= pixels.len(), "every result's pixels lie within the row");
    assert!(
        starts.firsts.len() == out.len() && weights.len() == out.len() * taps,
        "one start and some weights a result"
    );
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && (taps == 2 || taps.is_multiple_of(8)) {
        // SAFETY: the feature was just detected, and what the function asks for was just asserted.
        unsafe { avx2::weigh(pixels, &starts.firsts, weights, taps, out) };
        return;
    }
    weigh_plainly(pixels, &starts.firsts, weights, taps, out);
}

fn weigh_plainly(pixels: &[i16], starts: &[u32], weights: &[i16], taps: usize, out: &mut [i16]) {
    for ((out, &start), weights) in out.iter_mut().zip(starts).zip(weights.chunks_exact(taps)) {
        let products = pixels[start as usize..].iter().zip(weights);
        *out = rounded(products.map(|(&pixel, &weight)| i32::from(pixel) * i32::from(weight)).sum());
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "weights sum to 1, so that the mean of 16-bit numbers fits again")]
fn rounded(sum: i32) -> i16 {
    ((sum + (1 << 14)) >> 15) as i16
}

/// Where each result's pixels begin.
#[derive(Debug, Clone)]
pub(crate) struct Starts {
    firsts: Vec<u32>,
    farthest: usize,
}

impl Starts {
    pub(crate) fn new(firsts: Vec<u32>) -> Self {
        let farthest = firsts.iter().copied().max().unwrap_or(0) as usize;
        Self { firsts, farthest }
    }

    #[inline(always)]
    pub(crate) fn first(&self, result: usize) -> usize {
        self.firsts[result] as usize
    }
}

/// Pixels that are turned into RGB together.
pub(crate) const LANES: usize = 32;

/// Factors between YUV and RGB, in multiples of 1/8192.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colours {
    /// In multiples of 1/128, as the pixels.
    pub(crate) black: i16,
    pub(crate) luma: i16,
    pub(crate) red_of_v: i16,
    pub(crate) green_of_u: i16,
    pub(crate) green_of_v: i16,
    pub(crate) blue_of_u: i16,
}

/// The middle of chroma.
const GREY: i16 = 128 << 7;

/// What rounding to whole bytes adds to multiples of 1/32.
const HALF: i16 = 16;

/// Rows of Y, U and V, in multiples of 1/128, become pixels.
#[inline]
pub(crate) fn rgb(rows: [[i16; LANES]; 3], colours: Colours, pixels: &mut [u8; 3 * LANES]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the one feature that the function needs was just detected.
        unsafe { avx2::rgb(&rows, colours, pixels) };
        return;
    }
    rgb_plainly(&rows, colours, pixels);
}

fn rgb_plainly([y, u, v]: &[[i16; LANES]; 3], colours: Colours, pixels: &mut [u8; 3 * LANES]) {
    for (lane, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        // Sums stay below 2^15: the largest is (255 + 2.2 · 128) · 32.
        let [u, v] = [u[lane] - GREY, v[lane] - GREY];
        let luma = product(y[lane] - colours.black, colours.luma) + HALF;
        pixel[0] = byte(luma + product(v, colours.red_of_v));
        pixel[1] = byte(luma + product(u, colours.green_of_u) + product(v, colours.green_of_v));
        pixel[2] = byte(luma + product(u, colours.blue_of_u));
    }
}

/// The rounded product of multiples of 1/128 and 1/8192 in multiples of 1/32.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the product of two 16-bit numbers, shifted by 15")]
fn product(value: i16, factor: i16) -> i16 {
    ((((i32::from(value) * i32::from(factor)) >> 14) + 1) >> 1) as i16
}

#[inline(always)]
#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn byte(value: i16) -> u8 {
    (value >> 5).clamp(0, 255) as u8
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm_or_si128, _mm_packus_epi16, _mm_shuffle_epi8, _mm_storeu_si128, _mm256_add_epi16,
        _mm256_add_epi32, _mm256_castsi128_si256, _mm256_extracti128_si256, _mm256_hadd_epi32, _mm256_i32gather_epi32,
        _mm256_inserti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mulhrs_epi16, _mm256_packs_epi32,
        _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_srai_epi16, _mm256_srai_epi32,
        _mm256_sub_epi16,
    };

    use super::{Colours, GREY, HALF, LANES};

    #[target_feature(enable = "avx2")]
    pub(super) fn run<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    /// # Safety
    /// From each start on there are `taps` pixels; each of `out` has a start and `taps` weights; `taps` is 2 or a
    /// multiple of 8.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn weigh(pixels: &[i16], starts: &[u32], weights: &[i16], taps: usize, out: &mut [i16]) {
        let whole = out.len() / 8 * 8;
        for first in (0..whole).step_by(8) {
            let starts = &starts[first..first + 8];
            let weights = &weights[first * taps..(first + 8) * taps];
            let sums = if taps == 2 {
                // SAFETY: eight starts and sixteen weights are there; both pixels of each start are, by this function's
                // own contract, and the scale of 2 counts in pixels of two bytes.
                unsafe {
                    let starts = _mm256_loadu_si256(starts.as_ptr().cast());
                    let pairs = _mm256_i32gather_epi32::<2>(pixels.as_ptr().cast(), starts);
                    _mm256_madd_epi16(pairs, _mm256_loadu_si256(weights.as_ptr().cast()))
                }
            } else {
                let mut quarters = [_mm256_setzero_si256(); 4];
                for (result, quarter) in quarters.iter_mut().enumerate() {
                    let (low, high) = (starts[result] as usize, starts[result + 4] as usize);
                    for tap in (0..taps).step_by(8) {
                        // SAFETY: eight pixels from `start + tap` on, and eight weights, lie within the slices: taps are
                        // a multiple of 8, and the contract says the rest.
                        let products = unsafe {
                            _mm256_madd_epi16(
                                two(pixels.as_ptr().add(low + tap), pixels.as_ptr().add(high + tap)),
                                two(
                                    weights.as_ptr().add(result * taps + tap),
                                    weights.as_ptr().add((result + 4) * taps + tap),
                                ),
                            )
                        };
                        *quarter = _mm256_add_epi32(*quarter, products);
                    }
                }
                let [a, b, c, d] = quarters;
                _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d))
            };
            let rounded = _mm256_srai_epi32::<15>(_mm256_add_epi32(sums, _mm256_set1_epi32(1 << 14)));
            let packed = _mm256_packs_epi32(rounded, rounded);
            let mut halves = [0_i16; 16];
            // SAFETY: sixteen 16-bit numbers have room for the two halves of eight.
            unsafe {
                _mm_storeu_si128(halves.as_mut_ptr().cast(), _mm256_extracti128_si256::<0>(packed));
                _mm_storeu_si128(halves.as_mut_ptr().add(8).cast(), _mm256_extracti128_si256::<1>(packed));
            }
            out[first..first + 4].copy_from_slice(&halves[..4]);
            out[first + 4..first + 8].copy_from_slice(&halves[8..12]);
        }
        super::weigh_plainly(pixels, &starts[whole..], &weights[whole * taps..], taps, &mut out[whole..]);
    }

    /// Eight 16-bit numbers from one place and eight from another.
    ///
    /// # Safety
    /// Both places hold eight numbers.
    #[target_feature(enable = "avx2")]
    unsafe fn two(low: *const i16, high: *const i16) -> __m256i {
        // SAFETY: promised by the caller; the loads need no alignment.
        unsafe {
            let low = _mm256_castsi128_si256(_mm_loadu_si128(low.cast()));
            _mm256_inserti128_si256::<1>(low, _mm_loadu_si128(high.cast()))
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn rgb(rows: &[[i16; LANES]; 3], colours: Colours, pixels: &mut [u8; 3 * LANES]) {
        let all = |value: i16| _mm256_set1_epi16(value);
        for half in 0..2 {
            // SAFETY: sixteen numbers from 0 or 16 on lie within 32.
            let load = |row: usize| unsafe { _mm256_loadu_si256(rows[row].as_ptr().add(half * 16).cast()) };
            let y = _mm256_sub_epi16(load(0), all(colours.black));
            let u = _mm256_sub_epi16(load(1), all(GREY));
            let v = _mm256_sub_epi16(load(2), all(GREY));
            let luma = _mm256_add_epi16(_mm256_mulhrs_epi16(y, all(colours.luma)), all(HALF));
            let red = _mm256_add_epi16(luma, _mm256_mulhrs_epi16(v, all(colours.red_of_v)));
            let blue = _mm256_add_epi16(luma, _mm256_mulhrs_epi16(u, all(colours.blue_of_u)));
            let green = _mm256_add_epi16(
                _mm256_add_epi16(luma, _mm256_mulhrs_epi16(u, all(colours.green_of_u))),
                _mm256_mulhrs_epi16(v, all(colours.green_of_v)),
            );
            let [red, green, blue] = [red, green, blue].map(|channel| {
                let whole = _mm256_srai_epi16::<5>(channel);
                _mm_packus_epi16(_mm256_extracti128_si256::<0>(whole), _mm256_extracti128_si256::<1>(whole))
            });
            for (part, places) in PLACES.iter().enumerate() {
                // SAFETY: sixteen places a channel.
                let [of_red, of_green, of_blue] =
                    [0, 1, 2].map(|channel: usize| unsafe { _mm_loadu_si128(places[channel].as_ptr().cast()) });
                let mixed = _mm_or_si128(
                    _mm_or_si128(_mm_shuffle_epi8(red, of_red), _mm_shuffle_epi8(green, of_green)),
                    _mm_shuffle_epi8(blue, of_blue),
                );
                // SAFETY: the last of six parts of sixteen bytes ends at 96.
                unsafe { _mm_storeu_si128(pixels.as_mut_ptr().add(half * 48 + part * 16).cast(), mixed) };
            }
        }
    }

    /// For each of three parts of sixteen bytes, and each channel, which byte of its row goes where; -1 for the places of
    /// the other channels.
    const PLACES: [[[i8; 16]; 3]; 3] = {
        let mut places = [[[-1; 16]; 3]; 3];
        let mut position = 0;
        let mut lane = 0;
        while position < 48 {
            places[position / 16][position % 3][position % 16] = lane;
            position += 1;
            if position.is_multiple_of(3) {
                lane += 1;
            }
        }
        places
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_plain_code_agree() {
        let pixels: Vec<i16> = (0..4000_i32).map(|n| i16::try_from(n * 7919 % 32641).expect("small")).collect();
        for taps in [2, 8, 16, 24, 40] {
            for results in [1, 7, 8, 9, 33] {
                let starts: Vec<u32> = (0..results).map(|n: u32| n * 97 % 3900).collect();
                let weights: Vec<i16> = (0..results as usize * taps)
                    .map(|n| i16::try_from(n * 31 % (32768 / taps)).expect("small"))
                    .collect();
                let mut fast = vec![0; results as usize];
                let mut plain = fast.clone();
                weigh(&pixels, &Starts::new(starts.clone()), &weights, taps, &mut fast);
                weigh_plainly(&pixels, &starts, &weights, taps, &mut plain);
                assert_eq!(fast, plain, "{taps} taps, {results} results");
            }
        }
    }

    #[test]
    fn colours_agree_too() {
        let colours = Colours {
            black: 16 << 7,
            luma: 9539,
            red_of_v: 13075,
            green_of_u: -3209,
            green_of_v: -6660,
            blue_of_u: 16525,
        };
        for seed in 0..2000_usize {
            let row = |channel: usize| {
                std::array::from_fn(|lane| {
                    i16::try_from((seed * 977 + lane * 7919 + channel * 104_729) * 31 % (255 * 128)).expect("small")
                })
            };
            let rows = [row(0), row(1), row(2)];
            let (mut fast, mut plain) = ([0; 3 * LANES], [1; 3 * LANES]);
            rgb(rows, colours, &mut fast);
            rgb_plainly(&rows, colours, &mut plain);
            assert_eq!(fast, plain);
        }
    }
}
