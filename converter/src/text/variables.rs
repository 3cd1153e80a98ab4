//! `${CLAUDE_PLUGIN_ROOT}` and its kin: Claude replaces them everywhere in a text, in code too.

use std::ops::Range;

use super::draft::TextDraft;
use super::file_names::without_text_after;
use super::preamble::{DATA_FOLDER, SESSION};
use super::words;
use crate::paths::join;
use crate::report::Code;

/// A variable as it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable<'a> {
    /// All of it: `${NAME:-default}`.
    pub(super) range: Range<usize>,
    /// Its name.
    pub(super) name: &'a str,
}

/// Longest name or default that is looked at.
const LIMIT: usize = 256;

/// The variable that begins at a `$`, if there is one of Claude's.
pub(super) fn variable_at(text: &str, at: usize) -> Option<Variable<'_>> {
    if words::before(text, at) == Some('\\') {
        return None;
    }
    let braced = text[at..].starts_with("${");
    let start = at + if braced { 2 } else { 1 };
    let rest = text.get(start..)?;
    let is_setting = braced && rest.starts_with("user_config.");
    if !is_setting && !rest.starts_with("CLAUDE_") {
        return None;
    }
    let name = words::run(text, start, LIMIT, |c| {
        c.is_ascii_alphanumeric() || c == '_' || (braced && matches!(c, '.' | '-'))
    });
    // In `${NAME-default}` the name ends before the dash; names of settings may have one.
    let name = if text[name.clone()].starts_with("CLAUDE_") {
        words::run(text, start, LIMIT, |c| {
            c.is_ascii_alphanumeric() || c == '_'
        })
    } else {
        name
    };
    let end = if braced {
        closing(text, name.end)?
    } else {
        name.end
    };
    Some(Variable {
        range: at..end,
        name: &text[name],
    })
}

/// The end of `}` or `:-default}`.
fn closing(text: &str, at: usize) -> Option<usize> {
    let rest = words::tail(text, at, LIMIT);
    if rest.starts_with('}') {
        return Some(at + 1);
    }
    if !rest.starts_with(":-") && !rest.starts_with('-') {
        return None;
    }
    let mut depth = 0;
    for (index, c) in rest.char_indices() {
        match c {
            '\n' => return None,
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at + index + 1),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The path that goes on after a variable: `/scripts/x.sh`, without the sentence's full stop.
pub(super) fn path_after(text: &str, at: usize) -> Range<usize> {
    if words::after(text, at) != Some('/') {
        return at..at;
    }
    let run = words::run(text, at, 1024, |c| {
        c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | '~')
    });
    let path = without_text_after(&text[run]);
    at..at + path.trim_end_matches(['.', '-']).len()
}

/// Replaces all variables.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for at in words::each(body, "$") {
        let Some(variable) = variable_at(body, at) else {
            unknown(draft, at);
            continue;
        };
        let folder = match variable.name {
            "CLAUDE_PLUGIN_ROOT" => Some(String::new()),
            "CLAUDE_SKILL_DIR" => Some(draft.skill_folder().to_owned()),
            _ => None,
        };
        match folder {
            Some(folder) => plugin_path(draft, &variable, &folder),
            None => value(draft, &variable),
        }
    }
}

/// Files and folders of the plugin.
fn plugin_path(draft: &mut TextDraft<'_>, variable: &Variable<'_>, folder: &str) {
    let body = draft.body();
    let tail = path_after(body, variable.range.end);
    let mut range = variable.range.start..tail.end;
    // A path that leads out of the plugin stays as it was written after its beginning.
    let Some(path) = join(folder, &body[tail.clone()]) else {
        range.end = variable.range.end;
        let located = draft.locate(range.start, folder);
        draft.replace(range, &located.code);
        return;
    };
    if !draft.edits.is_free(range.clone()) {
        return;
    }
    let around = draft.with_ticks(range.clone());
    let amid_code = around == range && draft.in_code(range.start);
    let located = if amid_code {
        draft.locate_in_code(range.start, &path)
    } else {
        draft.locate(range.start, &path)
    };
    let slash = if body[tail.clone()].len() > 1 && body[tail.clone()].ends_with('/') {
        "/"
    } else {
        ""
    };
    let goes_on = words::after(body, range.end).is_some_and(|c| matches!(c, '*' | '{' | '<' | '$'));
    if !tail.is_empty() && !goes_on && !draft.exists(&path) {
        draft.find(
            range.start,
            Code::DanglingLink,
            format!("the plugin has no `{path}`"),
        );
    }
    match &located.words {
        Some(words) if around != range || !amid_code && !goes_on => {
            draft.replace(around, words);
        }
        _ => {
            draft.explain(&located);
            let code = if amid_code && !is_quoted(draft, &range) {
                located.quoted(slash)
            } else {
                format!("{}{slash}", located.code)
            };
            draft.replace(range, &code);
        }
    }
}

/// Whether a piece of code stands in quotes, or right beside them.
fn is_quoted(draft: &TextDraft<'_>, range: &Range<usize>) -> bool {
    let body = draft.body();
    let is_quote = |c: char| matches!(c, '"' | '\'');
    let line = draft.scan.line(range.start);
    let lead = words::lead(body, range.start, (range.start - line.start).min(1024));
    let mut open = None;
    for c in lead.chars().filter(|c| is_quote(*c)) {
        open = match open {
            None => Some(c),
            Some(quote) if quote == c => None,
            Some(quote) => Some(quote),
        };
    }
    open.is_some()
        || words::before(body, range.start).is_some_and(is_quote)
        || words::after(body, range.end).is_some_and(is_quote)
}

/// Everything else that has a value or can be said in words.
fn value(draft: &mut TextDraft<'_>, variable: &Variable<'_>) {
    let body = draft.body();
    let range = variable.range.clone();
    if !draft.edits.is_free(range.clone()) {
        return;
    }
    let around = draft.with_ticks(range.clone());
    let alone = !matches!(words::after(body, range.end), Some('/'));
    let in_words = alone && (around != range || !draft.in_code(range.start));
    match variable.name {
        "CLAUDE_PROJECT_DIR" if in_words => {
            draft.replace(around, "the root folder of the user's project");
        }
        "CLAUDE_PROJECT_DIR" => {
            draft.notes.project_root = true;
            draft.replace(range, ".");
        }
        "CLAUDE_PLUGIN_DATA" => match draft.context.options.data_folder.clone() {
            Some(folder) => {
                draft.find(
                    range.start,
                    Code::DataDirNotWritable,
                    "the plugin's data folder may be outside of what a thread can write to",
                );
                draft.replace(range, &folder);
            }
            None => {
                unresolved(draft, range.start, variable.name);
                draft.notes.data_folder = true;
                draft.replace(range, DATA_FOLDER);
            }
        },
        "CLAUDE_SESSION_ID" => {
            unresolved(draft, range.start, variable.name);
            draft.notes.session = true;
            draft.replace(range, SESSION);
        }
        "CLAUDE_EFFORT" => {
            unresolved(draft, range.start, variable.name);
            if in_words {
                draft.replace(around, "your reasoning effort");
            } else {
                draft.replace(range, "<reasoning effort>");
            }
        }
        name => match name.strip_prefix("user_config.") {
            Some(key) => {
                unresolved(draft, range.start, name);
                if in_words {
                    draft.replace(around, &format!("the user's setting `{key}`"));
                } else {
                    draft.replace(range, &format!("<the user's setting {key}>"));
                }
            }
            None => unresolved(draft, range.start, name),
        },
    }
}

fn unresolved(draft: &mut TextDraft<'_>, at: usize, name: &str) {
    draft.find(
        at,
        Code::VariableUnresolved,
        format!("`{name}` has no value outside of Claude Code"),
    );
}

/// What looks like one of Claude's variables but isn't one that is known: `${CLAUDE_X%/}`.
fn unknown(draft: &mut TextDraft<'_>, at: usize) {
    let body = draft.body();
    let rest = words::tail(body, at, 16);
    if words::before(body, at) != Some('\\')
        && (rest.starts_with("${CLAUDE_") || rest.starts_with("${user_config."))
    {
        let name = words::run(body, at + 2, LIMIT, |c| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
        });
        unresolved(draft, at, &body[name]);
    }
}
