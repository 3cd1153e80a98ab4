//! The receipt: what a thread got, where each part came from, and what it costs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::selection::{Mode, SkillListing};

/// What a thread's loadout holds. It carries no secret: no environment value,
/// token or header of an MCP server ever appears here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// `sha256:…` of the resolved loadout: its contents and its levers.
    pub digest: String,
    /// The mode it was resolved in.
    pub mode: Mode,
    /// The profiles it was merged from, left to right.
    pub profile: Vec<String>,
    /// Chosen plugins and, outside `replace`, those of the user that remain.
    pub plugins: Vec<PluginReceipt>,
    /// Skills outside those plugins.
    pub skills: Vec<SkillReceipt>,
    /// MCP servers that run for the thread.
    pub mcp_servers: Vec<McpServerReceipt>,
    /// Agents (Codex: roles) outside those plugins.
    pub agents: Vec<AgentReceipt>,
    /// Hooks of the thread's plugins and those of the user's own that stay, and whether they run.
    pub hooks: Vec<HookReceipt>,
    /// How many of the user's own capabilities the thread does not get.
    pub excluded: Excluded,
    /// What the loadout costs in the model's context.
    pub context: ContextCost,
    /// The thread this loadout was inherited from (fork or spawn).
    pub inherited_from: Option<String>,
    /// What an administrator forces on the thread besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed: Vec<ManagedReceipt>,
    /// What the host should know: something was renamed, narrowed, recovered.
    pub warnings: Vec<Warning>,
}

impl Receipt {
    /// The names of all skills, those of plugins among them.
    pub fn skill_names(&self) -> impl Iterator<Item = &str> {
        let of_plugins = self.plugins.iter().flat_map(|plugin| &plugin.skills);
        let single = self.skills.iter().map(|skill| &skill.name);
        of_plugins.chain(single).map(String::as_str)
    }
}

/// One plugin of the loadout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginReceipt {
    /// `name@marketplace`.
    pub id: String,
    /// The version Codex has installed.
    pub version: Option<String>,
    /// `sha256:…` of the plugin's tree as the thread gets it.
    pub digest: String,
    /// `codex` for what Codex has installed, `marketplace` for what it could install, `bundle` for what was added here.
    pub source: String,
    /// Names of its skills that the thread sees.
    pub skills: Vec<String>,
    /// Names of its MCP servers that run for the thread.
    pub mcp_servers: Vec<String>,
    /// Names of its agents that the thread can spawn.
    pub agents: Vec<String>,
}

/// One skill outside the chosen plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkillReceipt {
    /// The name the model sees.
    pub name: String,
    /// `user`, `repo`, `admin` or `system` (Codex's scopes), or the id of the plugin it was taken from.
    pub source: String,
    /// The folder or file it was taken from.
    pub path: String,
    /// `sha256:…` of the skill's folder as the thread gets it.
    pub digest: String,
    /// How it stands in the list that the model reads; left out where that is with its description.
    #[serde(default, skip_serializing_if = "SkillListing::is_full")]
    pub list: SkillListing,
}

/// One MCP server of the loadout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpServerReceipt {
    /// The name it runs under; its tools are `mcp__<name>__<tool>`.
    pub name: String,
    /// `config` for the user's and the project's servers, else the id of its plugin.
    pub source: String,
    /// The tools it was cut to; `null` means all.
    pub tools: Option<Vec<String>>,
}

/// One agent of the loadout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentReceipt {
    /// The role name to spawn it by.
    pub name: String,
    /// Where it came from.
    pub source: String,
    /// `sha256:…` of the bundle that holds its role file; of a role of the user's own, of its text and file.
    pub digest: String,
}

/// One hook of a plugin of the thread's, or one of the user's own that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookReceipt {
    /// Codex's key of the hook, by which a selection's `hooks` can name it; receipts of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Codex's name of the event.
    pub event: String,
    /// The plugin it belongs to; of the user's own, where it is declared, in Codex's words (`user`, `project`).
    pub source: String,
    /// Whether the user approved it.
    pub trusted: bool,
    /// Whether it runs for this thread.
    pub active: bool,
}

/// One thing that an administrator's layer of config says of every thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedReceipt {
    /// The file of the layer, or Codex's word for where it comes from.
    pub layer: String,
    /// The key in it.
    pub key: String,
}

impl ManagedReceipt {
    /// A key of a layer.
    pub fn new(layer: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            layer: layer.into(),
            key: key.into(),
        }
    }
}

/// How many of the user's own capabilities the thread does not get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Excluded {
    /// Skills outside plugins.
    pub skills: usize,
    /// Enabled plugins.
    pub plugins: usize,
    /// Enabled MCP servers, those of excluded plugins included.
    pub mcp_servers: usize,
}

/// What the skill list costs in the model's context, in characters (Unicode scalar values).
///
/// Where the list is ours (`replace`, and `restrict` with `skills`), `skillsChars` is its exact length as it is
/// sent, from the first character of its opening tag to the last of its closing one. Codex's own list is
/// counted by its lines, before Codex's 2 % budget cuts it, with absolute paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContextCost {
    /// Characters of the skill list with this loadout.
    pub skills_chars: usize,
    /// Characters of the skill list without it.
    pub skills_chars_without: usize,
}

/// Something the host should know about a loadout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// Stable, machine-readable.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}

impl Warning {
    /// A warning with a stable code and a sentence.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}
