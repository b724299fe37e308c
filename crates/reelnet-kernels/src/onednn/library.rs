//! The library itself, and a count of what it did.

use std::sync::atomic::{AtomicU64, Ordering};

use super::ffi;
use crate::cpu::{OneDnn, Work};

/// Names are a threshold apart: the first whose bits are all there is the widest.
const INSTRUCTIONS: [(i64, &str); 6] = [
    (0x2e7, "AVX-512 with bfloat16 and AMX"),
    (0xe7, "AVX-512 with bfloat16"),
    (0x67, "AVX-512 with VNNI"),
    (0x27, "AVX-512"),
    (0x07, "AVX2"),
    (0x01, "SSE4.1"),
];

pub(super) static CONVOLUTIONS: AtomicU64 = AtomicU64::new(0);
pub(super) static REORDERS: AtomicU64 = AtomicU64::new(0);
pub(super) static PACKINGS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn library() -> OneDnn {
    let mut library = ffi::Library::default();
    // SAFETY: the shim fills the struct that it is given, whose layout is its own.
    unsafe { ffi::reelnet_onednn_library(&raw mut library) };
    let ffi::Library { major, minor, patch, instructions, openmp } = library;
    let widest = INSTRUCTIONS.iter().find(|(bits, _)| instructions & bits == *bits).map(|(_, name)| *name);
    OneDnn {
        version: format!("{major}.{minor}.{patch}"),
        // The bits are x86's; on other processors oneDNN has one set of kernels a build.
        instructions: if cfg!(target_arch = "x86_64") { widest.unwrap_or("x86-64's baseline") } else { "its build's" },
        takes_threads: openmp != 0,
    }
}

/// Whether products of bytes are summed in 32 bits at once. Without such instructions x86 sums pairs of them in 16 bits, which oneDNN
/// makes room for by halving weights, and which saturates all the same.
pub(super) fn sums_bytes_exactly() -> bool {
    !cfg!(target_arch = "x86_64") || library().instructions.starts_with("AVX-512 with")
}

/// Whether there are kernels for bfloat16. x86 has none without wide vectors.
pub(crate) fn computes_bf16() -> bool {
    !cfg!(target_arch = "x86_64") || library().instructions.starts_with("AVX-512")
}

pub(crate) fn work() -> Work {
    Work {
        convolutions: CONVOLUTIONS.load(Ordering::Relaxed),
        reorders: REORDERS.load(Ordering::Relaxed),
        packings: PACKINGS.load(Ordering::Relaxed),
    }
}
