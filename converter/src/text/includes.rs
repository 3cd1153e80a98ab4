//! `@path`: Claude puts the file's text in its place; here the model is told to read the file.

use std::ops::Range;

use super::arguments;
use super::draft::TextDraft;
use super::file_names::{
    PathKind, is_in_every_project, is_package, kind, looks_like_file, without_text_after,
};
use super::reads::is_text;
use super::scan::Markup;
use super::variables::variable_at;
use super::words;
use super::{Role, Text, convert};
use crate::naming;
use crate::paths::{folder_of, join};
use crate::report::Code;
use crate::target::Expansions;

/// What an include leads to.
enum Target {
    /// This file of the plugin.
    Plugin(String),
    /// A file of the user's project, or the user's own.
    Project(String),
    /// The file that an argument names.
    Argument(String),
    /// A pattern of files in the plugin's folders.
    Pattern,
    /// It can only be a file of the plugin, but there is none.
    Missing,
    /// The same between backticks, where it may be an example of the notation.
    MaybeMissing,
    /// A folder of the user's project, or a scope of packages.
    MayBeFolder,
}

/// Replaces all includes.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for at in words::each(body, "@") {
        let place = draft.place(at);
        if matches!(place, Markup::Block(_) | Markup::Link) || !may_begin(body, at) {
            continue;
        }
        let written = IncludePath::at(body, at + 1);
        let Some(target) = target(draft, at, &written, place) else {
            continue;
        };
        let range = at..written.end;
        match target {
            Target::Plugin(path) => plugin_file(draft, range, &path, &body[written.part]),
            Target::Project(path) => {
                let part = &body[written.part];
                if let Some(include) = expanded(draft, &path, part) {
                    let around = draft.with_ticks(range);
                    draft.replace(around, &include);
                    continue;
                }
                let named = draft.as_code(&range, &format!("{path}{part}"));
                let is_of_user = path.starts_with(['~', '/']);
                if body[written.path.clone()] == *path
                    && !path.contains('/')
                    && is_text(&path)
                    && !is_in_every_project(&path)
                {
                    let message = format!(
                        "`{path}` is taken for a file of the user's project: the plugin has none of that name"
                    );
                    draft.find_first(at, Code::IncludeOfProject, message);
                }
                put(
                    draft,
                    range,
                    &named,
                    if is_of_user { "" } else { " of the project" },
                );
            }
            Target::Argument(argument) => {
                put(draft, range, &format!("the file named by {argument}"), "");
            }
            Target::Pattern => pattern(draft, at, written.path),
            Target::MaybeMissing => {
                let message = format!("`{}` leads to no file of the plugin", &body[range]);
                draft.find(at, Code::DanglingLink, message);
            }
            Target::MayBeFolder => {
                let written = &body[range];
                let message = format!("`{written}` is left as it is: it may be a folder");
                draft.find(at, Code::ClaudeSpecificText, message);
            }
            Target::Missing => {
                let written = &body[range.clone()];
                let message = format!("`{written}` leads to no file of the plugin");
                draft.find(at, Code::IncludeUnresolved, message);
                // It is said once: no other pass looks at it.
                draft.replace(range, written);
            }
        }
    }
}

/// A file of the project as the platform puts it in by itself, if it does: a whole one, by a path from the project.
fn expanded(draft: &TextDraft<'_>, path: &str, part: &str) -> Option<String> {
    let expansions = draft.expansions()?;
    let is_inside = part.is_empty() && !path.starts_with(['~', '/']) && !path.contains("..");
    Expansions::around(expansions.include, path).filter(|_| is_inside)
}

/// The text of a file of the plugin, converted for a command that has it as a whole: the platform reads no file there.
fn whole_text(draft: &TextDraft<'_>, path: &str) -> Option<String> {
    draft.expansions()?;
    let file = draft.context.source.tree.get(path)?;
    let body = naming::text(&file.bytes).ok().filter(|_| is_text(path))?;
    let text = Text {
        body,
        file: path,
        first_line: 1,
        bundle_file: draft.text.bundle_file,
        role: Role::Support,
    };
    Some(convert(text, draft.context).body.trim_end().to_owned())
}

/// Whether an `@` at this place can begin an include.
fn may_begin(body: &str, at: usize) -> bool {
    words::before(body, at).is_none_or(|c| {
        c.is_whitespace()
            || matches!(
                c,
                '`' | '(' | '[' | '"' | '\'' | '*' | '_' | '~' | ':' | ';' | '|' | '>' | '{'
            )
            || !c.is_ascii() && !words::is_word(c)
    })
}

/// What stands after an `@`.
struct IncludePath {
    /// The path.
    path: Range<usize>,
    /// What part of the file is meant: `#L10-20`, `:10-20`, or nothing.
    part: Range<usize>,
    /// Where all of it ends.
    end: usize,
}

impl IncludePath {
    fn at(body: &str, start: usize) -> Self {
        if let Some(path) = quoted(body, start) {
            return Self {
                part: path.end..path.end,
                end: path.end + 1,
                path,
            };
        }
        let token = token(body, start);
        // A variable's default may hold one.
        let from = variable_at(body, start).map_or(start, |variable| variable.range.end);
        let path = match body[from.min(token.end)..token.end].find('#') {
            Some(length) => start..from + length,
            None => token.clone(),
        };
        let end = lines(body, token.end).unwrap_or(token.end);
        Self {
            part: path.end..end,
            end,
            path,
        }
    }
}

/// The path in `@"two words.md"`.
fn quoted(body: &str, start: usize) -> Option<Range<usize>> {
    let inside = words::tail(body, start, 512).strip_prefix('"')?;
    let length = inside.find(['"', '\n'])?;
    let is_closed = inside[length..].starts_with('"') && length > 0;
    is_closed.then(|| start + 1..start + 1 + length)
}

/// Where `:10-20` after a path ends.
fn lines(body: &str, at: usize) -> Option<usize> {
    let digits = |at: usize| words::run(body, at, 9, |c| c.is_ascii_digit());
    let first = digits(at + body[at..].strip_prefix(':').map(|_| 1)?);
    if first.is_empty() {
        return None;
    }
    let end = match words::after(body, first.end) {
        Some('-') => digits(first.end + 1).end,
        _ => first.end,
    };
    (!words::after(body, end).is_some_and(words::is_word)).then_some(end)
}

/// The path after the `@`, without the punctuation of the sentence.
fn token(body: &str, start: usize) -> Range<usize> {
    let mut end = start;
    let mut after_variables = start;
    loop {
        end = words::run(body, end, 512, |c| {
            c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '~' | '+' | '@' | '#')
        })
        .end;
        if let Some(past) = bracketed(body, start, end) {
            end = past;
            continue;
        }
        match variable_at(body, end).filter(|_| words::after(body, end) == Some('$')) {
            Some(variable) if variable.range.end - start < 1024 => {
                end = variable.range.end;
                after_variables = end;
            }
            _ => break,
        }
    }
    if end == start && words::after(body, start) == Some('$') {
        let name = words::run(body, start + 1, 64, words::is_word);
        end = if name.is_empty() { start } else { name.end };
    }
    // Of a variable, nothing is cut off.
    let mut path = without_text_after(&body[after_variables..end]);
    // The marks of `_@x.md_` and `~~@x.md~~` are none of it.
    if let Some(mark @ ('_' | '~')) = words::before(body, start - 1) {
        path = path.trim_end_matches(mark);
    }
    start..after_variables + path.trim_end_matches(['.', '-', '@', '#']).len()
}

/// The end of a part of a path in brackets, which name the variable parts of a web site's addresses: `[id]`, `[...all]`,
/// `(group)`.
fn bracketed(body: &str, start: usize, at: usize) -> Option<usize> {
    let rest = words::tail(body, at, 80);
    let opening = rest.len() - rest.trim_start_matches(['[', '(']).len();
    let inside = &rest[opening..];
    let name = words::run(inside, 0, 64, |c| {
        c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
    });
    let after = &inside[name.end..];
    let closing = after.len() - after.trim_start_matches([']', ')']).len();
    let is_part = at > start
        && body[..at].ends_with('/')
        && (1..=2).contains(&opening)
        && closing == opening
        && !name.is_empty()
        && after[closing..].starts_with(['/', '.']);
    is_part.then_some(at + opening + name.end + closing)
}

/// What an include leads to; `None` if it isn't one.
fn target(
    draft: &mut TextDraft<'_>,
    at: usize,
    whole: &IncludePath,
    place: Markup,
) -> Option<Target> {
    let body = draft.body();
    let token = whole.path.clone();
    let written = &body[token.clone()];
    // `docs/...` and `../` speak of paths in general.
    let is_general = written.split('/').all(|part| matches!(part, "" | ".."))
        || written.ends_with('/')
            && body[whole.end..].starts_with(['.', '…'])
            && !is_sentence_end(body, whole.end);
    if written.is_empty() || is_general {
        return None;
    }
    let goes_on = goes_on(body, at, whole.end);
    if written.starts_with('$') && variable_at(body, token.start).is_none() {
        if goes_on || place != Markup::Prose {
            return None;
        }
        return arguments::named_at(draft, token.start).map(Target::Argument);
    }
    let in_span = match place {
        Markup::Span(index) => {
            // Only a path alone, or at the beginning of the span, is an include.
            if draft.scan.spans[index].content.start != at {
                return None;
            }
            true
        }
        _ => false,
    };
    if let Some(variable) = variable_at(body, token.start) {
        if variable.range.end > token.end {
            return None;
        }
        let rest = &body[variable.range.end..token.end];
        let folder = match variable.name {
            "CLAUDE_PLUGIN_ROOT" => "",
            "CLAUDE_SKILL_DIR" => draft.skill_folder(),
            "CLAUDE_PROJECT_DIR" => {
                return Some(Target::Project(rest.trim_start_matches('/').to_owned()));
            }
            _ => return None,
        };
        let path = join(folder, rest);
        return surely_plugin(draft, path, rest, goes_on, in_span);
    }
    if written.starts_with("../") {
        let path = draft.resolve(written);
        return surely_plugin(draft, path, written, goes_on, in_span);
    }
    if goes_on {
        return None;
    }
    if let Some(path) = beside(draft, written) {
        return Some(Target::Plugin(path));
    }
    if !in_span && is_surely_beside(draft, written) {
        return Some(Target::Missing);
    }
    if is_package(written) {
        return None;
    }
    match kind(written) {
        _ if in_span => None,
        PathKind::Project => Some(Target::Project(
            match written.trim_start_matches("./") {
                "" => "./",
                path => path,
            }
            .to_owned(),
        )),
        PathKind::MayBeFolder => Some(Target::MayBeFolder),
        PathKind::None => None,
    }
}

/// What can only be meant as a file of the plugin. What goes on as `{name}.md` or `*.md` names a part of a folder.
fn surely_plugin(
    draft: &TextDraft<'_>,
    path: Option<String>,
    written: &str,
    goes_on: bool,
    in_span: bool,
) -> Option<Target> {
    let path = if goes_on && !written.ends_with('/') {
        path.map(|path| folder_of(&path).to_owned())
    } else {
        path
    };
    let is_example = in_span && (written.contains("path/to") || written.contains("..."));
    match path.filter(|path| draft.exists(path)) {
        Some(_) if goes_on => Some(Target::Pattern),
        Some(path) => Some(Target::Plugin(path)),
        None if is_example => None,
        None if in_span => Some(Target::MaybeMissing),
        None => Some(Target::Missing),
    }
}

/// Whether a full stop at a place ends a sentence.
fn is_sentence_end(body: &str, at: usize) -> bool {
    let rest = words::tail(body, at, 4);
    rest.strip_prefix('.')
        .is_some_and(|rest| !rest.starts_with(['.', '…']))
}

/// Whether what follows the path after an `@` belongs to it, so that it is not the path of a file yet.
fn goes_on(body: &str, at: usize, end: usize) -> bool {
    let mut rest = body[end..].chars();
    match rest.next() {
        Some('(' | '{' | '<' | '[' | '$') => true,
        // `docs/*`, `src/**/*.ts`; in `*@docs/*` it ends what is emphasized.
        Some('*') => {
            let next = rest.find(|c| *c != '*');
            next.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '/'))
                || body[..end].ends_with('/') && words::before(body, at) != Some('*')
        }
        Some(':') => rest.next().is_some_and(|c| !c.is_whitespace() && c != '*'),
        _ => false,
    }
}

/// A file or `folder/` beside the text, in its skill's folder, or – if it is in a folder there – in the plugin's root.
fn beside(draft: &TextDraft<'_>, written: &str) -> Option<String> {
    let tree = &draft.context.source.tree;
    let here = folder_of(draft.text.file);
    let roots = [
        Some(here),
        Some(draft.skill_folder()),
        written.contains('/').then_some(""),
    ];
    // A command's own folder holds other commands, not what they include.
    let in_prompt_folder = matches!(draft.text.role, Role::Command { .. } | Role::Agent);
    roots
        .into_iter()
        .flatten()
        .filter(|root| {
            !in_prompt_folder || written.contains('/') || root.is_empty() && !here.is_empty()
        })
        .filter_map(|root| join(root, written))
        .find(|path| {
            tree.get(path).is_some() && path != draft.text.file
                || may_be_folder(written) && tree.has_folder(path)
        })
}

/// Whether a path can be that of a folder of the plugin; `./` is the user's project, and a word alone may be anything.
fn may_be_folder(written: &str) -> bool {
    let names_one = written.split('/').any(|part| !matches!(part, "" | "."));
    written.contains('/') && !written.starts_with('/') && names_one
}

/// Whether a path that is not there can only be meant as one beside the skill.
fn is_surely_beside(draft: &TextDraft<'_>, written: &str) -> bool {
    if !matches!(draft.text.role, Role::Skill { .. } | Role::Support) {
        return false;
    }
    let (path, is_here) = match written.strip_prefix("./") {
        Some(rest) => (rest, true),
        None => (written, false),
    };
    let folder = draft.skill_folder();
    let is_there = |inner: &str| {
        let path = join(folder, inner).filter(|_| !folder.is_empty() && !inner.is_empty());
        path.is_some_and(|path| draft.context.source.tree.has_folder(&path))
    };
    looks_like_file(path)
        && match path.split_once('/') {
            Some((first, _)) => is_there(first),
            None => is_here,
        }
}

/// The `@` goes, and the way to the folder is the bundle's.
fn pattern(draft: &mut TextDraft<'_>, at: usize, token: Range<usize>) {
    let body = draft.body();
    let written = &body[token.clone()];
    let end = token.start + written.rfind('/').map_or(0, |slash| slash + 1);
    if written.starts_with('$') {
        // What the variable means is put in its place by its own pass.
        draft.replace(at..token.start, "");
    } else if let Some(folder) = draft.resolve(&body[token.start..end]) {
        let located = draft.locate(at, &folder);
        draft.explain(&located);
        draft.replace(at..end, &format!("{}/", located.code));
    }
}

fn plugin_file(draft: &mut TextDraft<'_>, range: Range<usize>, path: &str, part: &str) {
    if !draft.edits.is_free(range.clone()) {
        return;
    }
    if is_text(path) && path != draft.text.file {
        draft.reads.insert(path.to_owned());
    }
    if part.is_empty()
        && is_alone(draft, &range)
        && let Some(text) = whole_text(draft, path)
    {
        draft.replace(range, &text);
        return;
    }
    let located = draft.locate(range.start, path);
    match &located.words {
        Some(words) => {
            let around = draft.with_ticks(range);
            let words = match part {
                "" => words.clone(),
                part => format!("{words} (`{part}`)"),
            };
            put(draft, around, &words, "");
        }
        None => {
            let named = draft.as_code(&range, &format!("{}{part}", located.code));
            put(draft, range, &named, "");
        }
    }
}

/// Whether a place has its line for itself.
fn is_alone(draft: &TextDraft<'_>, range: &Range<usize>) -> bool {
    let body = draft.body();
    let line = draft.scan.line(range.start);
    let lead = &body[line.start..range.start];
    let rest = &body[range.end..line.end];
    lead.len() <= 40
        && words::is_marker(lead)
        && rest.len() <= 40
        && rest.trim().is_empty()
        && !draft.scan.in_table(range.start)
        && !lead.contains('#')
}

/// Puts a file's name in place: as a sentence if it is alone on its line, else as it is.
fn put(draft: &mut TextDraft<'_>, range: Range<usize>, named: &str, of_what: &str) {
    if is_alone(draft, &range) {
        draft.replace(range, &format!("Read {named}{of_what} now."));
    } else {
        draft.replace(range, named);
    }
}
