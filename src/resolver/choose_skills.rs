//! Skills and agents that are chosen one by one.

use std::collections::BTreeSet;

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::selection::SkillChoice;

use super::names::{self, FoundSkill};
use super::resolve::{Resolver, contradiction};
use crate::catalog::InstalledPlugin;

impl<'a> Resolver<'a> {
    /// Every skill that is named, and how it is listed.
    pub(super) fn choose_skills(&mut self) -> Result<(), LoadoutError> {
        for SkillChoice { name, list } in self.selection.skills.iter().flatten() {
            let found = names::find_skill(self.catalog, name);
            let listed = match &found {
                Ok(FoundSkill::Host(skill)) => {
                    Some(("", skill.path.to_string_lossy().into_owned()))
                }
                Ok(FoundSkill::OfPlugin(plugin, skill)) => {
                    Some((plugin.id.as_str(), skill.name.clone()))
                }
                Err(_) => None,
            };
            if let (Some(key), Some(list)) = (listed, list)
                && self
                    .listings
                    .insert(key, *list)
                    .is_some_and(|before| before != *list)
            {
                return Err(contradiction("skills", name));
            }
            match found {
                Ok(FoundSkill::Host(skill)) => {
                    self.host_skills.insert(&skill.path, skill);
                    if !skill.enabled {
                        self.warn("enabledForThread", format!("skill `{}` is disabled in the user's config; it is on for this thread", skill.name));
                    }
                }
                Ok(FoundSkill::OfPlugin(plugin, skill)) => {
                    if let Some(chosen) = self.chosen.get_mut(plugin.id.as_str()) {
                        chosen.skills.insert(skill.name.clone());
                    } else if !(self.is_native(plugin) && has_natively(plugin, &skill.name)) {
                        let singles = self
                            .single_skills
                            .entry(&plugin.id)
                            .or_insert_with(|| (plugin, BTreeSet::new()));
                        singles.1.insert(skill.name.clone());
                    }
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        Ok(())
    }

    /// Every agent that is named: of a plugin, or a role of the user's own.
    pub(super) fn choose_agents(&mut self) {
        for name in self.selection.agents.iter().flatten() {
            let mut roles = self.catalog.roles.iter();
            let own = roles.find(|role| role.name == *name);
            match (names::find_agent(self.catalog, name), own) {
                (found, Some(own))
                    if !found.as_ref().is_ok_and(|(_, agent)| agent.name == *name) =>
                {
                    self.own_roles.insert(own.name.as_str());
                }
                (Ok((plugin, agent)), _) => match self.chosen.get_mut(plugin.id.as_str()) {
                    Some(chosen) => {
                        chosen.agents.insert(agent.name.clone());
                    }
                    None => {
                        let key = (agent.name.as_str(), plugin.id.as_str());
                        self.single_agents.insert(key, (plugin, agent));
                    }
                },
                (Err(problem), _) => self.problems.push(problem),
            }
        }
    }
}

/// Whether Codex itself would show this skill of the plugin.
fn has_natively(plugin: &InstalledPlugin, skill: &str) -> bool {
    let mut native = plugin.native.skills.iter();
    native.any(|listed| listed.name == skill && listed.enabled)
}
