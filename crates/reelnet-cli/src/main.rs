//! The `reelnet` binary.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// mimalloc's `mi_option_purge_delay`, which its bindings do not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    // Every training step frees and takes the same memory. Given back to the system in between, it is cleared again page by page:
    // some 3 % of a step of 3D RS-50 (docs/decisions/0036-freed-memory.md).
    // SAFETY: the option takes any number; -1 keeps what is freed for the next allocation.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    reelnet_cli::main()
}
