//! `subagent_type: x` where it is not an argument of a call: in lists, in YAML-like blocks, in sentences.

use std::ops::Range;

use super::agent_names::Agent;
use super::agent_words::{lead_in, said};
use super::agents::inner;
use super::scan::Place;
use super::words;
use super::work::Work;

const KEY: &str = "subagent_type";

/// Lines above a key that say what it is the key of.
const HEADERS: &[&str] = &[
    "Task:",
    "Agent:",
    "Task tool:",
    "Agent tool:",
    "Task tool call:",
    "Task",
];

/// A key and what it is set to.
struct Setting {
    /// The key with its marks.
    key: Range<usize>,
    /// The value with its marks.
    value: Option<Range<usize>>,
    /// Whether `:` stands between them.
    colon: bool,
}

impl Setting {
    fn end(&self) -> usize {
        self.value.as_ref().map_or(self.key.end, |value| value.end)
    }
}

/// Rewrites every key.
pub(super) fn run(work: &mut Work<'_>) {
    let body = work.body();
    for (at, _) in body.match_indices(KEY) {
        let end = at + KEY.len();
        let is_part = words::before(body, at).is_some_and(words::is_word)
            || words::after(body, end).is_some_and(words::is_word);
        if !is_part && work.edits.is_free(at..end) {
            let setting = setting(work, at..end);
            one(work, at, &setting);
        }
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '`' | '"' | '\'' | '\\' | '*')
}

/// Reads a key with its marks and its value.
fn setting(work: &Work<'_>, word: Range<usize>) -> Setting {
    let body = work.body();
    let lead = words::lead(body, word.start, 4);
    let start = word.start - (lead.len() - lead.trim_end_matches(is_mark).len());
    let closed = words::run(body, word.end, 4, is_mark).end;
    let none = |key| Setting {
        key,
        value: None,
        colon: false,
    };
    let space = words::run(body, closed, 2, |c| c == ' ').end;
    let separator = words::after(body, space);
    if !matches!(separator, Some(':' | '=')) {
        return none(start..closed);
    }
    // Bold closes after the colon in `**subagent_type:** x`.
    let bold = words::run(body, space + 1, 2, |c| c == '*').end;
    let from = words::run(body, bold, 2, |c| c == ' ').end;
    let open = words::run(body, from, 4, is_mark).end;
    let run = words::run(body, open, 128, |c| words::is_name(c) || c == ':');
    // Without the sentence's full stop.
    let written = body[run].trim_end_matches(['.', ':', '-']);
    let name = open..open + written.len();
    let shut = words::run(body, name.end, 4, is_mark).end;
    let next = words::after(body, shut);
    let ends = next.is_none_or(|c| matches!(c, '\n' | '\r' | ',' | '.' | ')' | '}' | ';'));
    if written.is_empty()
        || open == from && shut == name.end && !ends && work.context.agent(written).is_none()
    {
        return none(start..closed);
    }
    Setting {
        key: start..closed,
        value: Some(from..shut),
        colon: separator == Some(':'),
    }
}

fn one(work: &mut Work<'_>, at: usize, setting: &Setting) {
    let body = work.body();
    let Some(value) = setting.value.clone() else {
        return without_value(work, at, setting);
    };
    let written = inner(body, value.clone());
    let Some(agent) = work.meant(at, &body[written]) else {
        return without_value(work, at, setting);
    };
    let line = work.scan.line(at);
    let lead = &body[line.start..setting.key.start];
    let begins_line = setting.colon && lead.len() <= 40 && words::is_marker(lead);
    let is_json = body[setting.key.clone()].starts_with('"');
    let whole = setting.key.start..setting.end();
    match work.place(at) {
        _ if begins_line && !is_json => in_line(work, setting, value, &agent),
        Place::Block(_) => work.put_argument(setting.key.clone(), value, &agent),
        Place::Span(index)
            if !work.scan.spans[index].range.is_empty() && outside(work, index, &whole) =>
        {
            work.put_argument(setting.key.clone(), value, &agent);
        }
        _ => in_sentence(work, whole, &agent),
    }
}

/// Whether a span holds more than the setting.
fn outside(work: &Work<'_>, index: usize, whole: &Range<usize>) -> bool {
    let span = &work.scan.spans[index].range;
    span.start < whole.start || span.end > whole.end
}

/// `subagent_type: "x"` on a line of its own, below `Task:` or not.
fn in_line(work: &mut Work<'_>, setting: &Setting, value: Range<usize>, agent: &Agent) {
    if let Some(header) = header(work, setting.key.start) {
        let said = words::capitalized(&agent.spawn(), true);
        work.replace(header, &format!("{said}:"));
        work.put_argument(setting.key.clone(), value, agent);
    } else {
        let said = format!("agent: {}", agent.spawn());
        work.replace(setting.key.start..setting.end(), &said);
    }
}

/// The `Task:` above a key.
fn header(work: &Work<'_>, at: usize) -> Option<Range<usize>> {
    let body = work.body();
    let start = work.scan.line(at).start.checked_sub(1)?;
    let line = work.scan.line(start);
    if line.len() > 80 {
        return None;
    }
    let text = &body[line.clone()];
    let bare = text.trim_end();
    let word = bare.trim_start_matches([' ', '\t', '-', '>', '*']);
    let range = line.start + bare.len() - word.len()..line.start + bare.len();
    (HEADERS.contains(&word) && work.edits.is_free(range.clone())).then_some(range)
}

/// "Use the Task tool with subagent_type=x to …".
fn in_sentence(work: &mut Work<'_>, whole: Range<usize>, agent: &Agent) {
    let body = work.body();
    let before = words::lead(body, whole.start, 48);
    let line = before.rsplit('\n').next().unwrap_or(before);
    let in_parentheses = line.ends_with('(') && body[whole.end..].starts_with(')');
    let tool = ["with ", "using ", "and ", "("]
        .iter()
        .find_map(|word| line.strip_suffix(word))
        .map(str::trim_end)
        .and_then(|line| {
            let line = line.strip_suffix(" tool").unwrap_or(line);
            ["`Task`", "`Agent`", "Task", "Agent"]
                .iter()
                .find_map(|name| line.strip_suffix(name))
        });
    match tool {
        Some(rest) if !in_parentheses => {
            let lead = lead_in(body, whole.start - (line.len() - rest.len()));
            let said = said(body, &lead, agent);
            work.replace(lead.start..whole.end, &said);
        }
        _ if in_parentheses => {
            work.replace(whole, &agent.spawn());
        }
        _ => {
            let said = format!("agent type `{}`", agent.role);
            let asks = line.contains("pawn");
            let said = if asks {
                said
            } else {
                format!("{said} ({})", agent.spawn())
            };
            work.replace(whole, &said);
        }
    }
}

/// The key as a word of a sentence, or with a value that the text leaves open.
fn without_value(work: &mut Work<'_>, at: usize, setting: &Setting) {
    let body = work.body();
    let word = at..at + KEY.len();
    let is_word = match work.place(at) {
        Place::Block(_) => false,
        Place::Span(index) => !outside(work, index, &setting.key),
        _ => true,
    };
    if is_word {
        let said = words::capitalized(
            "agent type",
            words::begins_sentence(body, setting.key.start),
        );
        work.replace(setting.key.clone(), &said);
    } else {
        work.replace(word, work.context.target.agent_argument());
    }
}
