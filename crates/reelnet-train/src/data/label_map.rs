//! Names of classes in their order, and other names that data have for them.

use std::collections::HashMap;
use std::path::Path;

use reelnet_infer::Labels;
use serde_json::Value;

use super::error::{DataError, DataErrorKind as Kind};
use super::text;

/// Classes by name, by other names, and by number.
#[derive(Clone, Debug)]
pub(super) struct LabelMap {
    pub(super) labels: Labels,
    classes: HashMap<String, usize>,
}

impl LabelMap {
    /// A text file with a name a line (a synset such as `n01440764` before it is another name of it), or JSON: a list of
    /// names, an object from names to numbers, or one from numbers to names or to lists of names, of which the last counts
    /// and the others are other names.
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let text = text::read(path)?;
        let named = if text.trim_start().starts_with(['{', '[']) { from_json(&text) } else { Ok(from_text(&text)) };
        named.and_then(|named| Self::new(&named)).map_err(|why| Kind::Form(why).at(path))
    }

    /// Those of names, in their order.
    pub(super) fn of_names(names: impl IntoIterator<Item = String>) -> Result<Self, String> {
        Self::new(&names.into_iter().map(|name| vec![name]).collect::<Vec<_>>())
    }

    /// The classes of a model. A name that two of them have, as in `ImageNet`, says of neither which it is.
    pub(super) fn of_model(labels: &Labels) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let names = || (0..labels.len()).filter_map(|class| Some((class, labels.get(class)?)));
        names().for_each(|(_, name)| *counts.entry(name).or_default() += 1);
        let classes = names().filter(|(_, name)| counts[name] == 1).map(|(class, name)| (name.to_owned(), class));
        Self { labels: labels.clone(), classes: classes.collect() }
    }

    /// `class 0`, `class 1`, ….
    pub(super) fn numbered(classes: usize) -> Self {
        Self { labels: Labels::numbered(classes), classes: HashMap::new() }
    }

    /// The class of a name, of another name of it, or of a number that is no name.
    pub(super) fn class(&self, name: &str) -> Option<usize> {
        let by_number = || name.parse().ok().filter(|class| *class < self.labels.len());
        self.classes.get(name).copied().or_else(by_number)
    }

    /// Each class with all of its names, the last one being the one that is shown.
    fn new(named: &[Vec<String>]) -> Result<Self, String> {
        if named.is_empty() {
            return Err("it names no classes".to_owned());
        }
        let mut classes = HashMap::new();
        let mut text = String::new();
        for (class, names) in named.iter().enumerate() {
            let name = names.last().map_or("", |name| name.as_str());
            if name.trim().is_empty() || name.trim() != name || name.contains(['\n', '\r']) {
                return Err(format!(
                    "the name of class {class} is {name:?}, expected one line of text without blanks around it"
                ));
            }
            for name in names {
                if let Some(other) = classes.insert(name.clone(), class)
                    && other != class
                {
                    return Err(format!(
                        "classes {other} and {class} are both called {name:?}, expected different names"
                    ));
                }
            }
            text += name;
            text.push('\n');
        }
        Ok(Self { labels: Labels::lines(&text), classes })
    }
}

fn from_text(text: &str) -> Vec<Vec<String>> {
    text::lines(text).map(|(_, line)| with_synset(line.trim())).collect()
}

/// `n01440764 tench, Tinca tinca`: the synset, and the name.
fn with_synset(line: &str) -> Vec<String> {
    match line.split_once([' ', '\t']) {
        Some((synset, name)) if is_synset(synset) => vec![synset.to_owned(), name.trim().to_owned()],
        _ => vec![line.to_owned()],
    }
}

pub(super) fn is_synset(text: &str) -> bool {
    text.strip_prefix('n').is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn from_json(text: &str) -> Result<Vec<Vec<String>>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let strange = |value: &Value| format!("{value} is no name, expected text");
    match value {
        Value::Array(names) => names.iter().map(|name| all_names(name).ok_or_else(|| strange(name))).collect(),
        Value::Object(entries) => {
            let mut numbered = Vec::new();
            for (key, value) in &entries {
                let number =
                    |value: &Value| value.as_u64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
                // From numbers to names if all keys are numbers, else from names to numbers.
                let entry = if entries.keys().all(|key| key.trim().parse::<u64>().is_ok()) {
                    key.trim().parse().ok().zip(all_names(value))
                } else {
                    number(value).map(|number| (number, vec![key.clone()]))
                };
                numbered.push(entry.ok_or_else(|| {
                    format!("`{key}`: {value} is neither the number of a class nor a name, expected one of them")
                })?);
            }
            numbered.sort_by_key(|(number, _)| *number);
            if let Some((expected, (number, _))) =
                numbered.iter().enumerate().find(|(expected, (number, _))| *expected as u64 != *number)
            {
                return Err(format!(
                    "class {expected} is missing or there twice (the next number is {number}), expected every number from 0 on once"
                ));
            }
            Ok(numbered.into_iter().map(|(_, names)| names).collect())
        }
        _ => Err("it is neither a list nor an object".to_owned()),
    }
}

fn all_names(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(name) => Some(vec![name.clone()]),
        Value::Array(names) if !names.is_empty() => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(map: &LabelMap) -> Vec<&str> {
        (0..map.labels.len()).filter_map(|class| map.labels.get(class)).collect()
    }

    fn read(text: &str) -> Result<LabelMap, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("labels");
        std::fs::write(&path, text).expect("a file");
        LabelMap::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn every_usual_form_keeps_its_order() {
        for text in [
            "\u{feff}zumba\r\ndoing \"aerobics\"\r\n🏊 swim\r\n\r\n",
            r#"["zumba", "doing \"aerobics\"", "🏊 swim"]"#,
            r#"{"doing \"aerobics\"": 1, "🏊 swim": "2", "zumba": "0"}"#,
            r#"{"2": "🏊 swim", "0": "zumba", "1": ["n00000001", "doing \"aerobics\""]}"#,
        ] {
            let map = read(text).expect(text);
            assert_eq!(names(&map), ["zumba", "doing \"aerobics\"", "🏊 swim"], "{text}");
            assert_eq!(map.class("🏊 swim"), Some(2));
            assert_eq!(map.class("1"), Some(1));
            assert_eq!([map.class("3"), map.class("Zumba"), map.class("")], [None; 3]);
        }
        let synsets = read("n01440764 tench, Tinca tinca\nn01443537 goldfish").expect("a good file");
        assert_eq!(names(&synsets), ["tench, Tinca tinca", "goldfish"]);
        assert_eq!(synsets.class("n01443537"), Some(1));
        // Names that are numbers are names before they are numbers.
        assert_eq!(read("1\n2\n0").expect("a good file").class("1"), Some(0));
    }

    #[test]
    fn maps_that_are_none_say_why() {
        for (text, told) in [
            ("", "names no classes"),
            ("\r\n\r\n", "names no classes"),
            ("a\na", "both called \"a\""),
            ("[\"a\", 3]", "3 is no name"),
            ("{\"a\": 0, \"b\": 2}", "class 1 is missing"),
            ("{\"a\": 0, \"b\": 0}", "class 1 is missing or there twice"),
            ("{\"a\": null}", "neither the number of a class nor a name"),
            ("{\"a\": ", "no JSON"),
            ("[\"a \"]", "without blanks around it"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
