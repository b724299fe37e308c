//! oneDNN's kernel for one convolution.

use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::ffi;
use super::library::{CONVOLUTIONS, PACKINGS, REORDERS};
use super::memory::{Memory, with_scratch};
use super::problem::Direction;

/// oneDNN would not.
#[derive(Debug, Error)]
#[error("oneDNN: {0}")]
pub(super) struct OneDnnError(String);

/// A kernel, made for one problem and one number of threads.
#[derive(Debug)]
pub(super) struct Plan {
    handle: NonNull<ffi::Plan>,
    problem: ffi::Conv,
    scratch: usize,
    packed: usize,
    reorders: u64,
    implementation: String,
}

// SAFETY: a plan is not changed once it is made, and whatever a run writes (scratch memory, a stream a thread) is not in it;
// oneDNN's primitives may run from several threads at once when each brings its scratch memory.
unsafe impl Send for Plan {}
// SAFETY: as for `Send`.
unsafe impl Sync for Plan {}

/// Weights as a plan takes them.
#[derive(Clone, Copy)]
pub(super) enum Weights<'a> {
    Plain(&'a [u8]),
    /// By [`Plan::pack`] of an equal plan.
    Packed(&'a Memory),
}

impl Plan {
    pub(super) fn new(problem: ffi::Conv) -> Result<Self, OneDnnError> {
        let mut handle = ptr::null_mut();
        let mut info = ffi::PlanInfo { scratch: 0, packed: 0, reorders: 0, is_reference: 0, implementation: [0; 64] };
        // SAFETY: the three point to what the shim expects, and it keeps none of them.
        check(unsafe { ffi::reelnet_onednn_plan(&raw const problem, &raw mut handle, &raw mut info) })?;
        // SAFETY: the shim ends the name with a zero byte within the array.
        let implementation = unsafe { CStr::from_ptr(info.implementation.as_ptr()) }.to_string_lossy().into_owned();
        let bytes = |count: u64| usize::try_from(count).expect("a size in memory");
        Ok(Self {
            handle: NonNull::new(handle).expect("the shim made a plan"),
            problem,
            scratch: bytes(info.scratch),
            packed: bytes(info.packed),
            reorders: info.reorders,
            implementation,
        })
    }

    pub(super) fn problem(&self) -> ffi::Conv {
        self.problem
    }

    /// Whether weights are packed first.
    pub(super) fn packs(&self) -> bool {
        self.packed > 0
    }

    pub(super) fn pack(&self, weights: &[u8], packed: &mut Memory) {
        assert!(weights.len() == self.weight_bytes() && packed.bytes() >= self.packed, "the weights are the plan's");
        // SAFETY: both are as large as the shim reads and writes, just checked.
        let status =
            unsafe { ffi::reelnet_onednn_pack(self.handle.as_ptr(), weights.as_ptr().cast(), packed.as_mut_ptr()) };
        self.ran(status);
        PACKINGS.fetch_add(1, Ordering::Relaxed);
    }

    /// Room for [`Self::pack`].
    pub(super) fn packed_memory(&self) -> Memory {
        Memory::new(self.packed)
    }

    /// Lends the weights packed into scratch memory.
    pub(super) fn with_packed(&self, weights: &[u8], use_them: impl FnOnce(&Memory)) {
        with_scratch(self.packed, |packed| {
            self.pack(weights, packed);
            use_them(packed);
        });
    }

    pub(super) fn forward(
        &self,
        features: &[u8],
        weights: Weights,
        bias: Option<&[u8]>,
        output: &mut [MaybeUninit<u8>],
    ) {
        self.is_for(Direction::Forward);
        assert!(features.len() == self.feature_bytes() && output.len() == self.output_bytes(), "the plan's sizes");
        let bias = self.bias_pointer(bias.map(|bias| (bias.as_ptr().cast_mut().cast(), bias.len())));
        // SAFETY: `run`'s condition was just checked; the shim only reads features, weights and bias here.
        unsafe {
            self.run(features.as_ptr().cast_mut().cast(), self.weights(weights), bias, output.as_mut_ptr().cast());
        }
    }

    pub(super) fn input_gradient(&self, weights: Weights, output_gradient: &[u8], gradient: &mut [MaybeUninit<u8>]) {
        self.is_for(Direction::InputGradient);
        let fits = output_gradient.len() == self.output_bytes() && gradient.len() == self.feature_bytes();
        assert!(fits, "the plan's sizes");
        let output_gradient = output_gradient.as_ptr().cast_mut().cast();
        // SAFETY: `run`'s condition was just checked; the shim only reads weights and the output's gradient here.
        unsafe { self.run(gradient.as_mut_ptr().cast(), self.weights(weights), ptr::null_mut(), output_gradient) }
    }

    /// Writes the gradients of the weights and, if the plan has one, of the bias.
    pub(super) fn weight_gradient(
        &self,
        features: &[u8],
        output_gradient: &[u8],
        gradient: &mut [MaybeUninit<u8>],
        bias: Option<&mut [MaybeUninit<u8>]>,
    ) {
        self.is_for(Direction::WeightGradient);
        let fits = features.len() == self.feature_bytes()
            && output_gradient.len() == self.output_bytes()
            && gradient.len() == self.weight_bytes();
        assert!(fits, "the plan's sizes");
        let bias = self.bias_pointer(bias.map(|bias| (bias.as_mut_ptr().cast(), bias.len())));
        let features = features.as_ptr().cast_mut().cast();
        let output_gradient = output_gradient.as_ptr().cast_mut().cast();
        // SAFETY: `run`'s condition was just checked; the shim only reads the features and the output's gradient here.
        unsafe { self.run(features, gradient.as_mut_ptr().cast(), bias, output_gradient) }
    }

    /// # Safety
    /// Every pointer leads to as many bytes as the plan's problem has there, packed weights to as many as were packed, and
    /// the bias may be null only where the plan has none. What the direction computes is written, the rest is read.
    unsafe fn run(&self, source: *mut c_void, weights: *mut c_void, bias: *mut c_void, destination: *mut c_void) {
        let status = with_scratch(self.scratch, |scratch| {
            // SAFETY: the caller promises the arguments, `with_scratch` lends as much as the plan asked for.
            unsafe {
                ffi::reelnet_onednn_run(self.handle.as_ptr(), source, weights, bias, destination, scratch.as_mut_ptr())
            }
        });
        self.ran(status);
        CONVOLUTIONS.fetch_add(1, Ordering::Relaxed);
        REORDERS.fetch_add(self.reorders, Ordering::Relaxed);
    }

    /// A plan that was made runs: it allocates nothing, and its arguments' sizes were checked.
    fn ran(&self, status: i32) {
        if let Err(error) = check(status) {
            panic!("a planned convolution runs, but {} failed: {error}", self.implementation);
        }
    }

    fn is_for(&self, direction: Direction) {
        assert!(self.problem.direction == direction as i64, "a plan is run in its own direction");
    }

    fn weights(&self, weights: Weights) -> *mut c_void {
        match weights {
            Weights::Plain(plain) => {
                assert!(!self.packs() && plain.len() == self.weight_bytes(), "the weights are the plan's");
                plain.as_ptr().cast_mut().cast()
            }
            Weights::Packed(packed) => {
                assert!(self.packs() && packed.bytes() >= self.packed, "the weights were packed for the plan");
                packed.as_ptr().cast_mut()
            }
        }
    }

    fn bias_pointer(&self, bias: Option<(*mut c_void, usize)>) -> *mut c_void {
        let bytes = elements(&[self.problem.channels_out]) * size_of::<f32>();
        let expected = if self.problem.has_bias == 0 { None } else { Some(bytes) };
        assert!(bias.map(|(_, bytes)| bytes) == expected, "the bias is the plan's");
        bias.map_or(ptr::null_mut(), |(pointer, _)| pointer)
    }

    fn feature_bytes(&self) -> usize {
        elements(&[self.problem.batch, self.problem.channels_in]) * elements(&self.problem.size) * self.activation()
    }

    fn output_bytes(&self) -> usize {
        elements(&[self.problem.batch, self.problem.channels_out]) * elements(&self.problem.output) * self.activation()
    }

    /// Plain weights and their gradients are 32-bit floats.
    fn weight_bytes(&self) -> usize {
        let ffi::Conv { channels_in, channels_out, groups, .. } = self.problem;
        elements(&[channels_out, channels_in / groups]) * elements(&self.problem.kernel) * size_of::<f32>()
    }

    fn activation(&self) -> usize {
        if self.problem.half == 0 { size_of::<f32>() } else { size_of::<u16>() }
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: the shim made it, and nobody else frees it.
        unsafe { ffi::reelnet_onednn_free(self.handle.as_ptr()) }
    }
}

fn elements(sizes: &[i64]) -> usize {
    sizes.iter().map(|&size| usize::try_from(size).expect("sizes are positive")).product()
}

pub(super) fn check(status: i32) -> Result<(), OneDnnError> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the shim's message ends with a zero byte and lives until this thread's next call.
    let message = unsafe { CStr::from_ptr(ffi::reelnet_onednn_error()) };
    Err(OneDnnError(message.to_string_lossy().into_owned()))
}
