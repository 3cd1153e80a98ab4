//! `` !`cmd` `` and ```` ```! ````: Claude runs the commands before it reads the text; here the model is told to.

use super::Role;
use super::scan::Place;
use super::words;
use super::work::Work;
use crate::report::Code;
use crate::target::Expansions;

/// Rewrites commands that are run first.
pub(super) fn run(work: &mut Work<'_>) {
    if matches!(work.text.role, Role::Support) {
        return leave_all(work);
    }
    for index in 0..work.scan.spans.len() {
        if is_command(work, index) {
            span(work, index);
        }
    }
    for index in 0..work.scan.blocks.len() {
        block(work, index);
    }
}

/// Whether a span of code is run: `!` stands before it, and nothing or a space before that.
fn is_command(work: &Work<'_>, index: usize) -> bool {
    let body = work.body();
    let span = &work.scan.spans[index];
    let Some(bang) = span.range.start.checked_sub(1) else {
        return false;
    };
    words::before(body, span.range.start) == Some('!')
        && words::before(body, bang).is_none_or(char::is_whitespace)
        && !body[span.content.clone()].trim().is_empty()
}

fn span(work: &mut Work<'_>, index: usize) {
    let body = work.body();
    let span = &work.scan.spans[index];
    let bang = span.range.start - 1;
    let ticks = span.content.end..span.range.end;
    if let Some(expansions) = work.expansions()
        && Expansions::is_balanced(&body[span.content.clone()])
    {
        let opening = bang..span.content.start;
        if work.edits.is_free(opening.clone()) && work.edits.is_free(ticks.clone()) {
            work.replace(opening, expansions.shell.0);
            work.replace(ticks, expansions.shell.1);
        }
        return;
    }
    if work.edits.is_free(bang..bang + 1) && work.edits.is_free(ticks.clone()) {
        let end = &body[ticks.clone()];
        work.replace(bang..bang + 1, "(run ");
        work.replace(ticks, &format!("{end} first and use its output)"));
        deferred(work, bang);
    }
}

fn block(work: &mut Work<'_>, index: usize) {
    let body = work.body();
    let block = &work.scan.blocks[index];
    let Some(language) = language(work, index) else {
        return;
    };
    let start = block.range.start;
    let line = work.scan.line(start);
    let fence = words::run(body, start, 64, |c| matches!(c, '`' | '~'));
    let first_end = line.start + body[line.clone()].trim_end().len();
    let whole = body[block.range.clone()].trim_end();
    let last = start + whole.rfind('\n').map_or(whole.len(), |at| at + 1);
    if let Some(expansions) = work.expansions()
        && last > first_end
        && Expansions::is_balanced(&body[first_end..last])
    {
        work.edits.replace(start..first_end, expansions.shell.0);
        work.edits
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
    if work.edits.replace(start..first_end, new) {
        deferred(work, start);
    }
}

/// Whether a place is in a command that is run first.
pub(super) fn holds(work: &Work<'_>, at: usize) -> bool {
    match work.place(at) {
        Place::Span(index) => is_command(work, index),
        Place::Block(index) => language(work, index).is_some(),
        Place::Prose | Place::Link => false,
    }
}

/// The language of a block that is run first; it may have none.
fn language<'a>(work: &Work<'a>, index: usize) -> Option<&'a str> {
    let language = work.scan.blocks[index].language.as_deref()?;
    language.strip_prefix('!')
}

fn deferred(work: &mut Work<'_>, at: usize) {
    work.find(
        at,
        Code::DynamicContextDeferred,
        "the command does not run before the text is read: the model is told to run it",
    );
}

/// In a file beside a prompt Claude runs nothing.
fn leave_all(work: &mut Work<'_>) {
    for index in 0..work.scan.spans.len() {
        if is_command(work, index) {
            let at = work.scan.spans[index].range.start;
            work.find(
                at,
                Code::ClaudeSpecificText,
                "a command that would run first in a skill is left as it is in another file",
            );
        }
    }
}
