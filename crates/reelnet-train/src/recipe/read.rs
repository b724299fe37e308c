//! From a file to a recipe, and the settings of a command line on top of it.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::{Recipe, RecipeError, RecipeErrorKind as Kind};

/// Edits from a word to a legal one, at most, for the legal one to be offered.
const NEAR: usize = 4;

impl Recipe {
    /// Reads a recipe, replaces what `settings` (`key.key=value`) say, and checks that all of it makes sense.
    ///
    /// # Errors
    /// If it cannot be read or parsed, a key is unknown or missing, a setting names no key that is there or has another type,
    /// or a number means nothing.
    pub fn read(path: &Path, settings: &[String]) -> Result<Self, RecipeError> {
        let read = || {
            let text = fs::read_to_string(path)?;
            Self::parse(&text, settings)
        };
        read().map_err(|kind| kind.at(path))
    }

    /// As [`Self::read`], from the text of a recipe.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str, settings: &[String]) -> Result<Self, Kind> {
        let mut recipe: Self = toml::from_str(text).map_err(|error| told(&error, text))?;
        if !settings.is_empty() {
            let mut table: Table = toml::from_str(text).map_err(|error| told(&error, text))?;
            for setting in settings {
                set(&mut table, setting).map_err(|why| Kind::Set { words: setting.clone(), why })?;
            }
            let text = toml::to_string(&table).expect("a table that was parsed can be written");
            recipe = toml::from_str(&text)
                .map_err(|error| Kind::Set { words: settings.join(" --set "), why: plain(error.message()) })?;
        }
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe as a file holds it.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("a recipe has no keys that are not words")
    }
}

/// The parser's words, with the place they are about and a guess of what was meant.
fn told(error: &toml::de::Error, text: &str) -> Kind {
    let message = plain(error.message());
    let place = error.span().map(|span| {
        let before = &text[..span.start.min(text.len())];
        let number = before.matches('\n').count() + 1;
        let words = text.lines().nth(number - 1).unwrap_or_default().trim();
        let table = before.lines().rev().map(str::trim).find(|line| line.starts_with('['));
        let key = words.split('=').next().unwrap_or_default().trim();
        match table {
            _ if words.starts_with('[') => format!("line {number}, {words}: "),
            Some(table) => format!("line {number}, {table} {key}: "),
            None => format!("line {number}, {key}: "),
        }
    });
    let suggestion = nearest(&message);
    Kind::Words { place: place.unwrap_or_default(), message, suggestion }
}

/// The parser's words without Rust's names of numbers.
fn plain(message: &str) -> String {
    let Some((what, kind)) = message.rsplit_once("expected ") else { return message.to_owned() };
    let expected = match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "bool" | "a boolean" => "true or false",
        kind => kind,
    };
    format!("{what}expected {expected}")
}

/// The parser quotes the word it did not know first, and then the legal ones.
fn nearest(message: &str) -> Option<String> {
    if !message.starts_with("unknown") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    quoted
        .map(|legal| (strsim::damerau_levenshtein(wrong, legal), legal))
        .filter(|&(distance, legal)| distance <= NEAR && distance < legal.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, legal)| legal.to_owned())
}

/// Replaces one value by another one of its type.
fn set(table: &mut Table, setting: &str) -> Result<(), String> {
    let Some((key, value)) = setting.split_once('=') else {
        return Err("expected KEY=VALUE, such as batch.size=32".to_owned());
    };
    let (key, value) = (key.trim(), value.trim());
    let mut segments: Vec<&str> = key.split('.').collect();
    let last = segments.pop().unwrap_or_default();
    let mut place = table;
    for segment in segments {
        place = match place.get_mut(segment) {
            Some(Value::Table(inner)) => inner,
            Some(_) => return Err(format!("`{segment}` is a value and no table, so it has no keys")),
            None => return Err(unknown(segment, key)),
        };
    }
    // `get_mut` and `keys` together do not pass the borrow checker.
    let near = near(last, place);
    let Some(old) = place.get_mut(last) else {
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(format!("the recipe has no key `{key}`, and a setting only replaces{near}"));
    };
    let new = typed(value, old).ok_or_else(|| format!("`{key}` is {} ({old}), and `{value}` is not", kind(old)))?;
    *old = new;
    Ok(())
}

fn unknown(segment: &str, key: &str) -> String {
    format!("the recipe has no table `{segment}` on the way to `{key}`")
}

fn near(word: &str, table: &Table) -> Option<String> {
    let distance = |key: &String| strsim::damerau_levenshtein(word, key);
    table.keys().min_by_key(|key| distance(key)).filter(|key| distance(key) <= NEAR).cloned()
}

/// A value of the old one's type; a whole number is also a number with a point.
fn typed(text: &str, old: &Value) -> Option<Value> {
    let parsed = toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut table| table.remove("value"));
    match (old, parsed) {
        (Value::Float(_), Some(Value::Integer(number))) => Some(Value::Float(number as f64)),
        (Value::String(_), Some(Value::String(text))) => Some(Value::String(text)),
        // Quotes are a shell's, and gone.
        (Value::String(_), _) => Some(Value::String(text.to_owned())),
        (old, Some(new)) if new.same_type(old) => Some(new),
        _ => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
