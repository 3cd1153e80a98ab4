//! What a conversion may be told besides the plugin.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::names::Names;

/// What a conversion may be told besides the plugin.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the bundle will lie.
    pub root: BundleRoot,
    /// Where the plugin may keep data of its own: what `${CLAUDE_PLUGIN_DATA}` becomes. `None`: it is described in words.
    pub data_folder: Option<String>,
    /// The program that runs hooks in place of the bundle's own adapter, as a word of the shell and the verb for it:
    /// `PROGRAM VERB SPEC COMMAND`. `None`: the bundle has its adapter in it.
    pub adapter: Option<(String, String)>,
    /// Other names for skills.
    pub aliases: Aliases,
    /// What can be referred to in other plugins: the whole marketplace, or everything that is installed.
    pub neighbours: Names,
    /// Names that MCP servers of this plugin may not have, since others have them.
    pub taken_servers: Vec<String>,
    /// Names that MCP servers of this plugin run under, decided elsewhere, by the names they would have.
    pub renamed_servers: BTreeMap<String, String>,
    /// Whether a warning fails the conversion: a finding by which a part is less than it was, or may be
    /// ([`Code::loses`](crate::report::Code::loses)). Notes of what is only said in other words are none.
    pub strict: bool,
}

/// Where a bundle will lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BundleRoot {
    /// Not known: its texts name paths relative to the folder they lie in, so that it can be moved.
    #[default]
    Portable,
    /// At this absolute path, without a slash at its end.
    At(String),
}

/// Other names for skills, by plugin: the registry file.
///
/// ```toml
/// [plugins.spec-forge.skills]
/// prd-generation = "prd"
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aliases {
    /// By plugin name.
    #[serde(default)]
    pub plugins: BTreeMap<String, PluginAliases>,
}

/// Other names for the skills of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginAliases {
    /// New name by the name the skill has.
    #[serde(default)]
    pub skills: BTreeMap<String, String>,
}
