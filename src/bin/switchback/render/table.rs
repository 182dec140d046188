//! Tables whose columns are as wide as their widest cell. On a narrow terminal the last columns move to lines below.

use super::{fit, style};

/// The indent of the lines below the first one of a row.
const INDENT: usize = 4;

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
        self.print_in(fit::of_results().unwrap_or(usize::MAX))
    }

    fn print_in(&self, columns: usize) -> String {
        if self.rows.len() == 1 {
            return String::new();
        }
        let number = self.rows.iter().map(|(cells, _)| cells.len()).max().unwrap_or(0);
        let widest = |column: usize| {
            self.rows.iter().filter_map(|(cells, _)| cells.get(column)).map(|cell| fit::width(cell)).max()
        };
        let widths: Vec<usize> = (0..number).map(|column| widest(column).unwrap_or(0)).collect();
        let whole = [widths.len()];
        let is_wide = |lines: &[String]| lines.iter().any(|line| fit::width(line) > columns);
        let fits = |ends: &[usize]| !self.rows.iter().any(|(cells, mark)| is_wide(&lines(cells, *mark, &widths, ends)));
        let ends = if fits(&whole) { whole.to_vec() } else { ends(&widths, columns) };
        let mut text = String::new();
        for (at, (cells, mark)) in self.rows.iter().enumerate() {
            for line in lines(cells, *mark, &widths, &ends) {
                let line = fit::wrap(&line, columns);
                text += &match (at, mark) {
                    (0, _) => line.lines().map(|line| style::heading(line) + "\n").collect::<String>(),
                    (_, None) => line + "\n",
                    (_, Some(_)) => line.lines().map(|line| style::odd(line) + "\n").collect::<String>(),
                };
            }
        }
        text
    }
}

/// Distributes the columns over lines that fit, and returns where each line ends.
fn ends(widths: &[usize], columns: usize) -> Vec<usize> {
    let (mut ends, mut used) = (Vec::new(), 0);
    for (at, width) in widths.iter().enumerate() {
        if at == 0 {
            used = *width;
        } else if used + 2 + width <= columns {
            used += 2 + width;
        } else {
            ends.push(at);
            used = INDENT + width;
        }
    }
    ends.push(widths.len());
    ends
}

/// Returns the lines of a row: those that would be empty are left out.
fn lines(cells: &[String], mark: Option<&str>, widths: &[usize], ends: &[usize]) -> Vec<String> {
    let begins = std::iter::once(0).chain(ends.iter().copied());
    let mut lines: Vec<String> = begins
        .zip(ends)
        .map(|(from, to)| {
            let some = cells.iter().zip(widths).take(*to).skip(from);
            let padded = some.map(|(cell, width)| cell.clone() + &" ".repeat(width - fit::width(cell)));
            let text = padded.collect::<Vec<_>>().join("  ");
            " ".repeat(if from == 0 { 0 } else { INDENT }) + text.trim_end()
        })
        .enumerate()
        .filter(|(at, line)| *at == 0 || !line.trim().is_empty())
        .map(|(_, line)| line)
        .collect();
    if let (Some(mark), Some(last)) = (mark, lines.last_mut()) {
        last.extend(["  <- ", mark]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["HOST", "CURRENT", "PREVIOUS", "LOCK"]);
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        table.row(row(["web1", "build-17", "build-16", "deploy by ann@laptop, alive"]), None);
        table.row(row(["web2", "build-16", "none", ""]), Some("differs"));
        table
    }

    fn shown(columns: usize) -> String {
        anstream::adapter::strip_str(&table().print_in(columns)).to_string()
    }

    #[test]
    fn columns_that_do_not_fit_move_below() {
        let whole = "\
HOST  CURRENT   PREVIOUS  LOCK
web1  build-17  build-16  deploy by ann@laptop, alive
web2  build-16  none  <- differs
";
        assert_eq!((shown(usize::MAX).as_str(), shown(53).as_str()), (whole, whole));
        let folded = "\
HOST  CURRENT   PREVIOUS
    LOCK
web1  build-17  build-16
    deploy by ann@laptop, alive
web2  build-16  none  <- differs
";
        assert_eq!(shown(52), folded);
        let narrow = "\
HOST  CURRENT
    PREVIOUS
    LOCK
web1  build-17
    build-16
    deploy by
      ann@laptop, alive
web2  build-16
    none  <- differs
";
        assert_eq!(shown(23), narrow);
    }
}
