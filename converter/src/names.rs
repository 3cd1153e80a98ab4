//! The names that texts can refer to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What there is to refer to, by plugin name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Names {
    /// By plugin name.
    pub plugins: BTreeMap<String, PluginNames>,
}

/// What one plugin offers, without its own name in front.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PluginNames {
    /// What a user calls with `/plugin:name`: skills and commands, by the name Claude users know; the value is the skill's name in the bundle.
    pub skills: BTreeMap<String, String>,
    /// Agents.
    pub agents: BTreeSet<String>,
    /// MCP servers by the plugin's own name for them; the value is the name they run under.
    pub servers: BTreeMap<String, String>,
}
