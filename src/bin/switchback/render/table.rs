//! Columns, as wide as what stands in them.

use super::style;

/// A table: a heading, rows, and what is said behind a row that stands out.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<(Vec<String>, Option<&'static str>)>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![(heading.iter().map(ToString::to_string).collect(), None)] }
    }

    /// One more row; `mark` says why it stands out.
    pub(crate) fn row(&mut self, cells: Vec<String>, mark: Option<&'static str>) {
        self.rows.push((cells, mark));
    }

    /// The text, or nothing when there is no row.
    pub(crate) fn print(&self) -> String {
        if self.rows.len() == 1 {
            return String::new();
        }
        let columns = self.rows.iter().map(|(cells, _)| cells.len()).max().unwrap_or(0);
        let widest = |column: usize| {
            self.rows.iter().filter_map(|(cells, _)| cells.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
        let lines = self.rows.iter().enumerate().map(|(at, (cells, mark))| line(at == 0, cells, *mark, &widths));
        lines.collect()
    }
}

fn line(heading: bool, cells: &[String], mark: Option<&str>, widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    let text = padded.collect::<Vec<_>>().join("  ");
    let text = text.trim_end();
    match (heading, mark) {
        (true, _) => format!("{}\n", style::heading(text)),
        (false, None) => format!("{text}\n"),
        (false, Some(mark)) => format!("{}\n", style::odd(&format!("{text}  <- {mark}"))),
    }
}
