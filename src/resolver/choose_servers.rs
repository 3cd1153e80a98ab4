//! MCP servers that run, wherever they are defined, and the tools that they are cut to.

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::selection::{HostServers, McpServerChoice, Mode};

use super::known_tools::{KnownTools, RunAs};
use super::name_error::NameError;
use super::resolve::{Resolver, contradiction};
use super::server_names::{FoundServer, find_server};
use crate::catalog::InstalledPlugin;

impl<'a> Resolver<'a> {
    /// The servers that are named, with how they are cut.
    pub(super) fn find_servers(&mut self) -> Vec<(FoundServer<'a>, &'a McpServerChoice)> {
        let mut found = Vec::new();
        for choice in self.selection.mcp_servers.iter().flatten() {
            match find_server(self.catalog, self.request, &choice.name, |plugin| {
                self.chosen.contains_key(plugin.id.as_str())
            }) {
                Ok(server) => found.push((server, choice)),
                Err(problem) => self.problems.push(problem),
            }
        }
        found
    }

    /// The tools that servers are cut to, where it is known what there is.
    pub(super) fn check_tools(
        &mut self,
        found: &[(FoundServer<'a>, &'a McpServerChoice)],
        known: &dyn KnownTools,
    ) {
        let of_plugins = self.chosen.values().flat_map(|chosen| {
            let choices = chosen.servers.iter().flatten();
            choices.map(|choice| {
                let server = FoundServer::OfPlugin(chosen.plugin, &choice.name);
                (server, choice.tools.as_deref())
            })
        });
        let named = found.iter();
        let named = named.map(|(server, choice)| (*server, choice.tools.as_deref()));
        let mut problems = Vec::new();
        for (server, tools) in named.chain(of_plugins) {
            let native =
                matches!(server, FoundServer::OfPlugin(plugin, _) if self.is_native(plugin));
            let has = tools.filter(|tools| !tools.is_empty()).and_then(|_| {
                let run_as = RunAs::of_found(&server, native, self.catalog, self.request)?;
                known.tools_of(&run_as)
            });
            let Some(has) = has else { continue };
            let mut tools: Vec<&String> = tools.into_iter().flatten().collect();
            tools.retain(|tool| !has.contains(*tool));
            let missing = tools.into_iter();
            problems.extend(missing.map(|tool| NameError::unknown_tool(server.name(), tool, &has)));
        }
        self.problems.extend(problems);
    }

    /// Those that are named, the host's own, and those that come with plugins.
    pub(super) fn choose_servers(
        &mut self,
        found: Vec<(FoundServer<'a>, &'a McpServerChoice)>,
    ) -> Result<(), LoadoutError> {
        for (server, choice) in found {
            self.add_server(server, choice)?;
        }
        if self.selection.host_servers() == HostServers::Keep {
            for name in self.request.keys() {
                let server = FoundServer::Request(name);
                if !self.servers.iter().any(|(listed, _)| same(listed, &server)) {
                    self.servers.push((server, None));
                }
            }
        }
        let in_plugins: Vec<(&'a InstalledPlugin, Option<Vec<McpServerChoice>>)> = self
            .chosen
            .values()
            .map(|chosen| (chosen.plugin, chosen.servers.clone()))
            .collect();
        let exact = self.selection.mcp_servers.is_some() && self.selection.mode() != Mode::Extend;
        for (plugin, kept) in in_plugins {
            for choice in kept.iter().flatten() {
                let Some((name, _)) = plugin.parts().servers.get_key_value(&choice.name) else {
                    continue;
                };
                let server = FoundServer::OfPlugin(plugin, name);
                if !exact {
                    self.add_server(server, choice)?;
                } else if !self.servers.iter().any(|(listed, _)| same(listed, &server)) {
                    self.warn("serverNotListed", format!("MCP server `{name}` of `{}` does not run: `mcpServers` does not list it", plugin.id));
                }
            }
            // A snapshot's servers are given by value, so the ones that come along are named here.
            if kept.is_none() && !exact && !self.is_native(plugin) {
                let servers = plugin.parts().servers.iter();
                for (name, _) in servers.filter(|(_, server)| server.enabled) {
                    self.add_server(
                        FoundServer::OfPlugin(plugin, name),
                        &McpServerChoice {
                            name: name.clone(),
                            tools: None,
                        },
                    )?;
                }
            }
        }
        Ok(())
    }

    fn add_server(
        &mut self,
        server: FoundServer<'a>,
        choice: &McpServerChoice,
    ) -> Result<(), LoadoutError> {
        if choice.tools.as_ref().is_some_and(Vec::is_empty) {
            self.warn(
                "noTools",
                format!("MCP server `{}` runs without any of its tools", choice.name),
            );
        }
        if let FoundServer::Config(name) = server
            && self
                .catalog
                .servers
                .get(name)
                .is_some_and(|server| !server.enabled)
        {
            self.warn(
                "enabledForThread",
                format!(
                    "MCP server `{name}` is disabled in the user's config; it is on for this thread"
                ),
            );
        }
        match self
            .servers
            .iter()
            .find(|(listed, _)| same(listed, &server))
        {
            None => self.servers.push((server, choice.tools.clone())),
            Some((_, tools)) if *tools == choice.tools => {}
            Some(_) => return Err(contradiction("mcpServers", &choice.name)),
        }
        Ok(())
    }
}

fn same(a: &FoundServer<'_>, b: &FoundServer<'_>) -> bool {
    match (a, b) {
        (FoundServer::Config(a), FoundServer::Config(b))
        | (FoundServer::Request(a), FoundServer::Request(b)) => a == b,
        (FoundServer::OfPlugin(p, a), FoundServer::OfPlugin(q, b)) => p.id == q.id && a == b,
        _ => false,
    }
}
