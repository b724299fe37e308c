//! A convolution and everything that follows it while its results are at hand.

use std::sync::Arc;

use super::finish::Finish;
use super::{Arena, FusedError};
use crate::fused::{After, Number};
use crate::window::Window;

/// What a fused convolution computes:
/// `after(gate · (conv(source) + bias) + residual)`, the gate and the residual where it has them.
#[derive(Clone, Debug, PartialEq)]
pub struct FusedConvSpec {
    /// `[batch, frames, height, width, channels_in]` of the source.
    pub features: [usize; 5],
    /// Channels of the destination.
    pub channels_out: usize,
    /// Kernel, stride, padding.
    pub window: Window,
    /// Groups; as many as channels for a depthwise convolution.
    pub groups: usize,
    /// What the source holds. Weights are of the same kind, signed bytes for both kinds of bytes; sums have 32 bits.
    pub source: Number,
    /// What is written.
    pub destination: Number,
    /// What a unit of the destination is worth; 1 for floats.
    pub destination_scale: f32,
    /// Whether a value a channel, the same for the whole batch, multiplies what comes out of the convolution.
    pub is_gated: bool,
    /// What stands in the destination before, and is added.
    pub residual: Option<Residual>,
    /// What follows.
    pub after: After,
    /// Takes Winograd's F(4×4, 3×3) where there is a kernel for it: a quarter of the products, about ten times the rounding error.
    pub winograd: bool,
    /// Threads that it is divided over.
    pub threads: usize,
}

/// What a residual's memory holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// Its kind of number, as large as the destination's.
    pub number: Number,
    /// What its unit is worth; 1 for floats.
    pub scale: f32,
}

/// Weights `[channels_out, channels_in / groups, frames, height, width]`, and a bias `[channels_out]`.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// For sources of floats.
    Floats(&'a [f32]),
    /// For sources of bytes.
    Quantised(&'a Quantised),
}

/// Weights of signed bytes.
#[derive(Clone, Debug)]
pub struct Quantised {
    /// As [`Weights`] has them.
    pub bytes: Vec<i8>,
    /// What a unit of a product is worth, a channel: the scale of the weights times the scale of the source.
    pub scales: Vec<f32>,
}

impl FusedConvSpec {
    /// `[batch, frames', height', width', channels_out]`
    pub fn output(&self) -> [usize; 5] {
        let [batch, size @ .., _] = self.features;
        let [frames, height, width] = self.window.output(size);
        [batch, frames, height, width, self.channels_out]
    }

    /// Bytes of the source.
    pub fn source_bytes(&self) -> usize {
        self.features.iter().product::<usize>() * self.source.size()
    }

    /// Bytes of the destination.
    pub fn destination_bytes(&self) -> usize {
        self.output().iter().product::<usize>() * self.destination.size()
    }

    /// Numbers that the weights have.
    pub fn weight_count(&self) -> usize {
        self.channels_out * (self.features[4] / self.groups) * self.window.kernel.iter().product::<usize>()
    }

    fn check(&self, weights: &Weights, bias: &[f32]) -> Result<(), FusedError> {
        let counts = match weights {
            Weights::Floats(floats) => (!self.source.is_8_bit()).then_some((floats.len(), self.channels_out)),
            Weights::Quantised(quantised) => {
                self.source.is_8_bit().then_some((quantised.bytes.len(), quantised.scales.len()))
            }
        };
        let refuse = |why: &str| Err(FusedError(why.to_owned()));
        if counts.is_none() {
            return refuse("weights are bytes where the source is, and floats where it is not");
        }
        if self.groups == 0 || !self.features[4].is_multiple_of(self.groups) {
            return refuse("the channels do not divide into the groups");
        }
        if counts != Some((self.weight_count(), self.channels_out)) || bias.len() != self.channels_out {
            return refuse("weights, scales or bias are not as many as the convolution has");
        }
        if self.residual.is_some_and(|residual| residual.number.size() != self.destination.size()) {
            return refuse("a residual is as large as the destination that it stands in");
        }
        Ok(())
    }
}

impl std::fmt::Display for FusedConvSpec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [batch, frames, height, width, channels] = self.features;
        let [kernel_frames, kernel_height, kernel_width] = self.window.kernel;
        write!(formatter, "conv {kernel_frames}x{kernel_height}x{kernel_width}")?;
        if self.window.stride != [1; 3] {
            write!(formatter, " / {:?}", self.window.stride)?;
        }
        write!(formatter, " on {batch}x{frames}x{height}x{width}, {channels} -> {}", self.channels_out)?;
        if self.groups > 1 {
            write!(formatter, " in {} groups", self.groups)?;
        }
        if self.is_gated {
            write!(formatter, ", gate")?;
        }
        if self.residual.is_some() {
            write!(formatter, ", sum")?;
        }
        if self.after != After::Nothing {
            write!(formatter, ", {:?}", self.after)?;
        }
        Ok(())
    }
}

/// A convolution that is ready to run, its weights packed.
#[derive(Debug)]
pub struct FusedConv {
    spec: FusedConvSpec,
    kernel: kernel::Kernel,
    /// What the kernel leaves to do.
    finish: Option<Finish>,
    weights: Arc<Arena>,
    bias: Arc<[f32]>,
    /// As in [`Quantised`].
    scales: Option<Arc<[f32]>>,
}

impl FusedConv {
    /// Chooses a kernel and packs the weights for it.
    ///
    /// # Errors
    /// If there is none for it on this machine, or the weights are not as many as it has.
    pub fn new(spec: FusedConvSpec, weights: Weights, bias: &[f32]) -> Result<Self, FusedError> {
        spec.check(&weights, bias)?;
        let (scales, bias) = match weights {
            Weights::Floats(_) => (None, bias.into()),
            Weights::Quantised(quantised) => {
                let bias = kernel::bias_of_bytes(bias, &quantised.scales);
                (Some(Arc::from(&quantised.scales[..])), bias.into())
            }
        };
        let (kernel, finish) = choose(&spec, scales.as_deref())?;
        let mut packed = Arena::new(kernel.packed_bytes());
        match weights {
            Weights::Floats(floats) => kernel.pack(bytemuck::cast_slice(floats), packed.bytes_mut()),
            Weights::Quantised(quantised) => kernel.pack(bytemuck::cast_slice(&quantised.bytes), packed.bytes_mut()),
        }
        Ok(Self { spec, kernel, finish, weights: Arc::new(packed), bias, scales })
    }

    /// The same weights in another shape or on other threads: shared where both kernels take them packed alike, else packed anew.
    ///
    /// # Errors
    /// If there is no kernel for it, its weights would be others, or cannot be packed anew from how they are packed now.
    pub fn again(&self, spec: FusedConvSpec) -> Result<Self, FusedError> {
        let same = spec.source == self.spec.source
            && spec.groups == self.spec.groups
            && spec.channels_out == self.spec.channels_out
            && spec.features[4] == self.spec.features[4]
            && spec.window.kernel == self.spec.window.kernel;
        if !same {
            return Err(FusedError("the weights would be others".to_owned()));
        }
        let (kernel, finish) = choose(&spec, self.scales.as_deref())?;
        let weights = if kernel.takes_the_weights_of(&self.kernel) {
            Arc::clone(&self.weights)
        } else {
            let mut packed = Arena::new(kernel.packed_bytes());
            if !kernel.repack(&self.kernel, self.weights.bytes(), packed.bytes_mut()) {
                return Err(FusedError("the packed weights fit one kernel only".to_owned()));
            }
            Arc::new(packed)
        };
        Ok(Self { spec, kernel, finish, weights, bias: Arc::clone(&self.bias), scales: self.scales.clone() })
    }

    /// What it computes.
    pub fn spec(&self) -> &FusedConvSpec {
        &self.spec
    }

    /// oneDNN's name of the kernel.
    pub fn implementation(&self) -> &str {
        self.kernel.implementation()
    }

    /// Whether what follows the convolution is a pass of its own: the processor's kernels cannot do it on their way.
    pub fn is_finished_apart(&self) -> bool {
        self.finish.is_some()
    }

    /// How many activations a run copies into another layout and back.
    pub fn reorders(&self) -> u64 {
        self.kernel.reorders()
    }

    /// Bytes of scratch memory that a run needs.
    pub fn scratch_bytes(&self) -> usize {
        self.sums_offset() + self.sums_bytes()
    }

    /// Where in scratch memory sums lie that a pass finishes.
    fn sums_offset(&self) -> usize {
        self.kernel.scratch_bytes().next_multiple_of(Arena::LINE)
    }

    fn sums_bytes(&self) -> usize {
        let spec = &self.spec;
        if self.finish.is_none() { 0 } else { spec.output().iter().product::<usize>() * Number::F32.size() }
    }

    /// Bytes of the packed weights.
    pub fn weight_bytes(&self) -> usize {
        self.weights.bytes().len()
    }

    /// Whether both hold one copy of the weights.
    pub fn shares_weights_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.weights, &other.weights)
    }

    /// Runs it.
    ///
    /// # Panics
    /// If memory is not as long as the spec says, not on a cache line, or a gate is missing or not wanted.
    pub fn run(&mut self, source: &[u8], gate: Option<&[f32]>, destination: &mut [u8], scratch: &mut [u8]) {
        let spec = &self.spec;
        assert!(source.len() == spec.source_bytes(), "the source is as long as the convolution's");
        assert!(destination.len() == spec.destination_bytes(), "the destination is as long as the convolution's");
        assert!(scratch.len() >= self.scratch_bytes(), "scratch memory is as long as the convolution wants it");
        let expected_gate = spec.is_gated.then_some(spec.channels_out);
        assert!(
            gate.map(<[f32]>::len) == expected_gate,
            "there is a gate for each channel where the convolution has one"
        );
        let (at, length) = (self.sums_offset(), self.sums_bytes());
        let Some(finish) = &self.finish else {
            return self.kernel.run(source, self.weights.bytes(), &self.bias, gate, destination, scratch);
        };
        let (scratch, sums) = scratch.split_at_mut(at);
        let sums = &mut sums[..length];
        self.kernel.run(source, self.weights.bytes(), &self.bias, None, sums, scratch);
        finish.run(bytemuck::cast_slice(sums), gate, destination);
    }
}

/// A kernel that does everything on its way, or, where that is only a reference kernel, a compiled one and what it leaves to do.
fn choose(spec: &FusedConvSpec, scales: Option<&[f32]>) -> Result<(kernel::Kernel, Option<Finish>), FusedError> {
    let whole = kernel::Kernel::new(spec, scales);
    if whole.as_ref().is_ok_and(|kernel| !kernel.is_reference()) {
        return Ok((whole?, None));
    }
    match kernel::Kernel::new(&Finish::bare(spec), scales) {
        Ok(bare) if !bare.is_reference() => Ok((bare, Some(Finish::new(spec)))),
        _ => Ok((whole?, None)),
    }
}

#[cfg(onednn)]
use crate::onednn::fused as kernel;

#[cfg(not(onednn))]
mod kernel {
    //! What there is instead of kernels without oneDNN: nothing, so that nothing can be made.

    use crate::fused::{FusedConvSpec, FusedError};

    #[derive(Debug)]
    pub(super) enum Kernel {}

    pub(super) fn bias_of_bytes(bias: &[f32], _scales: &[f32]) -> Vec<f32> {
        bias.to_vec()
    }

    impl Kernel {
        pub(super) fn new(_spec: &FusedConvSpec, _scales: Option<&[f32]>) -> Result<Self, FusedError> {
            Err(FusedError::without_onednn())
        }

        pub(super) fn packed_bytes(&self) -> usize {
            match *self {}
        }

        pub(super) fn pack(&self, _weights: &[u8], _packed: &mut [u8]) {
            match *self {}
        }

        pub(super) fn takes_the_weights_of(&self, _other: &Self) -> bool {
            match *self {}
        }

        pub(super) fn repack(&self, _from: &Self, _packed: &[u8], _repacked: &mut [u8]) -> bool {
            match *self {}
        }

        pub(super) fn implementation(&self) -> &str {
            match *self {}
        }

        pub(super) fn is_reference(&self) -> bool {
            match *self {}
        }

        pub(super) fn reorders(&self) -> u64 {
            match *self {}
        }

        pub(super) fn scratch_bytes(&self) -> usize {
            match *self {}
        }

        pub(super) fn run(
            &mut self,
            _source: &[u8],
            _weights: &[u8],
            _bias: &[f32],
            _gate: Option<&[f32]>,
            _destination: &mut [u8],
            _scratch: &mut [u8],
        ) {
            match *self {}
        }
    }
}
