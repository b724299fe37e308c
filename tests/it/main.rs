//! Every test that crosses a crate, one module a theme.

mod golden;
mod inflate;
mod weights;
