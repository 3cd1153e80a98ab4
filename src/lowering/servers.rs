//! MCP servers of one thread: those of the user's config, switched on and off, and those given by value.

use serde_json::{Map, Value};

use super::lower::Lowering;
use super::server_definition;
use crate::resolver::{PlannedServer, Scope, ServerOrigin};

/// How a server is reached. Codex refuses a thread whose config switches off a server that has no
/// transport; so one that goes from the user's config meanwhile is still a server, and off.
pub(super) fn transport_of(definition: &Map<String, Value>) -> Map<String, Value> {
    ["command", "url"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), definition.get(field)?.clone())))
        .filter(|(_, value)| !value.is_null())
        .take(1)
        .collect()
}

impl Lowering<'_> {
    /// The user's own servers: those of the plan on, the others off.
    pub(super) fn config_servers(&mut self) {
        if let Scope::Only(_) = self.plan.host_servers {
            self.switch_servers_off();
        }
        let plan = self.plan;
        for server in plan.servers.iter().filter(|server| is_of_config(server)) {
            // An entry without a definition would make Codex refuse the whole thread.
            let Some(configured) = self.catalog.servers.get(&server.name) else {
                self.gone_servers.push(server.name.clone());
                continue;
            };
            if !configured.enabled || plan.host_servers != Scope::All {
                self.set(&["mcp_servers", &server.name, "enabled"], true);
            }
            if let Some(tools) = server.tools.clone() {
                self.set(&["mcp_servers", &server.name, "enabled_tools"], tools);
            }
        }
    }

    fn switch_servers_off(&mut self) {
        // Codex merges what the request defines into the user's of the same name.
        let stays = |server: &&PlannedServer| {
            is_of_config(server) || matches!(server.origin, ServerOrigin::Request { .. })
        };
        let plan = self.plan;
        for (name, configured) in &self.catalog.servers {
            let mut kept = plan.servers.iter().filter(stays);
            if !kept.any(|server| server.name == *name) {
                let mut off = transport_of(&configured.definition);
                off.insert("enabled".to_owned(), false.into());
                self.set(&["mcp_servers", name], off);
            }
        }
    }

    /// Servers that are given to the thread by value.
    pub(super) fn given_servers(&mut self) {
        for server in &self.plan.servers {
            let mut entry = match &server.origin {
                ServerOrigin::Request { definition } => {
                    let mut entry = definition.clone();
                    entry.insert("enabled".to_owned(), true.into());
                    entry
                }
                ServerOrigin::Snapshot {
                    bundle, definition, ..
                } => server_definition::for_config(definition, &(self.files.snapshot)(*bundle)),
                ServerOrigin::Config | ServerOrigin::NativePlugin { .. } => continue,
            };
            if let Some(tools) = server.tools.clone() {
                entry.insert("enabled_tools".to_owned(), tools.into());
            }
            self.set(&["mcp_servers", &server.name], entry);
        }
    }
}

fn is_of_config(server: &PlannedServer) -> bool {
    server.origin == ServerOrigin::Config
}
