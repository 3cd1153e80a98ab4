//! `$ARGUMENTS`, `$1`, `$name`: what the user wrote after the skill's name.

use std::ops::Range;

use super::Role;
use super::draft::TextDraft;
use super::dynamic;
use super::positions;
use super::preamble;
use super::scan::Markup;
use super::words;
use crate::report::Code;

/// What a `$…` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning<'a> {
    /// All of them.
    All,
    /// One of them, counted from 0.
    Position(usize),
    /// One of them, by its name.
    Name(&'a str),
}

/// Replaces all arguments.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    if matches!(draft.text.role, Role::Support) {
        return leave_all(draft);
    }
    let body = draft.body();
    for at in words::each(body, "$") {
        let Some((range, meaning)) = meaning_at(draft, at) else {
            continue;
        };
        if !draft.edits.is_free(range.clone()) {
            continue;
        }
        if let (Meaning::All, Some(expansions)) = (meaning, draft.expansions()) {
            let range = match dynamic::holds(draft, at) {
                // The platform puts its own quotation marks around them there.
                true => with_quotes(body, range),
                false => range,
            };
            draft.replace(range, expansions.arguments);
            continue;
        }
        let mut named = placeholder(draft.text.role, meaning);
        // At the beginning of a line it would be the tag of a block of HTML.
        if draft.place(at) == Markup::Prose
            && words::is_marker(&body[draft.scan.line(at).start..range.start])
        {
            named = draft.as_code(&range, &named);
        }
        draft.replace(range, &named);
        describe(draft, at, meaning);
    }
    if let Some(at) = draft.positions.unsure() {
        let message = "`$1` is left as it is: nothing says that this text takes arguments";
        draft.find(at, Code::ArgumentUnsure, message);
    }
}

/// A place with the quotation marks right around it.
fn with_quotes(body: &str, range: Range<usize>) -> Range<usize> {
    match (
        words::before(body, range.start),
        words::after(body, range.end),
    ) {
        (Some(open @ ('"' | '\'')), Some(close)) if open == close => range.start - 1..range.end + 1,
        _ => range,
    }
}

/// What names the arguments that a `$` stands for.
pub(super) fn named_at(draft: &mut TextDraft<'_>, at: usize) -> Option<String> {
    let (_, meaning) = meaning_at(draft, at)?;
    describe(draft, at, meaning);
    Some(placeholder(draft.text.role, meaning))
}

/// Says at the top what the arguments are, and notes it.
fn describe(draft: &mut TextDraft<'_>, at: usize, meaning: Meaning<'_>) {
    if draft.is_prompt() {
        draft.notes.arguments = true;
        draft.notes.expanded = draft.expansions().map(|expansions| expansions.arguments);
        draft.notes.positions |= meaning != Meaning::All;
    }
    draft.find_first(
        at,
        Code::ArgumentsDescribed,
        "arguments are not put into the text: it names them where they are meant",
    );
    let is_first = draft.body()[at..].starts_with("$1");
    if matches!(meaning, Meaning::Position(_)) && is_first && !draft.positions.counts_from_zero() {
        draft.find_first(
            at,
            Code::PositionalBaseAmbiguous,
            "`$1` without `$0` was taken for the first argument; Claude Code counts from 0 today",
        );
    }
}

/// What stands at a `$`.
fn meaning_at<'a>(draft: &TextDraft<'a>, at: usize) -> Option<(Range<usize>, Meaning<'a>)> {
    let body = draft.body();
    if words::before(body, at) == Some('\\') {
        return None;
    }
    let rest = &body[at..];
    if let Some(after) = rest.strip_prefix("$ARGUMENTS") {
        if after.starts_with(words::is_word) {
            return None;
        }
        let end = at + "$ARGUMENTS".len();
        let index = after.strip_prefix('[').and_then(|inside| {
            let digits = words::run(inside, 0, 3, |c| c.is_ascii_digit());
            let number = inside[digits.clone()].parse().ok()?;
            inside[digits.end..]
                .starts_with(']')
                .then_some((number, end + digits.end + 2))
        });
        return Some(match index {
            Some((number, end)) => (at..end, Meaning::Position(number)),
            None => (at..end, Meaning::All),
        });
    }
    if rest.starts_with("${ARGUMENTS}") {
        return Some((at..at + "${ARGUMENTS}".len(), Meaning::All));
    }
    let arguments = match draft.text.role {
        Role::Skill { arguments, .. } | Role::Command { arguments } => arguments.names,
        Role::Agent | Role::Support => return None,
    };
    if let Some((range, number)) = positions::at(body, at) {
        let positions = draft.positions;
        return (positions.means(number) && positions::is_replaced(body, draft.scan, at)).then(
            || {
                let first = usize::from(!positions.counts_from_zero());
                (range, Meaning::Position(number.saturating_sub(first)))
            },
        );
    }
    named(draft, at, arguments)
}

fn named<'a>(
    draft: &TextDraft<'a>,
    at: usize,
    arguments: &'a [String],
) -> Option<(Range<usize>, Meaning<'a>)> {
    if arguments.is_empty() {
        return None;
    }
    let body = draft.body();
    let run = words::run(body, at + 1, 128, |c| words::is_word(c) || c == '-');
    let written = &body[run.clone()];
    let name = arguments
        .iter()
        .filter(|name| {
            written
                .strip_prefix(name.as_str())
                .is_some_and(|rest| !rest.starts_with(words::is_word))
        })
        .max_by_key(|name| name.len())?;
    let end = run.start + name.len();
    // `$plugin:skill` calls a skill.
    let mut next = body[end..].chars();
    if next.next() == Some(':') && next.next().is_some_and(char::is_alphanumeric) {
        return None;
    }
    if let Markup::Block(index) = draft.place(at)
        && assigns(&body[draft.scan.blocks[index].range.clone()], name)
    {
        return None;
    }
    Some((at..end, Meaning::Name(name)))
}

/// Whether a script gives a variable of this name a value of its own.
fn assigns(script: &str, name: &str) -> bool {
    words::tail(script, 0, 4096).lines().any(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("local ").unwrap_or(line);
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('='))
            || line
                .strip_prefix("for ")
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with(" in "))
    })
}

const ORDINALS: [&str; 10] = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
];

fn placeholder(role: Role<'_>, meaning: Meaning<'_>) -> String {
    match meaning {
        Meaning::All if matches!(role, Role::Agent) => "<your task>".to_owned(),
        Meaning::All => preamble::ARGUMENTS.to_owned(),
        Meaning::Position(number) => match ORDINALS.get(number) {
            Some(ordinal) => format!("<{ordinal} argument>"),
            None => format!("<argument {}>", number + 1),
        },
        Meaning::Name(name) => format!("<{name}>"),
    }
}

/// A file beside a prompt has no arguments: Claude leaves such words there alone, and so it is here.
fn leave_all(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for at in words::each(body, "$ARGUMENTS") {
        if !draft.in_code(at) && words::before(body, at) != Some('\\') {
            draft.find(
                at,
                Code::ClaudeSpecificText,
                "`$ARGUMENTS` is left as it is in a file that isn't a skill or command",
            );
        }
    }
}
