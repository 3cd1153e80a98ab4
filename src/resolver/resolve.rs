//! The decision: what a selection chooses of a catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use codex_loadout_protocol::selection::{
    CapabilitySelection, HostServers, McpServerChoice, Mode, PluginChoice, SkillChoice,
    SkillListing,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::known_tools::{KnownTools, NothingKnown, RunAs};
use super::names::{self, FoundServer, FoundSkill, NameError};
use super::plan::{Plan, RequestServers};
use super::validate::{check_apps, check_names};
use crate::catalog::{Catalog, Conversion, HostSkill, InstalledPlugin, PluginAgent};

/// Works out what a thread gets.
///
/// What is named is given as it is named, also where the user has it disabled;
/// the mode says what else the thread gets.
///
/// # Errors
/// `invalidSelection` for what contradicts itself, `unknownCapability` and
/// `ambiguousCapability` with all names that are at fault.
pub(crate) fn resolve(
    selection: &CapabilitySelection,
    catalog: &Catalog,
) -> Result<Plan, LoadoutError> {
    resolve_beside(selection, catalog, &RequestServers::new())
}

/// The same beside MCP servers that the host defines in the same request.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn resolve_beside(
    selection: &CapabilitySelection,
    catalog: &Catalog,
    request: &RequestServers,
) -> Result<Plan, LoadoutError> {
    resolve_knowing(selection, catalog, request, &NothingKnown)
}

/// The same where tools of servers are known: one that a server does not have is a wrong name.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn resolve_knowing(
    selection: &CapabilitySelection,
    catalog: &Catalog,
    request: &RequestServers,
    known_tools: &dyn KnownTools,
) -> Result<Plan, LoadoutError> {
    check_names(selection)?;
    let mut resolver = Resolver::new(selection, catalog, request)?;
    resolver.choose_skills()?;
    resolver.choose_agents();
    let servers = resolver.find_servers();
    resolver.check_tools(&servers, known_tools);
    names::report(resolver.problems_with_apps())?;
    check_apps(selection)?;
    resolver.choose_servers(servers)?;
    resolver.check_conversions()?;
    Ok(resolver.into_plan())
}

/// A chosen plugin, and what of it is kept.
pub(super) struct Chosen<'a> {
    pub(super) plugin: &'a InstalledPlugin,
    pub(super) skills: BTreeSet<String>,
    pub(super) skills_narrowed: bool,
    pub(super) agents: BTreeSet<String>,
    pub(super) servers: Option<Vec<McpServerChoice>>,
}

pub(super) struct Resolver<'a> {
    pub(super) selection: &'a CapabilitySelection,
    pub(super) catalog: &'a Catalog,
    /// What the host defines in the same request.
    pub(super) request: &'a RequestServers,
    pub(super) chosen: BTreeMap<&'a str, Chosen<'a>>,
    pub(super) host_skills: BTreeMap<&'a std::path::Path, &'a HostSkill>,
    /// Skills of plugins that do not come as a whole, by plugin.
    pub(super) single_skills: BTreeMap<&'a str, (&'a InstalledPlugin, BTreeSet<String>)>,
    /// Agents of plugins that do not come as a whole, by their name and their plugin's id.
    pub(super) single_agents: BTreeMap<(&'a str, &'a str), (&'a InstalledPlugin, &'a PluginAgent)>,
    /// Roles of the user's own.
    pub(super) own_roles: BTreeSet<&'a str>,
    pub(super) servers: Vec<(FoundServer<'a>, Option<Vec<String>>)>,
    /// How skills are listed where the selection says it, by the plugin's id (none: outside plugins, then by
    /// path) and name.
    pub(super) listings: BTreeMap<(&'a str, String), SkillListing>,
    pub(super) warnings: BTreeSet<(String, String)>,
    /// Names that lead to nothing, or to too much: all are told at once.
    problems: Vec<NameError<'a>>,
}

impl<'a> Resolver<'a> {
    fn new(
        selection: &'a CapabilitySelection,
        catalog: &'a Catalog,
        request: &'a RequestServers,
    ) -> Result<Self, LoadoutError> {
        let mut resolver = Self {
            selection,
            catalog,
            request,
            chosen: BTreeMap::new(),
            host_skills: BTreeMap::new(),
            single_skills: BTreeMap::new(),
            single_agents: BTreeMap::new(),
            own_roles: BTreeSet::new(),
            servers: Vec::new(),
            listings: BTreeMap::new(),
            warnings: BTreeSet::new(),
            problems: Vec::new(),
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
        resolver.problems = problems;
        Ok(resolver)
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

    fn choose_agents(&mut self) {
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

    /// The plugins that the thread is given something of as a snapshot, sorted by id.
    pub(super) fn needed_plugins(&self) -> Vec<&'a InstalledPlugin> {
        let mut needed: Vec<&InstalledPlugin> = self
            .chosen
            .values()
            .map(|chosen| chosen.plugin)
            .chain(self.single_skills.values().map(|(plugin, _)| *plugin))
            .chain(self.single_agents.values().map(|(plugin, _)| *plugin))
            .chain(self.servers.iter().filter_map(|(server, _)| match server {
                FoundServer::OfPlugin(plugin, _) => Some(*plugin),
                FoundServer::Config(_) | FoundServer::Request(_) => None,
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

    /// The servers that are named, with how they are cut.
    fn find_servers(&mut self) -> Vec<(FoundServer<'a>, &'a McpServerChoice)> {
        let mut found = Vec::new();
        for choice in self.selection.mcp_servers.iter().flatten() {
            match names::find_server(self.catalog, self.request, &choice.name, |plugin| {
                self.chosen.contains_key(plugin.id.as_str())
            }) {
                Ok(server) => found.push((server, choice)),
                Err(problem) => self.problems.push(problem),
            }
        }
        found
    }

    /// The tools that servers are cut to, where it is known what there is.
    fn check_tools(
        &mut self,
        found: &[(FoundServer<'a>, &'a McpServerChoice)],
        known: &dyn KnownTools,
    ) {
        let of_plugins = self.chosen.values().flat_map(|chosen| {
            let choices = chosen.servers.iter().flatten();
            choices.map(|choice| {
                let server = FoundServer::OfPlugin(chosen.plugin, &choice.name);
                (server, choice.tools.as_deref())
            })
        });
        let named = found.iter();
        let named = named.map(|(server, choice)| (*server, choice.tools.as_deref()));
        let mut problems = Vec::new();
        for (server, tools) in named.chain(of_plugins) {
            let native =
                matches!(server, FoundServer::OfPlugin(plugin, _) if self.is_native(plugin));
            let has = tools.filter(|tools| !tools.is_empty()).and_then(|_| {
                let run_as = RunAs::of_found(&server, native, self.catalog, self.request)?;
                known.tools_of(&run_as)
            });
            let Some(has) = has else { continue };
            let mut tools: Vec<&String> = tools.into_iter().flatten().collect();
            tools.retain(|tool| !has.contains(*tool));
            let missing = tools.into_iter();
            problems.extend(missing.map(|tool| NameError::unknown_tool(&server, tool, &has)));
        }
        self.problems.extend(problems);
    }

    /// All wrong names. Where there are others, connectors are among them: none can be chosen yet.
    fn problems_with_apps(&mut self) -> Vec<NameError<'a>> {
        let mut problems = std::mem::take(&mut self.problems);
        if !problems.is_empty() {
            let apps = self.selection.apps.iter().flatten();
            problems.extend(apps.map(|id| names::unknown_app(id)));
        }
        problems
    }

    fn choose_servers(
        &mut self,
        found: Vec<(FoundServer<'a>, &'a McpServerChoice)>,
    ) -> Result<(), LoadoutError> {
        for (server, choice) in found {
            self.add_server(server, choice)?;
        }
        if self.selection.host_servers() == HostServers::Keep {
            for name in self.request.keys() {
                let server = FoundServer::Request(name);
                if !self.servers.iter().any(|(listed, _)| same(listed, &server)) {
                    self.servers.push((server, None));
                }
            }
        }
        let in_plugins: Vec<(&'a InstalledPlugin, Option<Vec<McpServerChoice>>)> = self
            .chosen
            .values()
            .map(|chosen| (chosen.plugin, chosen.servers.clone()))
            .collect();
        let exact = self.selection.mcp_servers.is_some() && self.selection.mode() != Mode::Extend;
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
    pub(super) fn is_native(&self, plugin: &InstalledPlugin) -> bool {
        let chosen = self.chosen.contains_key(plugin.id.as_str());
        if !plugin.installed || chosen && plugin.is_converted() {
            return false;
        }
        match (self.selection.mode(), &self.selection.plugins) {
            (Mode::Replace, _) => false,
            (Mode::Restrict, Some(_)) => chosen,
            (Mode::Restrict, None) => plugin.enabled,
            (Mode::Extend, _) => plugin.enabled || chosen,
        }
    }

    pub(super) fn warn(&mut self, code: &str, message: String) {
        self.warnings.insert((code.to_owned(), message));
    }
}

/// Whether Codex itself would show this skill of the plugin.
fn has_natively(plugin: &InstalledPlugin, skill: &str) -> bool {
    let mut native = plugin.native.skills.iter();
    native.any(|listed| listed.name == skill && listed.enabled)
}

fn same(a: &FoundServer<'_>, b: &FoundServer<'_>) -> bool {
    match (a, b) {
        (FoundServer::Config(a), FoundServer::Config(b))
        | (FoundServer::Request(a), FoundServer::Request(b)) => a == b,
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
