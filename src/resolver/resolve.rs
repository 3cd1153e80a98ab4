//! The decision: what a selection chooses of a catalog.

use std::collections::{BTreeMap, BTreeSet};

use codex_loadout_protocol::selection::{CapabilitySelection, McpServerChoice, Mode, SkillListing};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::known_tools::{KnownTools, NothingKnown};
use super::name_error::{NameError, report};
use super::names::unknown_app;
use super::plan::{Plan, RequestServers};
use super::server_names::FoundServer;
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
    let mut resolver = Resolver::new(selection, catalog, request);
    resolver.choose_plugins()?;
    resolver.choose_skills()?;
    resolver.choose_agents();
    let servers = resolver.find_servers();
    resolver.check_tools(&servers, known_tools);
    report(resolver.problems_with_apps())?;
    check_apps(selection)?;
    resolver.choose_servers(servers)?;
    resolver.check_conversions()?;
    resolver.check_hooks()?;
    resolver.check_trust()?;
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

/// A decision under way: each kind of capability adds what is chosen of it, in a file of its own.
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
    pub(super) problems: Vec<NameError<'a>>,
}

impl<'a> Resolver<'a> {
    fn new(
        selection: &'a CapabilitySelection,
        catalog: &'a Catalog,
        request: &'a RequestServers,
    ) -> Self {
        Self {
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

    /// All wrong names. Where there are others, connectors are among them: none can be chosen yet.
    fn problems_with_apps(&mut self) -> Vec<NameError<'a>> {
        let mut problems = std::mem::take(&mut self.problems);
        if !problems.is_empty() {
            let apps = self.selection.apps.iter().flatten();
            problems.extend(apps.map(|id| unknown_app(id)));
        }
        problems
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

/// The error for what is named twice, in two ways.
pub(super) fn contradiction(list: &str, name: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!(
            "`capabilitySelection.{list}` names `{name}` twice, each time cut to something else"
        ),
    )
    .with_hint("Name it once.")
    .with_items(vec![ErrorItem::named(name)])
}
