//! What can run and was not approved, and what a policy lets no bundle run.

use codex_loadout_protocol::selection::{HookPolicy, UntrustedPolicy};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::name_error::{NameError, report};
use super::resolve::{Chosen, Resolver};
use super::server_names::FoundServer;
use crate::catalog::{InstalledPlugin, PluginHook, hook_id};

impl<'a> Resolver<'a> {
    /// The hooks that are named by event or id: each has to be one of a chosen plugin's that comes as a snapshot.
    ///
    /// # Errors
    /// `unknownCapability` with all names that lead to none, `blockedByPolicy` for those that no bundle may run.
    pub(super) fn check_hooks(&mut self) -> Result<(), LoadoutError> {
        let policy = self.selection.hooks();
        let chosen: Vec<&Chosen<'a>> = self.chosen.values().collect();
        let given = chosen
            .iter()
            .filter(|chosen| !self.is_native(chosen.plugin));
        let hooks: Vec<(&'a InstalledPlugin, &'a PluginHook)> = given
            .flat_map(|chosen| {
                let hooks = chosen.plugin.parts().hooks.iter();
                hooks.map(|hook| (chosen.plugin, hook))
            })
            .collect();
        let mut problems = Vec::new();
        for name in policy.named() {
            let mut meant = hooks.iter().filter(|hook| is_named(hook, name)).peekable();
            if meant.peek().is_none() {
                let events = hooks.iter().map(|(_, hook)| hook.event.as_str());
                problems.push(NameError::unknown(
                    "hook of a chosen plugin",
                    name,
                    events.collect::<Vec<_>>(),
                ));
            }
            problems.extend(meant.filter_map(|(plugin, _)| {
                let layer = plugin.added.as_ref()?.hooks_denied_by.as_ref()?;
                let why = format!("`{layer}` lets no bundle run hooks");
                let id = name.clone();
                Some(NameError::Blocked { id, why })
            }));
        }
        let denied: Vec<(String, String)> = match policy {
            HookPolicy::Trusted => hooks
                .iter()
                .filter_map(|(plugin, _)| {
                    let layer = plugin.added.as_ref()?.hooks_denied_by.clone()?;
                    Some((plugin.id.clone(), layer))
                })
                .collect(),
            HookPolicy::None | HookPolicy::Only(_) => Vec::new(),
        };
        for (id, layer) in denied {
            let message = format!("hooks of `{id}` do not run: `{layer}` lets no bundle run hooks");
            self.warn("blockedByPolicy", message);
        }
        report(problems)
    }

    /// Servers and hooks of bundles that may not run: those that a policy denies, and those that wait for approval.
    ///
    /// # Errors
    /// `untrusted` with each bundle, unless the selection has them left out; `blockedByPolicy` for a server that is
    /// named and denied.
    pub(super) fn check_trust(&mut self) -> Result<(), LoadoutError> {
        let servers = std::mem::take(&mut self.servers);
        let plain = |name: &'a str| name.rsplit(':').next().unwrap_or(name);
        let named: Vec<&str> = self.named_servers().map(plain).collect();
        let mut problems = Vec::new();
        let mut waiting = Vec::new();
        for (server, tools) in servers {
            let FoundServer::OfPlugin(plugin, name) = server else {
                self.servers.push((server, tools));
                continue;
            };
            let added = plugin.added.as_ref();
            if let Some(layer) = added.and_then(|added| added.servers_denied_by.as_ref()) {
                let why = format!("`{layer}` lets no bundle start MCP servers");
                match named.contains(&name) {
                    true => problems.push(NameError::Blocked {
                        id: name.to_owned(),
                        why,
                    }),
                    false => {
                        let message =
                            format!("MCP server `{name}` of `{}` does not run: {why}", plugin.id);
                        self.warn("blockedByPolicy", message);
                    }
                }
            } else if plugin.unapproved().is_some() {
                waiting.push((plugin, format!("MCP server `{name}`")));
            } else {
                self.servers.push((server, tools));
            }
        }
        report(problems)?;
        waiting.extend(self.waiting_hooks());
        if waiting.is_empty() {
            return Ok(());
        }
        match self.selection.on_untrusted() {
            UntrustedPolicy::Error => Err(untrusted(&waiting)),
            UntrustedPolicy::Omit => {
                for (plugin, what) in waiting {
                    let message = format!(
                        "{what} of `{}` is left out: the bundle is not approved",
                        plugin.id
                    );
                    self.warn("untrusted", message);
                }
                Ok(())
            }
        }
    }

    /// Servers that the selection names, as it does: in the list of its own or in that of a plugin.
    pub(super) fn named_servers(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let selection = self.selection;
        let plugins = selection.plugins.iter().flatten();
        let of_plugins = plugins.flat_map(|plugin| plugin.mcp_servers.iter().flatten());
        let own = selection.mcp_servers.iter().flatten();
        of_plugins.chain(own).map(|choice| choice.name.as_str())
    }

    /// Hooks that are to run as approved ones, of bundles that are not.
    fn waiting_hooks(&self) -> Vec<(&'a InstalledPlugin, String)> {
        if self.selection.hooks() != HookPolicy::Trusted {
            return Vec::new();
        }
        let chosen = self.chosen.values();
        let waiting = chosen.filter(|chosen| {
            let added = chosen.plugin.added.as_ref();
            added.is_some_and(|added| !added.approved && added.hooks_denied_by.is_none())
        });
        waiting
            .flat_map(|chosen| {
                let mut events: Vec<&str> = chosen
                    .plugin
                    .parts()
                    .hooks
                    .iter()
                    .map(|hook| &*hook.event)
                    .collect();
                events.sort_unstable();
                events.dedup();
                let events = events.into_iter();
                events.map(|event| (chosen.plugin, format!("hook `{event}`")))
            })
            .collect()
    }
}

fn is_named((plugin, hook): &(&InstalledPlugin, &PluginHook), name: &str) -> bool {
    hook.event == name || hook_id(&plugin.id, &hook.origin) == name
}

fn untrusted(waiting: &[(&InstalledPlugin, String)]) -> LoadoutError {
    let mut plugins: Vec<&InstalledPlugin> = Vec::new();
    for (plugin, _) in waiting {
        if !plugins.iter().any(|known| known.id == plugin.id) {
            plugins.push(plugin);
        }
    }
    let sentences: Vec<String> = plugins
        .iter()
        .map(|plugin| {
            let parts = waiting.iter().filter(|(of, _)| of.id == plugin.id);
            let parts: Vec<&str> = parts.map(|(_, what)| what.as_str()).collect();
            format!(
                "bundle `{}` is not approved, and the thread would run its {}",
                plugin.id,
                parts.join(", ")
            )
        })
        .collect();
    let digests: Vec<String> = plugins
        .iter()
        .filter_map(|plugin| plugin.unapproved())
        .map(ToString::to_string)
        .collect();
    let items = plugins.iter().map(|plugin| ErrorItem::named(&plugin.id));
    LoadoutError::new(ErrorKind::Untrusted, sentences.join("; "))
        .with_hint(format!(
            "See what it can run with `codex-loadout bundle show`, and approve it with `codex-loadout bundle trust {}`; or leave it out: `\"mcpServers\": []`, `\"hooks\": \"none\"`, or `\"onUntrusted\": \"omit\"`.",
            digests.join(" ")
        ))
        .with_items(items.collect())
}
