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
    let around = match work.place(word.start) {
        Place::Block(_) | Place::Link => return,
        Place::Span(_) if work.with_ticks(word.clone()) == word => return,
        _ => with_stars(body, work.with_ticks(word)),
    };
    let rest = words::tail(body, around.end, 24);
    let is_tool = rest
        .strip_prefix(" tool")
        .is_some_and(|rest| !rest.starts_with(|c: char| words::is_word(c) || c == '-'));
    if rest.starts_with('(') || tool.ordinary && !is_tool {
        return;
    }
    let Some(phrase) = &tool.words else {
        work.find_first(
            around.start,
            Code::ToolUnavailable,
            format!("there is no counterpart of the tool `{}`", tool.name),
        );
        return;
    };
    let (range, said) = said(body, around, rest, phrase);
    let mut said = said;
    if let Some(explanation) = phrase.explanation
        && said.ends_with(phrase.noun)
        && explained.insert(tool.name)
    {
        said = format!("{said} {explanation}");
    }
    let said = words::capitalized(&said, words::begins_sentence(body, range.start));
    let start = range.start;
    if work.replace(range, &said) {
        work.find_first(
            start,
            Code::ToolReworded,
            format!("the tool `{}` is named in words", tool.name),
        );
    }
}

/// Bold marks that hold only the name go with it.
fn with_stars(body: &str, range: Range<usize>) -> Range<usize> {
    let bold = body[..range.start].ends_with("**") && body[range.end..].starts_with("**");
    if bold {
        range.start - 2..range.end + 2
    } else {
        range
    }
}

/// The words for a tool, and what they take the place of.
fn said(
    body: &str,
    around: Range<usize>,
    rest: &str,
    phrase: &ToolPhrase,
) -> (Range<usize>, String) {
    let lead = words::lead(body, around.start, 16);
    let determiner = lead.strip_suffix(' ').map(|lead| {
        lead.rsplit(|c: char| !c.is_alphabetic())
            .next()
            .unwrap_or_default()
    });
    if let Some((suffix, many)) = CALLS.iter().find(|(suffix, _)| {
        rest.strip_prefix(*suffix)
            .is_some_and(|rest| !rest.starts_with(words::is_word))
    }) {
        let end = around.end + suffix.len();
        let said = if *many {
            phrase.plural
        } else {
            phrase.singular
        };
        return with_article(around.start..end, said, determiner);
    }
    let end = match rest.strip_prefix(" tool") {
        Some(rest) if !rest.starts_with(words::is_word) => around.end + " tool".len(),
        Some(rest) if rest.starts_with("s") => around.end,
        _ => around.end,
    };
    match determiner {
        // "the X tool" is the noun, whose own article takes the place of the other.
        Some(the @ ("the" | "The")) => (around.start - the.len() - 1..end, phrase.noun.to_owned()),
        Some(word) if DETERMINERS.contains(&word.to_ascii_lowercase().as_str()) => {
            with_article(around.start..end, phrase.singular, determiner)
        }
        _ => (around.start..end, phrase.noun.to_owned()),
    }
}

/// "an AskUserQuestion" is "a question".
fn with_article(
    range: Range<usize>,
    said: &str,
    determiner: Option<&str>,
) -> (Range<usize>, String) {
    let vowel = said.starts_with(['a', 'e', 'i', 'o']);
    match determiner {
        Some("an") if !vowel => (range.start - 3..range.end, format!("a {said}")),
        Some("a") if vowel => (range.start - 2..range.end, format!("an {said}")),
        _ => (range, said.to_owned()),
    }
}
