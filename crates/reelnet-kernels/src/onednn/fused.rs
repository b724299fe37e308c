//! oneDNN's kernels behind [`crate::fused`].

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

use super::ffi;
use super::library::{CONVOLUTIONS, PACKINGS, REORDERS, computes_bf16, sums_bytes_exactly};
use super::plan::check;
use super::problem::{Convolution, Direction};
use crate::fused::{After, FusedConvSpec, FusedError, FusedPoolSpec, Number};

/// A convolution's kernel. It is run by one thread at a time.
#[derive(Debug)]
pub(crate) struct Kernel {
    plan: Handle,
    packed: usize,
    reorders: u64,
    is_reference: bool,
}

impl Kernel {
    /// `scales` as in [`crate::fused::Quantised`], for sources of bytes.
    pub(crate) fn new(spec: &FusedConvSpec, scales: Option<&[f32]>) -> Result<Self, FusedError> {
        let convolution = Convolution {
            features: spec.features,
            channels_out: spec.channels_out,
            window: spec.window,
            groups: spec.groups,
            has_bias: true,
            half: spec.source == Number::Bf16,
        };
        if !convolution.is_sound() || spec.threads == 0 {
            return Err(FusedError("a convolution has no empty axis, and at least one thread".to_owned()));
        }
        assert!(scales.is_some() == spec.source.is_8_bit(), "bytes have scales");
        if spec.source.is_8_bit() && !sums_bytes_exactly() {
            return Err(FusedError("bytes need a processor with VNNI instructions to be summed exactly".to_owned()));
        }
        if [spec.source, spec.destination].contains(&Number::Bf16) && !computes_bf16() {
            return Err(FusedError("bfloat16 needs a processor with AVX-512 instructions".to_owned()));
        }
        let fused = ffi::Fused {
            conv: convolution.problem(Direction::Forward, spec.threads),
            source: code(spec.source),
            destination: code(spec.destination),
            residual: code(spec.residual.map_or(spec.destination, |residual| residual.number)),
            activation: match spec.after {
                After::Nothing => 0,
                After::Relu => 1,
                After::Relu6 => 2,
                After::Swish => 3,
                After::Sigmoid => 4,
            },
            is_gated: i64::from(spec.is_gated),
            accumulates: i64::from(spec.residual.is_some()),
            winograd: i64::from(spec.winograd),
            residual_scale: spec.residual.map_or(1.0, |residual| residual.scale),
            destination_scale: spec.destination_scale,
        };
        let scales = scales.map_or(ptr::null(), <[f32]>::as_ptr);
        // SAFETY: all four point to what the shim expects; there are as many scales as channels where it reads any, which the
        // caller has checked, and it copies them.
        let (plan, info) =
            Handle::make(|plan, info| unsafe { ffi::reelnet_fused_plan(&raw const fused, scales, plan, info) })?;
        let packed = usize::try_from(info.packed).expect("a size in memory");
        Ok(Self { plan, packed, reorders: info.reorders, is_reference: info.is_reference != 0 })
    }

    pub(crate) fn packed_bytes(&self) -> usize {
        self.packed
    }

    /// The caller has checked that there are as many weights as the convolution has.
    pub(crate) fn pack(&self, weights: &[u8], packed: &mut [u8]) {
        assert!(packed.len() >= self.packed, "there is room for packed weights");
        // SAFETY: both are as large as the shim reads and writes.
        let status = unsafe {
            ffi::reelnet_fused_pack(self.plan.pointer.as_ptr(), weights.as_ptr().cast(), packed.as_mut_ptr().cast())
        };
        self.plan.ran(status);
        PACKINGS.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn takes_the_weights_of(&self, other: &Self) -> bool {
        // SAFETY: both plans live.
        unsafe { ffi::reelnet_fused_same_weights(self.plan.pointer.as_ptr(), other.plan.pointer.as_ptr()) != 0 }
    }

    /// False where the library cannot: what Winograd transformed does not come back.
    pub(crate) fn repack(&self, from: &Self, packed: &[u8], repacked: &mut [u8]) -> bool {
        assert!(packed.len() >= from.packed && repacked.len() >= self.packed, "weights are as long as they are packed");
        // SAFETY: both are as large as the shim reads and writes, just checked.
        let status = unsafe {
            ffi::reelnet_fused_repack(
                from.plan.pointer.as_ptr(),
                packed.as_ptr().cast(),
                self.plan.pointer.as_ptr(),
                repacked.as_mut_ptr().cast(),
            )
        };
        let repacked = check(status).is_ok();
        PACKINGS.fetch_add(u64::from(repacked), Ordering::Relaxed);
        repacked
    }

    pub(crate) fn implementation(&self) -> &str {
        &self.plan.implementation
    }

    /// Whether it is one of the library's slow ones.
    pub(crate) fn is_reference(&self) -> bool {
        self.is_reference
    }

    pub(crate) fn reorders(&self) -> u64 {
        self.reorders
    }

    pub(crate) fn scratch_bytes(&self) -> usize {
        self.plan.scratch
    }

    /// The caller has checked every length but the packed weights'.
    pub(crate) fn run(
        &mut self,
        source: &[u8],
        weights: &[u8],
        bias: &[f32],
        gate: Option<&[f32]>,
        destination: &mut [u8],
        scratch: &mut [u8],
    ) {
        assert!(weights.len() >= self.packed, "weights are as long as they are packed");
        let gate = gate.map_or(ptr::null(), |gate| gate.as_ptr().cast());
        // SAFETY: lengths were checked here and by the caller; the gate may be null only where the plan has none.
        let status = unsafe {
            self.plan.run(
                [source.as_ptr().cast(), weights.as_ptr().cast(), bias.as_ptr().cast(), gate],
                destination,
                scratch,
            )
        };
        self.plan.ran(status);
        CONVOLUTIONS.fetch_add(1, Ordering::Relaxed);
        REORDERS.fetch_add(self.reorders, Ordering::Relaxed);
    }
}

/// A bias as the library adds it: before sums are scaled up to oneDNN 2, after it from 3 on.
pub(crate) fn bias_of_bytes(bias: &[f32], scales: &[f32]) -> Vec<f32> {
    let mut library = ffi::Library::default();
    // SAFETY: the shim fills the struct that it is given, whose layout is its own.
    unsafe { ffi::reelnet_onednn_library(&raw mut library) };
    if library.major >= 3 {
        return bias.to_vec();
    }
    bias.iter().zip(scales).map(|(bias, scale)| bias / scale).collect()
}

/// A pooling's kernel. It is run by one thread at a time.
#[derive(Debug)]
pub(crate) struct PoolKernel {
    plan: Handle,
}

impl PoolKernel {
    pub(crate) fn new(spec: &FusedPoolSpec) -> Result<Self, FusedError> {
        let [batch, size @ .., channels] = spec.features;
        let triple = |values: [usize; 3]| values.map(wide);
        let pool = ffi::Pool {
            batch: wide(batch),
            channels: wide(channels),
            size: triple(size),
            output: triple(spec.window.output(size)),
            kernel: triple(spec.window.kernel),
            stride: triple(spec.window.stride),
            before: triple(spec.window.padding.map(|(before, _)| before)),
            after: triple(spec.window.padding.map(|(_, after)| after)),
            is_average: i64::from(spec.is_average),
            number: code(spec.number),
            threads: wide(spec.threads),
        };
        // SAFETY: all three point to what the shim expects, and it keeps none of them.
        let (plan, _) = Handle::make(|plan, info| unsafe { ffi::reelnet_pool_plan(&raw const pool, plan, info) })?;
        Ok(Self { plan })
    }

    pub(crate) fn implementation(&self) -> &str {
        &self.plan.implementation
    }

    pub(crate) fn scratch_bytes(&self) -> usize {
        self.plan.scratch
    }

    /// The caller has checked every length.
    pub(crate) fn run(&mut self, source: &[u8], destination: &mut [u8], scratch: &mut [u8]) {
        let nothing = ptr::null();
        // SAFETY: lengths were checked by the caller; a pooling takes neither weights nor what else is null.
        let status =
            unsafe { self.plan.run([source.as_ptr().cast(), nothing, nothing, nothing], destination, scratch) };
        self.plan.ran(status);
    }
}

/// A plan of the shim's.
#[derive(Debug)]
struct Handle {
    pointer: NonNull<ffi::FusedPlan>,
    implementation: String,
    scratch: usize,
}

// SAFETY: a plan belongs to no thread; it is changed only by `run`, which borrows it mutably.
unsafe impl Send for Handle {}
// SAFETY: what can be done with a shared plan only reads it.
unsafe impl Sync for Handle {}

impl Handle {
    fn make(
        plan: impl FnOnce(*mut *mut ffi::FusedPlan, *mut ffi::PlanInfo) -> i32,
    ) -> Result<(Self, ffi::PlanInfo), FusedError> {
        let mut pointer = ptr::null_mut();
        let mut info = ffi::PlanInfo { scratch: 0, packed: 0, reorders: 0, is_reference: 0, implementation: [0; 64] };
        check(plan(&raw mut pointer, &raw mut info)).map_err(|error| FusedError(error.to_string()))?;
        // SAFETY: the shim ends the name with a zero byte within the array.
        let implementation = unsafe { CStr::from_ptr(info.implementation.as_ptr()) }.to_string_lossy().into_owned();
        let scratch = usize::try_from(info.scratch).expect("a size in memory");
        Ok((Self { pointer: NonNull::new(pointer).expect("the shim made a plan"), implementation, scratch }, info))
    }

    /// # Safety
    /// Source, weights, bias and gate, in this order, lead to as many bytes as the plan reads there, or are null where it reads
    /// none; destination and scratch memory are as long as it writes.
    unsafe fn run(&mut self, read: [*const c_void; 4], destination: &mut [u8], scratch: &mut [u8]) -> i32 {
        let [source, weights, bias, gate] = read;
        // SAFETY: the caller's promise; the plan is borrowed mutably, so nobody else runs it.
        unsafe {
            ffi::reelnet_fused_run(
                self.pointer.as_ptr(),
                source,
                weights,
                bias,
                gate,
                destination.as_mut_ptr().cast(),
                scratch.as_mut_ptr().cast(),
            )
        }
    }

    /// A plan that was made runs: its arguments' sizes were checked.
    fn ran(&self, status: i32) {
        if let Err(error) = check(status) {
            panic!("a planned kernel runs, but {} failed: {error}", self.implementation);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the shim made it, and nobody else frees it.
        unsafe { ffi::reelnet_fused_free(self.pointer.as_ptr()) }
    }
}

/// As `ReelnetNumber` has it.
fn code(number: Number) -> i64 {
    match number {
        Number::F32 => 0,
        Number::Bf16 => 1,
        Number::U8 => 2,
        Number::S8 => 3,
    }
}

fn wide(value: usize) -> i64 {
    i64::try_from(value).expect("no axis has 2^63 elements")
}
