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

/// Which pixels of a row each result takes, and how much each of them counts.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// Pixels a result: 2, 4 or a multiple of 8.
    taps: usize,
    /// The first pixel of each result; a multiple of [`RESULTS`] of them.
    firsts: Vec<u32>,
    /// `taps` a result, in multiples of 1/32768.
    weights: Vec<i16>,
    /// For 2 and 4 taps: how the eight pixels from a group's first one on become the pixels of each of its results.
    shuffles: Vec<[u8; 16]>,
    /// Pixels that a row must hold.
    reach: usize,
}

/// Results that are computed together. There is always room for a whole number of such groups.
pub(crate) const RESULTS: usize = 8;

/// Pixels that one load takes.
const WINDOW: usize = 8;

impl Columns {
    /// `weights` has as many weights a result as there are `taps`. The last result is repeated until there is a multiple
    /// of [`RESULTS`].
    pub(crate) fn new(mut firsts: Vec<u32>, weights: &[i16], taps: usize) -> Self {
        assert!(!firsts.is_empty() && weights.len() == firsts.len() * taps, "some weights a result");
        let mut rows: Vec<&[i16]> = weights.chunks_exact(taps).collect();
        let whole = firsts.len().next_multiple_of(RESULTS);
        firsts.resize(whole, firsts[firsts.len() - 1]);
        rows.resize(whole, rows[rows.len() - 1]);
        let narrow = [2, 4].into_iter().find(|&narrow| taps <= narrow && fits_windows(&firsts, narrow));
        let taps = narrow.unwrap_or_else(|| taps.next_multiple_of(WINDOW));
        let mut padded = vec![0; whole * taps];
        for (padded, row) in padded.chunks_exact_mut(taps).zip(rows) {
            padded[..row.len()].copy_from_slice(row);
        }
        let shuffles = if taps < WINDOW { shuffles(&firsts, taps) } else { Vec::new() };
        let farthest = firsts.iter().max().map_or(0, |&first| first as usize);
        Self { taps, firsts, weights: padded, shuffles, reach: farthest + taps.max(WINDOW) }
    }

    /// Pixels that a row must hold, counted from its first one; those behind the last weight count for nothing.
    pub(crate) fn reach(&self) -> usize {
        self.reach
    }

    /// The first pixel of a result.
    #[inline(always)]
    pub(crate) fn first(&self, result: usize) -> usize {
        self.firsts[result] as usize
    }

    /// Sums of products of pixels and their weights, rounded.
    ///
    /// # Panics
    /// If the row is shorter than [`reach`](Self::reach), or `out` shorter than the results.
    #[inline]
    pub(crate) fn weigh(&self, pixels: &[i16], out: &mut [i16]) {
        assert!(
            self.reach <= pixels.len() && self.firsts.len() <= out.len(),
            "every result's pixels lie within the row"
        );
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just detected, and what the function asks for was just asserted.
            unsafe { avx2::weigh(self, pixels, out) };
            return;
        }
        self.weigh_plainly(pixels, out);
    }

    fn weigh_plainly(&self, pixels: &[i16], out: &mut [i16]) {
        for ((out, &first), weights) in out.iter_mut().zip(&self.firsts).zip(self.weights.chunks_exact(self.taps)) {
            let products = pixels[first as usize..].iter().zip(weights);
            *out = rounded(products.map(|(&pixel, &weight)| i32::from(pixel) * i32::from(weight)).sum());
        }
    }
}

/// Whether the pixels of neighbouring results fill one window.
fn fits_windows(firsts: &[u32], taps: usize) -> bool {
    firsts
        .chunks_exact(WINDOW / taps)
        .all(|group| group.iter().all(|&first| first >= group[0] && (first - group[0]) as usize + taps <= WINDOW))
}

#[expect(clippy::cast_possible_truncation, reason = "places within sixteen bytes")]
fn shuffles(firsts: &[u32], taps: usize) -> Vec<[u8; 16]> {
    let group = |group: &[u32]| {
        std::array::from_fn(|byte| {
            let (pixel, half) = (byte / 2, byte % 2);
            let (result, tap) = (pixel / taps, pixel % taps);
            (2 * ((group[result] - group[0]) as usize + tap) + half) as u8
        })
    };
    firsts.chunks_exact(WINDOW / taps).map(group).collect()
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "weights sum to 1, so that the mean of 16-bit numbers fits again")]
fn rounded(sum: i32) -> i16 {
    ((sum + (1 << 14)) >> 15) as i16
}

/// Weighs rows of bytes that lie `row_bytes` apart, one a weight, in multiples of 1/65536: sums in multiples of 1/128.
///
/// # Panics
/// If the last row ends before `out` does.
#[inline]
pub(crate) fn blend_rows(bytes: &[u8], row_bytes: usize, weights: &[u16], out: &mut [i16]) {
    assert!(!weights.is_empty() && (weights.len() - 1) * row_bytes + out.len() <= bytes.len(), "all rows are there");
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && out.len() >= avx2::BLEND_LANES {
        // SAFETY: the feature was just detected, and what the function asks for was just asserted.
        unsafe { avx2::blend_rows(bytes, row_bytes, weights, out) };
        return;
    }
    blend_rows_plainly(bytes, row_bytes, weights, out);
}

/// Each product is cut off, by half a unit on average.
fn cut_off(weights: &[u16]) -> u16 {
    u16::try_from(weights.len() / 2).unwrap_or(0)
}

fn blend_rows_plainly(bytes: &[u8], row_bytes: usize, weights: &[u16], out: &mut [i16]) {
    for (x, out) in out.iter_mut().enumerate() {
        let product = |(tap, &weight): (usize, &u16)| {
            (((u32::from(bytes[tap * row_bytes + x]) << 8) * u32::from(weight)) >> 16) as u16
        };
        let sum = weights.iter().enumerate().map(product).fold(cut_off(weights), u16::wrapping_add);
        *out = (sum >> 1).cast_signed();
    }
}

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
///
/// # Panics
/// If the rows and the target differ in the number of pixels.
#[inline]
pub(crate) fn rgb([y, u, v]: [&[i16]; 3], colours: Colours, target: &mut [u8]) {
    let width = y.len();
    assert!(u.len() == width && v.len() == width && target.len() == 3 * width, "three rows and a target of one width");
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && width >= avx2::RGB_LANES {
        // SAFETY: the feature was just detected, and what the function asks for was just asserted.
        unsafe { avx2::rgb([y, u, v], colours, target) };
        return;
    }
    rgb_plainly([y, u, v], colours, target);
}

fn rgb_plainly([y, u, v]: [&[i16]; 3], colours: Colours, target: &mut [u8]) {
    for (((pixel, &y), &u), &v) in target.chunks_exact_mut(3).zip(y).zip(u).zip(v) {
        // Sums stay below 2^15: the largest is (255 + 2.2 · 128) · 32.
        let [u, v] = [u - GREY, v - GREY];
        let luma = product(y - colours.black, colours.luma) + HALF;
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
        _mm256_add_epi32, _mm256_castsi128_si256, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_hadd_epi32,
        _mm256_inserti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mulhi_epu16, _mm256_mulhrs_epi16,
        _mm256_packs_epi32, _mm256_permute2x128_si256, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srai_epi16, _mm256_srai_epi32, _mm256_srli_epi16,
        _mm256_storeu_si256, _mm256_sub_epi16, _mm256_unpackhi_epi8, _mm256_unpacklo_epi8,
    };

    use super::{Colours, Columns, GREY, HALF, RESULTS, WINDOW};

    #[target_feature(enable = "avx2")]
    pub(super) fn run<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    /// # Safety
    /// `pixels` holds as many pixels as the columns reach, and `out` has room for all results.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn weigh(columns: &Columns, pixels: &[i16], out: &mut [i16]) {
        let Columns { taps, firsts, weights, shuffles, .. } = columns;
        for (eight, (firsts, weights)) in
            firsts.chunks_exact(RESULTS).zip(weights.chunks_exact(RESULTS * taps)).enumerate()
        {
            // Eight results have eight firsts, eight times the taps of weights, and as many shuffles as they have groups.
            // SAFETY: firsts lie within the pixels, because the reach does.
            let at = |result: usize| unsafe { pixels.as_ptr().add(firsts[result] as usize) };
            let sums = match taps {
                2 => {
                    let groups = &shuffles[2 * eight..2 * eight + 2];
                    // SAFETY: a window of eight pixels from a first one on lies within the reach; there are sixteen weights.
                    let (windows, weights) =
                        unsafe { (two(at(0), at(4)), _mm256_loadu_si256(weights.as_ptr().cast())) };
                    // SAFETY: a group has sixteen places.
                    let shuffle = unsafe { two(groups[0].as_ptr(), groups[1].as_ptr()) };
                    _mm256_madd_epi16(_mm256_shuffle_epi8(windows, shuffle), weights)
                }
                4 => {
                    let groups = &shuffles[4 * eight..4 * eight + 4];
                    let half = |low: usize, high: usize| {
                        // SAFETY: windows as above; eight weights a group of two results, sixteen places a group.
                        let (windows, shuffle, weights) = unsafe {
                            (
                                two(at(2 * low), at(2 * high)),
                                two(groups[low].as_ptr(), groups[high].as_ptr()),
                                two(weights.as_ptr().add(8 * low), weights.as_ptr().add(8 * high)),
                            )
                        };
                        _mm256_madd_epi16(_mm256_shuffle_epi8(windows, shuffle), weights)
                    };
                    _mm256_hadd_epi32(half(0, 2), half(1, 3))
                }
                _ => {
                    let mut quarters = [_mm256_setzero_si256(); 4];
                    for (result, quarter) in quarters.iter_mut().enumerate() {
                        for tap in (0..*taps).step_by(WINDOW) {
                            // SAFETY: all pixels of a result lie within the reach; more than four taps are a multiple of eight.
                            let products = unsafe {
                                _mm256_madd_epi16(
                                    two(at(result).add(tap), at(result + 4).add(tap)),
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
                }
            };
            let rounded = _mm256_srai_epi32::<15>(_mm256_add_epi32(sums, _mm256_set1_epi32(1 << 14)));
            let packed = _mm256_permute4x64_epi64::<0b10_00>(_mm256_packs_epi32(rounded, rounded));
            let out = &mut out[RESULTS * eight..][..RESULTS];
            // SAFETY: there is room for eight results.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm256_castsi256_si128(packed)) };
        }
    }

    /// Sixteen bytes from one place and sixteen from another.
    ///
    /// # Safety
    /// Both places hold sixteen bytes.
    #[target_feature(enable = "avx2")]
    unsafe fn two<T>(low: *const T, high: *const T) -> __m256i {
        // SAFETY: promised by the caller; the loads need no alignment.
        unsafe {
            let low = _mm256_castsi128_si256(_mm_loadu_si128(low.cast()));
            _mm256_inserti128_si256::<1>(low, _mm_loadu_si128(high.cast()))
        }
    }

    /// Bytes of each row that are weighed together.
    pub(super) const BLEND_LANES: usize = 32;

    /// # Safety
    /// There are at least [`BLEND_LANES`] results, and all rows are at least as long.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn blend_rows(bytes: &[u8], row_bytes: usize, weights: &[u16], out: &mut [i16]) {
        let half = _mm256_set1_epi16(super::cut_off(weights).cast_signed());
        let mut x = 0;
        while x < out.len() {
            // The last block overlaps the one before it, so that there is no remainder to do one by one.
            x = x.min(out.len() - BLEND_LANES);
            let [mut low, mut high] = [half; 2];
            for (tap, &weight) in weights.iter().enumerate() {
                let weight = _mm256_set1_epi16(weight.cast_signed());
                // SAFETY: promised by the caller; the load needs no alignment.
                let row = unsafe { _mm256_loadu_si256(bytes.as_ptr().add(tap * row_bytes + x).cast()) };
                // Bytes become the upper halves of 16-bit numbers: of each sixteen the first eight, and the others.
                let zero = _mm256_setzero_si256();
                low = _mm256_add_epi16(low, _mm256_mulhi_epu16(_mm256_unpacklo_epi8(zero, row), weight));
                high = _mm256_add_epi16(high, _mm256_mulhi_epu16(_mm256_unpackhi_epi8(zero, row), weight));
            }
            let [low, high] = [low, high].map(|sum| _mm256_srli_epi16::<1>(sum));
            let out = &mut out[x..x + BLEND_LANES];
            // SAFETY: there is room for two vectors of sixteen.
            unsafe {
                let place: *mut __m256i = out.as_mut_ptr().cast();
                _mm256_storeu_si256(place, _mm256_permute2x128_si256::<0x20>(low, high));
                _mm256_storeu_si256(place.add(1), _mm256_permute2x128_si256::<0x31>(low, high));
            }
            x += BLEND_LANES;
        }
    }

    /// Pixels that are turned into RGB together.
    pub(super) const RGB_LANES: usize = 16;

    /// # Safety
    /// The rows have the same length, at least [`RGB_LANES`], and the target three times as much.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn rgb(rows: [&[i16]; 3], colours: Colours, target: &mut [u8]) {
        let all = |value: i16| _mm256_set1_epi16(value);
        let (black, grey, half) = (all(colours.black), all(GREY), all(HALF));
        let [of_luma, red_of_v, green_of_u, green_of_v, blue_of_u] =
            [colours.luma, colours.red_of_v, colours.green_of_u, colours.green_of_v, colours.blue_of_u].map(all);
        // SAFETY: sixteen places a part and channel.
        let places = PLACES.map(|part| part.map(|channel| unsafe { _mm_loadu_si128(channel.as_ptr().cast()) }));
        let width = rows[0].len();
        let mut x = 0;
        while x < width {
            // As in `blend_rows`.
            x = x.min(width - RGB_LANES);
            // SAFETY: sixteen numbers from `x` on lie within each row.
            let [y, u, v] = rows.map(|row| unsafe { _mm256_loadu_si256(row.as_ptr().add(x).cast()) });
            let y = _mm256_sub_epi16(y, black);
            let u = _mm256_sub_epi16(u, grey);
            let v = _mm256_sub_epi16(v, grey);
            let luma = _mm256_add_epi16(_mm256_mulhrs_epi16(y, of_luma), half);
            let red = _mm256_add_epi16(luma, _mm256_mulhrs_epi16(v, red_of_v));
            let blue = _mm256_add_epi16(luma, _mm256_mulhrs_epi16(u, blue_of_u));
            let green = _mm256_add_epi16(
                _mm256_add_epi16(luma, _mm256_mulhrs_epi16(u, green_of_u)),
                _mm256_mulhrs_epi16(v, green_of_v),
            );
            let [red, green, blue] = [red, green, blue].map(|channel| {
                let whole = _mm256_srai_epi16::<5>(channel);
                _mm_packus_epi16(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole))
            });
            let target = &mut target[3 * x..3 * (x + RGB_LANES)];
            for (part, [of_red, of_green, of_blue]) in places.into_iter().enumerate() {
                let mixed = _mm_or_si128(
                    _mm_or_si128(_mm_shuffle_epi8(red, of_red), _mm_shuffle_epi8(green, of_green)),
                    _mm_shuffle_epi8(blue, of_blue),
                );
                // SAFETY: the last of three parts of sixteen bytes ends at 48.
                unsafe { _mm_storeu_si128(target.as_mut_ptr().add(part * 16).cast(), mixed) };
            }
            x += RGB_LANES;
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
        for taps in [1, 2, 3, 4, 5, 8, 16, 23, 40] {
            for results in [1, 7, 8, 9, 33] {
                // Steps below one pixel, of about one and a half, and far apart.
                for step in [57, 150, 9700] {
                    let firsts: Vec<u32> = (0..results).map(|n: u32| n * step / 100 % 3900).collect();
                    let weights: Vec<i16> = (0..results as usize * taps)
                        .map(|n| i16::try_from((n + 1) * 31 % (32768 / taps)).expect("small"))
                        .collect();
                    let columns = Columns::new(firsts.clone(), &weights, taps);
                    let mut fast = vec![0; columns.firsts.len()];
                    let mut plain = fast.clone();
                    columns.weigh(&pixels, &mut fast);
                    columns.weigh_plainly(&pixels, &mut plain);
                    assert_eq!(fast, plain, "{taps} taps, {results} results");
                    // And both are what the weights say, padded or not.
                    for (result, &first) in firsts.iter().enumerate() {
                        let products = pixels[first as usize..].iter().zip(&weights[result * taps..][..taps]);
                        let sum = products.map(|(&pixel, &weight)| i32::from(pixel) * i32::from(weight)).sum();
                        assert_eq!(fast[result], rounded(sum), "{taps} taps, result {result} of {results}");
                    }
                }
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
            let width = 1 + seed % 61;
            let row = |channel: usize| -> Vec<i16> {
                let value = |x: usize| (seed * 977 + x * 7919 + channel * 104_729) * 31 % (255 * 128);
                (0..width).map(|x| i16::try_from(value(x)).expect("small")).collect()
            };
            let rows = [row(0), row(1), row(2)];
            let rows = [0, 1, 2].map(|channel: usize| &rows[channel][..]);
            let (mut fast, mut plain) = (vec![0; 3 * width], vec![1; 3 * width]);
            rgb(rows, colours, &mut fast);
            rgb_plainly(rows, colours, &mut plain);
            assert_eq!(fast, plain);
        }
    }

    #[test]
    fn blended_rows_agree_too() {
        let bytes: Vec<u8> = (0..40 * 200_u32).map(|n| u8::try_from(n * 7919 % 251).expect("a byte")).collect();
        for taps in [1, 2, 3, 7, 16, 39] {
            for width in [1, 31, 32, 33, 100, 131] {
                let weights: Vec<u16> =
                    (0..taps).map(|tap| u16::try_from((tap * 37 + 11) % (65535 / taps)).expect("small")).collect();
                let (mut fast, mut plain) = (vec![0; width], vec![1; width]);
                blend_rows(&bytes[60..], 200, &weights, &mut fast);
                blend_rows_plainly(&bytes[60..], 200, &weights, &mut plain);
                assert_eq!(fast, plain, "{taps} rows of {width}");
            }
        }
    }
}
