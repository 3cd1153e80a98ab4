//! Texts beside components: those that a component has the model read, and every Markdown file in a skill's folder.

use std::collections::{BTreeMap, BTreeSet};

use codex_loadout_bundle::TreeFile;

use super::Texts;
use crate::components::Converted;
use crate::context::{Context, relocated};
use crate::discovery::ancestors;
use crate::frontmatter;
use crate::naming::{Naming, Unreadable};
use crate::report::{Code, Finding, Location};
use crate::source::CommandText;
use crate::text::{self, Role, Text};

/// Endings of files that are texts.
const TEXTS: &[&str] = &[".md", ".markdown", ".mdc", ".txt"];

/// So many bytes of texts beside components are converted, together; what is more is data.
const BUDGET: usize = 32 << 20;

/// A text beside a component, converted.
#[derive(Debug)]
pub(crate) struct Support {
    /// Where it lies in the bundle.
    pub(crate) bundle_file: String,
    /// The whole file.
    pub(crate) file: TreeFile,
}

/// Converts each of them once. What is found in a skill's folder is said of that skill.
pub(super) fn convert(
    parts: &mut [Converted],
    warnings: &mut Vec<Finding>,
    naming: &Naming<'_>,
    context: &Context<'_>,
) -> Texts {
    let owners: BTreeMap<&str, usize> = naming
        .skills
        .iter()
        .enumerate()
        .filter(|(_, skill)| !skill.folder.is_empty())
        .map(|(index, skill)| (skill.folder, index))
        .collect();
    let done = consumed(naming);
    let mut waiting: BTreeSet<String> = parts.iter().flat_map(|part| part.reads.clone()).collect();
    for folder in owners.keys() {
        let texts = context.source.tree.under(folder).map(|(path, _)| path);
        waiting.extend(
            texts
                .filter(|path| path.ends_with(".md"))
                .map(str::to_owned),
        );
    }
    let mut texts = Texts::new();
    let mut budget = BUDGET;
    while let Some(path) = waiting.pop_first() {
        let is_text = TEXTS.iter().any(|ending| path.ends_with(ending));
        let Some(file) = context.source.tree.get(&path) else {
            continue;
        };
        if !is_text || done.contains(path.as_str()) || texts.contains_key(&path) {
            continue;
        }
        let size = file.bytes.len();
        let (support, findings, reads) = match crate::naming::text(&file.bytes) {
            Ok(_) if size > budget => {
                let why = format!(
                    "the plugin's texts have more than {} MiB together",
                    BUDGET >> 20
                );
                (
                    None,
                    vec![left(&path, Unreadable::TooLarge(why))],
                    BTreeSet::new(),
                )
            }
            Ok(whole) => support(&path, file, whole, context),
            Err(why) => (None, vec![left(&path, why)], BTreeSet::new()),
        };
        if support.is_some() {
            budget -= size;
        }
        let owner = ancestors(&path).find_map(|folder| owners.get(folder));
        match owner.and_then(|index| parts.get_mut(*index)) {
            Some(part) => part.account.warnings.extend(findings),
            None => warnings.extend(findings),
        }
        waiting.extend(reads.into_iter().filter(|path| !texts.contains_key(path)));
        texts.extend(support.map(|support| (path, support)));
    }
    texts
}

/// Files whose text has become a component's own.
fn consumed<'a>(naming: &'a Naming<'_>) -> BTreeSet<&'a str> {
    let skills = naming.skills.iter().map(|skill| skill.file.as_str());
    let commands = naming
        .commands
        .iter()
        .filter(|command| matches!(command.source.text, CommandText::File(_)))
        .map(|command| command.file);
    skills.chain(commands).collect()
}

/// What is said of a text that is left as it is.
fn left(path: &str, why: Unreadable) -> Finding {
    let (code, line, why) = match why {
        Unreadable::TooLarge(why) => (Code::TextTooLarge, 1, why),
        Unreadable::NotUtf8 { line } => (Code::TextNotUtf8, line, "it is not UTF-8".to_owned()),
    };
    let message = format!("{why}: it was left as it is");
    Finding::new(code, Location::new(path, line), message)
}

fn support(
    path: &str,
    file: &TreeFile,
    whole: &str,
    context: &Context<'_>,
) -> (Option<Support>, Vec<Finding>, BTreeSet<String>) {
    let bundle_file = relocated(context.moved, path);
    let document = frontmatter::read(whole);
    let converted = text::convert(
        Text {
            body: document.body,
            file: path,
            first_line: document.body_line,
            bundle_file: &bundle_file,
            role: Role::Support,
        },
        context,
    );
    let head = whole.strip_suffix(document.body).unwrap_or_default();
    let support = Support {
        bundle_file,
        file: TreeFile {
            bytes: format!("{head}{}", converted.body).into(),
            executable: file.executable,
        },
    };
    (Some(support), converted.findings, converted.reads)
}
