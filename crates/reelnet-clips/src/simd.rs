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
mod avx2;

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
