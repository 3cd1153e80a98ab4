//! `capabilitySelection`: which capabilities one thread gets.
//!
//! Every list is tri-state: omitted (or `null`), empty, or a list of names. What
//! omitted means depends on [`Mode`].

mod choices;
mod hooks;
mod limits;
mod policies;
mod read;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use choices::{McpServerChoice, PluginChoice, ProfileNames, SkillChoice, SkillListing};
pub use hooks::HookPolicy;
pub use limits::{MAX_NAME, MAX_NAMES, MAX_TEXT};
pub use policies::{HostServers, ManagedPolicy, Mode, UntrustedPolicy};
pub use read::{MemberError, SCHEMA_HINT};

/// The field name on `thread/start`, `thread/resume` and `thread/fork`.
pub const FIELD: &str = "capabilitySelection";

/// The selection's keys in `config`, there and on the launch line: alone, or with the path of a member behind them.
pub const CONFIG_KEYS: [&str; 2] = ["capability_selection", FIELD];
/// The task's key in `config`, there and on the launch line.
pub const TASK_KEYS: [&str; 2] = ["capability_task", "capabilityTask"];

/// What a host asks for on `thread/start`, `thread/resume` or `thread/fork`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilitySelection {
    /// How the named capabilities relate to the user's own set; omitted: that of the profile, else `replace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Profiles to start from, merged left to right; the fields beside it are merged on top.
    #[serde(skip_serializing_if = "ProfileNames::is_empty")]
    pub profile: ProfileNames,
    /// Plugins, each bringing its skills, agents, hooks and MCP servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Vec<PluginChoice>>,
    /// Skills outside the chosen plugins, by logical name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<SkillChoice>>,
    /// MCP servers, wherever they come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_servers: Option<Vec<McpServerChoice>>,
    /// Agents (Codex: roles) outside the chosen plugins, by logical name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<String>>,
    /// Connectors of the user's account, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apps: Option<Vec<String>>,
    /// Which hooks of chosen plugins run; omitted: as the profile says, else `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<HookPolicy>,
    /// What becomes of hooks and MCP servers of a bundle that the user has not approved; omitted: as the profile
    /// says, else `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_untrusted: Option<UntrustedPolicy>,
    /// What becomes of what an administrator's layer of config forces on every thread; omitted: as the profile
    /// says, else `refuse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedPolicy>,
    /// What becomes of MCP servers that the host defines in the same request's `config.mcp_servers`; omitted: as
    /// the profile says, else `keep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_servers: Option<HostServers>,
}

/// The members of the field, as they are spelled there.
pub const MEMBERS: [&str; 11] = [
    "mode",
    "profile",
    "plugins",
    "skills",
    "mcpServers",
    "agents",
    "apps",
    "hooks",
    "onUntrusted",
    "managed",
    "hostServers",
];

impl CapabilitySelection {
    /// The mode, `replace` where none is said.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or_default()
    }

    /// Which hooks run, `none` where nothing is said.
    #[must_use]
    pub fn hooks(&self) -> HookPolicy {
        self.hooks.clone().unwrap_or_default()
    }

    /// What becomes of what was not approved, `error` where nothing is said.
    #[must_use]
    pub fn on_untrusted(&self) -> UntrustedPolicy {
        self.on_untrusted.unwrap_or_default()
    }

    /// What becomes of what an administrator forces, `refuse` where nothing is said.
    #[must_use]
    pub fn managed(&self) -> ManagedPolicy {
        self.managed.unwrap_or_default()
    }

    /// What becomes of the host's own MCP servers, `keep` where nothing is said.
    #[must_use]
    pub fn host_servers(&self) -> HostServers {
        self.host_servers.unwrap_or_default()
    }

    /// One that names profiles, and says nothing else.
    #[must_use]
    pub fn of_profiles(names: Vec<String>) -> Self {
        Self {
            profile: ProfileNames(names),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
