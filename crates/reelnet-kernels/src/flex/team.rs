//! One operation shared out over threads. How it is cut depends on its size alone, so the number of threads changes no result.

use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cpu;

/// Calls `task` with each piece of `size` values (the last may be shorter) and its index, on as many threads as there are pieces
/// and [`cpu::threads`].
pub(super) fn pieces<T: Send>(values: &mut [T], size: usize, task: impl Fn(usize, &mut [T]) + Sync) {
    pieces_on(cpu::threads(), values, size, task);
}

/// As [`pieces`], on as many as `threads`.
pub(crate) fn pieces_on<T: Send>(threads: usize, values: &mut [T], size: usize, task: impl Fn(usize, &mut [T]) + Sync) {
    let (start, length) = (Start(values.as_mut_ptr()), values.len());
    each(threads, length.div_ceil(size), |index| {
        let begin = index * size;
        // SAFETY: `begin` is less than the length. `each` hands every index out once, so no two pieces share a value, and
        // `values` is borrowed until all of them are done.
        let piece = unsafe { slice::from_raw_parts_mut(start.after(begin), size.min(length - begin)) };
        task(index, piece);
    });
}

/// Calls `task` with every index below `count`.
fn each(threads: usize, count: usize, task: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            task(index);
        }
    };
    let threads = threads.min(count);
    if threads <= 1 {
        return work();
    }
    // oneDNN's threads wait for more work for a while; others beside them would have to share the processor.
    #[cfg(onednn)]
    if crate::onednn::on_its_threads(threads, &work) {
        return;
    }
    rayon::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| work());
        }
        work();
    });
}

struct Start<T>(*mut T);

impl<T> Start<T> {
    /// # Safety
    /// There are more than `index` values behind the pointer.
    unsafe fn after(&self, index: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(index) }
    }
}

// SAFETY: only `pieces` makes one, and gives different threads different values.
unsafe impl<T: Send> Sync for Start<T> {}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn every_value_is_in_one_piece() {
        for (length, size) in [(0, 3), (1, 3), (9, 3), (10, 3), (1000, 7)] {
            let mut values = vec![0; length];
            pieces(&mut values, size, |index, piece| {
                for (offset, value) in piece.iter_mut().enumerate() {
                    *value += 1 + index * size + offset;
                }
            });
            assert!(values.iter().copied().eq(1..=length), "{length} in pieces of {size}");
        }
    }
}
