//! What verbs print: columns for people, JSON for programs.

use std::borrow::Cow;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::terminal::on_one_line;

/// Lines up columns; the last one may run on. Nothing is cut, and each row has its line.
pub(super) fn columns(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<Cow<'_, str>>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| on_one_line(cell)).collect())
        .collect();
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(head.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut whole = String::new();
        for (cell, width) in cells.zip(&widths) {
            let _ = write!(whole, "{cell:width$}  ");
        }
        text.push_str(whole.trim_end());
        text.push('\n');
    };
    line(&mut head.iter().copied());
    for row in &rows {
        line(&mut row.iter().map(AsRef::as_ref));
    }
    text
}

/// A size for people.
pub(super) fn readable_bytes(bytes: u64) -> String {
    const UNIT: f64 = 1000.0;
    let mut size = bytes as f64;
    for unit in ["bytes", "kB", "MB"] {
        if size < UNIT {
            return format!("{size:.0} {unit}");
        }
        size /= UNIT;
    }
    format!("{size:.1} GB")
}

/// A value as JSON, over several lines.
pub(super) fn pretty<T: Serialize>(value: &T) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// What is said of what is gone.
pub(super) fn deleted(json: bool) -> Result<String> {
    match json {
        true => pretty(&json!({ "deleted": true })),
        false => Ok("deleted\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_characters() {
        let rows = [
            vec!["é".to_owned(), "x".to_owned()],
            vec!["long".to_owned(), String::new()],
            vec!["\n".to_owned(), "y".to_owned()],
        ];
        let text = "a       b\né       x\nlong\n\\u000a  y\n";
        assert_eq!(columns(&["a", "b"], &rows), text);
    }
}
