//! How a sentence asks for an agent: "spawn the `plugin:x` agent" in place of "launch a `Task(…)` call".

use super::agent_names::Agent;
use super::words;

/// Words for spawning an agent; the text says "spawn" in their place.
const VERBS: &[&str] = &[
    "ask", "call", "create", "dispatch", "execute", "invoke", "launch", "run", "spawn", "start",
    "use",
];

/// What stands before a call: it becomes part of the new words.
pub(super) struct Lead {
    /// Where the new words begin.
    pub(super) start: usize,
    /// Whether a verb is replaced.
    pub(super) verb: bool,
    /// Whether it is "a" or "via": the agent is a thing, not an order.
    pub(super) thing: bool,
}

/// Looks at the words before a place: "Launch a ", "via ".
pub(super) fn lead_in(body: &str, at: usize) -> Lead {
    let lead = words::lead(body, at, 32);
    let line = lead.rsplit('\n').next().unwrap_or(lead);
    let none = Lead {
        start: at,
        verb: false,
        thing: false,
    };
    let Some(rest) = line.strip_suffix(' ') else {
        return none;
    };
    let last_word = |text: &str| -> String {
        text.rsplit(|c: char| !c.is_alphabetic())
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let word = last_word(rest);
    let is_verb = |word: &str| VERBS.contains(&word.to_ascii_lowercase().as_str());
    if is_verb(&word) {
        return Lead {
            start: at - 1 - word.len(),
            verb: true,
            thing: false,
        };
    }
    if !matches!(
        word.to_ascii_lowercase().as_str(),
        "a" | "an" | "the" | "one" | "via" | "using" | "with" | "by"
    ) {
        return none;
    }
    let before = &rest[..rest.len() - word.len()];
    if let Some(before) = before.strip_suffix(' ') {
        let verb = last_word(before);
        if is_verb(&verb) {
            return Lead {
                start: at - 2 - word.len() - verb.len(),
                verb: true,
                thing: false,
            };
        }
    }
    Lead {
        start: if matches!(word.as_str(), "a" | "an" | "the" | "A" | "An" | "The") {
            at - 1 - word.len()
        } else {
            at
        },
        verb: false,
        thing: true,
    }
}

/// The words for an agent after what stands before it.
pub(super) fn said(body: &str, lead: &Lead, agent: &Agent) -> String {
    let said = if lead.thing {
        format!("a spawned {}", agent.noun())
    } else {
        agent.spawn()
    };
    // What is replaced is written as its author wrote it.
    let capital = if lead.verb || lead.thing {
        words::after(body, lead.start).is_some_and(char::is_uppercase)
    } else {
        words::begins_sentence(body, lead.start)
    };
    words::capitalized(&said, capital)
}
