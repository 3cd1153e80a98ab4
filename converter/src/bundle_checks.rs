//! What a bundle has to be before anyone gets it: the target's own rules, and links that lead somewhere.

use std::collections::{BTreeMap, BTreeSet};

use codex_loadout_bundle::Tree;

use crate::context::Context;
use crate::convert::Texts;
use crate::naming::Naming;
use crate::paths::{file_name, folder_of};
use crate::report::{Code, Finding, Location};

mod links;

/// Why the bundle can't be used, and what of its links is worth a note.
pub(crate) fn check(
    bundle: &Tree,
    supports: &Texts,
    naming: &Naming<'_>,
    context: &Context<'_>,
) -> Vec<Finding> {
    let mut failures = skills(bundle, naming, context);
    failures.extend(links::check(bundle, &texts(supports, naming), context));
    failures
}

/// A text of the bundle, by the file it was made from.
pub(crate) struct ConvertedFile<'a> {
    pub(crate) source_file: &'a str,
    pub(crate) bundle_file: &'a str,
}

fn texts<'a>(supports: &'a Texts, naming: &'a Naming<'_>) -> Vec<ConvertedFile<'a>> {
    let skills = naming.skills.iter().map(|skill| ConvertedFile {
        source_file: &skill.file,
        bundle_file: &skill.bundle_file,
    });
    let commands = naming.commands.iter().map(|command| ConvertedFile {
        source_file: command.file,
        bundle_file: &command.bundle_file,
    });
    let supports = supports.iter().map(|(file, support)| ConvertedFile {
        source_file: file,
        bundle_file: &support.bundle_file,
    });
    skills.chain(commands).chain(supports).collect()
}

/// Each `SKILL.md` that would be found is one of ours, lies where it is found, is named as its folder, and would be loaded.
fn skills(bundle: &Tree, naming: &Naming<'_>, context: &Context<'_>) -> Vec<Finding> {
    let target = context.target;
    let skills = naming
        .skills
        .iter()
        .map(|skill| (&skill.bundle_file, (&skill.name, skill.file.as_str())));
    let commands = naming
        .commands
        .iter()
        .map(|command| (&command.bundle_file, (&command.name, command.file)));
    let is_command = |path: &str| {
        target
            .commands()
            .is_some_and(|commands| commands.is_file(path))
    };
    let expected: BTreeMap<&String, (&String, &str)> = skills
        .chain(commands)
        .filter(|(path, _)| !is_command(path))
        .collect();
    let mut found = BTreeSet::new();
    let mut failures = Vec::new();
    for (path, file) in bundle.iter() {
        if !target.finds_skill(path) {
            continue;
        }
        found.insert(path);
        let Some((name, source)) = expected.get(&path.to_owned()) else {
            failures.push(rejected(
                path,
                "it is no skill of the plugin, and would be loaded as one",
            ));
            continue;
        };
        let folder = file_name(folder_of(path));
        if !is_folder_of(folder, &target.skill_folder(name)) {
            failures.push(Finding::new(
                Code::FolderNameDiffers,
                Location::new(*source, 1),
                format!("the folder `{folder}` is not named as the skill `{name}`"),
            ));
        }
        if path.split('/').count() > target.skill_depth() {
            failures.push(rejected(source, "it lies too deep to be found"));
        }
        let text = std::str::from_utf8(&file.bytes).unwrap_or_default();
        for problem in target.check_skill(&context.plugin.name, name, text) {
            failures.push(rejected(source, &problem));
        }
    }
    for (path, (name, source)) in expected {
        if !found.contains(path.as_str()) {
            failures.push(rejected(
                source,
                &format!("the skill `{name}` would not be found at `{path}`"),
            ));
        }
    }
    failures
}

/// Whether a folder is named as a skill is, or with a number behind that.
fn is_folder_of(folder: &str, plain: &str) -> bool {
    folder.strip_prefix(plain).is_some_and(|rest| {
        let number = rest.strip_prefix('-').unwrap_or_default();
        rest.is_empty() || !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

fn rejected(file: &str, problem: &str) -> Finding {
    Finding::new(Code::SkillRejected, Location::new(file, 1), problem)
}

#[cfg(test)]
mod tests {
    use codex_loadout_bundle::TreeFile;

    use super::*;
    use crate::discovery::discover;
    use crate::discovery::tests::tree;
    use crate::names::Names;
    use crate::options::Options;
    use crate::source::Source;
    use crate::target::{Codex, Layout as _};

    #[test]
    fn what_codex_would_not_load_as_said_is_refused() {
        let source = Source {
            tree: tree(&[("skills/a/SKILL.md", "---\nname: a\ndescription: d\n---\n")]),
            folder: "p".to_owned(),
            ..Source::default()
        };
        let plugin = discover(&source, Codex.manifest_file()).unwrap().plugin;
        let options = Options::default();
        let naming = crate::naming::name(&source, &plugin, &options, &Codex);
        let context = Context {
            source: &source,
            plugin: &plugin,
            options: &options,
            target: &Codex,
            names: &Names::default(),
            moved: &BTreeMap::new(),
        };
        let good = "---\nname: a\ndescription: d\n---\n";
        for (files, expected) in [
            (vec![("skills/a/SKILL.md", good)], vec![]),
            (
                vec![("skills/a/SKILL.md", good), (".x/SKILL.md", "")],
                vec![],
            ),
            (vec![], vec!["would not be found"]),
            (
                vec![("skills/a/SKILL.md", "no header")],
                vec!["does not begin"],
            ),
            (
                vec![("skills/a/SKILL.md", good), ("docs/SKILL.md", good)],
                vec!["no skill of the plugin"],
            ),
        ] {
            let failures = skills(&tree(&files), &naming, &context);
            assert_eq!(failures.len(), expected.len(), "{failures:?}");
            for (failure, expected) in failures.iter().zip(expected) {
                assert!(failure.message.contains(expected), "{failure:?}");
            }
        }
        let mut elsewhere = naming;
        "skills/b/SKILL.md".clone_into(&mut elsewhere.skills[0].bundle_file);
        let mut bundle = Tree::default();
        bundle.insert("skills/b/SKILL.md", TreeFile::plain(good));
        let failures = skills(&bundle, &elsewhere, &context);
        assert_eq!(failures[0].code, Code::FolderNameDiffers);
    }
}
