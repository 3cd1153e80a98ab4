//! Agents by their names: what `subagent_type` is set to, `Task(plugin:x)`, `@agent-plugin:x`. The sentence around a name
//! stays its author's; that an agent is to be spawned is said at the top.

use std::ops::Range;

use super::agent_names::Agent;
use super::calls::{self, Call};
use super::draft::TextDraft;
use super::scan::Markup;
use super::words;
use crate::report::Code;
use crate::word_list::is_listed;

/// The argument of Claude's tool that names an agent.
const KEY: &str = "subagent_type";

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
const PROGRAMS: &str = "
    c# cpp csharp go java javascript js jsx kotlin py python ruby rust swift ts tsx typescript";

/// What an agent is called after its name.
const NOUNS: &[&str] = &[
    "agents",
    "agent",
    "subagents",
    "subagent",
    "sub-agents",
    "sub-agent",
];

/// Puts the platform's names in place.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    keys(draft);
    calls(draft);
    templates(draft);
    addressed(draft);
    qualified(draft);
    bare(draft);
}

impl TextDraft<'_> {
    /// Puts an agent's role in place of its name. One that is not there, or has no role of its own, keeps its name,
    /// and the top says what is spawned for it; then the answer is `false`.
    fn put_role(&mut self, name: Range<usize>) -> bool {
        let written = &self.body()[name.clone()];
        let agent = self.context.agent_or_any(written);
        self.notes.spawns = true;
        if !agent.known {
            let message = format!("no agent `{written}` is known");
            self.find(name.start, Code::AgentUnknown, message);
        }
        if agent.besides.is_some() {
            self.note_agent(written, &agent);
            return false;
        }
        if agent.role != written {
            self.replace(name, &agent.role);
        }
        true
    }

    /// Says at the top which agent a name stands for.
    fn note_agent(&mut self, written: &str, agent: &Agent) {
        self.notes.spawns = true;
        self.notes.mean(
            format!("`{written}` agent"),
            format!("the {}", agent.noun()),
        );
    }
}

/// `subagent_type: x` in arguments, lists, blocks and sentences.
fn keys(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for at in words::each(body, KEY) {
        let key = at..at + KEY.len();
        let is_part = words::before(body, at).is_some_and(words::is_word)
            || words::after(body, key.end).is_some_and(words::is_word);
        if is_part {
            continue;
        }
        if let Some(value) = value(draft, key.end)
            && draft.put_role(value)
        {
            let name = draft.context.target.agent_argument();
            draft.replace(key, name);
        }
    }
}

/// The name that a key is set to, without its marks; `None` if it is left open.
fn value(draft: &TextDraft<'_>, key: usize) -> Option<Range<usize>> {
    let body = draft.body();
    let is_mark = |c: char| matches!(c, '`' | '"' | '\'' | '\\' | '*');
    let past = |at: usize, limit, of: &dyn Fn(char) -> bool| words::run(body, at, limit, of).end;
    let space = past(past(key, 4, &is_mark), 2, &|c| c == ' ');
    if !matches!(words::after(body, space), Some(':' | '=')) {
        return None;
    }
    // Bold closes after the colon in `**subagent_type:** x`.
    let from = past(past(space + 1, 2, &|c| c == '*'), 2, &|c| c == ' ');
    let open = past(from, 4, &is_mark);
    let name = name(body, open);
    let shut = past(name.end, 4, &is_mark);
    let next = words::after(body, shut);
    let ends = next.is_none_or(|c| matches!(c, '\n' | '\r' | ',' | '.' | ')' | '}' | ';'));
    let is_name = ends
        || open != from && shut != name.end
        || draft.context.agent(&body[name.clone()]).is_some();
    (!name.is_empty() && is_name).then_some(name)
}

/// `Task(…)` and `Agent(…)`.
fn calls(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    // What may be read again and again is bounded: a text of calls only must not take forever.
    let mut budget = 16 * body.len() + 65_536;
    for name in ["Task", "Agent"] {
        for at in words::each(body, name) {
            let start = at + name.len() + 1;
            if !body[at + name.len()..].starts_with('(') || !begins_call(body, at) {
                continue;
            }
            let call = calls::read(body, start);
            let read = call.end.unwrap_or(at + 4096) - at;
            let Some(left) = budget.checked_sub(read) else {
                break;
            };
            budget = left;
            if is_call(draft, at, &call) {
                draft.explain_tool(at..at + name.len());
            }
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

/// Whether Claude's tool is called; an agent that is named without a key gets its role.
fn is_call(draft: &mut TextDraft<'_>, at: usize, call: &Call) -> bool {
    let body = draft.body();
    if call
        .value(body, &[KEY, draft.context.target.agent_argument()])
        .is_some()
    {
        return true;
    }
    let is_program = match draft.place(at) {
        Markup::Block(index) => {
            let language = draft.scan.blocks[index].language.as_deref();
            language.is_some_and(|language| is_listed(language, PROGRAMS))
        }
        _ => false,
    };
    let first = call.arguments.first().filter(|first| first.key.is_empty());
    if let Some(first) = first {
        let value = inner(body, first.value.clone());
        let written = &body[value.clone()];
        let is_name = written.chars().all(|c| words::is_name(c) || c == ':');
        let is_agent = match written.split_once(':') {
            Some((plugin, name)) => is_name && !draft.is_skill(plugin, name),
            None => !is_program && draft.context.agent(written).is_some(),
        };
        if is_agent {
            draft.put_role(value);
            return true;
        }
    }
    !is_program && call.value(body, &["prompt"]).is_some() && call.value(body, FOREIGN).is_none()
}

/// A range without the marks of quotation around it.
fn inner(text: &str, range: Range<usize>) -> Range<usize> {
    let marks = |c: char| matches!(c, '"' | '\'' | '\\' | '`' | '*');
    let piece = &text[range.clone()];
    let start = range.start + piece.len() - piece.trim_start_matches(marks).len();
    start..start + piece.trim_matches(marks).len()
}

/// `Subagent (general-purpose):` and `Task tool (x):` at the beginning of a line of a template.
fn templates(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for head in ["Subagent (", "Task tool (", "Task ("] {
        for at in words::each(body, head) {
            let name = name(body, at + head.len());
            let lead = words::lead(body, at, 40);
            let lead = lead.rsplit('\n').next().unwrap_or(lead);
            if body[name.end..].starts_with("):")
                && words::is_marker(lead)
                && draft.context.agent(&body[name.clone()]).is_some()
            {
                draft.put_role(name);
            }
        }
    }
}

/// `@agent-plugin:x`.
fn addressed(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for (at, mention) in body.match_indices("@agent-") {
        let name = name(body, at + mention.len());
        let written = &body[name.clone()];
        let is_free = !matches!(draft.place(at), Markup::Block(_) | Markup::Link)
            && !words::before(body, at).is_some_and(words::is_word);
        if written.is_empty() || !is_free {
            continue;
        }
        if let Some(agent) = draft.context.agent(written) {
            let around = draft.with_ticks(at..name.end);
            let said = format!("`{}`", agent.role);
            draft.notes.spawns = true;
            draft.replace(around, &said);
        } else if written.contains(':') {
            let message = format!("no agent `{written}` is known");
            draft.find(at, Code::AgentUnknown, message);
        }
    }
}

/// "use the `plugin:x` agent".
fn qualified(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for colon in words::each(body, ":") {
        let before = words::lead(body, colon, 128);
        let plugin = before
            .rsplit(|c| !words::is_name(c))
            .next()
            .unwrap_or_default();
        let range = colon - plugin.len()..name(body, colon + 1).end;
        if plugin.is_empty()
            || range.end <= colon + 1
            || words::before(body, range.start)
                .is_some_and(|c| matches!(c, '/' | '@' | ':' | '$') || words::is_word(c))
        {
            continue;
        }
        let around = match draft.place(colon) {
            Markup::Block(_) | Markup::Link => continue,
            Markup::Span(_) if draft.with_ticks(range.clone()) == range => continue,
            _ => draft.with_ticks(range.clone()),
        };
        // Without backticks, `a:b agent` of a plugin that isn't known may be anything.
        let may_be = around != range || draft.context.names.plugins.contains_key(plugin);
        if noun(body, around.end).is_none() {
            continue;
        }
        let written = &body[range.clone()];
        if draft.context.agent(written).is_some() {
            draft.put_role(range);
        } else if may_be {
            let message = format!("no agent `{written}` is known");
            draft.find(range.start, Code::AgentUnknown, message);
        }
    }
}

/// "the **reviewer** agent" of the plugin, "the Explore agent": what is meant is said at the top.
fn bare(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for at in words::each(body, "agent") {
        let lead = words::lead(body, at, 128);
        let subs = ["sub-", "sub"].iter();
        let marked = subs.fold(lead, |lead, sub| lead.strip_suffix(sub).unwrap_or(lead));
        let Some(marked) = marked.strip_suffix(' ') else {
            continue;
        };
        let end = at - (lead.len() - marked.len());
        let bare = marked.trim_end_matches(['*', '`']);
        let name = bare
            .rsplit(|c| !words::is_name(c))
            .next()
            .unwrap_or_default();
        let above = &bare[..bare.len() - name.len()];
        let is_marked = bare.len() < marked.len() || name.contains('-');
        let is_part = above.ends_with([':', '/', '@', '$']);
        let agent = if is_marked {
            draft
                .context
                .own_agent(name)
                .or_else(|| draft.context.built_in(name))
        } else if above.ends_with("the ") {
            draft.context.built_in(name)
        } else {
            None
        };
        if let Some(agent) = agent
            && !is_part
            && noun(body, end).is_some()
        {
            draft.note_agent(name, &agent);
        }
    }
}

/// The name at a place: `plugin:agent`, without the sentence's full stop.
fn name(body: &str, start: usize) -> Range<usize> {
    let run = words::run(body, start, 256, |c| words::is_name(c) || c == ':');
    start..start + body[run].trim_end_matches(['.', ':', '-']).len()
}

/// The word "agent" after a name, with the space before it.
fn noun(body: &str, at: usize) -> Option<&'static str> {
    let rest = words::tail(body, at, 16);
    let bare = rest.trim_start_matches('*').strip_prefix(' ')?;
    NOUNS.iter().copied().find(|noun| {
        bare.strip_prefix(noun)
            .is_some_and(|rest| !rest.starts_with(words::is_word))
    })
}
