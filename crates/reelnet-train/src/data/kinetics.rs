//! The official CSV files of Kinetics.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{DataError, DataErrorKind as Kind};
use super::folders;
use super::rows::{Row, Rows};
use super::text;

const COLUMNS: [&str; 4] = ["label", "youtube_id", "time_start", "time_end"];

/// The rows of a split. Where the videos lie below their folder does not matter: people keep them in many ways.
pub(super) fn rows(root: &Path, csv: &Path, videos: &Path, split: Option<&str>) -> Result<Rows, DataError> {
    let file = root.join(csv);
    let text = text::read(&file)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let told = |error: &csv::Error| {
        let line = error.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(usize::MAX));
        Kind::Line { line, why: error.to_string() }.at(&file)
    };
    let header = reader.headers().map_err(|error| told(&error))?.clone();
    let place = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
    let missing: Vec<&str> =
        COLUMNS.into_iter().chain(split.map(|_| "split")).filter(|name| place(name).is_none()).collect();
    if !missing.is_empty() {
        let told = header.iter().collect::<Vec<_>>().join(",");
        let why = format!(
            "the columns {} are missing, expected label,youtube_id,time_start,time_end,split, got `{told}`",
            missing.join(", ")
        );
        return Err(Kind::Line { line: 1, why }.at(&file));
    }
    let folder = root.join(videos);
    let (found, passed_over) = by_stem(&folder)?;
    let mut rows = Rows { passed_over, ..Rows::default() };
    for record in reader.records() {
        let record = record.map_err(|error| told(&error))?;
        let field = |name: &str| place(name).and_then(|at| record.get(at)).unwrap_or_default();
        if split.is_some_and(|split| field("split") != split) {
            continue;
        }
        let line = record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(usize::MAX));
        let seconds = |name: &str| {
            let parsed = field(name).parse::<f64>().ok().filter(|seconds| (0.0..1e6).contains(seconds));
            parsed.ok_or_else(|| {
                let why = format!("{name} is `{}`, expected seconds", field(name));
                Kind::Line { line, why }.at(&file)
            })
        };
        let [start, end] = [seconds("time_start")?, seconds("time_end")?];
        let (id, label) = (field("youtube_id"), field("label"));
        if id.is_empty() || label.is_empty() {
            return Err(Kind::Line { line, why: "youtube_id or label is empty".to_owned() }.at(&file));
        }
        let name = format!("{id}_{start:06.0}_{end:06.0}");
        let path = found.get(&name);
        rows.listed.push(Row {
            is_there: path.is_some(),
            path: path.cloned().unwrap_or_else(|| folder.join(format!("{name}.mp4"))),
            // Segments of one video are not to be on both sides of a split.
            group: id.to_owned(),
            ..Row::file(name, PathBuf::new(), label.to_owned())
        });
    }
    Ok(rows)
}

/// Every file below a folder, by its name without its ending; and how many were passed over.
fn by_stem(folder: &Path) -> Result<(HashMap<String, PathBuf>, usize), DataError> {
    let mut found: HashMap<String, PathBuf> = HashMap::new();
    let mut passed_over = 0;
    for path in folders::files(folder)? {
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else { continue };
        if reelnet_clips::is_no_media(&path) {
            passed_over += 1;
        } else if let Some(other) = found.insert(stem, path.clone()) {
            let why = format!("it is there twice, as `{}` too; keep one of them", other.display());
            return Err(Kind::Form(why).at(&path));
        }
    }
    Ok((found, passed_over))
}
