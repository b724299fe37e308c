//! What the tests share.

pub mod formula;
pub mod golden;
