//! Skills: named by their frontmatter, and lying in the folder of their name.

use std::collections::BTreeSet;

use super::{Claim, NamedSkill, Namer, clean};
use crate::discovery::{ancestors, dropped, skill_file};
use crate::frontmatter;
use crate::names::PluginNames;
use crate::paths::{file_name, folder_of};
use crate::report::{Code, Finding, Kind, Location};

impl Namer<'_, '_> {
    pub(super) fn skills(&mut self) {
        let plugin = self.plugin;
        // Folders that hold another skill: moving them would move that one, too.
        let holders: BTreeSet<&str> = plugin
            .skills
            .iter()
            .flat_map(|skill| ancestors(&skill.folder))
            .collect();
        let mut read = Vec::new();
        for skill in &plugin.skills {
            let file = skill_file(&skill.folder);
            let by_folder = if skill.folder.is_empty() {
                plugin.name.as_str()
            } else {
                file_name(&skill.folder)
            };
            let Some(text) = self.text(Kind::Skill, by_folder, &file) else {
                continue;
            };
            let mut document = frontmatter::read(text);
            if document.header.is_empty() && document.repairs.is_empty() {
                document
                    .repairs
                    .push((1, "it has no frontmatter: one was made".to_owned()));
            }
            let claude_name = document
                .header
                .text("name")
                .map(|name| clean(&name))
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| clean(by_folder));
            read.push((skill, file, document, claude_name));
        }
        // Of two of one name, the one whose folder is called so has it.
        read.sort_by_key(|(skill, .., name)| file_name(&skill.folder) != name);
        for (skill, file, document, claude_name) in read {
            let at = Location::new(&file, document.header.line("name"));
            let mut findings = Vec::new();
            let name = self.alias(&claude_name, at.clone(), &mut findings);
            let title = self.target.skill_title(&name);
            if title != name {
                let message = format!("`{name}` is called `{title}`");
                findings.push(Finding::new(Code::SkillRenamed, at.clone(), message));
            }
            let name = title;
            let place = match self.claim(&name, Kind::Skill) {
                Claim::Free(place) => place,
                Claim::Twice => {
                    self.naming.accounts.push(dropped(
                        Kind::Skill,
                        &claude_name,
                        Location::new(&file, 1),
                        Code::DuplicateSkillName,
                        "another skill of the plugin has its name",
                    ));
                    continue;
                }
                Claim::Collides(other) => {
                    findings.push(Finding::new(
                        Code::NameCollision,
                        at.clone(),
                        format!("`{name}` and `{other}` can't both be folders: give one of them another name in the alias file"),
                    ));
                    self.target.skill_folder(&name)
                }
            };
            let only_users_call = document.header.flag("disable-model-invocation") == Some(true);
            let (name, bundle_file) = if only_users_call && self.target.policy_file().is_none() {
                let (name, bundle_file) = self.command_place(name, &place);
                self.naming.moved.insert(file.clone(), bundle_file.clone());
                (name, bundle_file)
            } else {
                let bundle_file = self.lay(&skill.folder, &file, &place, &holders);
                (name, bundle_file)
            };
            if bundle_file != file && file_name(&skill.folder) != place {
                findings.push(Finding::new(
                    Code::SkillMoved,
                    at,
                    format!(
                        "it is called `{name}`, so it lies in `{}`",
                        folder_of(&bundle_file)
                    ),
                ));
            }
            self.tell_shared(&name, &file, &mut findings);
            let names = &mut self.naming.names.skills;
            names.insert(claude_name.clone(), name.clone());
            self.naming.skills.push(NamedSkill {
                folder: &skill.folder,
                file,
                document,
                claude_name,
                name,
                bundle_file,
                findings,
            });
        }
    }

    /// Says of a name that a neighbour has, too, where all plugins' skills have one set of names.
    fn tell_shared(&self, name: &str, file: &str, findings: &mut Vec<Finding>) {
        let own = self.plugin.name.as_str();
        let full = self.target.skill_name(own, name);
        let mut neighbours = self.neighbours.plugins.iter();
        let has = |plugin: &str, names: &PluginNames| {
            let mut skills = names.skills.values();
            plugin != own && skills.any(|skill| self.target.skill_name(plugin, skill) == full)
        };
        if let Some((other, _)) = neighbours.find(|(plugin, names)| has(plugin, names)) {
            findings.push(Finding::new(
                Code::NameShared,
                Location::new(file, 1),
                format!(
                    "the plugin `{other}` has a `{full}`, too: of the two, {} has one",
                    self.target.name()
                ),
            ));
        }
    }

    /// Where a skill's file lies in the bundle, in a folder of this name; what has to move for it is noted.
    fn lay(&mut self, folder: &str, file: &str, place: &str, holders: &BTreeSet<&str>) -> String {
        let skills = self.target.skills_folder();
        let below = folder
            .strip_prefix(skills)
            .is_some_and(|rest| rest.starts_with('/'));
        let is_found = file.split('/').count() <= self.target.skill_depth();
        if below && is_found && file_name(folder) == place {
            return file.to_owned();
        }
        let bundle_file = self.skill_file(place);
        let moved = &mut self.naming.moved;
        if folder == skills || holders.contains(folder) || folder.is_empty() {
            moved.insert(file.to_owned(), bundle_file.clone());
        } else {
            moved.insert(folder.to_owned(), folder_of(&bundle_file).to_owned());
        }
        bundle_file
    }
}
