//! Which files of the plugin a text has the model read: they are texts, too.

use super::draft::TextDraft;
use super::links::decoded;
use super::variables::variable_at;
use super::words;
use crate::paths::{folder_of, join};

/// Endings of files that are texts for a model.
const TEXTS: [&str; 3] = [".md", ".mdx", ".txt"];

/// Whether a file is a text for a model.
pub(super) fn is_text(path: &str) -> bool {
    TEXTS.iter().any(|ending| path.ends_with(ending))
}

/// Collects the files that are named in any way: by a link, a path in backticks, a variable.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for ending in TEXTS {
        for at in words::each(body, ending) {
            let end = at + ending.len();
            if words::after(body, end).is_some_and(words::is_word) {
                continue;
            }
            let lead = words::lead(body, end, 300);
            let start = lead
                .rfind(|c: char| {
                    !(c.is_alphanumeric()
                        || matches!(c, '/' | '.' | '_' | '-' | '%' | '~' | '$' | '{' | '}' | '+'))
                })
                .map_or(0, |found| {
                    found + lead[found..].chars().next().map_or(1, char::len_utf8)
                });
            let written = lead[start..].trim_start_matches(['.', '/']).len();
            let dots = lead.len() - start - written;
            let start = end - written - if dots > 1 { dots } else { 0 };
            if let Some(path) = file(draft, start, &body[start..end]) {
                draft.reads.insert(path);
            }
        }
    }
    draft.reads.remove(draft.text.file);
}

/// The plugin's file that a path means: from the text's folder, its skill's, or the plugin's.
fn file(draft: &TextDraft<'_>, start: usize, written: &str) -> Option<String> {
    let tree = &draft.context.source.tree;
    let is_file = |path: &String| tree.get(path).is_some();
    if written.starts_with('$') {
        let variable = variable_at(draft.body(), start)?;
        let folder = match variable.name {
            "CLAUDE_PLUGIN_ROOT" => "",
            "CLAUDE_SKILL_DIR" => draft.skill_folder(),
            _ => return None,
        };
        let rest = written.get(variable.range.len()..)?;
        return join(folder, rest).filter(is_file);
    }
    let path = decoded(written);
    let here = folder_of(draft.text.file);
    [here, draft.skill_folder()]
        .into_iter()
        .chain(path.contains('/').then_some(""))
        .filter_map(|folder| join(folder, &path))
        .find(is_file)
}
