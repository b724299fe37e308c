//! The same loops with AVX2's vectors.

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
    for (eight, (firsts, weights)) in firsts.chunks_exact(RESULTS).zip(weights.chunks_exact(RESULTS * taps)).enumerate()
    {
        // Eight results have eight firsts, eight times the taps of weights, and as many shuffles as they have groups.
        // SAFETY: firsts lie within the pixels, because the reach does.
        let at = |result: usize| unsafe { pixels.as_ptr().add(firsts[result] as usize) };
        let sums = match taps {
            2 => {
                let groups = &shuffles[2 * eight..2 * eight + 2];
                // SAFETY: a window of eight pixels from a first one on lies within the reach; there are sixteen weights.
                let (windows, weights) = unsafe { (two(at(0), at(4)), _mm256_loadu_si256(weights.as_ptr().cast())) };
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
