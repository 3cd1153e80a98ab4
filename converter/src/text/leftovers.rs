//! The last look: nothing that only Claude Code understands is left outside of code without a word about it.

use super::Role;
use super::draft::TextDraft;
use super::edits::Edited;
use super::references;
use super::scan::{Markup, Scan};
use super::words;
use crate::report::Code;

/// Fails what is left alive in the new text.
pub(super) fn run(draft: &mut TextDraft<'_>, edited: &Edited) {
    let text = edited.text.as_str();
    let scan = Scan::of(text);
    for (at, token) in tokens(draft, text, &scan) {
        let origin = edited.origin(at).min(draft.body().len());
        if !draft.is_reported(origin) {
            draft.find(
                origin,
                Code::ClaudeTokenAlive,
                format!("`{token}` is left in the text, and only Claude Code understands it"),
            );
        }
    }
}

fn tokens<'t>(draft: &TextDraft<'_>, text: &'t str, scan: &Scan) -> Vec<(usize, &'t str)> {
    let is_prose = |at: usize| matches!(scan.place(at), Markup::Prose | Markup::Link);
    let is_prompt = !matches!(draft.text.role, Role::Support);
    let mut alive = Vec::new();
    let mut find = |needle: &'static str, is_token: &dyn Fn(usize) -> bool| {
        for at in words::each(text, needle) {
            if is_prose(at) && words::before(text, at) != Some('\\') && is_token(at) {
                alive.push((at, needle));
            }
        }
    };
    find("${CLAUDE_", &|_| true);
    find("$CLAUDE_PLUGIN_ROOT", &|_| true);
    find("${user_config.", &|_| true);
    find("$ARGUMENTS", &|at| {
        is_prompt && !words::after(text, at + "$ARGUMENTS".len()).is_some_and(words::is_word)
    });
    find("@../", &|at| {
        words::before(text, at).is_none_or(|c| !is_path(c))
            && words::after(text, at + 4).is_some_and(|c| c.is_alphanumeric() || c == '.')
    });
    for span in &scan.spans {
        let start = span.range.start;
        if is_prompt
            && words::before(text, start) == Some('!')
            && words::before(text, start - 1).is_none_or(char::is_whitespace)
            && !text[span.content.clone()].trim().is_empty()
        {
            alive.push((start - 1, "!`"));
        }
    }
    for at in words::each(text, "/") {
        // Where a link leads is no call.
        if scan.place(at) == Markup::Prose
            && words::before(text, at).is_none_or(|c| !is_path(c))
            && let Some(call) = known_call(draft, text, at)
        {
            alive.push((at, call));
        }
    }
    alive
}

/// Whether what follows this character is the rest of a path or an address.
fn is_path(c: char) -> bool {
    c != '_' && words::is_word(c) || matches!(c, '/' | '.' | '-' | '\\' | '@' | '$' | '}')
}

/// `/plugin:skill` of a plugin and a skill that are known.
fn known_call<'t>(draft: &TextDraft<'_>, text: &'t str, at: usize) -> Option<&'t str> {
    references::names(text, at).into_iter().find_map(|name| {
        let (plugin, skill) = text[name.clone()].split_once(':')?;
        let known = draft.is_skill(plugin, skill)
            && !words::goes_on(text, name.end)
            && !references::is_family(text, Markup::Prose, name.end);
        let written = &text[at..name.end];
        let own = references::call(draft, plugin, skill).is_some_and(|call| call == written);
        (known && !own).then_some(written)
    })
}
