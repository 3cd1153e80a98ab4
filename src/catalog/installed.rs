//! One installed plugin: what Codex tells of it, and what its folder declares.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_converter::names::Names;
use codex_loadout_files::read_at_most;
use serde_json::{Map, Value};

use super::answers::{Config, ListedHook, ListedPlugin, ListedSkill, Marketplace};
use super::conversion::ConversionInput;
use super::converted::Conversions;
use super::mention_only::is_mention_only;
use super::model::{Conversion, InstalledPlugin, Parts, PluginServer, PluginSkill, hook_id};
use super::plugin_folder::PluginFolder;
use crate::paths;

/// The version Codex reports, if its folder is there; else what Codex would take:
/// `local`, or the last by name.
pub(super) fn installed_root(plugin_folder: &Path, plugin: &ListedPlugin) -> Option<PathBuf> {
    let named = plugin
        .local_version
        .iter()
        .map(String::as_str)
        .chain(["local"]);
    if let Some(root) = named
        .map(|version| plugin_folder.join(version))
        .find(|path| path.is_dir())
    {
        return Some(root);
    }
    let mut versions: Vec<PathBuf> = std::fs::read_dir(plugin_folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    versions.sort();
    versions.pop()
}

/// Codex's word for a hook that runs.
const TRUSTED: &str = "trusted";

/// What Codex told, besides the list of plugins.
pub(super) struct CodexAnswers<'a> {
    /// The skills of plugins.
    pub(super) skills: &'a [ListedSkill],
    pub(super) config: &'a Config,
    pub(super) hooks: &'a [ListedHook],
    pub(super) conversions: &'a Conversions,
}

/// A plugin of a marketplace, with what its folder declares.
pub(super) fn read_plugin(
    market: &Marketplace,
    plugin: &ListedPlugin,
    root: PathBuf,
    told: &CodexAnswers<'_>,
) -> InstalledPlugin {
    // Without a state folder nothing can be given to a thread anyway.
    let data_folder = paths::data_folder(&plugin.id).unwrap_or_default();
    let folder = PluginFolder::read(&root, &plugin.name, &data_folder).unwrap_or_else(|error| {
        // Codex loads nothing of such a plugin either.
        tracing::warn!(plugin = plugin.id, %error, "the plugin's folder can't be read");
        PluginFolder::default()
    });
    let of_codex: Vec<PluginSkill> = told
        .skills
        .iter()
        .filter_map(|skill| listed_in(skill, &root))
        .collect();
    let mut skills = if of_codex.is_empty() {
        folder.skills
    } else {
        of_codex
    };
    skills.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
    let servers = folder.servers.into_iter().map(|(name, definition)| {
        let server = PluginServer {
            enabled: told.runs(plugin, &name),
            definition,
        };
        (name, server)
    });
    let mut hooks = folder.hooks;
    for hook in &mut hooks {
        hook.trusted = told.trusts(plugin, &hook.origin);
    }
    let native = Parts {
        skills,
        servers: servers.collect(),
        older_servers: folder.older_servers,
        hooks,
        ..Parts::default()
    };
    let is_agent_plugin = folder.is_agent_plugin;
    let input = ConversionInput {
        plugin: plugin.name.clone(),
        data_folder,
        neighbours: Names::default(),
        renamed_servers: BTreeMap::new(),
        // What Codex installs has a manifest, if need be one made of the entry.
        entry: (!plugin.installed)
            .then(|| entry(market, &plugin.name))
            .flatten(),
    };
    // Codex follows the links of what it installs itself; what it has installed has none.
    let within = (!plugin.installed)
        .then(|| market.folder())
        .flatten()
        .filter(|folder| root.starts_with(folder));
    let converted = told
        .conversions
        .of(&root, within.as_deref().unwrap_or(&root), &input);
    InstalledPlugin {
        id: plugin.id.clone(),
        name: plugin.name.clone(),
        version: version_of(plugin, &root),
        enabled: plugin.enabled && told.config.plugins_are_on(),
        blocked: plugin.blocked(),
        description: folder.description,
        converted: converted.map(|converted| {
            let converted = told.as_switched(plugin, converted, &native);
            if is_agent_plugin {
                as_agent_plugin(converted, &native)
            } else {
                converted
            }
        }),
        installed: plugin.installed,
        added: None,
        data_folder: input.data_folder,
        entry: input.entry,
        native,
        within,
        root,
    }
}

/// The file of a marketplace of thousands of plugins has a few megabytes.
const MARKETPLACE_LIMIT: u64 = 16 * 1024 * 1024;

/// What a marketplace's file says of one of its plugins.
fn entry(market: &Marketplace, plugin: &str) -> Option<Map<String, Value>> {
    let text = read_at_most(market.path.as_ref()?, MARKETPLACE_LIMIT).ok()?;
    let market: Value = serde_json::from_slice(&text).ok()?;
    let mut entries = market.get("plugins")?.as_array()?.iter();
    let entry = entries.find(|entry| entry.get("name").and_then(Value::as_str) == Some(plugin));
    entry?.as_object().cloned()
}

impl CodexAnswers<'_> {
    /// Whether the user has a plugin's MCP server switched on.
    fn runs(&self, plugin: &ListedPlugin, server: &str) -> bool {
        let plugins = self.config.plugins.as_ref();
        let switches = plugins.and_then(|plugins| plugins.get(&plugin.id));
        let switch = switches.and_then(|switches| switches.mcp_servers.get(server));
        switch.and_then(|switch| switch.enabled).unwrap_or(true)
    }

    /// Whether the user has approved a plugin's hook, and it is still what was approved.
    fn trusts(&self, plugin: &ListedPlugin, origin: &str) -> bool {
        let key = hook_id(&plugin.id, origin);
        let mut listed = self.hooks.iter();
        listed.any(|hook| hook.key == key && hook.enabled && hook.trust_status == TRUSTED)
    }

    /// What the user switched off inside the plugin stays off in its bundle, unless it is named.
    fn as_switched(
        &self,
        plugin: &ListedPlugin,
        converted: Conversion,
        native: &Parts,
    ) -> Conversion {
        let Conversion::Done(parts) = converted else {
            return converted;
        };
        let mut parts = Parts::clone(&parts);
        for skill in &mut parts.skills {
            let listed = native
                .skills
                .iter()
                .find(|listed| listed.name == skill.name);
            skill.enabled = listed.is_none_or(|listed| listed.enabled);
        }
        for hook in &mut parts.hooks {
            hook.trusted = self.trusts(plugin, &hook.origin);
        }
        for (name, server) in &mut parts.servers {
            server.enabled = self.runs(plugin, name);
        }
        Conversion::Done(Arc::new(parts))
    }
}

/// Of an Agent Plugin, servers and hooks that are declared for other hosts don't count.
pub(super) fn as_agent_plugin(converted: Conversion, native: &Parts) -> Conversion {
    let Conversion::Done(parts) = converted else {
        return converted;
    };
    let mut parts = Parts::clone(&parts);
    parts.servers.clone_from(&native.servers);
    parts.hooks.clear();
    Conversion::Done(Arc::new(parts))
}

fn version_of(plugin: &ListedPlugin, root: &Path) -> String {
    let folder = || {
        root.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    plugin
        .local_version
        .clone()
        .or_else(folder)
        .unwrap_or_default()
}

/// A skill of the plugin in `root`, as Codex lists it.
fn listed_in(skill: &ListedSkill, root: &Path) -> Option<PluginSkill> {
    let folder = skill.path.parent()?;
    // Codex may report the path with links resolved.
    let in_folder = folder
        .strip_prefix(root)
        .map(Path::to_owned)
        .ok()
        .or_else(|| {
            folder
                .strip_prefix(root.canonicalize().ok()?)
                .map(Path::to_owned)
                .ok()
        })?;
    let parts: Option<Vec<&str>> = in_folder.iter().map(|part| part.to_str()).collect();
    Some(PluginSkill {
        name: skill.name.clone(),
        description: skill.description.clone(),
        folder: parts?.join("/"),
        enabled: skill.enabled,
        mention_only: is_mention_only(folder),
    })
}
