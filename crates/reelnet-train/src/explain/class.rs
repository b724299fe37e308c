//! Classes as people write them.

use reelnet_infer::Labels;
use thiserror::Error;

/// A name that no class has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the model has no class `{name}`{}; `labels.txt` of the bundle lists its classes",
    suggestion.as_ref().map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
)]
pub struct ClassError {
    /// As it was written.
    pub name: String,
    /// The nearest one, if one is near.
    pub suggestion: Option<String>,
}

/// Edits up to which a name is taken for another one written wrong: a third of its letters.
const NEAR: usize = 3;

/// The class of a name, in capitals or not.
///
/// # Errors
/// If there is none, with the nearest one.
pub fn class_named(labels: &Labels, name: &str) -> Result<usize, ClassError> {
    if let Some(class) = labels.position(name) {
        return Ok(class);
    }
    let wanted = name.trim().to_lowercase();
    let lower = || (0..labels.len()).map(|class| (class, labels.get(class).unwrap_or_default().to_lowercase()));
    if let Some((class, _)) = lower().find(|(_, label)| *label == wanted) {
        return Ok(class);
    }
    let nearest = lower().map(|(class, label)| (strsim::damerau_levenshtein(&label, &wanted), class)).min();
    let near = nearest.filter(|&(edits, _)| edits <= (wanted.chars().count() / NEAR).max(1));
    let suggestion = near.and_then(|(_, class)| labels.get(class)).map(str::to_owned);
    Err(ClassError { name: name.to_owned(), suggestion })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_or_answered() {
        let labels = Labels::kinetics();
        assert_eq!(class_named(&labels, "Archery"), Ok(5));
        let told = class_named(&labels, "archry").expect_err("it is written wrong").to_string();
        assert!(told.contains("did you mean `archery`?"), "{told}");
        let told = class_named(&labels, "xyzzy").expect_err("it is nothing").to_string();
        assert!(!told.contains("did you mean"), "{told}");
    }
}
