//! `` !`cmd` `` and ```` ```! ````: Claude runs the commands before it reads the text; here the model is told to.

use super::Role;
use super::words;
use super::work::Work;
use crate::report::Code;

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
    let line = work.scan.line(span.range.start);
    let rest = if span.range.end < line.end {
        words::tail(body, span.range.end, (line.end - span.range.end).min(80))
    } else {
        ""
    };
    let end = &body[ticks.clone()];
    let begins = words::begins_sentence(body, bang);
    let ends = rest.trim().is_empty();
    let (first, last) = match (begins, ends) {
        (true, true) => ("Run ", " first and use its output."),
        (true, false) => ("Run ", " first and use its output"),
        (false, true) => ("run ", " first and use its output"),
        (false, false) => ("(run ", " first and use its output)"),
    };
    let last = if work.scan.in_table(bang) {
        last.trim_end_matches('.')
    } else {
        last
    };
    let last = format!("{end}{last}");
    if work.edits.is_free(bang..bang + 1) && work.edits.is_free(ticks.clone()) {
        work.replace(bang..bang + 1, first);
        work.replace(ticks, &last);
        deferred(work, bang);
    }
}

fn block(work: &mut Work<'_>, index: usize) {
    let body = work.body();
    let block = &work.scan.blocks[index];
    let Some(language) = block.language.as_deref().and_then(|l| l.strip_prefix('!')) else {
        return;
    };
    let start = block.range.start;
    let line = work.scan.line(start);
    let fence = words::run(body, start, 64, |c| matches!(c, '`' | '~'));
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
    let end = line.start + body[line].trim_end().len();
    if work.edits.replace(start..end, new) {
        deferred(work, start);
    }
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
