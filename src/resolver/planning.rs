//! The plan of what was chosen: which folders it takes, what runs under which name, what remains.

use std::collections::{BTreeMap, BTreeSet};

use codex_loadout_protocol::bundle::bundle_name;
use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::selection::{HookPolicy, Mode};

use super::bundles::Bundles;
use super::conversions::say_how;
use super::plan::{
    Plan, PlannedAgent, PlannedHook, PlannedPlugin, PlannedServer, PlannedSkill, Scope,
    ServerOrigin,
};
use super::resolve::Resolver;
use super::server_names::FoundServer;
use crate::catalog::PluginAgent;

impl Resolver<'_> {
    /// Servers that come with a plugin and may not run. One that is named stays, and is refused.
    fn leave_out_forbidden(&mut self, servers: &mut Vec<PlannedServer>) {
        let named: Vec<&str> = self.named_servers().collect();
        let catalog = self.catalog;
        let (kept, out): (Vec<_>, Vec<_>) = std::mem::take(servers)
            .into_iter()
            .partition(|server| named.contains(&server.name.as_str()) || server.may_run(catalog));
        *servers = kept;
        for server in out {
            let (name, layer) = (&server.name, &catalog.policy.requirements.name);
            let message = format!("MCP server `{name}` is left out: `{layer}` forbids it");
            self.warn("blockedByPolicy", message);
        }
    }

    pub(super) fn into_plan(mut self) -> Plan {
        let mut bundles = Bundles::default();
        let plugins = self.plan_plugins(&mut bundles);
        let skills = self.plan_skills(&mut bundles);
        let mut servers = self.plan_servers(&mut bundles);
        self.leave_out_forbidden(&mut servers);
        let agents = self.plan_agents(&mut bundles, &plugins);
        let mut bundles = bundles.into_list();
        say_how(&mut bundles, &self.needed_plugins(), &servers);
        let skill_list = Some(self.plan_skill_list(&plugins, &skills, &bundles));
        let plugin_hooks = self.plan_hooks(&plugins);
        // Of bundles, what waits for approval is told already.
        let of_codex = |hook: &&PlannedHook| bundle_name(&hook.source).is_none();
        let hooks_of_codex: Vec<&PlannedHook> = plugin_hooks.iter().filter(of_codex).collect();
        if self.selection.hooks() == HookPolicy::Trusted
            && !hooks_of_codex.is_empty()
            && hooks_of_codex.iter().all(|hook| !hook.trusted)
        {
            self.warn(
                "hooksNotApproved",
                "no hook of a chosen plugin was approved in Codex, so none runs".to_owned(),
            );
        }
        let mode = self.selection.mode();
        let own_roles: Vec<String> = self.own_roles.iter().map(ToString::to_string).collect();
        self.say_which_roles_stay(&own_roles);
        Plan {
            mode,
            profile: self.selection.profile.0.clone(),
            host_skills: scope(mode, self.selection.skills.is_some(), || {
                skills
                    .iter()
                    .filter(|skill| skill.native)
                    .map(|skill| skill.path.to_string_lossy().into_owned())
                    .collect()
            }),
            host_plugins: scope(mode, self.selection.plugins.is_some(), || {
                plugins
                    .iter()
                    .filter(|plugin| plugin.native)
                    .map(|plugin| plugin.id.clone())
                    .collect()
            }),
            host_servers: scope(mode, self.selection.mcp_servers.is_some(), || {
                servers
                    .iter()
                    .filter(|server| {
                        let is_given = matches!(
                            server.origin,
                            ServerOrigin::Snapshot { .. } | ServerOrigin::Request { .. }
                        );
                        !is_given
                    })
                    .map(|server| server.name.clone())
                    .collect()
            }),
            host_roles: scope(mode, self.selection.agents.is_some(), || own_roles.clone()),
            own_roles: own_roles.clone(),
            hooks: self.selection.hooks(),
            managed: self.selection.managed(),
            host_defined: self.selection.host_servers(),
            bundles,
            plugins,
            skills,
            skill_list,
            agents,
            plugin_hooks,
            servers,
            warnings: self
                .warnings
                .into_iter()
                .map(|(code, message)| Warning { code, message })
                .collect(),
        }
    }

    /// Roles of the user's own that are not of the loadout stay in the spawn tool's list.
    fn say_which_roles_stay(&mut self, chosen: &[String]) {
        let restricted = self.selection.mode() == Mode::Restrict && self.selection.agents.is_some();
        if self.selection.mode() != Mode::Replace && !restricted {
            return;
        }
        let roles = self.catalog.roles.iter().map(|role| &role.name);
        let others: Vec<&str> = roles
            .filter(|name| !chosen.contains(name))
            .map(String::as_str)
            .collect();
        if !others.is_empty() {
            self.warn(
                "rolesStayListed",
                format!(
                    "Codex can't hide agent roles of your own: `{}` can be spawned, but bring in nothing",
                    others.join("`, `")
                ),
            );
        }
    }

    fn plan_plugins(&mut self, bundles: &mut Bundles) -> Vec<PlannedPlugin> {
        let mut planned = Vec::new();
        let mut namespaces: BTreeMap<&str, &str> = BTreeMap::new();
        for plugin in &self.catalog.plugins {
            let native = self.is_native(plugin);
            let chosen = self.chosen.get(plugin.id.as_str());
            if !native && chosen.is_none() {
                continue;
            }
            let skills: Vec<String> = match chosen {
                Some(chosen) => chosen.skills.iter().cloned().collect(),
                None => plugin
                    .native
                    .skills
                    .iter()
                    .filter(|skill| skill.enabled)
                    .map(|skill| skill.name.clone())
                    .collect(),
            };
            planned.push(PlannedPlugin {
                id: plugin.id.clone(),
                version: plugin.version.clone(),
                named: chosen.is_some(),
                native,
                bundle: bundles.plugin(plugin, &skills, !native, true),
                skills_narrowed: chosen.is_some_and(|chosen| chosen.skills_narrowed),
                servers_narrowed: chosen.is_some_and(|chosen| chosen.servers.is_some()),
                skills,
                agents: chosen
                    .map(|chosen| chosen.agents.iter().cloned().collect())
                    .unwrap_or_default(),
            });
            if let Some(other) = namespaces.insert(&plugin.name, &plugin.id) {
                let message = format!(
                    "`{other}` and `{}` share the name `{}`: the model can't tell their skills apart",
                    plugin.id, plugin.name
                );
                self.warnings.insert(("sameNamespace".to_owned(), message));
            }
        }
        planned
    }

    fn plan_skills(&self, bundles: &mut Bundles) -> Vec<PlannedSkill> {
        let mut planned = Vec::new();
        let remain = self.selection.skills.is_none() && self.selection.mode() == Mode::Restrict
            || self.selection.mode() == Mode::Extend;
        for skill in &self.catalog.skills {
            let named = self.host_skills.contains_key(skill.path.as_path());
            let native =
                self.selection.mode() != Mode::Replace && skill.enabled && (named || remain);
            if named || native {
                planned.push(PlannedSkill {
                    name: skill.name.clone(),
                    description: skill.description.clone(),
                    source: skill.scope.as_str().to_owned(),
                    path: skill.path.clone(),
                    native,
                    bundle: bundles.skill(skill, !native),
                });
            }
        }
        for (plugin, names) in self.single_skills.values() {
            let kept: Vec<String> = names.iter().cloned().collect();
            let bundle = bundles.plugin(plugin, &kept, true, true);
            let skills = plugin
                .parts()
                .skills
                .iter()
                .filter(|skill| names.contains(&skill.name));
            planned.extend(skills.map(|skill| PlannedSkill {
                name: skill.name.clone(),
                description: skill.description.clone(),
                source: plugin.id.clone(),
                path: plugin.root.join(&skill.folder).join("SKILL.md"),
                native: false,
                bundle,
            }));
        }
        planned.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
        planned
    }

    fn plan_hooks(&self, plugins: &[PlannedPlugin]) -> Vec<PlannedHook> {
        let snapshots = plugins.iter().filter(|planned| !planned.native);
        let with_hooks = snapshots.filter_map(|planned| {
            let chosen = self.chosen.get(planned.id.as_str())?;
            let denied = chosen.plugin.added.as_ref();
            if denied.is_some_and(|added| added.hooks_denied_by.is_some()) {
                return None;
            }
            Some((planned, &chosen.plugin.parts().hooks))
        });
        let planned = with_hooks.flat_map(|(planned, hooks)| {
            hooks.iter().map(|hook| PlannedHook {
                event: hook.event.clone(),
                matcher: hook.matcher.clone(),
                handler: hook.handler.clone(),
                source: planned.id.clone(),
                origin: hook.origin.clone(),
                bundle: planned.bundle,
                trusted: hook.trusted,
            })
        });
        planned.collect()
    }

    fn plan_agents(&self, bundles: &mut Bundles, plugins: &[PlannedPlugin]) -> Vec<PlannedAgent> {
        let of_chosen = plugins.iter().flat_map(|planned| {
            let chosen = self.chosen.get(planned.id.as_str());
            let agents = chosen.map(|chosen| chosen.plugin.parts().agents.iter());
            let agents = agents.into_iter().flatten();
            agents
                .filter(|agent| planned.agents.contains(&agent.name))
                .map(|agent| (agent, planned.id.clone(), planned.bundle))
        });
        let mut found: Vec<(&PluginAgent, String, usize)> = of_chosen.collect();
        found.extend(self.single_agents.values().map(|(plugin, agent)| {
            let bundle = bundles.plugin(plugin, &[], true, false);
            (*agent, plugin.id.clone(), bundle)
        }));
        let mut planned: Vec<PlannedAgent> = found
            .into_iter()
            .map(|(agent, source, bundle)| PlannedAgent {
                name: agent.name.clone(),
                description: agent.description.clone(),
                source,
                bundle,
                file: agent.file.clone(),
            })
            .collect();
        planned.sort_by(|a, b| (&a.name, &a.source).cmp(&(&b.name, &b.source)));
        planned
    }

    fn plan_servers(&mut self, bundles: &mut Bundles) -> Vec<PlannedServer> {
        let mut found = std::mem::take(&mut self.servers);
        found.sort_by_key(|(server, _)| match server {
            FoundServer::Request(name) | FoundServer::Config(name) => {
                ((*name).to_owned(), String::new())
            }
            FoundServer::OfPlugin(plugin, name) => ((*name).to_owned(), plugin.id.clone()),
        });
        let natives = self
            .catalog
            .plugins
            .iter()
            .filter(|plugin| self.is_native(plugin));
        let mut taken: BTreeSet<String> = natives
            .flat_map(|plugin| plugin.native.servers.keys().cloned())
            .collect();
        // Codex merges a definition into the user's of the same name, enabled or not.
        taken.extend(self.catalog.servers.keys().cloned());
        taken.extend(self.request.keys().cloned());
        let mut planned = Vec::new();
        for (server, tools) in found {
            let (name, origin) = match server {
                FoundServer::Request(name) => {
                    let definition = self.request.get(name).cloned().unwrap_or_default();
                    (name.to_owned(), ServerOrigin::Request { definition })
                }
                FoundServer::Config(name) => (name.to_owned(), ServerOrigin::Config),
                FoundServer::OfPlugin(plugin, name) if self.is_native(plugin) => (
                    name.to_owned(),
                    ServerOrigin::NativePlugin {
                        id: plugin.id.clone(),
                    },
                ),
                FoundServer::OfPlugin(plugin, name) => {
                    let run_name = free_name(&taken, &plugin.name, name);
                    if run_name != name {
                        self.warn("mcpRenamed", format!("MCP server `{name}` of `{}` runs as `{run_name}`: the name is taken", plugin.id));
                    }
                    taken.insert(run_name.clone());
                    let definition = plugin
                        .parts()
                        .servers
                        .get(name)
                        .map(|server| server.definition.clone())
                        .unwrap_or_default();
                    let bundle = bundles.plugin(plugin, &[], true, false);
                    (
                        run_name,
                        ServerOrigin::Snapshot {
                            id: plugin.id.clone(),
                            server: name.to_owned(),
                            bundle,
                            definition,
                        },
                    )
                }
            };
            planned.push(PlannedServer {
                name,
                origin,
                tools,
            });
        }
        planned.sort_by(|a, b| a.name.cmp(&b.name));
        planned
    }
}

fn scope(mode: Mode, given: bool, names: impl FnOnce() -> Vec<String>) -> Scope {
    match mode {
        Mode::Extend => Scope::All,
        Mode::Restrict if !given => Scope::All,
        Mode::Restrict | Mode::Replace => Scope::Only(names()),
    }
}

/// The server's own name if it is free, else `plugin-server`, else that with a number.
fn free_name(taken: &BTreeSet<String>, plugin: &str, server: &str) -> String {
    let with_plugin = format!("{plugin}-{server}");
    let numbered = (2..).map(|number| format!("{with_plugin}-{number}"));
    let mut names = [server.to_owned(), with_plugin.clone()]
        .into_iter()
        .chain(numbered);
    names
        .find(|name| !taken.contains(name))
        .unwrap_or(with_plugin)
}
