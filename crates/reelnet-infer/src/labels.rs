//! What classes are called, in the order of the classifier's outputs.

use sha2::{Digest, Sha256};

/// ImageNet-1k's names, from torchvision.
const IMAGENET: &str = include_str!("../assets/labels/imagenet-1k.txt");
/// Kinetics-400's names, from torchvision.
const KINETICS: &str = include_str!("../assets/labels/kinetics-400.txt");

/// One name a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(Vec<String>);

impl Labels {
    /// ImageNet-1k.
    pub fn imagenet() -> Self {
        Self::lines(IMAGENET)
    }

    /// Kinetics-400.
    pub fn kinetics() -> Self {
        Self::lines(KINETICS)
    }

    /// The names that a classifier of this size most likely means: ImageNet's thousand, Kinetics' four hundred, or numbers.
    pub fn usual(classes: usize) -> Self {
        match classes {
            1000 => Self::imagenet(),
            400 => Self::kinetics(),
            _ => Self::numbered(classes),
        }
    }

    /// `class 0`, `class 1`, ….
    pub fn numbered(classes: usize) -> Self {
        Self((0..classes).map(|class| format!("class {class}")).collect())
    }

    /// A name a line; empty lines at the end do not count.
    pub fn lines(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
    }

    /// How many classes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of a class.
    pub fn get(&self, class: usize) -> Option<&str> {
        self.0.get(class).map(String::as_str)
    }

    /// The class of a name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|label| label == name)
    }

    /// As `labels.txt` holds them.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|label| format!("{label}\n")).collect()
    }

    /// SHA-256 of that text, in hexadecimal.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.to_text()))
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::Labels;

    #[test]
    fn the_built_in_lists_are_whole() {
        assert_eq!(Labels::imagenet().len(), 1000);
        assert_eq!(Labels::imagenet().get(258), Some("Samoyed"));
        assert_eq!(Labels::kinetics().len(), 400);
        assert_eq!(Labels::lines("a\nb\n\n").len(), 2);
    }
}
