//! `` !`cmd` `` and ```` ```! ````: Claude runs the commands before it reads the text; here the model is told to.

use super::Role;
use super::draft::TextDraft;
use super::scan::Markup;
use super::words;
use crate::report::Code;
use crate::target::Expansions;

/// Rewrites commands that are run first.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    if matches!(draft.text.role, Role::Support) {
        return leave_all(draft);
    }
    for index in 0..draft.scan.spans.len() {
        if is_command(draft, index) {
            span(draft, index);
        }
    }
    for index in 0..draft.scan.blocks.len() {
        block(draft, index);
    }
}

/// Whether a span of code is run: `!` stands before it, and nothing or a space before that.
fn is_command(draft: &TextDraft<'_>, index: usize) -> bool {
    let body = draft.body();
    let span = &draft.scan.spans[index];
    let Some(bang) = span.range.start.checked_sub(1) else {
        return false;
    };
    words::before(body, span.range.start) == Some('!')
        && words::before(body, bang).is_none_or(char::is_whitespace)
        && !body[span.content.clone()].trim().is_empty()
}

fn span(draft: &mut TextDraft<'_>, index: usize) {
    let body = draft.body();
    let span = &draft.scan.spans[index];
    let bang = span.range.start - 1;
    let ticks = span.content.end..span.range.end;
    if let Some(expansions) = draft.expansions()
        && Expansions::is_balanced(&body[span.content.clone()])
    {
        let opening = bang..span.content.start;
        if draft.edits.is_free(opening.clone()) && draft.edits.is_free(ticks.clone()) {
            draft.replace(opening, expansions.shell.0);
            draft.replace(ticks, expansions.shell.1);
        }
        return;
    }
    if draft.edits.is_free(bang..bang + 1) && draft.edits.is_free(ticks.clone()) {
        let end = &body[ticks.clone()];
        draft.replace(bang..bang + 1, "(run ");
        draft.replace(ticks, &format!("{end} first and use its output)"));
        deferred(draft, bang);
    }
}

fn block(draft: &mut TextDraft<'_>, index: usize) {
    let body = draft.body();
    let block = &draft.scan.blocks[index];
    let Some(language) = language(draft, index) else {
        return;
    };
    let start = block.range.start;
    let line = draft.scan.line(start);
    let fence = words::run(body, start, 64, |c| matches!(c, '`' | '~'));
    let first_end = line.start + body[line.clone()].trim_end().len();
    let whole = body[block.range.clone()].trim_end();
    let last = start + whole.rfind('\n').map_or(whole.len(), |at| at + 1);
    if let Some(expansions) = draft.expansions()
        && last > first_end
        && Expansions::is_balanced(&body[first_end..last])
    {
        draft.edits.replace(start..first_end, expansions.shell.0);
        draft
            .edits
            .replace(last..start + whole.len(), expansions.shell.1);
        return;
    }
    let lead = &body[line.start..start];
    let indent: String = lead
        .chars()
        .map(|c| if matches!(c, '>' | '\t') { c } else { ' ' })
        .collect();
    let language = if language.is_empty() {
        "bash"
    } else {
        language
    };
    let new = format!(
        "Run the commands in this block first and use their output:\n{}\n{indent}{}{language}",
        indent.trim_end(),
        &body[fence]
    );
    if draft.edits.replace(start..first_end, new) {
        deferred(draft, start);
    }
}

/// Whether a place is in a command that is run first.
pub(super) fn holds(draft: &TextDraft<'_>, at: usize) -> bool {
    match draft.place(at) {
        Markup::Span(index) => is_command(draft, index),
        Markup::Block(index) => language(draft, index).is_some(),
        Markup::Prose | Markup::Link => false,
    }
}

/// The language of a block that is run first; it may have none.
fn language<'a>(draft: &TextDraft<'a>, index: usize) -> Option<&'a str> {
    let language = draft.scan.blocks[index].language.as_deref()?;
    language.strip_prefix('!')
}

fn deferred(draft: &mut TextDraft<'_>, at: usize) {
    draft.find(
        at,
        Code::DynamicContextDeferred,
        "the command does not run before the text is read: the model is told to run it",
    );
}

/// In a file beside a prompt Claude runs nothing.
fn leave_all(draft: &mut TextDraft<'_>) {
    for index in 0..draft.scan.spans.len() {
        if is_command(draft, index) {
            let at = draft.scan.spans[index].range.start;
            draft.find(
                at,
                Code::ClaudeSpecificText,
                "a command that would run first in a skill is left as it is in another file",
            );
        }
    }
}
