//! The decision: what a selection means on a catalog.

use std::collections::{BTreeMap, BTreeSet};

use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::selection::{
    CapabilitySelection, HookPolicy, McpServerChoice, Mode, PluginChoice,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::bundles::Bundles;
use super::conversions::say_how;
use super::names::{self, FoundServer, FoundSkill, Problem};
use super::plan::{
    Plan, PlannedAgent, PlannedHook, PlannedPlugin, PlannedServer, PlannedSkill, Scope,
    ServerOrigin,
};
use super::validate::{check_later_kinds, check_names};
use crate::catalog::{Catalog, Conversion, HostSkill, InstalledPlugin, PluginAgent};

/// Works out what a thread gets.
///
/// What is named is given as it is named, also where the user has it disabled;
/// the mode says what else the thread gets.
///
/// # Errors
/// `invalidSelection` for what contradicts itself, `unknownCapability` and
/// `ambiguousCapability` with all names that are at fault.
pub fn resolve(selection: &CapabilitySelection, catalog: &Catalog) -> Result<Plan, LoadoutError> {
    check_names(selection)?;
    check_later_kinds(selection)?;
    let mut resolver = Resolver::new(selection, catalog)?;
    resolver.choose_skills()?;
    resolver.choose_agents()?;
    resolver.choose_servers()?;
    resolver.check_conversions()?;
    Ok(resolver.into_plan())
}

/// A chosen plugin, and what of it is kept.
struct Chosen<'a> {
    plugin: &'a InstalledPlugin,
    skills: BTreeSet<String>,
    skills_narrowed: bool,
    agents: BTreeSet<String>,
    servers: Option<Vec<McpServerChoice>>,
}

struct Resolver<'a> {
    selection: &'a CapabilitySelection,
    catalog: &'a Catalog,
    chosen: BTreeMap<&'a str, Chosen<'a>>,
    host_skills: BTreeMap<&'a std::path::Path, &'a HostSkill>,
    /// Skills of plugins that do not come as a whole, by plugin.
    single_skills: BTreeMap<&'a str, (&'a InstalledPlugin, BTreeSet<String>)>,
    /// Agents of plugins that do not come as a whole, by their name and their plugin's id.
    single_agents: BTreeMap<(&'a str, &'a str), (&'a InstalledPlugin, &'a PluginAgent)>,
    servers: Vec<(FoundServer<'a>, Option<Vec<String>>)>,
    warnings: BTreeSet<(String, String)>,
}

impl<'a> Resolver<'a> {
    fn new(selection: &'a CapabilitySelection, catalog: &'a Catalog) -> Result<Self, LoadoutError> {
        let mut resolver = Self {
            selection,
            catalog,
            chosen: BTreeMap::new(),
            host_skills: BTreeMap::new(),
            single_skills: BTreeMap::new(),
            single_agents: BTreeMap::new(),
            servers: Vec::new(),
            warnings: BTreeSet::new(),
        };
        let mut problems = Vec::new();
        let mut forms: BTreeMap<&str, &PluginChoice> = BTreeMap::new();
        for choice in selection.plugins.iter().flatten() {
            match resolver.choose_plugin(choice, &mut problems) {
                Some(plugin) => {
                    let before = forms.insert(plugin.id.as_str(), choice);
                    if before.is_some_and(|before| narrowing(before) != narrowing(choice)) {
                        return Err(contradiction("plugins", &choice.id));
                    }
                }
                None => continue,
            }
        }
        names::report(problems)?;
        Ok(resolver)
    }

    fn choose_plugin(
        &mut self,
        choice: &PluginChoice,
        problems: &mut Vec<Problem>,
    ) -> Option<&'a InstalledPlugin> {
        let plugin = match names::find_plugin(self.catalog, &choice.id) {
            Ok(plugin) => plugin,
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        };
        let parts = plugin.parts();
        let mut named = |what, list: &[String], known: Vec<&str>| -> BTreeSet<String> {
            let full = |name: &String| {
                let found = names::full_name(what, &plugin.name, name, known.iter().copied());
                found.map_err(|problem| problems.push(problem)).ok()
            };
            list.iter().filter_map(full).collect()
        };
        let all_skills = parts.skills.iter().map(|skill| skill.name.as_str());
        let skills = match &choice.skills {
            Some(list) => named("skill in that plugin named", list, all_skills.collect()),
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
            Some(list) => named("agent in that plugin named", list, agents.collect()),
            None => agents.map(str::to_owned).collect(),
        };
        for server in choice.mcp_servers.iter().flatten() {
            if let Err(problem) = names::check_server_of(plugin, &server.name) {
                problems.push(problem);
            }
        }
        if !plugin.installed {
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

    fn choose_skills(&mut self) -> Result<(), LoadoutError> {
        let mut problems = Vec::new();
        for name in self.selection.skills.iter().flatten() {
            match names::find_skill(self.catalog, name) {
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
                Err(problem) => problems.push(problem),
            }
        }
        names::report(problems)
    }

    fn choose_agents(&mut self) -> Result<(), LoadoutError> {
        let mut problems = Vec::new();
        for name in self.selection.agents.iter().flatten() {
            match names::find_agent(self.catalog, name) {
                Ok((plugin, agent)) => match self.chosen.get_mut(plugin.id.as_str()) {
                    Some(chosen) => {
                        chosen.agents.insert(agent.name.clone());
                    }
                    None => {
                        let key = (agent.name.as_str(), plugin.id.as_str());
                        self.single_agents.insert(key, (plugin, agent));
                    }
                },
                Err(problem) => problems.push(problem),
            }
        }
        names::report(problems)
    }

    /// The plugins that the thread is given something of as a snapshot, sorted by id.
    fn needed_plugins(&self) -> Vec<&'a InstalledPlugin> {
        let mut needed: Vec<&InstalledPlugin> = self
            .chosen
            .values()
            .map(|chosen| chosen.plugin)
            .chain(self.single_skills.values().map(|(plugin, _)| *plugin))
            .chain(self.single_agents.values().map(|(plugin, _)| *plugin))
            .chain(self.servers.iter().filter_map(|(server, _)| match server {
                FoundServer::OfPlugin(plugin, _) => Some(*plugin),
                FoundServer::Config(_) => None,
            }))
            .filter(|plugin| !self.is_native(plugin))
            .collect();
        needed.sort_by_key(|plugin| &plugin.id);
        needed.dedup_by_key(|plugin| &plugin.id);
        needed
    }

    /// A plugin whose conversion failed can't be given, in whole or in part.
    fn check_conversions(&self) -> Result<(), LoadoutError> {
        let needed = self.needed_plugins();
        let mut failed = needed.iter().filter_map(|plugin| match &plugin.converted {
            Some(Conversion::Failed(reasons)) => Some((plugin, reasons)),
            Some(Conversion::Done(_)) | None => None,
        });
        match failed.next() {
            None => Ok(()),
            Some((plugin, reasons)) => Err(LoadoutError::new(
                ErrorKind::ConversionFailed,
                format!("plugin `{}` can't be converted for Codex: {}", plugin.id, reasons.join("; ")),
            )
            .with_hint("`codex-loadout convert` with the plugin's folder shows every problem with its place.")
            .with_items(vec![ErrorItem::named(&plugin.id)])),
        }
    }

    fn choose_servers(&mut self) -> Result<(), LoadoutError> {
        let mut problems = Vec::new();
        let mut found = Vec::new();
        for choice in self.selection.mcp_servers.iter().flatten() {
            match names::find_server(self.catalog, &choice.name, |plugin| {
                self.chosen.contains_key(plugin.id.as_str())
            }) {
                Ok(server) => found.push((server, choice)),
                Err(problem) => problems.push(problem),
            }
        }
        names::report(problems)?;
        for (server, choice) in found {
            self.add_server(server, choice)?;
        }
        let in_plugins: Vec<(&'a InstalledPlugin, Option<Vec<McpServerChoice>>)> = self
            .chosen
            .values()
            .map(|chosen| (chosen.plugin, chosen.servers.clone()))
            .collect();
        let exact = self.selection.mcp_servers.is_some() && self.selection.mode != Mode::Extend;
        for (plugin, kept) in in_plugins {
            for choice in kept.iter().flatten() {
                let Some((name, _)) = plugin.parts().servers.get_key_value(&choice.name) else {
                    continue;
                };
                let server = FoundServer::OfPlugin(plugin, name);
                if !exact {
                    self.add_server(server, choice)?;
                } else if !self.servers.iter().any(|(listed, _)| same(listed, &server)) {
                    self.warn("serverNotListed", format!("MCP server `{name}` of `{}` does not run: `mcpServers` does not list it", plugin.id));
                }
            }
            // A snapshot's servers are given by value, so the ones that come along are named here.
            if kept.is_none() && !exact && !self.is_native(plugin) {
                let servers = plugin.parts().servers.iter();
                for (name, _) in servers.filter(|(_, server)| server.enabled) {
                    self.add_server(
                        FoundServer::OfPlugin(plugin, name),
                        &McpServerChoice {
                            name: name.clone(),
                            tools: None,
                        },
                    )?;
                }
            }
        }
        Ok(())
    }

    fn add_server(
        &mut self,
        server: FoundServer<'a>,
        choice: &McpServerChoice,
    ) -> Result<(), LoadoutError> {
        if choice.tools.as_ref().is_some_and(Vec::is_empty) {
            self.warn(
                "noTools",
                format!("MCP server `{}` runs without any of its tools", choice.name),
            );
        }
        if let FoundServer::Config(name) = server
            && self
                .catalog
                .servers
                .get(name)
                .is_some_and(|server| !server.enabled)
        {
            self.warn(
                "enabledForThread",
                format!(
                    "MCP server `{name}` is disabled in the user's config; it is on for this thread"
                ),
            );
        }
        match self
            .servers
            .iter()
            .find(|(listed, _)| same(listed, &server))
        {
            None => self.servers.push((server, choice.tools.clone())),
            Some((_, tools)) if *tools == choice.tools => {}
            Some(_) => return Err(contradiction("mcpServers", &choice.name)),
        }
        Ok(())
    }

    /// Whether Codex itself loads the plugin for this thread. What was made for Claude and is chosen
    /// comes as its bundle: Codex would lose parts of it.
    fn is_native(&self, plugin: &InstalledPlugin) -> bool {
        let chosen = self.chosen.contains_key(plugin.id.as_str());
        if !plugin.installed || chosen && plugin.is_converted() {
            return false;
        }
        match (self.selection.mode, &self.selection.plugins) {
            (Mode::Replace, _) => false,
            (Mode::Restrict, Some(_)) => chosen,
            (Mode::Restrict, None) => plugin.enabled,
            (Mode::Extend, _) => plugin.enabled || chosen,
        }
    }

    fn warn(&mut self, code: &str, message: String) {
        self.warnings.insert((code.to_owned(), message));
    }

    fn into_plan(mut self) -> Plan {
        let mut bundles = Bundles::default();
        let plugins = self.plan_plugins(&mut bundles);
        let skills = self.plan_skills(&mut bundles);
        let servers = self.plan_servers(&mut bundles);
        let agents = self.plan_agents(&mut bundles, &plugins);
        let mut bundles = bundles.into_list();
        say_how(&mut bundles, &self.needed_plugins(), &servers);
        let plugin_hooks = self.plan_hooks(&plugins);
        if self.selection.hooks == HookPolicy::Trusted
            && !plugin_hooks.is_empty()
            && plugin_hooks.iter().all(|hook| !hook.trusted)
        {
            self.warn(
                "hooksNotApproved",
                "no hook of a chosen plugin was approved in Codex, so none runs".to_owned(),
            );
        }
        let mode = self.selection.mode;
        Plan {
            mode,
            profile: Vec::new(),
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
                    .filter(|server| !matches!(server.origin, ServerOrigin::Snapshot { .. }))
                    .map(|server| server.name.clone())
                    .collect()
            }),
            hooks: self.selection.hooks,
            bundles,
            plugins,
            skills,
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
        let remain = self.selection.skills.is_none() && self.selection.mode == Mode::Restrict
            || self.selection.mode == Mode::Extend;
        for skill in &self.catalog.skills {
            let named = self.host_skills.contains_key(skill.path.as_path());
            let native = self.selection.mode != Mode::Replace && skill.enabled && (named || remain);
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
            FoundServer::Config(name) => ((*name).to_owned(), String::new()),
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
        let mut planned = Vec::new();
        for (server, tools) in found {
            let (name, origin) = match server {
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

/// Whether Codex itself would show this skill of the plugin.
fn has_natively(plugin: &InstalledPlugin, skill: &str) -> bool {
    let mut native = plugin.native.skills.iter();
    native.any(|listed| listed.name == skill && listed.enabled)
}

fn scope(mode: Mode, given: bool, names: impl FnOnce() -> Vec<String>) -> Scope {
    match mode {
        Mode::Extend => Scope::All,
        Mode::Restrict if !given => Scope::All,
        Mode::Restrict | Mode::Replace => Scope::Only(names()),
    }
}

fn same(a: &FoundServer<'_>, b: &FoundServer<'_>) -> bool {
    match (a, b) {
        (FoundServer::Config(a), FoundServer::Config(b)) => a == b,
        (FoundServer::OfPlugin(p, a), FoundServer::OfPlugin(q, b)) => p.id == q.id && a == b,
        _ => false,
    }
}

fn narrowing(choice: &PluginChoice) -> impl PartialEq {
    (
        choice.skills.clone(),
        choice.mcp_servers.clone(),
        choice.agents.clone(),
    )
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

fn contradiction(list: &str, name: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!(
            "`capabilitySelection.{list}` names `{name}` twice, each time cut to something else"
        ),
    )
    .with_hint("Name it once.")
    .with_items(vec![ErrorItem::named(name)])
}
