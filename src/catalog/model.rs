//! The catalog as a value.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that could be selected for a thread in one folder, at one moment.
///
/// All lists are sorted, so that equal catalogs compare equal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// The thread's folder.
    pub cwd: PathBuf,
    /// Skills that Codex found outside plugins, disabled ones included.
    pub skills: Vec<HostSkill>,
    /// Skills that lie where Codex looks and that it does not list yet, or lists as they were before.
    /// They can't be selected, but they have to be kept out: Codex may show them at any moment.
    pub newcomers: Vec<HostSkill>,
    /// Plugins that Codex has installed, disabled ones included.
    pub plugins: Vec<InstalledPlugin>,
    /// MCP servers of the effective config (user, project, managed), by name.
    pub servers: BTreeMap<String, ConfigServer>,
}

/// Codex's word for where a skill was found (`skills/list`, `scope`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SkillScope {
    /// `~/.agents/skills` and `$CODEX_HOME/skills`.
    User,
    /// A project's `.agents/skills` or `.codex/skills`.
    Repo,
    /// Bundled with Codex.
    System,
    /// `/etc/codex/skills`.
    Admin,
}

impl SkillScope {
    /// Codex's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Repo => "repo",
            Self::System => "system",
            Self::Admin => "admin",
        }
    }
}

/// A skill outside plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSkill {
    /// The name the model sees; it may hold a `:` where a manifest above the skill gives a namespace.
    pub name: String,
    /// `ns` of `ns:skill`, where a manifest in a folder above the skill gives it.
    pub namespace: Option<String>,
    /// What it is for.
    pub description: String,
    /// Its `SKILL.md`.
    pub path: PathBuf,
    /// Where it was found.
    pub scope: SkillScope,
    /// Whether a thread without a selection gets it.
    pub enabled: bool,
}

/// A plugin that Codex has installed.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledPlugin {
    /// `name@marketplace`.
    pub id: String,
    /// The name alone; also the namespace of its skills.
    pub name: String,
    /// The version Codex has installed.
    pub version: String,
    /// Whether a thread without a selection gets it.
    pub enabled: bool,
    /// Why policy keeps it from being used at all, in a few words.
    pub blocked: Option<String>,
    /// Its installed folder.
    pub root: PathBuf,
    /// What it is for.
    pub description: Option<String>,
    /// The skills it declares.
    pub skills: Vec<PluginSkill>,
    /// The MCP servers it declares, by name.
    pub servers: BTreeMap<String, PluginServer>,
}

/// A skill that a plugin declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSkill {
    /// `plugin:skill`, the name the model sees.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its folder, relative to the plugin's root, `/` between the parts.
    pub folder: String,
    /// Whether the user has it enabled (`skills.config` may disable one skill of a plugin).
    pub enabled: bool,
}

/// An MCP server that a plugin declares.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginServer {
    /// The plugin's own definition of it. It may hold secrets: never print it.
    pub definition: serde_json::Map<String, serde_json::Value>,
    /// Whether the user has it enabled (`plugins."p@m".mcp_servers.N.enabled`).
    pub enabled: bool,
}

/// An MCP server of the effective config.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigServer {
    /// Whether a thread without a selection gets it.
    pub enabled: bool,
    /// Its definition in the effective config. It may hold secrets: never print it.
    pub definition: serde_json::Map<String, serde_json::Value>,
}
