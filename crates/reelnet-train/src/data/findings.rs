//! What was noticed while data were read, and is no reason to stop.

use serde::Serialize;

/// What a data set was left without.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Samples that were listed.
    pub listed: usize,
    /// Files that are not there, by name.
    pub missing: Vec<String>,
    /// Samples that were listed more than once, by name; one of each is used.
    pub repeated: Vec<String>,
    /// Files that were passed over because their endings say that they are no videos or images.
    pub passed_over: usize,
    /// Classes that have no samples, by name.
    pub empty_classes: Vec<String>,
}

impl Findings {
    /// Whether anything was found.
    pub fn is_worth_telling(&self) -> bool {
        let Self { listed: _, missing, repeated, passed_over, empty_classes } = self;
        !missing.is_empty() || !repeated.is_empty() || *passed_over > 0 || !empty_classes.is_empty()
    }
}
