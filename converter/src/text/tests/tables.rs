//! Each pass as a table: what goes in, what comes out (`=` or nothing: the same), the codes of what is found.

mod agents;
mod arguments;
mod dynamic;
mod includes;
mod links;
mod prose;
mod references;
mod servers;
mod variables;
mod vocabulary;

use crate::test_table::rows;
use crate::text::ConvertedText;

fn codes(text: &ConvertedText) -> Vec<&'static str> {
    text.findings.iter().map(|f| f.code.as_str()).collect()
}

/// Checks all rows before it fails, so that one run shows all that is wrong.
fn check(convert: impl Fn(&str) -> ConvertedText, table: &str) {
    let mut wrong = String::new();
    for [before, after, found] in rows(table) {
        let after = match after.as_str() {
            "" | "=" => &before,
            _ => &after,
        };
        let text = convert(&before);
        if text.body != *after || codes(&text).join(" ") != found {
            wrong += &format!(
                "\n--- {before}\n want {after}\n      {found}\n have {}\n      {:?}\n",
                text.body, text.findings
            );
        }
        let again = convert(&text.body);
        if again.body != text.body {
            wrong += &format!(
                "\n--- {before}\n once  {}\n twice {}\n",
                text.body, again.body
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A text without the paragraph at its top.
fn below(text: ConvertedText) -> ConvertedText {
    let body = text
        .body
        .split_once("\n\n")
        .map_or(text.body.clone(), |(_, body)| body.to_owned());
    ConvertedText { body, ..text }
}

/// A text without what its top says of Claude's words.
fn under(text: ConvertedText) -> ConvertedText {
    let says =
        text.body.starts_with("Words of Claude Code") || text.body.starts_with("Spawn the agents");
    if says { below(text) } else { text }
}
