//! What can be wrong with the settings of an augmentation.

use thiserror::Error;

/// A setting that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} is {value}, expected {expected}")]
pub struct AugmentError {
    /// The setting, as the recipe has it.
    pub key: &'static str,
    /// What it is.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

/// Refuses a setting with a sentence about what would be right.
pub(super) fn require(
    legal: bool,
    key: &'static str,
    value: impl std::fmt::Debug,
    expected: &str,
) -> Result<(), AugmentError> {
    if legal { Ok(()) } else { Err(AugmentError { key, value: format!("{value:?}"), expected: expected.to_owned() }) }
}
