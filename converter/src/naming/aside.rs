//! Files that are no parts of the plugin, and that the target would make some of: each `SKILL.md` it finds is a skill to
//! it, and so may be each text among the commands when it installs a bundle. They get other names.

use std::collections::BTreeSet;

use super::Namer;
use crate::context::relocated;
use crate::discovery::SKILL_FILE;
use crate::paths::{folder_of, in_folder};
use crate::report::{Code, Finding, Location};

/// What a `SKILL.md` is called instead.
const ASIDE: &str = "SKILL.not-loaded.md";

impl Namer<'_, '_> {
    pub(super) fn set_aside(&mut self) {
        self.skill_files();
        self.command_files();
    }

    fn command_files(&mut self) {
        let Some(folder) = self.target.migrated_folder() else {
            return;
        };
        let moved = &self.naming.moved;
        let others: Vec<&str> = self
            .source
            .tree
            .under(folder)
            .map(|(path, _)| path)
            .filter(|path| path.ends_with(".md") && relocated(moved, path) == **path)
            .collect();
        let Some(first) = others.first() else { return };
        let mut aside = format!("{folder}-not-loaded");
        while self.source.tree.has_folder(&aside) {
            aside.push('_');
        }
        self.naming.findings.push(Finding::new(
            Code::CommandFileSetAside,
            Location::new(*first, 1),
            format!(
                "{} of the texts in `{folder}` are no commands of the plugin; they lie in `{aside}`, since each would be made a skill when the bundle is installed",
                others.len()
            ),
        ));
        self.naming.moved.extend(others.iter().map(|path| {
            (
                (*path).to_owned(),
                format!("{aside}{}", &path[folder.len()..]),
            )
        }));
    }

    fn skill_files(&mut self) {
        let skills: BTreeSet<&str> = self
            .naming
            .skills
            .iter()
            .map(|skill| skill.file.as_str())
            .collect();
        let others: Vec<&str> = self
            .source
            .tree
            .iter()
            .map(|(path, _)| path)
            .filter(|path| self.target.finds_skill(path))
            .filter(|path| !skills.contains(path) && !self.naming.moved.contains_key(*path))
            .collect();
        let new_paths: Vec<(String, String)> = others
            .iter()
            .map(|path| {
                let folder = folder_of(&relocated(&self.naming.moved, path)).to_owned();
                let mut name = ASIDE.to_owned();
                while self
                    .source
                    .tree
                    .get(&in_folder(folder_of(path), &name))
                    .is_some()
                {
                    name.insert(0, '_');
                }
                ((*path).to_owned(), in_folder(&folder, &name))
            })
            .collect();
        if let Some(first) = others.first() {
            self.naming.findings.push(Finding::new(
                Code::SkillFileSetAside,
                Location::new(*first, 1),
                format!(
                    "{} of the files called `{SKILL_FILE}` are no skills of the plugin; they are called `{ASIDE}`, since each would be loaded as one",
                    others.len()
                ),
            ));
        }
        self.naming.moved.extend(new_paths);
    }
}
