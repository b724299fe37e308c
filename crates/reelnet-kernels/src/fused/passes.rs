//! What no kernel does on its way: bytes to numbers, means, gates that had to wait.

use super::element::{Element, Pass, by_number, vectorised};
use super::number::Number;
use crate::flex::team::pieces_on;

/// Numbers that one task writes at least.
const PIECE: usize = 1 << 14;
/// Bytes that are normalised at a time: a whole number of pixels and of vectors.
const TOGETHER: usize = 48;
/// Positions that are added up in 32 bits before their sum is added to others.
const RUN: usize = 256;
/// Channels that are added up at a time: their sums stay in registers and the nearest cache.
const CHANNELS: usize = 64;

/// The numbers of as many whole rows of `channels` as one task writes.
pub(super) fn whole_rows(channels: usize) -> usize {
    (PIECE / channels).max(1) * channels
}

/// `(byte - mean) / deviation`, channel by channel, in units of `scale`.
///
/// # Shapes
/// - source: `[…, 3]`
///
/// # Panics
/// If the destination is not as long as the source, in numbers of this kind.
pub fn normalise(
    source: &[u8],
    (mean, deviation): ([f32; 3], [f32; 3]),
    destination: &mut [u8],
    (number, scale): (Number, f32),
    threads: usize,
) {
    assert!(destination.len() == source.len() * number.size(), "each byte becomes a number");
    let factor: [f32; TOGETHER] = std::array::from_fn(|index| 1.0 / (deviation[index % 3] * scale));
    let offset: [f32; TOGETHER] = std::array::from_fn(|index| mean[index % 3]);
    let piece = PIECE / TOGETHER * TOGETHER;
    by_number(number, Normalise { source, factor, offset, piece, destination, threads });
}

struct Normalise<'a> {
    source: &'a [u8],
    factor: [f32; TOGETHER],
    offset: [f32; TOGETHER],
    piece: usize,
    destination: &'a mut [u8],
    threads: usize,
}
impl Pass for Normalise<'_> {
    fn run<E: Element>(self) {
        let Self { source, factor, offset, piece, destination, threads } = self;
        pieces_on(threads, bytemuck::cast_slice_mut::<u8, E>(destination), piece, |index, output| {
            let source = &source[index * piece..][..output.len()];
            vectorised(
                #[inline(always)]
                || {
                    for (bytes, numbers) in source.chunks(TOGETHER).zip(output.chunks_mut(TOGETHER)) {
                        for (index, (number, &byte)) in numbers.iter_mut().zip(bytes).enumerate() {
                            *number = E::of_float((f32::from(byte) - offset[index]) * factor[index]);
                        }
                    }
                },
            );
        });
    }
}

/// Floats in units of `scale`, as numbers of another kind.
///
/// # Panics
/// If the destination is not as long as the source, in numbers of this kind.
pub fn convert(source: &[f32], destination: &mut [u8], (number, scale): (Number, f32), threads: usize) {
    assert!(destination.len() == source.len() * number.size(), "each float becomes a number");
    by_number(number, Convert { source, destination, factor: 1.0 / scale, threads });
}

struct Convert<'a> {
    source: &'a [f32],
    destination: &'a mut [u8],
    factor: f32,
    threads: usize,
}
impl Pass for Convert<'_> {
    fn run<E: Element>(self) {
        let Self { source, destination, factor, threads } = self;
        pieces_on(threads, bytemuck::cast_slice_mut::<u8, E>(destination), PIECE, |index, output| {
            let source = &source[index * PIECE..][..output.len()];
            vectorised(
                #[inline(always)]
                || {
                    for (number, &value) in output.iter_mut().zip(source) {
                        *number = E::of_float(value * factor);
                    }
                },
            );
        });
    }
}

/// The mean over frames, height and width, taken image by image.
#[derive(Clone, Copy, Debug)]
pub struct Mean {
    /// `[batch, frames, height, width, channels]` of the whole source.
    pub features: [usize; 5],
    /// What the source holds.
    pub number: Number,
    /// What its unit is worth; 1 for floats.
    pub scale: f32,
    /// Threads that a call is divided over.
    pub threads: usize,
}

impl Mean {
    /// Adds images to the means that they belong to. Called for all images, in order, it leaves the means.
    ///
    /// # Shapes
    /// - source: `[images, height, width, channels]`, of the images from `first` on, counted over batch and frames
    /// - means: `[batch, channels]`
    ///
    /// # Panics
    /// If the source is no whole number of images, or there are not as many means as that.
    pub fn add(&self, source: &[u8], first: usize, means: &mut [f32]) {
        by_number(self.number, Add { mean: self, source, first, means });
    }

    fn add_numbers<E: Element>(&self, source: &[E], first: usize, means: &mut [f32]) {
        let [batch, frames, height, width, channels] = self.features;
        let image = height * width * channels;
        assert!(means.len() == batch * channels, "there is a mean for each channel");
        assert!(source.len().is_multiple_of(image), "there are whole images");
        #[expect(clippy::cast_possible_truncation, reason = "a factor of a mean")]
        let share = (f64::from(self.scale) / (frames * height * width) as f64) as f32;
        for (index, source) in source.chunks_exact(image).enumerate() {
            let (sample, frame) = ((first + index) / frames, (first + index) % frames);
            let row = &mut means[sample * channels..][..channels];
            if frame == 0 {
                row.fill(0.0);
            }
            pieces_on(self.threads, row, CHANNELS, |block, sums| {
                let column = block * CHANNELS;
                vectorised(
                    #[inline(always)]
                    || add_columns(source, channels, column, sums),
                );
            });
            if frame + 1 == frames {
                for mean in row {
                    *mean *= share;
                }
            }
        }
    }
}

struct Add<'a> {
    mean: &'a Mean,
    source: &'a [u8],
    first: usize,
    means: &'a mut [f32],
}
impl Pass for Add<'_> {
    fn run<E: Element>(self) {
        self.mean.add_numbers::<E>(bytemuck::cast_slice(self.source), self.first, self.means);
    }
}

/// Adds the columns from `column` on, as many as there are sums.
#[expect(clippy::inline_always, reason = "it takes on the instructions of the function that it is inlined into")]
#[inline(always)]
fn add_columns<E: Element>(source: &[E], channels: usize, column: usize, sums: &mut [f32]) {
    for rows in source.chunks(channels * RUN) {
        let mut run = [0.0_f32; CHANNELS];
        let run = &mut run[..sums.len()];
        for row in rows.chunks_exact(channels) {
            for (sum, &value) in run.iter_mut().zip(&row[column..]) {
                *sum += value.to_float();
            }
        }
        for (total, sum) in sums.iter_mut().zip(run) {
            *total += *sum;
        }
    }
}

/// Multiplies images by their sample's gate, in place.
///
/// # Shapes
/// - images: `[images, height, width, channels]`, from image `first` on, counted over batch and frames
/// - gates: `[batch, channels]`
///
/// # Panics
/// If the images are not whole, or there is no gate for one.
pub fn multiply(
    images: &mut [u8],
    number: Number,
    first: usize,
    [_, frames, height, width, channels]: [usize; 5],
    gates: &[f32],
    threads: usize,
) {
    by_number(number, Multiply { images, image: height * width * channels, first, frames, channels, gates, threads });
}

struct Multiply<'a> {
    images: &'a mut [u8],
    image: usize,
    first: usize,
    frames: usize,
    channels: usize,
    gates: &'a [f32],
    threads: usize,
}
impl Pass for Multiply<'_> {
    fn run<E: Element>(self) {
        let Self { images, image, first, frames, channels, gates, threads } = self;
        let images = bytemuck::cast_slice_mut::<u8, E>(images);
        assert!(images.len().is_multiple_of(image), "there are whole images");
        let piece = whole_rows(channels);
        for (index, image) in images.chunks_exact_mut(image).enumerate() {
            let gate = &gates[(first + index) / frames * channels..][..channels];
            pieces_on(threads, image, piece, |_, rows| {
                vectorised(
                    #[inline(always)]
                    || {
                        for row in rows.chunks_exact_mut(channels) {
                            for (value, gate) in row.iter_mut().zip(gate) {
                                *value = E::of_float(value.to_float() * gate);
                            }
                        }
                    },
                );
            });
        }
    }
}

/// The same bytes in another place.
///
/// # Panics
/// If the places are not equally long.
pub fn copy(source: &[u8], destination: &mut [u8], threads: usize) {
    assert!(source.len() == destination.len(), "places are equally long");
    let piece = PIECE * size_of::<f32>();
    pieces_on(threads, destination, piece, |index, bytes| {
        bytes.copy_from_slice(&source[index * piece..][..bytes.len()]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_normalised_by_channel_in_every_kind_of_number() {
        let source: Vec<u8> = (0..=255).cycle().take(3 * 1000).collect();
        let pixels = ([10.0, 20.0, 30.0], [2.0, 4.0, 8.0]);
        let expected: Vec<f32> =
            source.iter().enumerate().map(|(i, &b)| (f32::from(b) - pixels.0[i % 3]) / pixels.1[i % 3]).collect();
        let mut floats = vec![0u8; source.len() * 4];
        normalise(&source, pixels, &mut floats, (Number::F32, 1.0), 2);
        assert_eq!(bytemuck::pod_collect_to_vec::<u8, f32>(&floats), expected);
        let mut bytes = vec![0u8; source.len()];
        normalise(&source, pixels, &mut bytes, (Number::S8, 1.0), 2);
        for (byte, expected) in bytemuck::cast_slice::<u8, i8>(&bytes).iter().zip(&expected) {
            assert_eq!(f32::from(*byte), expected.round_ties_even().clamp(-128.0, 127.0));
        }
    }

    #[test]
    fn a_mean_is_the_same_image_by_image_and_at_once() {
        let features = [2, 3, 5, 7, 70];
        let count: usize = features.iter().product();
        let values: Vec<f32> = (0..count).map(|i| ((i * 7919) % 1013) as f32 / 1013.0).collect();
        let mean = Mean { features, number: Number::F32, scale: 1.0, threads: 2 };
        let (mut whole, mut parts) = (vec![9.0; 140], vec![-9.0; 140]);
        mean.add(bytemuck::cast_slice(&values), 0, &mut whole);
        for (image, source) in values.chunks(5 * 7 * 70).enumerate() {
            mean.add(bytemuck::cast_slice(source), image, &mut parts);
        }
        assert_eq!(whole, parts);
        for (index, mean) in whole.iter().enumerate() {
            let (sample, channel) = (index / 70, index % 70);
            let sum: f64 = (0..3 * 35).map(|p| f64::from(values[(sample * 105 + p) * 70 + channel])).sum();
            assert!((f64::from(*mean) - sum / 105.0).abs() < 1e-6);
        }
    }

    #[test]
    fn gates_reach_their_own_sample() {
        let (features, gates) = ([2, 1, 2, 2, 3], [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        let mut images = vec![1.0_f32; 24];
        multiply(bytemuck::cast_slice_mut(&mut images), Number::F32, 0, features, &gates, 2);
        for (index, value) in images.iter().enumerate() {
            assert_eq!(*value, gates[index / 12 * 3 + index % 3]);
        }
    }
}
