//! How much each source pixel counts in each result pixel, along one axis. The same kernels as FFmpeg's scaler: pixels
//! are areas whose centres lie between their edges, kernels widen when a picture shrinks, and what lies outside counts as
//! the pixel at the edge.

use crate::Filter;
use crate::simd::{Columns, RESULTS};

/// Weights along one axis for the part of the result that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    kind: Kind,
    /// Source pixels that one result pixel takes, at most.
    taps: usize,
    /// `taps` a result pixel, in multiples of 1/65536.
    weights: Vec<u16>,
    /// The same in multiples of 1/32768.
    columns: Columns,
    /// Result pixels.
    kept: usize,
    /// Source pixels.
    from: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Pixels are taken as they are.
    Same {
        offset: usize,
    },
    /// Each source pixel gives two result pixels.
    Doubled {
        offset: usize,
    },
    Weighed,
}

/// Above this many source pixels for one result pixel, sums of 16 bits could overflow.
const MOST_TAPS: usize = 256;

impl Axis {
    /// For `kept` result pixels from `offset` on, of `to` in all. `None` if weights are negative or too many.
    pub(crate) fn new(filter: Filter, from: usize, to: usize, offset: usize, kept: usize) -> Option<Self> {
        let ratio = from as f64 / to as f64;
        let kernel: fn(f64, f64) -> f64 = match filter {
            Filter::Area if ratio > 1.0 => |distance, ratio| (0.5 + ratio / 2.0 - distance).clamp(0.0, 1.0),
            Filter::Bilinear | Filter::Area => |distance, ratio| (1.0 - distance / ratio.max(1.0)).max(0.0),
            Filter::Bicubic => return None,
        };
        let radius = ratio.max(1.0) + 1.0;
        let most = 2 * ceil(radius) + 1;
        if most > MOST_TAPS {
            return None;
        }
        // The weights of all result pixels one behind the other: a picture has some thousand of them, and each picture of a
        // data set its own size.
        let mut all: Vec<f64> = Vec::with_capacity(kept * most.min(4));
        let mut rows: Vec<(usize, usize)> = Vec::with_capacity(kept);
        for result in offset..offset + kept {
            let centre = (result as f64 + 0.5) * ratio - 0.5;
            let first = floor(centre - radius);
            let begin = all.len();
            let mut start = None;
            for position in first..=first + signed(most) {
                let weight = kernel((position as f64 - centre).abs(), ratio);
                if weight <= 0.0 {
                    continue;
                }
                let position = usize::try_from(position.clamp(0, signed(from) - 1)).unwrap_or(0);
                let start = *start.get_or_insert(position);
                let place = begin + position - start;
                all.resize((place + 1).max(all.len()), 0.0);
                all[place] += weight;
            }
            rows.push((start.unwrap_or(0), all.len() - begin));
        }
        let taps = rows.iter().map(|&(_, count)| count).max().unwrap_or(1);
        let kind = if from == to {
            Kind::Same { offset }
        } else if to == 2 * from {
            Kind::Doubled { offset }
        } else {
            Kind::Weighed
        };
        let mut starts = Vec::with_capacity(kept);
        let mut fine: Vec<u16> = Vec::with_capacity(kept * taps);
        let mut coarse: Vec<i16> = Vec::with_capacity(kept * taps);
        let mut rest = all.as_slice();
        let mut padded = Vec::with_capacity(taps);
        for (start, count) in rows {
            let weights;
            (weights, rest) = rest.split_at(count);
            // Near the far edge the padding would lead out of the source.
            let shift = (start + taps).saturating_sub(from).min(start);
            padded.clear();
            padded.resize(shift, 0.0);
            padded.extend_from_slice(weights);
            padded.resize(taps, 0.0);
            starts.push(u32::try_from(start - shift).ok()?);
            fine.extend(fixed::<65536>(&padded).map(|weight| u16::try_from(weight).unwrap_or(u16::MAX)));
            coarse.extend(fixed::<32768>(&padded).map(|weight| i16::try_from(weight).unwrap_or(i16::MAX)));
        }
        let columns = Columns::new(starts, &coarse, taps);
        Some(Self { kind, taps, weights: fine, columns, kept, from })
    }

    /// How long a row of source pixels must be for [`apply`](Self::apply); what lies behind the source counts for
    /// nothing.
    pub(crate) fn source_room(&self) -> usize {
        self.columns.reach().max(self.from)
    }

    /// How long a row of result pixels must be for [`apply`](Self::apply).
    pub(crate) fn result_room(&self) -> usize {
        self.kept.next_multiple_of(RESULTS)
    }

    /// Result pixels.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// Where the result begins, if it is a part of the source as it is.
    pub(crate) fn identity(&self) -> Option<usize> {
        match self.kind {
            Kind::Same { offset } => Some(offset),
            Kind::Doubled { .. } | Kind::Weighed => None,
        }
    }

    /// The first source pixel of a result pixel, and the weights from there on.
    #[inline(always)]
    pub(crate) fn at(&self, result: usize) -> (usize, &[u16]) {
        match self.kind {
            Kind::Same { offset } => (offset + result, &[u16::MAX]),
            Kind::Doubled { .. } | Kind::Weighed => {
                (self.columns.first(result), &self.weights[result * self.taps..][..self.taps])
            }
        }
    }

    /// Weighs one row.
    #[inline(always)]
    pub(crate) fn apply(&self, source: &[i16], out: &mut [i16]) {
        match self.kind {
            Kind::Same { offset } => out[..self.kept].copy_from_slice(&source[offset..][..self.kept]),
            Kind::Doubled { offset } if offset % 2 == 0 => {
                double(&source[..self.from], offset / 2, &mut out[..self.kept]);
            }
            Kind::Doubled { .. } | Kind::Weighed => self.columns.weigh(source, out),
        }
    }
}

/// Quarters and three quarters of neighbours in turn.
#[inline(always)]
fn double(source: &[i16], first: usize, out: &mut [i16]) {
    let columns = source.len();
    let mix = |near: i16, far: i16| near + ((far - near + 2) >> 2);
    let inner = (out.len() / 2).min(columns.saturating_sub(first + 1));
    let skipped = usize::from(first == 0);
    if inner > skipped {
        let [before, here, after] = [0, 1, 2].map(|shift| &source[first + skipped + shift - 1..][..inner - skipped]);
        let pairs = out[2 * skipped..2 * inner].chunks_exact_mut(2);
        for (((pair, &before), &here), &after) in pairs.zip(before).zip(here).zip(after) {
            pair[0] = mix(here, before);
            pair[1] = mix(here, after);
        }
    }
    // The pixels at the edges, and an odd one at the end.
    let clamped = |column: usize| source[column.min(columns - 1)];
    for result in (0..(2 * skipped).min(out.len())).chain((2 * inner.max(skipped)).min(out.len())..out.len()) {
        let here = first + result / 2;
        let far = if result % 2 == 0 { here.saturating_sub(1) } else { here + 1 };
        out[result] = mix(clamped(here), clamped(far));
    }
}

/// Weights as integers whose sum is exactly `ONE`: what rounding leaves over goes on to the next weight.
fn fixed<const ONE: u32>(weights: &[f64]) -> impl Iterator<Item = u32> {
    let scale = f64::from(ONE) / weights.iter().sum::<f64>();
    let mut carried = 0.0;
    weights.iter().map(move |weight| {
        let exact = weight * scale + carried;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and ONE")]
        let rounded = if *weight > 0.0 { exact.round().max(0.0) as u32 } else { 0 };
        carried = exact - f64::from(rounded);
        rounded
    })
}

#[expect(clippy::cast_possible_truncation, reason = "sides of pictures are far smaller")]
fn floor(value: f64) -> i64 {
    value.floor() as i64
}

fn ceil(value: f64) -> usize {
    usize::try_from(-floor(-value)).unwrap_or(usize::MAX / 4)
}

fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
