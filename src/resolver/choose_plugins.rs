//! Plugins that are chosen as a whole, or cut.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::selection::{PluginChoice, SkillChoice};

use super::name_error::NameError;
use super::names;
use super::resolve::{Chosen, Resolver, contradiction};
use super::server_names;
use crate::catalog::InstalledPlugin;

impl<'a> Resolver<'a> {
    /// Every plugin that is named. One that is named twice has to be cut alike.
    pub(super) fn choose_plugins(&mut self) -> Result<(), LoadoutError> {
        let mut problems = Vec::new();
        let mut forms: BTreeMap<&str, &PluginChoice> = BTreeMap::new();
        for choice in self.selection.plugins.iter().flatten() {
            let Some(plugin) = self.choose_plugin(choice, &mut problems) else {
                continue;
            };
            let before = forms.insert(plugin.id.as_str(), choice);
            if before.is_some_and(|before| narrowing(before) != narrowing(choice)) {
                return Err(contradiction("plugins", &choice.id));
            }
        }
        self.problems = problems;
        Ok(())
    }

    fn choose_plugin(
        &mut self,
        choice: &PluginChoice,
        problems: &mut Vec<NameError<'a>>,
    ) -> Option<&'a InstalledPlugin> {
        let plugin = match names::find_plugin(self.catalog, &choice.id) {
            Ok(plugin) => plugin,
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        };
        let parts = plugin.parts();
        let mut named = |what, list: &[String], known: &Rc<[&'a str]>| -> BTreeSet<String> {
            let full = |name: &String| {
                let found = names::full_name(what, &plugin.name, name, known);
                found.map_err(|problem| problems.push(problem)).ok()
            };
            list.iter().filter_map(full).collect()
        };
        let all_skills = parts.skills.iter().map(|skill| skill.name.as_str());
        let skills = match &choice.skills {
            Some(list) => {
                let names: Vec<String> = list.iter().map(|skill| skill.name.clone()).collect();
                let known: Rc<[&str]> = all_skills.collect();
                for SkillChoice { name, list } in list {
                    let full = names::full_name("skill", &plugin.name, name, &known);
                    if let (Ok(full), Some(list)) = (full, list) {
                        self.listings.insert((&plugin.id, full), *list);
                    }
                }
                named("skill in that plugin named", &names, &known)
            }
            // What the user switched off inside a plugin stays off unless it is named.
            None => parts
                .skills
                .iter()
                .filter(|skill| skill.enabled)
                .map(|skill| skill.name.clone())
                .collect(),
        };
        let agents = parts.agents.iter().map(|agent| agent.name.as_str());
        let agents = match &choice.agents {
            Some(list) => named("agent in that plugin named", list, &agents.collect()),
            None => agents.map(str::to_owned).collect(),
        };
        for server in choice.mcp_servers.iter().flatten() {
            if let Err(problem) = server_names::check_server_of(plugin, &server.name) {
                problems.push(problem);
            }
        }
        if plugin.added.is_some() {
            // It is nowhere else.
        } else if !plugin.installed {
            self.warn(
                "notInstalled",
                format!(
                    "plugin `{}` is not installed in Codex; this thread gets it from its marketplace",
                    plugin.id
                ),
            );
        } else if !plugin.enabled {
            self.warn(
                "enabledForThread",
                format!(
                    "plugin `{}` is disabled in the user's config; it is on for this thread",
                    plugin.id
                ),
            );
        }
        let skills_narrowed = choice.skills.is_some();
        self.chosen.insert(
            &plugin.id,
            Chosen {
                plugin,
                skills,
                skills_narrowed,
                agents,
                servers: choice.mcp_servers.clone(),
            },
        );
        Some(plugin)
    }
}

fn narrowing(choice: &PluginChoice) -> impl PartialEq {
    (
        choice.skills.clone(),
        choice.mcp_servers.clone(),
        choice.agents.clone(),
    )
}
