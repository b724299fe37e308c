//! Words for people.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Writes a line to stderr. That nobody can read it is no reason for the work to fail.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}
