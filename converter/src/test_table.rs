//! Tables of tests, a case a line: cells are set apart by `⇒`, `\n` in one is the end of a line, and a line that begins
//! with `//` says something of those below it.

use serde_json::Value;

/// The rows of a table; cells that are left out at the end of a row are empty.
pub(crate) fn rows<const N: usize>(table: &str) -> impl Iterator<Item = [String; N]> {
    let lines = table.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .map(|line| {
            let mut cells = line.split('⇒').map(|cell| unescaped(cell.trim()));
            let row = std::array::from_fn(|_| cells.next().unwrap_or_default());
            assert_eq!(cells.next(), None, "a cell too many: {line}");
            row
        })
}

fn unescaped(cell: &str) -> String {
    let escapes = [("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\_", " ")];
    let text = cell.replace("\\\\", "\u{0}");
    let text = escapes
        .iter()
        .fold(text, |text, (written, meant)| text.replace(written, meant));
    text.replace('\u{0}', "\\")
}

/// All cells of a table that has no rows.
pub(crate) fn cells(table: &str) -> impl Iterator<Item = String> {
    let lines = table.lines().map(str::trim);
    let filled = lines.filter(|line| !line.is_empty());
    filled.flat_map(|line| line.split('⇒').map(|cell| unescaped(cell.trim())))
}

/// A cell that is JSON; an empty one is `null`.
pub(crate) fn json(cell: &str) -> Value {
    match cell {
        "" => Value::Null,
        cell => serde_json::from_str(cell).unwrap_or_else(|error| panic!("{error}: {cell}")),
    }
}

/// The words of a cell.
pub(crate) fn words(cell: &str) -> Vec<&str> {
    cell.split_ascii_whitespace().collect()
}
