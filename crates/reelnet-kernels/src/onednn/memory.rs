//! Memory for scratch and packed weights, on cache lines; scratch is used again.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

/// One cache line, which is also one vector of AVX-512.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    _bytes: [u8; 64],
}

/// Bytes that nobody has written yet, or that only oneDNN reads.
pub(super) struct Memory {
    lines: Box<[MaybeUninit<Line>]>,
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Self {
        Self { lines: Box::new_uninit_slice(bytes.div_ceil(size_of::<Line>())) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    pub(super) fn as_ptr(&self) -> *const c_void {
        self.lines.as_ptr().cast()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut c_void {
        self.lines.as_mut_ptr().cast()
    }
}

/// Scratch memory that is not in use. A fresh page costs more than the arithmetic on it, so it is kept, up to [`KEPT`] bytes.
static IDLE: Mutex<Vec<Memory>> = Mutex::new(Vec::new());
const KEPT: usize = 256 << 20;

/// Lends `use_it` at least `bytes` of scratch memory.
pub(super) fn with_scratch<T>(bytes: usize, use_it: impl FnOnce(&mut Memory) -> T) -> T {
    let mut memory = take(&mut idle(), bytes).unwrap_or_else(|| Memory::new(bytes));
    let result = use_it(&mut memory);
    give_back(&mut idle(), memory);
    result
}

/// The smallest idle memory of at least `bytes`.
fn take(idle: &mut Vec<Memory>, bytes: usize) -> Option<Memory> {
    let fitting = idle.iter().enumerate().filter(|(_, memory)| memory.bytes() >= bytes);
    let (index, _) = fitting.min_by_key(|(_, memory)| memory.bytes())?;
    Some(idle.remove(index))
}

/// Keeps the largest, which serve every smaller wish too.
fn give_back(idle: &mut Vec<Memory>, memory: Memory) {
    let position = idle.partition_point(|other| other.bytes() > memory.bytes());
    idle.insert(position, memory);
    let mut kept = 0;
    idle.retain(|memory| {
        let fits = kept + memory.bytes() <= KEPT;
        kept += if fits { memory.bytes() } else { 0 };
        fits
    });
}

fn idle() -> std::sync::MutexGuard<'static, Vec<Memory>> {
    // Memory without meaning is never half changed.
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_starts_on_a_cache_line_and_is_long_enough() {
        for bytes in [0, 1, 64, 65, 5000] {
            let memory = Memory::new(bytes);
            assert!(memory.as_ptr().addr().is_multiple_of(64));
            assert!(memory.bytes() >= bytes && memory.bytes() < bytes + 64);
        }
    }

    #[test]
    fn the_smallest_that_fits_is_lent() {
        let mut idle = Vec::new();
        for bytes in [640, 64, 6400] {
            give_back(&mut idle, Memory::new(bytes));
        }
        assert_eq!(take(&mut idle, 100).map(|memory| memory.bytes()), Some(640));
        assert_eq!(take(&mut idle, 100).map(|memory| memory.bytes()), Some(6400));
        assert!(take(&mut idle, 100).is_none());
        assert_eq!(take(&mut idle, 1).map(|memory| memory.bytes()), Some(64));
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let mut idle = Vec::new();
        for _ in 0..5 {
            give_back(&mut idle, Memory::new(KEPT / 2));
        }
        assert_eq!(idle.len(), 2);
        give_back(&mut idle, Memory::new(KEPT + 1));
        assert_eq!(idle.iter().map(Memory::bytes).sum::<usize>(), KEPT);
    }
}
