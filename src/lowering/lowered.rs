//! What lowering gives: the config of one thread, and what stands beside it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use codex_loadout_protocol::selection::Mode;
use serde_json::{Map, Value, json};

use crate::shared::Shared;

/// A program that ends at once and does nothing.
const IDLE: &str = "true";

/// Of `skills`: whether Codex writes the list of skills.
pub(super) const INCLUDE_INSTRUCTIONS: &str = "include_instructions";

/// Whether the host's config may widen the loadout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeMode {
    /// Replace, restrict: it may not.
    Guarded,
    /// Extend: it may; the thread has the user's own set anyway.
    Open,
}

impl MergeMode {
    /// How the host's config is treated in this mode.
    #[must_use]
    pub(crate) fn of(mode: Mode) -> Self {
        match mode {
            Mode::Replace | Mode::Restrict => Self::Guarded,
            Mode::Extend => Self::Open,
        }
    }
}

/// What a thread is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lowered {
    /// Our part of `config`.
    pub config: Shared<Map<String, Value>>,
    /// How the host's own part is treated.
    pub mode: MergeMode,
    /// What the launch line says, which goes on counting.
    pub launch_line: Map<String, Value>,
    /// Whether MCP servers that the host defines itself are taken out of its config.
    pub drops_host_servers: bool,
    /// Chosen servers of the user's config that it no longer has.
    pub gone_servers: Vec<String>,
    /// The list of skills that we write for the model; empty if it has none. `None`: the list is Codex's own.
    pub skill_list: Option<String>,
    /// What the user's config has developers say to the model.
    pub user_instructions: Option<String>,
    /// Role files that `config` names and that have to be there, with their text.
    pub role_files: BTreeMap<PathBuf, String>,
}

impl Lowered {
    /// This config, and nothing else.
    pub(super) fn new(config: Map<String, Value>, mode: MergeMode) -> Self {
        Self {
            config: config.into(),
            mode,
            launch_line: Map::new(),
            drops_host_servers: false,
            gone_servers: Vec::new(),
            skill_list: None,
            user_instructions: None,
            role_files: BTreeMap::new(),
        }
    }

    /// Puts servers that do nothing in the place of a thread's own, under the same names: to see the
    /// names without running anything.
    pub(crate) fn idle_servers(&mut self) {
        let servers = self
            .config
            .get_mut("mcp_servers")
            .and_then(Value::as_object_mut);
        for server in servers.into_iter().flat_map(Map::values_mut) {
            *server = json!({ "command": IDLE, "enabled": true });
        }
    }

    /// Leaves the list of skills to Codex: to see which skills it finds itself.
    pub(crate) fn leave_list_to_codex(&mut self) {
        self.skill_list = None;
        if let Some(Value::Object(skills)) = self.config.get_mut("skills") {
            skills.remove(INCLUDE_INSTRUCTIONS);
        }
    }

    /// What this says and what the other says: for a thread that may be in either of two folders.
    pub(crate) fn and(&mut self, other: Self) {
        add(&mut self.config, other.config.into_inner());
        self.role_files.extend(other.role_files);
        self.gone_servers
            .retain(|server| other.gone_servers.contains(server));
    }
}

/// What is not yet said; of lists, the entries that are missing.
fn add(config: &mut Map<String, Value>, more: Map<String, Value>) {
    for (key, more) in more {
        match (config.get_mut(&key), more) {
            (Some(Value::Object(inner)), Value::Object(more)) => add(inner, more),
            (Some(Value::Array(list)), Value::Array(more)) => {
                let missing: Vec<Value> = more
                    .into_iter()
                    .filter(|entry| !list.contains(entry))
                    .collect();
                list.extend(missing);
            }
            (Some(_), _) => {}
            (None, more) => {
                config.insert(key, more);
            }
        }
    }
}
