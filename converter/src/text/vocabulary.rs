//! Names of Claude's tools: they stay where they are, and the top says what each means here. A text that says it already
//! does not say it twice: what is named at its top are the same names.

use std::ops::Range;

use super::draft::TextDraft;
use super::scan::Markup;
use super::words;
use crate::report::Code;
use crate::target::{ToolWords, tool_words};

/// Looks for the names.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    let mut may_be = Vec::new();
    let mut at = 0;
    while let Some(found) = body[at..].find(|c: char| c.is_ascii_alphabetic()) {
        let start = at + found;
        let word = words::run(body, start, 64, |c| c.is_ascii_alphanumeric() || c == '_');
        at = word.end;
        let is_part = words::before(body, start)
            .is_some_and(|c| words::is_word(c) || matches!(c, '-' | '.' | '$'))
            || words::after(body, word.end).is_some_and(words::is_word);
        if is_part || draft.place(start) == Markup::Link {
            continue;
        }
        match tool(draft, &body[word.clone()]) {
            Some(tool) if !tool.ordinary => draft.explain_tool(word),
            Some(_) if is_tool(draft, &word) => draft.explain_tool(word),
            Some(_) if is_code(draft, &word) => may_be.push(word),
            _ => {}
        }
    }
    // `Read` alone is a tool only in a text that speaks of tools.
    if !draft.notes.words.is_empty() {
        for word in may_be {
            draft.explain_tool(word);
        }
    }
}

/// Whether a name is all of a code span.
fn is_code(draft: &TextDraft<'_>, word: &Range<usize>) -> bool {
    let place = draft.place(word.start);
    matches!(place, Markup::Span(index) if draft.scan.spans[index].content == *word)
}

fn tool(draft: &TextDraft<'_>, name: &str) -> Option<&'static ToolWords> {
    tool_words(draft.context.target, name)
}

/// Whether an ordinary word is the name of a tool here: called at the start of a code span, before "tool", or before
/// another tool after a slash.
fn is_tool(draft: &TextDraft<'_>, word: &Range<usize>) -> bool {
    let body = draft.body();
    let end = match draft.place(word.start) {
        Markup::Block(_) | Markup::Link => return false,
        Markup::Span(index) if draft.scan.spans[index].content == *word => {
            draft.scan.spans[index].range.end
        }
        Markup::Span(index) => {
            let content = &draft.scan.spans[index].content;
            return content.start == word.start && body[word.end..].starts_with('(');
        }
        Markup::Prose => word.end,
    };
    let rest = words::tail(body, end, 64);
    let rest = rest.trim_start_matches('*');
    if let Some(other) = rest.strip_prefix('/') {
        let end = words::run(other, 0, 64, |c| c.is_ascii_alphanumeric()).end;
        return tool(draft, &other[..end]).is_some();
    }
    rest.strip_prefix(" tool").is_some_and(|rest| {
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        !rest.starts_with(|c: char| words::is_word(c) || c == '-')
    })
}

impl TextDraft<'_> {
    /// Says at the top what a tool means that is named at a place and keeps its name.
    pub(super) fn explain_tool(&mut self, word: Range<usize>) {
        let body = self.body();
        let name = &body[word.clone()];
        let Some(tool) = tool(self, name).filter(|_| self.edits.is_free(word.clone())) else {
            return;
        };
        let Some(meaning) = tool.meaning else {
            let message = format!("there is no counterpart of the tool `{name}`");
            self.find_first(word.start, Code::ToolUnavailable, message);
            self.notes.mean(format!("`{name}`"), "not there".to_owned());
            return;
        };
        self.notes.mean(format!("`{name}`"), meaning.to_owned());
        let message = format!("the text says at its top what `{name}` means");
        self.find_first(word.start, Code::ToolExplained, message);
    }
}
