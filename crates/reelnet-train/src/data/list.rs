//! Lists: a sample a line.

use std::ops::Range;
use std::path::Path;

use super::config::Column;
use super::error::{DataError, DataErrorKind as Kind};
use super::label_map::LabelMap;
use super::rows::{Row, Rows};
use super::sample::Span;
use super::text;

/// Tried in this order; a blank stands for any number of blanks and tabs.
const SEPARATORS: [char; 5] = ['\t', ';', '|', ',', ' '];

/// A list and what is known about it.
pub(super) struct List<'list> {
    pub(super) root: &'list Path,
    pub(super) file: &'list Path,
    /// Where paths start.
    pub(super) files: &'list Path,
    pub(super) columns: &'list [Column],
    /// Classes, if they are known beforehand.
    pub(super) map: Option<&'list LabelMap>,
}

impl List<'_> {
    pub(super) fn rows(&self) -> Result<Rows, DataError> {
        let file = self.root.join(self.file);
        self.check_columns().map_err(|kind| kind.at(&file))?;
        let text = text::read(&file)?;
        let mut lines: Vec<(usize, &str)> = text::lines(&text).collect();
        let separator = self.separator(&lines);
        if let Some((_, first)) = lines.first()
            && self.is_header(first, separator)
        {
            lines.remove(0);
        }
        let mut rows = Rows::default();
        for (line, text) in lines {
            let mut row = self.row(text, separator).map_err(|why| Kind::Line { line, why }.at(&file))?;
            row.is_there = row.path.exists();
            rows.listed.push(row);
        }
        Ok(rows)
    }

    fn check_columns(&self) -> Result<(), Kind> {
        let count = |column| self.columns.iter().filter(|other| **other == column).count();
        let labels = count(Column::Label) + count(Column::Labels);
        let legal = count(Column::Path) == 1
            && labels == 1
            && count(Column::Start) == count(Column::End)
            && count(Column::Start) <= 1
            && (count(Column::Labels) == 0 || self.columns.last() == Some(&Column::Labels));
        if legal {
            return Ok(());
        }
        Err(Kind::Setting {
            key: "columns",
            value: format!("{:?}", self.columns),
            expected: "one path, one label or, as the last column, labels, and start and end both or neither",
        })
    }

    /// The first separator that splits every line into enough fields with a label where one is expected.
    fn separator(&self, lines: &[(usize, &str)]) -> char {
        let fits = |separator: &char| {
            let mut rows = lines.iter().filter(|(_, text)| !self.is_header(text, *separator)).peekable();
            rows.peek().is_some() && rows.all(|(_, text)| self.row(text, *separator).is_ok_and(|row| self.knows(&row)))
        };
        let splits = |separator: &char| lines.iter().all(|(_, text)| self.row(text, *separator).is_ok());
        // Where nothing fits, what splits at least, so that the error is about the line and not about the separator.
        let found = SEPARATORS.into_iter().find(fits).or_else(|| SEPARATORS.into_iter().find(splits));
        found.unwrap_or(if lines.iter().any(|(_, text)| text.contains('\t')) { '\t' } else { ' ' })
    }

    fn knows(&self, row: &Row) -> bool {
        match self.map {
            Some(map) => row.labels.iter().all(|label| map.class(label).is_some()),
            None => true,
        }
    }

    fn is_header(&self, line: &str, separator: char) -> bool {
        const NAMES: [(Column, &[&str]); 5] = [
            (Column::Path, &["path", "file", "filename", "file_name", "video", "video_path", "image", "name"]),
            (Column::Label, &["label", "class", "label_id", "target", "category"]),
            (Column::Labels, &["labels", "classes", "label", "class"]),
            (Column::Start, &["start", "time_start", "start_time", "start_seconds"]),
            (Column::End, &["end", "time_end", "end_time", "end_seconds"]),
        ];
        let Ok(fields) = fields(line, separator) else { return false };
        fields.len() == self.columns.len()
            && fields.iter().zip(self.columns).all(|(field, column)| {
                let word = field.text.trim().to_lowercase();
                let names = NAMES.iter().find(|(named, _)| named == column).map(|(_, names)| *names);
                names.is_none_or(|names| names.contains(&word.as_str()))
            })
    }

    /// What a line says; whether its file is there is not looked up, since a line may be tried with every separator.
    fn row(&self, line: &str, separator: char) -> Result<Row, String> {
        let fields = fields(line, separator)?;
        let needed = self.columns.len();
        if fields.len() < needed {
            let columns: Vec<String> = self.columns.iter().map(|column| format!("{column:?}").to_lowercase()).collect();
            return Err(format!("it has {} of {needed} columns, expected {}", fields.len(), columns.join(", ")));
        }
        let labels = self.label_fields(&fields);
        // What is more than the columns belongs to the path: blanks in it, unquoted. `needed` counts path and label too.
        let surplus = fields.len() - labels - (needed - 2);
        let mut next = 0;
        let mut row = Row::file(String::new(), self.root.to_owned(), String::new());
        let (mut start, mut end) = (None, None);
        for column in self.columns {
            let taken = match column {
                Column::Path => surplus,
                Column::Labels => labels,
                _ => 1,
            };
            let taken = &fields[next..next + taken];
            next += taken.len();
            let text = joined(line, taken);
            match column {
                Column::Path => row.name = text,
                Column::Label => row.labels = vec![text],
                Column::Labels => {
                    let split = |field: &Field| -> Vec<String> {
                        field.text.split([',', ';', '|']).map(|label| label.trim().to_owned()).collect()
                    };
                    // A name may hold a comma: then it is known as a whole.
                    let is_known = |field: &Field| self.map.is_some_and(|map| map.class(&field.text).is_some());
                    row.labels = taken
                        .iter()
                        .flat_map(|field| if is_known(field) { vec![field.text.clone()] } else { split(field) })
                        .filter(|label| !label.is_empty())
                        .collect();
                }
                Column::Start => start = Some(seconds(&text, "start")?),
                Column::End => end = Some(seconds(&text, "end")?),
                Column::Ignored => {}
            }
        }
        row.span = start.zip(end).map(|(start_seconds, end_seconds)| Span { start_seconds, end_seconds });
        if let Some(span) = row.span
            && span.end_seconds <= span.start_seconds
        {
            return Err(format!(
                "it ends at {} s and starts at {} s, expected a later end",
                span.end_seconds, span.start_seconds
            ));
        }
        if row.name.is_empty() {
            return Err("the path is empty".to_owned());
        }
        if row.labels.iter().all(String::is_empty) {
            return Err("the label is empty".to_owned());
        }
        row.path = self.root.join(self.files).join(&row.name);
        row.group.clone_from(&row.name);
        Ok(row)
    }

    /// How many fields at the end of a line are labels: one, or all behind the other columns where there may be several. A path
    /// with separators in it then needs quotes.
    fn label_fields(&self, fields: &[Field]) -> usize {
        match self.columns.last() {
            Some(Column::Labels) => fields.len() - (self.columns.len() - 1),
            _ => 1,
        }
    }
}

/// One field of a line, unquoted, and where it stands.
struct Field {
    text: String,
    place: Range<usize>,
}

/// The text of fields that belong together, with what stands between them.
fn joined(line: &str, fields: &[Field]) -> String {
    match fields {
        [field] => field.text.clone(),
        [first, .., last] => line[first.place.start..last.place.end].to_owned(),
        [] => String::new(),
    }
}

/// The fields of a line. A field in double quotes may hold anything, a quote in it being doubled.
fn fields(line: &str, separator: char) -> Result<Vec<Field>, String> {
    let is_blank = separator == ' ';
    let separates = |character: char| if is_blank { character.is_whitespace() } else { character == separator };
    let mut fields: Vec<Field> = Vec::new();
    let mut at = 0;
    loop {
        let rest = &line[at..];
        let start = at + rest.len()
            - rest.trim_start_matches(|c: char| c.is_whitespace() && (is_blank || c != separator)).len();
        if is_blank && start == line.len() {
            return Ok(fields);
        }
        let (text, end, is_quoted) = if let Some(rest) = line[start..].strip_prefix('"') {
            let (text, length) = unquoted(rest).ok_or("a quote is not closed")?;
            (text, start + 1 + length, true)
        } else {
            let end = line[start..].find(separates).map_or(line.len(), |length| start + length);
            let text = line[start..end].trim_end();
            (text.to_owned(), end, false)
        };
        let length = if is_quoted { end - start } else { text.len() };
        fields.push(Field { text, place: start..start + length });
        let after = line[end..].trim_start_matches(|c: char| c.is_whitespace() && !separates(c));
        match after.chars().next() {
            None => return Ok(fields),
            Some(character) if separates(character) => at = line.len() - after.len() + character.len_utf8(),
            Some(_) => {
                return Err("text stands behind a closing quote; double a quote that belongs to a name".to_owned());
            }
        }
    }
}

/// What stands before the closing quote, and how long it is with that quote.
fn unquoted(rest: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != '"' {
            text.push(character);
        } else if characters.next_if(|(_, next)| *next == '"').is_some() {
            text.push('"');
        } else {
            return Some((text, at + 1));
        }
    }
    None
}

fn seconds(text: &str, what: &str) -> Result<f64, String> {
    let parsed = text.trim().parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    parsed.ok_or_else(|| format!("the {what} is `{text}`, expected seconds from 0 on, such as 2.5"))
}
