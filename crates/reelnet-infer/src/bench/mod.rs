//! How fast networks are here: the measuring behind `reelnet bench`.

mod forward;
mod turns;

pub use forward::{Backend, ForwardBench, ForwardCase, ForwardError, Numbers, bench_forward, with_all_branches};
pub use turns::{Patience, Turns, peak_memory, take_turns};
