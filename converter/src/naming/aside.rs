//! Files called `SKILL.md` that are no skills of the plugin: Codex would load each of them, so they get another name.

use std::collections::BTreeSet;

use super::Namer;
use crate::context::relocated;
use crate::discovery::{SKILL_FILE, is_hidden};
use crate::paths::{file_name, folder_of};
use crate::report::{Code, Finding, Location};

/// What they are called instead.
const ASIDE: &str = "SKILL.not-loaded.md";

impl Namer<'_, '_> {
    pub(super) fn set_aside(&mut self) {
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
            .filter(|path| file_name(path) == SKILL_FILE && !is_hidden(path))
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

fn in_folder(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
