//! From a plugin's files to its declared parts: nothing is converted yet.
//!
//! Each part is either in the [`Plugin`] or, if it can't be used, in an account that says why.
//! The rules are those of Claude Code 2.1: which folders count, which keys replace a folder, which add to it, which merge.

mod agents;
mod commands;
mod hooks;
mod json;
mod manifests;
mod others;
mod paths;
mod servers;
mod skills;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

pub(crate) use json::Json;
pub use json::LARGEST_MANIFEST;
use manifests::Manifests;
pub(crate) use skills::{ancestors, is_hidden};

use codex_loadout_bundle::Tree;
use serde_json::Value;

use crate::error::ConversionError;
use crate::report::{Account, Code, Finding, Kind, Location, Outcome};
use crate::source::{Plugin, Source};

/// The file that makes a folder a skill, spelled exactly so.
pub(crate) const SKILL_FILE: &str = "SKILL.md";
/// Claude's manifest.
pub(crate) const CLAUDE_MANIFEST: &str = ".claude-plugin/plugin.json";
/// The manifest of Agent Plugins 1.0, and its file of MCP servers: each counts where it names its `$schema`.
pub(crate) const PORTABLE_FILES: [&str; 2] = ["plugin.json", "mcp.json"];
/// Where Claude looks for a marketplace.
pub(crate) const CLAUDE_MARKETPLACE: &str = ".claude-plugin/marketplace.json";

/// What a plugin consists of.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    /// Its parts.
    pub(crate) plugin: Plugin,
    /// Parts that can't be used, and why.
    pub(crate) accounts: Vec<Account>,
    /// What is to be said of the plugin as a whole.
    pub(crate) findings: Vec<Finding>,
}

/// Finds a plugin's parts. `own_manifest` is the file in which its author may have written for the target.
///
/// # Errors
/// If a file that declares parts can't be read, or there is no part at all.
pub(crate) fn discover(source: &Source, own_manifest: &str) -> Result<Discovered, ConversionError> {
    let manifests = Manifests::read(source, own_manifest)?;
    let mut finder = Finder {
        source,
        manifests: &manifests,
        found: Discovered {
            plugin: manifests.plugin(source),
            accounts: Vec::new(),
            findings: manifests.findings.clone(),
        },
        groups: BTreeMap::new(),
        servers: BTreeMap::new(),
    };
    finder.skills();
    finder.commands();
    finder.agents();
    finder.hooks()?;
    finder.servers()?;
    finder.others();
    let found = finder.found;
    let plugin = &found.plugin;
    let nothing = plugin.skills.is_empty()
        && plugin.commands.is_empty()
        && plugin.agents.is_empty()
        && plugin.hooks.is_empty()
        && plugin.servers.is_empty()
        && found.accounts.is_empty();
    if nothing && manifests.are_none() {
        return Err(ConversionError::NoPlugin {
            folder: source.folder.clone(),
        });
    }
    Ok(found)
}

/// What the search has found so far. Its other methods are in the files beside this one, a kind of component each.
struct Finder<'a> {
    source: &'a Source,
    manifests: &'a Manifests,
    found: Discovered,
    /// How many groups of hooks each event has so far.
    groups: BTreeMap<String, usize>,
    /// Where in the list each server stands.
    servers: BTreeMap<String, usize>,
}

impl<'a> Finder<'a> {
    /// Every file in a folder, however deep, whose name ends so.
    fn files_in(&self, folder: &str, ending: &str) -> Vec<&'a str> {
        let files = self.source.tree.under(folder).map(|(path, _)| path);
        files.filter(|path| path.ends_with(ending)).collect()
    }

    fn has(&self, path: &str) -> bool {
        self.source.tree.get(path).is_some()
    }

    /// Reads a JSON file of the plugin, if it is there.
    fn json(&mut self, path: &str) -> Result<Option<Json>, ConversionError> {
        let Some(file) = self.source.tree.get(path) else {
            return Ok(None);
        };
        let json = Json::read(path, file)?;
        self.found.findings.extend(manifests::duplicate_keys(&json));
        Ok(Some(json))
    }

    /// Accounts for a part that can't be used.
    fn drop(&mut self, kind: Kind, name: &str, at: Location, code: Code, reason: &str) {
        self.found
            .accounts
            .push(dropped(kind, name, at, code, reason));
    }

    /// Says that a value of a manifest means nothing.
    fn ignored(&mut self, at: Location, key: &str, expected: &str) {
        self.found.findings.push(Finding::new(
            Code::ManifestValueIgnored,
            at,
            format!("`{key}` is not {expected}: ignored"),
        ));
    }
}

/// The account of a component that is not in the bundle.
pub(crate) fn dropped(kind: Kind, name: &str, at: Location, code: Code, reason: &str) -> Account {
    Account {
        kind,
        name: name.to_owned(),
        source: at.clone(),
        outcome: Outcome::Dropped,
        target: None,
        path: None,
        reason: Some(reason.to_owned()),
        warnings: vec![Finding::new(code, at, reason)],
    }
}

/// A file of Agent Plugins 1.0, if it is one: others may be called so, too.
pub(crate) fn portable(tree: &Tree, path: &str) -> Option<Json> {
    let json = Json::read(path, tree.get(path)?).ok()?;
    let schema = json.value.get("$schema").and_then(Value::as_str);
    schema
        .is_some_and(|schema| !schema.is_empty())
        .then_some(json)
}

/// Path of a skill's file.
pub(crate) fn skill_file(folder: &str) -> String {
    crate::paths::in_folder(folder, SKILL_FILE)
}
