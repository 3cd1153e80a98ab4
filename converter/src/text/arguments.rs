//! `$ARGUMENTS`, `$1`, `$name`: what the user wrote after the skill's name.

use std::ops::Range;

use super::Role;
use super::dynamic;
use super::positions;
use super::preamble;
use super::scan::Place;
use super::words;
use super::work::Work;
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
pub(super) fn run(work: &mut Work<'_>) {
    if matches!(work.text.role, Role::Support) {
        return leave_all(work);
    }
    let body = work.body();
    for (at, _) in body.match_indices('$') {
        let Some((range, meaning)) = meaning_at(work, at) else {
            continue;
        };
        if !work.edits.is_free(range.clone()) {
            continue;
        }
        if let (Meaning::All, Some(expansions)) = (meaning, work.expansions()) {
            let range = match dynamic::holds(work, at) {
                // The platform puts its own quotation marks around them there.
                true => with_quotes(body, range),
                false => range,
            };
            work.replace(range, expansions.arguments);
            continue;
        }
        let mut named = placeholder(work.text.role, meaning);
        // At the beginning of a line it would be the tag of a block of HTML.
        if work.place(at) == Place::Prose
            && words::is_marker(&body[work.scan.line(at).start..range.start])
        {
            named = work.as_code(&range, &named);
        }
        work.replace(range, &named);
        describe(work, at, meaning);
    }
    if let Some(at) = work.positions.unsure() {
        let message = "`$1` is left as it is: nothing says that this text takes arguments";
        work.find(at, Code::ArgumentUnsure, message);
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
pub(super) fn named_at(work: &mut Work<'_>, at: usize) -> Option<String> {
    let (_, meaning) = meaning_at(work, at)?;
    describe(work, at, meaning);
    Some(placeholder(work.text.role, meaning))
}

/// Says at the top what the arguments are, and notes it.
fn describe(work: &mut Work<'_>, at: usize, meaning: Meaning<'_>) {
    if work.is_prompt() {
        work.notes.arguments = true;
        work.notes.expanded = work.expansions().map(|expansions| expansions.arguments);
        work.notes.positions |= meaning != Meaning::All;
    }
    work.find_first(
        at,
        Code::ArgumentsDescribed,
        "arguments are not put into the text: it names them where they are meant",
    );
    let is_first = work.body()[at..].starts_with("$1");
    if matches!(meaning, Meaning::Position(_)) && is_first && !work.positions.counts_from_zero() {
        work.find_first(
            at,
            Code::PositionalBaseAmbiguous,
            "`$1` without `$0` was taken for the first argument; Claude Code counts from 0 today",
        );
    }
}

/// What stands at a `$`.
fn meaning_at<'a>(work: &Work<'a>, at: usize) -> Option<(Range<usize>, Meaning<'a>)> {
    let body = work.body();
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
    let arguments = match work.text.role {
        Role::Skill { arguments, .. } | Role::Command { arguments } => arguments.names,
        Role::Agent | Role::Support => return None,
    };
    if let Some((range, number)) = positions::at(body, at) {
        let positions = work.positions;
        return (positions.means(number) && positions::is_replaced(body, work.scan, at)).then(
            || {
                let first = usize::from(!positions.counts_from_zero());
                (range, Meaning::Position(number.saturating_sub(first)))
            },
        );
    }
    named(work, at, arguments)
}

fn named<'a>(
    work: &Work<'a>,
    at: usize,
    arguments: &'a [String],
) -> Option<(Range<usize>, Meaning<'a>)> {
    if arguments.is_empty() {
        return None;
    }
    let body = work.body();
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
    if let Place::Block(index) = work.place(at)
        && assigns(&body[work.scan.blocks[index].range.clone()], name)
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
fn leave_all(work: &mut Work<'_>) {
    let body = work.body();
    for (at, _) in body.match_indices("$ARGUMENTS") {
        if !work.in_code(at) && words::before(body, at) != Some('\\') {
            work.find(
                at,
                Code::ClaudeSpecificText,
                "`$ARGUMENTS` is left as it is in a file that isn't a skill or command",
            );
        }
    }
}
