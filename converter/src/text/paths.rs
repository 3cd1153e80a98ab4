//! Paths in backticks: written anew where the text or what it names has moved, or where a path is seen from
//! the plugin's root, which a reader of a skill is not told. In plain words, only those that would lead nowhere now.

use super::draft::TextDraft;
use super::file_names::is_in_every_project;
use super::links::decoded;
use super::reads::is_text;
use super::scan::Markup;
use crate::discovery::{ancestors, skill_file};
use crate::paths::{folder_of, join, relative};

/// Folders whose names say that they are a plugin's.
const PARTS: [&str; 3] = ["skills/", "commands/", "agents/"];

/// What follows a path that is named in words.
const IN_WORDS: &str = " in the folder of the plugin";

/// Rewrites the paths.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    between_backticks(draft);
    plain(draft);
}

/// Paths that stand between spaces.
fn plain(draft: &mut TextDraft<'_>) {
    let mut at = 0;
    for word in draft.body().split_inclusive(char::is_whitespace) {
        let bare = word.trim_start_matches(['(', '"', '\'', '*']);
        let start = at + word.len() - bare.len();
        at += word.len();
        let is_end = |c: char| c.is_whitespace() || ".,;:!?)\"'*".contains(c);
        let path = bare.trim_end_matches(is_end);
        if !path.contains('/') || draft.place(start) != Markup::Prose {
            continue;
        }
        let leads_nowhere = |source: &String| {
            draft.bundle_path(source) != *source || draft.resolve(path).as_ref() == Some(source)
        };
        if let Some(source) = named(draft, path).filter(leads_nowhere) {
            let located = draft.locate(start, &source);
            let said = located.words.unwrap_or(located.code);
            draft.replace(start..start + path.len(), &said);
        }
    }
}

/// Paths that are all there is between two backticks.
fn between_backticks(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for span in &draft.scan.spans {
        let range = span.content.clone();
        let Some(source) = named(draft, &body[range.clone()]) else {
            continue;
        };
        let located = draft.locate(range.start, &source);
        if let Some(words) = located.words {
            // The words name the path as it was: they are not put there twice.
            if !body[span.range.end..].starts_with(IN_WORDS) {
                draft.replace(span.range.clone(), &words);
            }
            continue;
        }
        let mut code = located.code;
        if body[range.clone()].ends_with('/') {
            code.push('/');
        }
        draft.replace(range, &code);
    }
}

/// What of the plugin a path names, if it has to be written anew.
fn named(draft: &TextDraft<'_>, written: &str) -> Option<String> {
    // `..` alone speaks of folders in general.
    let names_one = written
        .split('/')
        .any(|part| !matches!(part, "" | "." | ".."));
    let is_path = names_one
        && !written.contains(|c: char| c.is_whitespace() || "$<>{}*[]|:,;()\"'`".contains(c))
        && !written.starts_with(['/', '~', '-', '@', '#'])
        && (written.contains('/') || is_text(written) && !is_in_every_project(written));
    if !is_path {
        return None;
    }
    let path = decoded(written);
    let tree = &draft.context.source.tree;
    let is_there =
        |path: &String| tree.get(path).is_some() || written.ends_with('/') && tree.has_folder(path);
    if let Some(source) = draft.resolve(&path).filter(is_there) {
        let before = relative(folder_of(draft.text.file), &source);
        let after = relative(
            folder_of(draft.text.bundle_file),
            &draft.bundle_path(&source),
        );
        return (before != after).then_some(source);
    }
    join("", &path)
        .filter(|source| path.contains('/') && tree.get(source).is_some())
        .filter(|source| is_part(draft, source))
}

/// Whether a file can only be the plugin's: others may as well be of the user's project.
fn is_part(draft: &TextDraft<'_>, source: &str) -> bool {
    let tree = &draft.context.source.tree;
    PARTS.iter().any(|folder| source.starts_with(folder))
        || ancestors(source)
            .filter(|folder| !folder.is_empty())
            .any(|folder| tree.get(&skill_file(folder)).is_some())
}
