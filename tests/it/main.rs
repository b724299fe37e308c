//! Every test that crosses a crate, one module a theme.

mod architecture;
mod bench;
mod bundles;
mod calibrate;
mod check_data;
mod evaluation;
mod explain;
mod frames;
mod golden;
mod golden_step;
mod hub;
mod inflate;
mod isolate;
mod library;
mod scripts;
mod slow;
mod tag;
mod train;
mod weights;
mod words;

/// The binary that cargo built for these tests.
const REELNET: &str = env!("CARGO_BIN_EXE_reelnet-under-test");
