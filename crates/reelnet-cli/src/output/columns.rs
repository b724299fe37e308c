//! Rows in columns, as wide as the screen shows their characters.

use unicode_width::UnicodeWidthStr;

/// Where a cell stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Columns with fixed widths; the last is as wide as it is.
#[derive(Debug)]
pub(crate) struct Columns {
    columns: Vec<(usize, Align)>,
}

impl Columns {
    /// Columns at least this wide.
    pub(crate) fn new(columns: Vec<(usize, Align)>) -> Self {
        Self { columns }
    }

    /// Columns that fit the rows.
    pub(crate) fn fitting(align: &[Align], rows: &[Vec<String>]) -> Self {
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
        Self::new(align.iter().enumerate().map(|(column, align)| (width(column).unwrap_or(0), *align)).collect())
    }

    /// One line, without spaces at its end.
    pub(crate) fn row(&self, cells: &[impl AsRef<str>]) -> String {
        let mut line = String::new();
        for (column, ((width, align), cell)) in self.columns.iter().zip(cells).enumerate() {
            let cell = cell.as_ref();
            let space = " ".repeat(width.saturating_sub(cell.width()));
            if column > 0 {
                line.push_str("  ");
            }
            match align {
                Align::Left => line.extend([cell, &space]),
                Align::Right => line.extend([&space, cell]),
            }
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".to_owned(), "10".to_owned()], vec!["日本".to_owned(), "7".to_owned()]];
        let columns = Columns::fitting(&[Align::Left, Align::Right], &rows);
        assert_eq!(columns.row(&rows[0]), "a     10");
        assert_eq!(columns.row(&rows[1]), "日本   7");
    }
}
