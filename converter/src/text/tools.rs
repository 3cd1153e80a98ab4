//! Names of Claude's tools in sentences: the platform's words for them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::scan::Place;
use super::words;
use super::work::Work;
use crate::report::Code;
use crate::target::{ToolPhrase, ToolWords};

/// Words before a name that make it a thing counted.
const DETERMINERS: &[&str] = &[
    "a", "an", "any", "each", "every", "first", "next", "no", "one", "per", "second", "separate",
    "single", "that", "this",
];

/// What stands after a tool's name and goes with it.
const CALLS: &[(&str, bool)] = &[
    (" tool calls", true),
    (" tool call", false),
    (" calls", true),
    (" call", false),
];

/// What a tool's name can stand before: "TodoWrite entries".
const NOUNS: &[&str] = &[
    " UI", " answer", " answers", " dialog", " entries", " entry", " item", " items", " list",
    " options", " prompt", " prompts", " results", " step", " todos",
];

/// Words between "a" and a tool's name that don't belong to the name.
const NOT_ADJECTIVES: &[&str] = &[
    "and", "by", "call", "calls", "calling", "from", "in", "invoke", "of", "or", "through", "to",
    "use", "uses", "using", "via", "with",
];

/// Verbs that go with tools only.
const VERBS: &[(&str, &str)] = &[
    ("call", "use"),
    ("called", "used"),
    ("calling", "using"),
    ("calls", "uses"),
    ("fire", "use"),
    ("invoke", "use"),
    ("invokes", "uses"),
    ("invoking", "using"),
];

/// What stands before a name in backticks where the name itself is spoken of: "older texts refer to `TodoWrite`".
/// Of tools "called" by itself says that they are used.
const NAMING: &[&str] = &[
    // What is said of an agent that isn't there; a name of a tool can stand for one.
    "(in place of",
    "also called",
    "are called",
    "function called",
    "is called",
    "known as",
    "mention",
    "mentioned",
    "mentioning",
    "mentions",
    "named",
    "refer to",
    "referred to as",
    "referring to",
    "refers to",
    "said",
    "say",
    "saying",
    "says",
    "so-called",
    "tool called",
    "was called",
    "were called",
];

/// Rewrites the names outside of code; in backticks where they are all of it.
pub(super) fn run(work: &mut Work<'_>) {
    let body = work.body();
    let tools = work.context.target.tools();
    let mut explained = BTreeSet::new();
    let mut at = 0;
    while let Some(found) = body[at..].find(|c: char| c.is_ascii_uppercase()) {
        let start = at + found;
        let word = words::run(body, start, 64, |c| c.is_ascii_alphanumeric() || c == '_');
        at = word.end;
        if words::before(body, start)
            .is_some_and(|c| words::is_word(c) || matches!(c, '-' | '.' | '/' | '$'))
            && words::before(body, start) != Some('/')
        {
            continue;
        }
        let name = &body[word.clone()];
        if let Some(tool) = tools.iter().find(|tool| tool.name == name) {
            one(work, word, tool, &mut explained);
        }
    }
}

fn one(
    work: &mut Work<'_>,
    word: Range<usize>,
    tool: &ToolWords,
    explained: &mut BTreeSet<&'static str>,
) {
    let body = work.body();
    let place = work.place(word.start);
    let rest = words::tail(body, word.end, 24);
    let is_call = rest.starts_with('(') && !rest.starts_with("(s)");
    let begins_span =
        matches!(place, Place::Span(index) if work.scan.spans[index].content.start == word.start);
    let in_prose = place == Place::Prose && !tool.ordinary;
    if is_call && (begins_span || in_prose) {
        if tool.words.is_none() {
            unavailable(work, word.start, tool);
        } else if !tool.ordinary && !is_signature(rest) {
            work.find_first(
                word.start,
                Code::ClaudeSpecificText,
                format!("a call of the tool `{}` is left as it is", tool.name),
            );
        }
    }
    let around = match place {
        Place::Block(_) | Place::Link => return,
        Place::Span(_) if work.with_ticks(word.clone()) == word => return,
        _ => words::with_stars(body, work.with_ticks(word)),
    };
    let rest = words::tail(body, around.end, 24);
    let is_tool = rest
        .strip_prefix(" tool")
        .is_some_and(|rest| !rest.starts_with(|c: char| words::is_word(c) || c == '-'));
    if is_call || tool.ordinary && !is_tool {
        return;
    }
    if place != Place::Prose && is_spoken_of(words::lead(body, around.start, 24)) {
        let message = format!(
            "the name of the tool `{}` is left: the text speaks of it",
            tool.name
        );
        work.find_first(around.start, Code::ClaudeSpecificText, message);
        return;
    }
    let Some(phrase) = &tool.words else {
        return unavailable(work, around.start, tool);
    };
    let name = around.start;
    let Said {
        range,
        mut words,
        is_noun,
    } = said(body, around, rest, phrase);
    if let Some(explanation) = phrase.explanation
        && is_noun
        && explained.insert(tool.name)
    {
        words = format!("{words} {explanation}");
    }
    let capital = if range.start == name {
        words::begins_sentence(body, name)
    } else {
        words::after(body, range.start).is_some_and(char::is_uppercase)
    };
    let said = words::capitalized(&words, capital);
    let start = range.start;
    if work.replace(range, &said) {
        work.find_first(
            start,
            Code::ToolReworded,
            format!("the tool `{}` is named in words", tool.name),
        );
    }
}

/// Whether what stands before a name says that the name is what is meant.
fn is_spoken_of(lead: &str) -> bool {
    let lead = lead.trim_end().to_ascii_lowercase();
    NAMING.iter().any(|naming| {
        let before = lead.strip_suffix(naming);
        before.is_some_and(|before| !before.ends_with(words::is_word))
    })
}

/// `Name()` speaks of the tool; `Name({…})` calls it.
fn is_signature(rest: &str) -> bool {
    rest.starts_with("()")
}

fn unavailable(work: &mut Work<'_>, at: usize, tool: &ToolWords) {
    work.find_first(
        at,
        Code::ToolUnavailable,
        format!("there is no counterpart of the tool `{}`", tool.name),
    );
}

/// The words for a tool.
struct Said {
    /// What they take the place of.
    range: Range<usize>,
    words: String,
    /// Whether they end with the tool as a thing, so that an explanation can follow.
    is_noun: bool,
}

fn said(body: &str, around: Range<usize>, rest: &str, phrase: &ToolPhrase) -> Said {
    let starts = |word: &str| {
        rest.strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(words::is_word))
    };
    let lead = words::lead(body, around.start, 48);
    let mut before = lead
        .strip_suffix(' ')
        .unwrap_or_default()
        .rsplit(|c: char| !c.is_alphabetic() && c != '-');
    let last = before.next().unwrap_or_default();
    let is_determiner = |word: &str| DETERMINERS.contains(&word.to_ascii_lowercase().as_str());
    if let Some((suffix, many)) = CALLS.iter().find(|(suffix, _)| starts(suffix)) {
        let range = around.start..around.end + suffix.len();
        let said = if *many {
            phrase.plural
        } else {
            phrase.singular
        };
        return with_article(range, said, last);
    }
    if NOUNS.iter().any(|noun| starts(noun)) {
        return with_article(around, phrase.singular, last);
    }
    let end = around.end + if starts(" tool") { " tool".len() } else { 0 };
    if matches!(last, "the" | "The") {
        // "the X tool" is the noun, whose own article takes the place of the other.
        let start = around.start - last.len() - 1;
        return noun(start..end, phrase.noun.to_owned());
    }
    let is_adjective = last.starts_with(char::is_lowercase) && !NOT_ADJECTIVES.contains(&last);
    let second = before.next().unwrap_or_default();
    if is_determiner(last) || is_adjective && (is_determiner(second) || second == "the") {
        return with_article(around.start..end, phrase.singular, last);
    }
    // A tool is called; a question is not.
    let verb = VERBS
        .iter()
        .find(|(verb, _)| verb.eq_ignore_ascii_case(last));
    match verb {
        Some((verb, new)) => {
            let start = around.start - verb.len() - 1;
            let new = words::capitalized(new, last.starts_with(char::is_uppercase));
            noun(start..end, format!("{new} {}", phrase.noun))
        }
        None => noun(around.start..end, phrase.noun.to_owned()),
    }
}

fn noun(range: Range<usize>, words: String) -> Said {
    Said {
        range,
        words,
        is_noun: true,
    }
}

/// "an AskUserQuestion" is "a question".
fn with_article(range: Range<usize>, said: &str, determiner: &str) -> Said {
    let vowel = said.starts_with(['a', 'e', 'i', 'o']);
    let (start, words) = match determiner {
        "an" if !vowel => (range.start - 3, format!("a {said}")),
        "a" if vowel => (range.start - 2, format!("an {said}")),
        _ => (range.start, said.to_owned()),
    };
    Said {
        range: start..range.end,
        words,
        is_noun: false,
    }
}
