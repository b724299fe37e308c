//! Words for people.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Writes a line to stderr. That nobody can read it is no reason for the work to fail.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// Counts with their words in one line, without those that are nothing; empty if all are.
pub(crate) fn counted<T: Default + Display + PartialEq>(counts: &[(T, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count != T::default());
    some.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}
