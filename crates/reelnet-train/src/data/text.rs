//! Text files as people make them: with a byte order mark, with carriage returns.

use std::fs;
use std::path::Path;

use super::error::{DataError, DataErrorKind};

/// The text of a file, without a byte order mark.
pub(super) fn read(path: &Path) -> Result<String, DataError> {
    let bytes = fs::read(path).map_err(|error| DataErrorKind::from(error).at(path))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        DataErrorKind::Line { line, why: "it is no UTF-8; save the file as UTF-8".to_owned() }.at(path)
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Lines that hold something, with their numbers from 1 on.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_end_matches('\r')))
        .filter(|(_, line)| !line.trim().is_empty())
}
