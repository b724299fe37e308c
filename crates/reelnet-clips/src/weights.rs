//! How much each source pixel counts in each result pixel, along one axis. The same kernels as FFmpeg's scaler: pixels
//! are areas whose centres lie between their edges, kernels widen when a picture shrinks, and what lies outside counts as
//! the pixel at the edge.

use crate::Filter;
use crate::simd::{self, Starts};

/// Weights along one axis for the part of the result that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    kind: Kind,
    /// Source pixels that one result pixel takes, with padding.
    taps: usize,
    starts: Starts,
    /// `taps` a result pixel, in multiples of 1/65536.
    weights: Vec<u16>,
    /// `signed_taps` a result pixel, padded with zeros, in multiples of 1/32768.
    signed: Vec<i16>,
    signed_taps: usize,
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

/// Weights are padded with zeros to multiples of this: one vector of 16-bit numbers.
const GROUP: usize = 8;

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
        let mut rows: Vec<(usize, Vec<f64>)> = Vec::with_capacity(kept);
        for result in offset..offset + kept {
            let centre = (result as f64 + 0.5) * ratio - 0.5;
            let first = floor(centre - radius);
            let mut weights: Vec<f64> = Vec::new();
            let mut start = None;
            for position in first..=first + signed(most) {
                let weight = kernel((position as f64 - centre).abs(), ratio);
                if weight <= 0.0 {
                    continue;
                }
                let position = usize::try_from(position.clamp(0, signed(from) - 1)).unwrap_or(0);
                let start = *start.get_or_insert(position);
                weights.resize((position - start + 1).max(weights.len()), 0.0);
                weights[position - start] += weight;
            }
            rows.push((start.unwrap_or(0), weights));
        }
        let taps = rows.iter().map(|(_, weights)| weights.len()).max().unwrap_or(1);
        let signed_taps = if taps <= 2 { 2 } else { taps.next_multiple_of(GROUP) };
        let mut starts = Vec::with_capacity(kept);
        let mut axis = Self {
            kind: if from == to {
                Kind::Same { offset }
            } else if to == 2 * from {
                Kind::Doubled { offset }
            } else {
                Kind::Weighed
            },
            taps,
            starts: Starts::new(Vec::new()),
            weights: Vec::with_capacity(kept * taps),
            signed: Vec::with_capacity(kept * signed_taps),
            signed_taps,
        };
        for (start, weights) in rows {
            // Near the far edge the padding would lead out of the source.
            let shift = (start + taps).saturating_sub(from).min(start);
            let mut padded = vec![0.0; shift];
            padded.extend(weights);
            padded.resize(taps, 0.0);
            starts.push(u32::try_from(start - shift).ok()?);
            axis.weights.extend(fixed::<65536>(&padded).map(|weight| u16::try_from(weight).unwrap_or(u16::MAX)));
            axis.signed.extend(fixed::<32768>(&padded).map(|weight| i16::try_from(weight).unwrap_or(i16::MAX)));
            axis.signed.resize(starts.len() * signed_taps, 0);
        }
        axis.starts = Starts::new(starts);
        Some(axis)
    }

    /// Source pixels that [`apply`](Self::apply) may touch behind the last one.
    pub(crate) fn padding(&self) -> usize {
        self.signed_taps
    }

    /// The first source pixel of a result pixel, and the weights from there on.
    #[inline(always)]
    pub(crate) fn at(&self, result: usize) -> (usize, &[u16]) {
        match self.kind {
            Kind::Same { offset } => (offset + result, &[u16::MAX]),
            Kind::Doubled { .. } | Kind::Weighed => {
                (self.starts.first(result), &self.weights[result * self.taps..][..self.taps])
            }
        }
    }

    /// Weighs one row; `source` is longer than the axis by its [`padding`](Self::padding).
    #[inline(always)]
    pub(crate) fn apply(&self, source: &[i16], out: &mut [i16]) {
        match self.kind {
            Kind::Same { offset } => out.copy_from_slice(&source[offset..][..out.len()]),
            Kind::Doubled { offset } if offset % 2 == 0 => self.double(source, offset / 2, out),
            Kind::Doubled { .. } | Kind::Weighed => {
                simd::weigh(source, &self.starts, &self.signed, self.signed_taps, out);
            }
        }
    }

    /// Quarters and three quarters of neighbours in turn.
    #[inline(always)]
    fn double(&self, source: &[i16], first: usize, out: &mut [i16]) {
        let columns = source.len() - self.padding();
        let mix = |near: i16, far: i16| near + ((far - near + 2) >> 2);
        let inner = (out.len() / 2).min(columns.saturating_sub(first + 1));
        let skipped = usize::from(first == 0);
        if inner > skipped {
            let [before, here, after] =
                [0, 1, 2].map(|shift| &source[first + skipped + shift - 1..][..inner - skipped]);
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
