//! Everyday words that mean many classes: people look for a dog, and ImageNet knows a Samoyed.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use crate::labels::Labels;

/// Names of each group, and the places of its classes among ImageNet-1k's.
const IMAGENET: &str = include_str!("../assets/labels/imagenet-1k-groups.txt");

static GROUPS: LazyLock<Groups> = LazyLock::new(|| Groups::parse(IMAGENET, &Labels::imagenet()));

/// Whether a label of ImageNet-1k belongs to a group; nothing where there is no such group, or the label is none of ImageNet's.
/// Capital letters do not matter, and of a label such as `Samoyed, Samoyede` the first name counts.
pub fn is_in_group(label: &str, group: &str) -> Option<bool> {
    let members = GROUPS.members.get(&group.to_lowercase())?;
    let label = label.split(',').next().unwrap_or(label).trim().to_lowercase();
    GROUPS.labels.contains(&label).then(|| members.contains(&label))
}

/// The names of all groups, in the order of their letters.
pub fn groups() -> impl Iterator<Item = &'static str> {
    GROUPS.members.keys().map(String::as_str)
}

#[derive(Default)]
struct Groups {
    members: BTreeMap<String, HashSet<String>>,
    labels: HashSet<String>,
}

impl Groups {
    /// # Panics
    /// If a line is not `name …: first-last …`, a name is there twice, or a place is not a label's. The text is built in, and a test
    /// reads it.
    fn parse(text: &str, labels: &Labels) -> Self {
        let lower = |class: usize| labels.get(class).expect("a class of the list").to_lowercase();
        let mut groups = Self { labels: (0..labels.len()).map(lower).collect(), ..Self::default() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (names, places) = line.split_once(':').expect("names, a colon and places");
            let members: HashSet<String> = places
                .split_whitespace()
                .flat_map(|range| {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    let place = |text: &str| text.parse::<usize>().expect("a place in the list");
                    place(first)..=place(last)
                })
                .map(lower)
                .collect();
            for name in names.split_whitespace() {
                let before = groups.members.insert(name.to_owned(), members.clone());
                assert!(before.is_none(), "{name} is there once");
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyday_words_mean_the_classes_that_they_should() {
        for (group, member) in [
            ("dog", "Samoyed"),
            ("Dogs", "golden retriever"),
            ("dog", "Mexican hairless"),
            ("cat", "Siamese cat"),
            ("bird", "king penguin"),
            ("snake", "sidewinder"),
            ("insect", "lycaenid"),
            ("monkey", "squirrel monkey"),
            ("car", "Model T"),
            ("bike", "mountain bike"),
            ("plane", "airliner"),
            ("beach", "seashore"),
            ("fruit", "pomegranate"),
            ("ball", "volleyball"),
            ("dog", "Samoyed, Samoyede"),
        ] {
            assert_eq!(is_in_group(member, group), Some(true), "{member} is a {group}");
        }
        // Words in common are no kinship.
        for (group, other) in [
            ("cat", "Madagascar cat"),
            ("beach", "beach wagon"),
            ("plane", "plane"),
            ("dog", "tabby"),
            ("bear", "bearskin"),
            ("car", "car mirror"),
            ("fish", "starfish"),
            ("bird", "birdhouse"),
        ] {
            assert_eq!(is_in_group(other, group), Some(false), "{other} is no {group}");
        }
        assert_eq!(is_in_group("walking the dog", "dog"), None, "a label of somebody else");
        assert_eq!(is_in_group("Samoyed", "samoyed"), None, "no group");
    }

    #[test]
    fn names_are_small_letters_in_their_order() {
        let names: Vec<&str> = groups().collect();
        assert!(names.len() > 100 && names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        assert!(names.iter().all(|name| *name == name.to_lowercase()), "{names:?}");
    }

    #[test]
    #[should_panic(expected = "dog is there once")]
    fn a_name_that_is_there_twice_is_refused() {
        Groups::parse("dog: 1\ncat dog: 2", &Labels::imagenet());
    }
}
