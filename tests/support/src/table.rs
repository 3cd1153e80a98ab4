//! A narrow, aligned table for a terminal.

use std::fmt;

/// Rows under a heading; a cell that is too wide for its column goes on in the next line.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(&'static str, usize)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns by heading and greatest width, in characters.
    #[must_use]
    pub fn new(columns: &[(&'static str, usize)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Vec<Vec<String>>> = self
            .rows
            .iter()
            .map(|row| {
                let cell = |index: usize| row.get(index).map_or("", String::as_str);
                (0..)
                    .zip(&self.columns)
                    .map(|(index, (_, most))| wrap(cell(index), *most))
                    .collect()
            })
            .collect();
        let widths: Vec<usize> = (0..)
            .zip(&self.columns)
            .map(|(index, (heading, _))| {
                let cells = rows.iter().flat_map(|row| &row[index]);
                cells
                    .map(|line| line.chars().count())
                    .fold(heading.chars().count(), usize::max)
            })
            .collect();
        let headings: Vec<_> = self
            .columns
            .iter()
            .map(|(heading, _)| (*heading).to_owned())
            .collect();
        write_line(f, &headings, &widths)?;
        let rules: Vec<_> = widths.iter().map(|width| "─".repeat(*width)).collect();
        write_line(f, &rules, &widths)?;
        for row in &rows {
            let height = row.iter().map(Vec::len).max().unwrap_or_default();
            for line in 0..height {
                let cells: Vec<_> = row
                    .iter()
                    .map(|cell| cell.get(line).cloned().unwrap_or_default())
                    .collect();
                write_line(f, &cells, &widths)?;
            }
        }
        Ok(())
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, cells: &[String], widths: &[usize]) -> fmt::Result {
    let line: Vec<_> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"))
        .collect();
    writeln!(f, "{}", line.join("  ").trim_end())
}

/// Breaks at spaces; a single word that is too wide stays whole.
fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.len() - 1;
        let length = lines[line].chars().count();
        if length > 0 && length + 1 + word.chars().count() > most {
            lines.push(word.to_owned());
        } else {
            if length > 0 {
                lines[line].push(' ');
            }
            lines[line].push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_cells_wrap_and_columns_align() {
        let mut table = Table::new(&[("who", 10), ("saw", 9)]);
        table.row(["review", "one, two, three"]);
        table.row(["x"]);
        assert_eq!(
            table.to_string(),
            "who     saw\n──────  ─────────\nreview  one, two,\n        three\nx\n"
        );
    }
}
