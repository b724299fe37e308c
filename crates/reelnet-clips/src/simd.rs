//! Runs pure arithmetic with the widest vectors that this machine has. The results are the same on every machine.

/// Runs a closure, which must be inlined all the way down, compiled for the widest vectors at hand.
#[inline]
pub(crate) fn with_widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the one feature that the function needs was just detected.
        return unsafe { with_avx2(work) };
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}
