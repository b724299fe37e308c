//! From what a source lists to samples: classes looked up, repetitions and missing files found.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use super::error::{DataErrorKind as Kind, EXAMPLES};
use super::findings::Findings;
use super::label_map::LabelMap;
use super::sample::{Sample, Section, Span};

/// A sample as it was listed: its classes are words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) labels: Vec<String>,
    pub(super) span: Option<Span>,
    pub(super) section: Option<Section>,
    pub(super) group: String,
    /// Whether it was seen to be there.
    pub(super) is_there: bool,
}

/// All rows of a source.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) listed: Vec<Row>,
    pub(super) passed_over: usize,
    /// Classes that the source knows, whether they have rows or not, such as empty folders.
    pub(super) classes: Vec<String>,
}

impl Row {
    /// A whole file that is there.
    pub(super) fn file(name: String, path: PathBuf, label: String) -> Self {
        Self { group: name.clone(), name, path, labels: vec![label], span: None, section: None, is_there: true }
    }
}

impl Rows {
    /// The classes that the rows speak of: numbered if they are all numbers, else in the order of their names.
    pub(super) fn label_map(&self) -> Result<LabelMap, Kind> {
        let words: BTreeSet<&String> = self.listed.iter().flat_map(|row| &row.labels).chain(&self.classes).collect();
        // Folders are named, even if their names are numbers.
        let numbers: Option<Vec<usize>> = words
            .iter()
            .map(|word| word.parse().ok())
            .collect::<Option<Vec<usize>>>()
            .filter(|_| self.classes.is_empty());
        match numbers.as_deref().map(|numbers| numbers.iter().max()) {
            Some(Some(&last)) if last < 1_000_000 => Ok(LabelMap::numbered(last + 1)),
            Some(Some(last)) => Err(Kind::Form(format!("it has a class {last}, expected numbers below 1000000"))),
            Some(None) => Err(Kind::Empty(String::new())),
            None => LabelMap::of_names(words.into_iter().cloned()).map_err(Kind::Form),
        }
    }

    /// Samples of known classes, each once, and what was noticed.
    pub(super) fn samples(self, map: &LabelMap, max_missing: f64) -> Result<(Vec<Sample>, Findings), Kind> {
        let mut findings = Findings { listed: self.listed.len(), passed_over: self.passed_over, ..Findings::default() };
        if self.listed.is_empty() {
            let told = match self.passed_over {
                0 => String::new(),
                count => format!(", but for {count} files whose endings say that they are no videos or images"),
            };
            return Err(Kind::Empty(told));
        }
        let rows = known(self.listed, map)?;
        let rows = once(rows, &mut findings)?;
        let listed = rows.len();
        let (there, missing): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(row, _)| row.is_there);
        findings.missing = missing.into_iter().map(|(row, _)| row.name).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let allowed = (max_missing * listed as f64) as usize;
        if findings.missing.len() > allowed || there.is_empty() {
            let examples = findings.missing.iter().take(EXAMPLES).cloned().collect();
            return Err(Kind::Missing { count: findings.missing.len(), samples: listed, allowed, examples });
        }
        let mut has_samples = vec![false; map.labels.len()];
        for class in there.iter().flat_map(|(_, classes)| classes) {
            has_samples[*class] = true;
        }
        let empty = has_samples.iter().enumerate().filter(|(_, has)| !**has);
        findings.empty_classes = empty.filter_map(|(class, _)| map.labels.get(class).map(str::to_owned)).collect();
        let sample = |(row, classes): (Row, Vec<usize>)| Sample {
            name: row.name,
            path: row.path,
            label: classes[0],
            more_labels: classes[1..].to_vec(),
            span: row.span,
            section: row.section,
            group: row.group,
        };
        Ok((there.into_iter().map(sample).collect(), findings))
    }
}

/// Rows with their classes by number; at least one each.
fn known(rows: Vec<Row>, map: &LabelMap) -> Result<Vec<(Row, Vec<usize>)>, Kind> {
    let mut strangers = BTreeSet::new();
    let mut count = 0;
    let mut known = Vec::with_capacity(rows.len());
    for row in rows {
        let mut classes: Vec<usize> = Vec::with_capacity(row.labels.len());
        let before = count;
        for word in &row.labels {
            match map.class(word) {
                Some(class) if !classes.contains(&class) => classes.push(class),
                Some(_) => {}
                None => {
                    count = before + 1;
                    strangers.insert(word.clone());
                }
            }
        }
        if classes.is_empty() && row.labels.is_empty() {
            count = before + 1;
            strangers.insert(format!("none of {}", row.name));
        }
        known.push((row, classes));
    }
    if count == 0 {
        return Ok(known);
    }
    Err(Kind::UnknownClass { count, examples: strangers.into_iter().take(EXAMPLES).collect() })
}

/// The first of each sample.
fn once(rows: Vec<(Row, Vec<usize>)>, findings: &mut Findings) -> Result<Vec<(Row, Vec<usize>)>, Kind> {
    let mut seen: HashMap<(String, Option<[u64; 2]>), usize> = HashMap::new();
    let mut kept: Vec<(Row, Vec<usize>)> = Vec::with_capacity(rows.len());
    let mut contradictions = Vec::new();
    for (row, mut classes) in rows {
        let span = row.span.map(|span| [span.start_seconds.to_bits(), span.end_seconds.to_bits()]);
        let key = (row.name.clone(), span);
        let Some(&earlier) = seen.get(&key) else {
            seen.insert(key, kept.len());
            kept.push((row, classes));
            continue;
        };
        let mut before = kept[earlier].1.clone();
        before.sort_unstable();
        classes.sort_unstable();
        if before == classes {
            findings.repeated.push(row.name);
        } else {
            contradictions.push(row.name);
        }
    }
    if contradictions.is_empty() {
        return Ok(kept);
    }
    let examples = contradictions.iter().take(EXAMPLES).cloned().collect();
    Err(Kind::Contradiction { count: contradictions.len(), examples })
}
