//! Agents that are named without a call: `@agent-plugin:x`, "use the plugin:x agent", `general-purpose`.

use std::ops::Range;

use super::agent_words::{lead_in, said};
use super::scan::Place;
use super::words;
use super::work::Work;
use crate::report::Code;

/// What an agent is called after its name.
const NOUNS: &[&str] = &[
    "agents",
    "agent",
    "subagents",
    "subagent",
    "sub-agents",
    "sub-agent",
];

/// Rewrites every mention.
pub(super) fn run(work: &mut Work<'_>) {
    addressed(work);
    named(work);
    built_in(work);
    bare(work);
}

/// "the **reviewer** agent" of the plugin, "the Explore agent".
fn bare(work: &mut Work<'_>) {
    let body = work.body();
    for (at, _) in body.match_indices("agent") {
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
        let stop = end - (marked.len() - bare.len());
        let range = stop - name.len()..stop;
        let around = match work.place(range.start) {
            Place::Block(_) | Place::Link => continue,
            Place::Span(_) if work.with_ticks(range.clone()) == range => continue,
            _ => words::with_stars(body, work.with_ticks(range.clone())),
        };
        let above = &bare[..bare.len() - name.len()];
        let is_part = above.ends_with([':', '/', '@', '$']);
        let agent = if around != range || name.contains('-') {
            work.context.own_agent(name)
        } else if above.ends_with("the ") {
            work.context.built_in(name)
        } else {
            None
        };
        let (Some(agent), Some(noun), false) = (agent, noun(body, end), is_part) else {
            continue;
        };
        let lead = lead_in(body, around.start);
        if lead.verb && !body[noun.clone()].ends_with('s') {
            let said = said(body, &lead, &agent);
            work.replace(lead.start..noun.end, &said);
        } else {
            work.replace(around, &format!("`{}`", agent.role));
        }
    }
}

/// `@agent-plugin:x`.
fn addressed(work: &mut Work<'_>) {
    let body = work.body();
    for (at, mention) in body.match_indices("@agent-") {
        let start = at + mention.len();
        let name = name(body, start);
        let written = &body[name.clone()];
        let is_free = !matches!(work.place(at), Place::Block(_) | Place::Link)
            && !words::before(body, at).is_some_and(words::is_word);
        if written.is_empty() || !is_free {
            continue;
        }
        let Some(agent) = work.context.agent(written) else {
            if written.contains(':') {
                work.find(
                    at,
                    Code::AgentUnknown,
                    format!("no agent `{written}` is known"),
                );
            }
            continue;
        };
        let around = work.with_ticks(at..name.end);
        let mut lead = lead_in(body, around.start);
        let end = noun(body, around.end).map_or(around.end, |noun| noun.end);
        if lead.verb || words::begins_sentence(body, around.start) {
            lead.thing = false;
            let said = said(body, &lead, &agent);
            work.replace(lead.start..end, &said);
        } else {
            work.replace(
                around.start..end,
                &format!("the `{}` agent (spawn it)", agent.role),
            );
        }
    }
}

/// "use the `plugin:x` agent".
fn named(work: &mut Work<'_>) {
    let body = work.body();
    for (colon, _) in body.match_indices(':') {
        let before = words::lead(body, colon, 128);
        let plugin = before
            .rsplit(|c| !words::is_name(c))
            .next()
            .unwrap_or_default();
        let range = colon - plugin.len()..name(body, colon + 1).end;
        if plugin.is_empty()
            || range.end == colon + 1
            || words::before(body, range.start)
                .is_some_and(|c| matches!(c, '/' | '@' | ':' | '$') || words::is_word(c))
        {
            continue;
        }
        let around = match work.place(colon) {
            Place::Block(_) | Place::Link => continue,
            Place::Span(_) if work.with_ticks(range.clone()) == range => continue,
            _ => work.with_ticks(range.clone()),
        };
        if let Some(noun) = noun(body, around.end) {
            one_named(work, range, around, noun);
        }
    }
}

fn one_named(work: &mut Work<'_>, range: Range<usize>, around: Range<usize>, noun: Range<usize>) {
    let body = work.body();
    let written = &body[range.clone()];
    let plugin = written.split(':').next().unwrap_or_default();
    let is_one = !body[noun.clone()].ends_with('s');
    match work.context.agent(written) {
        Some(agent) => {
            let lead = lead_in(body, around.start);
            let verb = &body[lead.start..around.start];
            let spawns = verb.to_ascii_lowercase().starts_with("spawn");
            if lead.verb && !spawns && is_one {
                let said = said(body, &lead, &agent);
                work.replace(lead.start..noun.end, &said);
            } else if agent.role != written {
                work.replace(range, &agent.role);
            }
        }
        None => {
            // Without backticks, `a:b agent` of a plugin that isn't known may be anything.
            let is_code = around != range;
            if is_code || work.context.names.plugins.contains_key(plugin) {
                work.find(
                    range.start,
                    Code::AgentUnknown,
                    format!("no agent `{written}` is known"),
                );
            }
        }
    }
}

/// `general-purpose` in backticks, and `Explore` or `Plan` as an agent.
fn built_in(work: &mut Work<'_>) {
    let body = work.body();
    for index in 0..work.scan.spans.len() {
        let span = work.scan.spans[index].clone();
        let written = &body[span.content.clone()];
        let Some(agent) = work.context.built_in(written) else {
            continue;
        };
        let is_name_only = written.contains('-');
        let noun = noun(body, span.range.end);
        if noun.is_none() && !is_name_only {
            continue;
        }
        let lead = lead_in(body, span.range.start);
        match noun {
            Some(noun) if lead.verb && !body[noun.clone()].ends_with('s') => {
                let said = said(body, &lead, &agent);
                work.replace(lead.start..noun.end, &said);
            }
            _ => {
                work.replace(span.content, &agent.role);
            }
        }
    }
}

/// The name at a place: `plugin:agent`, without the sentence's full stop.
fn name(body: &str, start: usize) -> Range<usize> {
    let run = words::run(body, start, 256, |c| words::is_name(c) || c == ':');
    start..start + body[run].trim_end_matches(['.', ':', '-']).len()
}

/// The word "agent" after a name, with the space before it.
fn noun(body: &str, at: usize) -> Option<Range<usize>> {
    let rest = words::tail(body, at, 16);
    let bare = rest.trim_start_matches('*').strip_prefix(' ')?;
    let start = at + rest.len() - bare.len();
    NOUNS
        .iter()
        .find(|noun| {
            bare.strip_prefix(**noun)
                .is_some_and(|rest| !rest.starts_with(|c: char| words::is_word(c) || c == '-'))
        })
        .map(|noun| at..start + noun.len())
}
