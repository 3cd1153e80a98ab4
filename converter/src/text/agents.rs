//! Agents: `Task(subagent_type="x")` in its many spellings, `@agent-plugin:x`, "use the plugin:x agent".
//!
//! The platform spawns an agent only where a text asks for it outright, so the new text always does.

use std::ops::Range;

use super::agent_names::Agent;
use super::agent_words::{lead_in, said};
use super::calls::{self, Call};
use super::scan::Place;
use super::words;
use super::work::Work;
use crate::report::Code;

/// Argument names of calls that are not Claude's.
const FOREIGN: &[&str] = &[
    "agent",
    "backstory",
    "expected_output",
    "goal",
    "instructions",
    "llm",
    "memory",
    "role",
    "tools",
];

/// Languages in which `Agent(prompt=…)` is somebody's program.
const PROGRAMS: &[&str] = &[
    "c#",
    "cpp",
    "csharp",
    "go",
    "java",
    "javascript",
    "js",
    "jsx",
    "kotlin",
    "py",
    "python",
    "ruby",
    "rust",
    "swift",
    "ts",
    "tsx",
    "typescript",
];

/// Rewrites every call of an agent.
pub(super) fn run(work: &mut Work<'_>) {
    templates(work);
    calls(work);
    super::agent_keys::run(work);
    super::agent_mentions::run(work);
}

impl Work<'_> {
    /// The agent that is written at a place; `None` if it is a placeholder. One that is not there is reported.
    pub(super) fn meant(&mut self, at: usize, written: &str) -> Option<Agent> {
        let is_name = !written.is_empty() && written.chars().all(|c| words::is_name(c) || c == ':');
        if !is_name {
            return None;
        }
        let agent = self.context.agent_or_any(written);
        if !agent.known {
            self.find(
                at,
                Code::AgentUnknown,
                format!("no agent `{written}` is known"),
            );
        }
        Some(agent)
    }

    /// Puts the name of the platform's argument and the agent's role in place of a key and its value.
    pub(super) fn put_argument(&mut self, key: Range<usize>, value: Range<usize>, agent: &Agent) {
        let name = self.context.target.agent_argument();
        self.replace(inner(self.body(), key), name);
        self.replace(inner(self.body(), value), &agent.role);
    }
}

/// A range without the marks of quotation around it.
pub(super) fn inner(text: &str, range: Range<usize>) -> Range<usize> {
    let marks = |c: char| matches!(c, '"' | '\'' | '\\' | '`' | '*');
    let piece = &text[range.clone()];
    let start = range.start + piece.len() - piece.trim_start_matches(marks).len();
    start..start + piece.trim_matches(marks).len()
}

/// `Subagent (general-purpose):` and `Task tool (x):` at the beginning of a line of a template.
fn templates(work: &mut Work<'_>) {
    let body = work.body();
    for head in ["Subagent (", "Task tool (", "Task ("] {
        for (at, _) in body.match_indices(head) {
            let start = at + head.len();
            let name = words::run(body, start, 128, |c| words::is_name(c) || c == ':');
            let lead = words::lead(body, at, 40);
            let lead = lead.rsplit('\n').next().unwrap_or(lead);
            if !body[name.end..].starts_with("):")
                || !words::is_marker(lead)
                || matches!(work.place(at), Place::Span(_))
            {
                continue;
            }
            if let Some(agent) = work.context.agent(&body[name.clone()]) {
                let said = words::capitalized(&agent.spawn(), true);
                work.replace(at..name.end + 1, &said);
            }
        }
    }
}

/// `Task(…)` and `Agent(…)`.
fn calls(work: &mut Work<'_>) {
    let body = work.body();
    // What may be read again and again is bounded: a text of calls only must not take forever.
    let mut budget = 16 * body.len() + 65_536;
    for name in ["Task(", "Agent("] {
        for (at, _) in body.match_indices(name) {
            if !begins_call(body, at) {
                continue;
            }
            let call = calls::read(body, at + name.len());
            let read = call.end.unwrap_or(at + 4096) - at;
            let Some(left) = budget.checked_sub(read) else {
                break;
            };
            budget = left;
            one_call(work, at, at + name.len(), &call);
        }
    }
}

/// Whether a name is called here, not declared and not part of another one.
fn begins_call(body: &str, at: usize) -> bool {
    let lead = words::lead(body, at, 16);
    if lead.ends_with("\\n") || lead.ends_with("\\t") {
        return true;
    }
    let word = lead
        .trim_end_matches(' ')
        .rsplit(|c: char| !c.is_alphabetic())
        .next();
    !lead.ends_with(|c: char| words::is_word(c) || matches!(c, '.' | '@' | '-'))
        && !matches!(
            word,
            Some("class" | "def" | "new" | "function" | "interface" | "extends" | "struct" | "fn")
        )
}

fn one_call(work: &mut Work<'_>, at: usize, start: usize, call: &Call) {
    let body = work.body();
    let named = call.value(body, &["subagent_type", "agent_type"]);
    let place = work.place(at);
    let positional = call.arguments.first().filter(|first| first.key.is_empty());
    let language = match place {
        Place::Block(index) => work.scan.blocks[index]
            .language
            .as_deref()
            .unwrap_or_default(),
        _ => "",
    };
    let agent = if let Some(named) = named {
        work.meant(
            named.value.start,
            words::unquoted(&body[named.value.clone()]),
        )
    } else if let Some(first) = positional
        && let written = words::unquoted(&body[first.value.clone()])
        && let Some((plugin, name)) = written.split_once(':')
        && written.chars().all(|c| words::is_name(c) || c == ':')
        && !work.is_skill(plugin, name)
    {
        work.meant(first.value.start, written)
    } else if let Some(first) = positional
        && let written = words::unquoted(&body[first.value.clone()])
        && !PROGRAMS.contains(&language)
        && let Some(agent) = work.context.agent(written)
    {
        Some(agent)
    } else if call.value(body, &["prompt"]).is_some()
        && call.value(body, FOREIGN).is_none()
        && !PROGRAMS.contains(&language)
    {
        Some(work.context.any_agent())
    } else {
        return;
    };
    let in_lines = match (place, call.end) {
        (Place::Block(_), _) | (_, None) => true,
        (_, Some(end)) => body[at..end].contains('\n'),
    };
    if in_lines {
        let spawn = agent
            .as_ref()
            .map_or_else(|| "spawn an agent".to_owned(), Agent::spawn);
        let line = words::lead(body, at, 40);
        let line = line.rsplit('\n').next().unwrap_or(line);
        let capital = words::is_marker(line) || line.ends_with("\\n");
        work.replace(
            at..start,
            &format!("{} with (", words::capitalized(&spawn, capital)),
        );
        if let (Some(named), Some(agent)) = (named, agent) {
            work.put_argument(named.key.clone(), named.value.clone(), &agent);
        } else if let Some(named) = named {
            let key = inner(body, named.key.clone());
            work.replace(key, work.context.target.agent_argument());
        }
    } else if let Some(end) = call.end {
        in_sentence(work, at..end, call, agent);
    }
}

/// A call inside of a sentence: words take its place, and the prompt stays code.
fn in_sentence(work: &mut Work<'_>, range: Range<usize>, call: &Call, agent: Option<Agent>) {
    let body = work.body();
    let around = work.with_ticks(range.clone());
    let agent = agent.unwrap_or_else(|| work.context.any_agent());
    let in_span = matches!(work.place(range.start), Place::Span(_));
    if in_span && around == range {
        // Part of a longer span: words would not be read as such.
        if let Some(named) = call.value(body, &["subagent_type", "agent_type"]) {
            work.put_argument(named.key.clone(), named.value.clone(), &agent);
        }
        return;
    }
    let lead = lead_in(body, around.start);
    let said = said(body, &lead, &agent);
    let ticks = &body[around.start..range.start];
    // Without names, the second argument is the prompt.
    let second = call.arguments.get(1).filter(|second| second.key.is_empty());
    match call.value(body, &["prompt"]).or(second) {
        Some(prompt) => {
            let rest = prompt.value.end..around.end;
            let first = lead.start..prompt.value.start;
            if work.edits.is_free(first.clone()) && work.edits.is_free(rest.clone()) {
                work.replace(first, &format!("{said} with the prompt {ticks}"));
                work.replace(rest, ticks);
            }
        }
        None => {
            let end = ["tool calls", "tool call", "calls", "call"]
                .iter()
                .find(|word| {
                    let rest = words::tail(body, around.end, 16);
                    rest.strip_prefix(' ')
                        .and_then(|rest| rest.strip_prefix(**word))
                        .is_some_and(|rest| !rest.starts_with(words::is_word))
                })
                .map_or(around.end, |word| around.end + 1 + word.len());
            work.replace(lead.start..end, &said);
        }
    }
}
