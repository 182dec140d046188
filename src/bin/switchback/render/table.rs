//! Tables whose columns are as wide as their widest cell.

use super::style;

/// A table: a heading, and rows, some with a mark at the end.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<(Vec<String>, Option<&'static str>)>,
}

impl Table {
    /// Begins a table with these headings.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![(heading.iter().map(ToString::to_string).collect(), None)] }
    }

    /// Adds a row; `mark` says why it stands out.
    pub(crate) fn row(&mut self, cells: Vec<String>, mark: Option<&'static str>) {
        self.rows.push((cells, mark));
    }

    /// Renders the table; empty if it has no rows.
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
