//! What follows a convolution, as a pass of its own: for processors whose kernels cannot do it on their way.

use std::marker::PhantomData;

use bytemuck::Pod;

use super::conv::{FusedConvSpec, Residual};
use super::element::{Element, Pass, by_number, vectorised};
use super::number::{After, Number};
use super::passes::whole_rows;
use crate::flex::curve::{Clip, Curve, Sigmoid, Swish};
use crate::flex::team::pieces_on;

/// `after(gate · sums + residual)`, position by position.
#[derive(Debug)]
pub(super) struct Finish {
    channels: usize,
    number: Number,
    /// One over what a unit of the destination is worth.
    factor: f32,
    residual: Option<Residual>,
    after: After,
    threads: usize,
    /// The gate where there is none.
    ones: Box<[f32]>,
}

impl Finish {
    /// What a kernel leaves to do that computes [`Finish::bare`] instead of a convolution.
    pub(super) fn new(spec: &FusedConvSpec) -> Self {
        Self {
            channels: spec.channels_out,
            number: spec.destination,
            factor: 1.0 / spec.destination_scale,
            residual: spec.residual,
            after: spec.after,
            threads: spec.threads,
            ones: vec![1.0; spec.channels_out].into(),
        }
    }

    /// The convolution without anything that follows: sums in floats.
    pub(super) fn bare(spec: &FusedConvSpec) -> FusedConvSpec {
        FusedConvSpec {
            destination: Number::F32,
            destination_scale: 1.0,
            is_gated: false,
            residual: None,
            after: After::Nothing,
            ..spec.clone()
        }
    }

    /// Writes the destination, in which a residual stands.
    ///
    /// # Shapes
    /// - sums, destination: `[…, channels]`
    /// - gate: `[channels]`
    pub(super) fn run(&self, sums: &[f32], gate: Option<&[f32]>, destination: &mut [u8]) {
        assert!(destination.len() == sums.len() * self.number.size(), "each sum becomes a number");
        let gate = gate.unwrap_or(&self.ones);
        match self.after {
            After::Nothing => self.curved(Clip::NOTHING, sums, gate, destination),
            After::Relu => self.curved(Clip::RELU, sums, gate, destination),
            After::Relu6 => self.curved(Clip::RELU6, sums, gate, destination),
            After::Swish => self.curved(Swish, sums, gate, destination),
            After::Sigmoid => self.curved(Sigmoid, sums, gate, destination),
        }
    }

    fn curved(&self, curve: impl Curve, sums: &[f32], gate: &[f32], destination: &mut [u8]) {
        by_number(self.number, Write { finish: self, curve, sums, gate, destination });
    }
}

struct Write<'a, C> {
    finish: &'a Finish,
    curve: C,
    sums: &'a [f32],
    gate: &'a [f32],
    destination: &'a mut [u8],
}

impl<C: Curve> Pass for Write<'_, C> {
    fn run<E: Element>(self) {
        match self.finish.residual {
            // Nobody reads what stands there: it may be anything.
            None => self.rows(|_: E| 0.0),
            Some(Residual { number, scale }) => {
                by_number(number, Add { write: self, scale, destination: PhantomData::<E> });
            }
        }
    }
}

impl<C: Curve> Write<'_, C> {
    fn rows<E: Element>(self, residual: impl Fn(E) -> f32 + Sync) {
        let Self { finish, curve, sums, gate, destination } = self;
        let channels = finish.channels;
        let piece = whole_rows(channels);
        pieces_on(finish.threads, bytemuck::cast_slice_mut::<u8, E>(destination), piece, |index, numbers| {
            let sums = &sums[index * piece..][..numbers.len()];
            vectorised(
                #[inline(always)]
                || {
                    for (row, sums) in numbers.chunks_exact_mut(channels).zip(sums.chunks_exact(channels)) {
                        for ((number, sum), gate) in row.iter_mut().zip(sums).zip(gate) {
                            let value = curve.value(sum * gate + residual(*number));
                            *number = E::of_float(value * finish.factor);
                        }
                    }
                },
            );
        });
    }
}

/// The same with a residual, whose numbers may be of another kind than the destination's.
struct Add<'a, C, E> {
    write: Write<'a, C>,
    scale: f32,
    destination: PhantomData<E>,
}

impl<C: Curve, E: Element> Pass for Add<'_, C, E> {
    fn run<R: Element>(self) {
        let Self { write, scale, destination: _ } = self;
        // Equally large, which the convolution's spec was checked for.
        write.rows(move |number: E| reinterpreted::<E, R>(number).to_float() * scale);
    }
}

#[expect(clippy::inline_always, reason = "it takes on the instructions of the function that it is inlined into")]
#[inline(always)]
fn reinterpreted<A: Pod, B: Pod>(number: A) -> B {
    bytemuck::cast(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Window;

    const CHANNELS: usize = 37;
    const ROWS: usize = 1200;

    fn spec(destination: Number, residual: Option<Number>, after: After) -> FusedConvSpec {
        let scale = |number: Number, of_bytes: f32| if number.is_8_bit() { of_bytes } else { 1.0 };
        FusedConvSpec {
            features: [1, 1, ROWS, 1, 8],
            channels_out: CHANNELS,
            window: Window { kernel: [1; 3], stride: [1; 3], padding: [(0, 0); 3], dilation: [1; 3] },
            groups: 1,
            source: Number::F32,
            destination,
            destination_scale: scale(destination, 0.5),
            is_gated: true,
            residual: residual.map(|number| Residual { number, scale: scale(number, 0.25) }),
            after,
            winograd: false,
            threads: 2,
        }
    }

    /// A residual's numbers stand where the destination's come, of another kind even, and every kind is rounded as its own.
    #[test]
    fn every_number_is_gated_added_and_curved() {
        let sums: Vec<f32> = (0..ROWS * CHANNELS).map(|i| ((i * 7919) % 257) as f32 / 32.0 - 4.0).collect();
        let gate: Vec<f32> = (0..CHANNELS).map(|i| i as f32 / 16.0).collect();
        let sides = [
            (Number::F32, Some(Number::F32)),
            (Number::F32, None),
            (Number::Bf16, Some(Number::Bf16)),
            (Number::U8, Some(Number::S8)),
            (Number::S8, Some(Number::U8)),
            (Number::U8, None),
        ];
        for (number, residual) in sides {
            for after in [After::Nothing, After::Relu, After::Relu6, After::Swish, After::Sigmoid] {
                let spec = spec(number, residual, after);
                // Zeros of any kind but for the last 8 numbers, which are ones.
                let one = match residual.unwrap_or(number) {
                    Number::F32 => 1.0_f32.to_le_bytes().to_vec(),
                    Number::Bf16 => vec![0x80, 0x3f],
                    Number::U8 | Number::S8 => vec![4],
                };
                let mut destination = vec![0; spec.destination_bytes() - 8 * one.len()];
                destination.extend(one.repeat(8));
                if residual.is_none() {
                    destination.fill(0xff);
                }
                Finish::new(&spec).run(&sums, Some(&gate), &mut destination);
                for (index, bytes) in destination.chunks(number.size()).enumerate() {
                    let held = if residual.is_some() && index >= sums.len() - 8 { 1.0 } else { 0.0 };
                    let sum = f64::from(sums[index]) * f64::from(gate[index % CHANNELS]) + held;
                    let exact = match after {
                        After::Nothing => sum,
                        After::Relu => sum.max(0.0),
                        After::Relu6 => sum.clamp(0.0, 6.0),
                        After::Swish => sum / (1.0 + (-sum).exp()),
                        After::Sigmoid => 1.0 / (1.0 + (-sum).exp()),
                    };
                    let (found, expected, within) = match number {
                        Number::F32 => (f64::from(f32::from_le_bytes(bytes.try_into().expect("four"))), exact, 1e-5),
                        Number::Bf16 => {
                            let bits = u32::from(u16::from_le_bytes(bytes.try_into().expect("two"))) << 16;
                            (f64::from(f32::from_bits(bits)), exact, exact.abs() / 250.0 + 1e-6)
                        }
                        Number::U8 => (f64::from(bytes[0]) * 0.5, exact.clamp(0.0, 127.5), 0.251),
                        Number::S8 => (f64::from(bytes[0].cast_signed()) * 0.5, exact.clamp(-64.0, 63.5), 0.251),
                    };
                    assert!((found - expected).abs() <= within, "{index}: {found}, expected {expected}: {spec:?}");
                }
            }
        }
    }
}
