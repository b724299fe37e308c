//! What the tests share.

pub mod command;
pub mod formula;
pub mod golden;
