//! What computes on a CPU, and with how many threads.

use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The oneDNN that convolutions run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneDnn {
    /// As the library itself says it: `2.6.3`.
    pub version: String,
    /// The widest vector instructions that it uses here; `ONEDNN_MAX_CPU_ISA` lowers them.
    pub instructions: &'static str,
    /// Whether [`set_threads`] reaches it: it was built for OpenMP.
    pub takes_threads: bool,
}

/// How much oneDNN has done since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Convolutions, forward and backward.
    pub convolutions: u64,
    /// Activations that had to be copied into another layout and back, because no fast kernel takes them channels last.
    pub reorders: u64,
    /// Weights that were packed for a kernel.
    pub packings: u64,
}

impl Work {
    /// What was done after `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            convolutions: self.convolutions - earlier.convolutions,
            reorders: self.reorders - earlier.reorders,
            packings: self.packings - earlier.packings,
        }
    }
}

/// The library, or nothing where this build leaves convolutions to burn.
pub fn onednn() -> Option<OneDnn> {
    #[cfg(onednn)]
    return Some(crate::onednn::library());
    #[cfg(not(onednn))]
    None
}

/// Whether there are kernels of bfloat16 for this processor. Where there are none, a training in it is right, and slower than in 32-bit
/// floats: ten times, a step of ResNet-RS-50 at 160² with AVX2 alone.
pub fn computes_bf16() -> bool {
    #[cfg(onednn)]
    return crate::onednn::computes_bf16();
    #[cfg(not(onednn))]
    false
}

/// What oneDNN has done; nothing in a build without it.
pub fn work() -> Work {
    #[cfg(onednn)]
    return crate::onednn::work();
    #[cfg(not(onednn))]
    Work::default()
}

/// How many threads one operation of this crate divides its work over, from the next operation on. At first, as many as the
/// process may use. burn's own operations follow rayon's pool instead.
pub fn set_threads(threads: NonZero<usize>) {
    THREADS.store(threads.get(), Ordering::Relaxed);
}

/// What [`set_threads`] said last.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => *ALL,
        threads => threads,
    }
}

/// Asking the system reads files, too many times for every operation.
static ALL: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));
/// 0 until somebody chooses.
static THREADS: AtomicUsize = AtomicUsize::new(0);
