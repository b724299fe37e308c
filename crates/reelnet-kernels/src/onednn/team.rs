//! oneDNN's threads, for work that is not oneDNN's.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use super::ffi;

/// Calls `work` once on each of `threads` threads of oneDNN's; false, and no call, where it has none to lend. A panic in one of the
/// calls goes on here when all are back.
pub(crate) fn on_its_threads(threads: usize, work: &(impl Fn() + Sync)) -> bool {
    extern "C" fn call<Work: Fn() + Sync>(work: *mut c_void) {
        // SAFETY: it is the pointer below, and what it points to is borrowed until all calls are back.
        let work = unsafe { &*work.cast::<Work>() };
        work();
    }
    fn run<Work: Fn() + Sync>(threads: usize, work: &Work) -> bool {
        let threads = i64::try_from(threads).expect("threads are few");
        let context = std::ptr::from_ref(work).cast_mut().cast();
        // SAFETY: the shim calls `call` with the context, on threads that may share it since it is `Sync`, and comes back after
        // them.
        unsafe { ffi::reelnet_onednn_team(threads, call::<Work>, context) == 0 }
    }
    // A panic may not cross the C++ between here and there.
    let panic = Mutex::new(None);
    let guarded = || {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
            *panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        }
    };
    let ran = run(threads, &guarded);
    if let Some(payload) = panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(payload);
    }
    ran
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::on_its_threads;

    #[test]
    fn a_panic_comes_back_to_the_caller() {
        let calls = AtomicUsize::new(0);
        let caught = std::panic::catch_unwind(|| {
            on_its_threads(2, &|| {
                calls.fetch_add(1, Ordering::SeqCst);
                panic!("in a team");
            })
        });
        match caught {
            Ok(ran) => assert!(!ran && calls.into_inner() == 0, "no threads to lend"),
            Err(payload) => assert_eq!(payload.downcast_ref(), Some(&"in a team")),
        }
    }
}
