//! Which tools an MCP server has, where that is known: a tool is asked for by its name, and names are mistyped.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::plan::{PlannedServer, RequestServers, ServerOrigin};
use super::server_names::FoundServer;
use crate::catalog::{Catalog, InstalledPlugin};

/// What is run: servers that are run alike have the same tools.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RunAs {
    /// The plugin that brings it, with its version.
    plugin: Option<(String, String)>,
    /// Its definition. It may hold secrets: never print it.
    definition: Map<String, Value>,
}

impl RunAs {
    fn own(definition: &Map<String, Value>) -> Self {
        Self {
            plugin: None,
            definition: definition.clone(),
        }
    }

    fn of_plugin(plugin: &InstalledPlugin, definition: &Map<String, Value>) -> Self {
        Self {
            plugin: Some((plugin.id.clone(), plugin.version.clone())),
            definition: definition.clone(),
        }
    }

    /// How a server of the user's own is run: of the config, or of a plugin that Codex loads.
    #[must_use]
    pub(crate) fn of_users(name: &str, plugin: Option<&str>, catalog: &Catalog) -> Option<Self> {
        let Some(id) = plugin else {
            return Some(Self::own(&catalog.servers.get(name)?.definition));
        };
        let plugin = catalog.plugins.iter().find(|plugin| plugin.id == id)?;
        let server = plugin.native.servers.get(name)?;
        Some(Self::of_plugin(plugin, &server.definition))
    }

    /// How a chosen server is run for its thread. `None`: what it was chosen from is no longer there.
    #[must_use]
    pub(crate) fn of_chosen(server: &PlannedServer, catalog: &Catalog) -> Option<Self> {
        match &server.origin {
            ServerOrigin::Config => Self::of_users(&server.name, None, catalog),
            ServerOrigin::NativePlugin { id } => Self::of_users(&server.name, Some(id), catalog),
            ServerOrigin::Request { definition } => Some(Self::own(definition)),
            ServerOrigin::Snapshot { id, definition, .. } => {
                let plugin = catalog.plugins.iter().find(|plugin| plugin.id == *id)?;
                Some(Self::of_plugin(plugin, definition))
            }
        }
    }

    /// How a server that a selection names would be run.
    pub(super) fn of_found(
        server: &FoundServer<'_>,
        native: bool,
        catalog: &Catalog,
        request: &RequestServers,
    ) -> Option<Self> {
        match server {
            FoundServer::Request(name) => Some(Self::own(request.get(*name)?)),
            FoundServer::Config(name) => Self::of_users(name, None, catalog),
            FoundServer::OfPlugin(plugin, name) => {
                let parts = match native {
                    true => &plugin.native,
                    false => plugin.parts(),
                };
                let server = parts.servers.get(*name)?;
                Some(Self::of_plugin(plugin, &server.definition))
            }
        }
    }

    /// Its definition.
    #[must_use]
    pub(crate) fn definition(&self) -> &Map<String, Value> {
        &self.definition
    }
}

/// What is known of the tools that servers have.
pub(crate) trait KnownTools {
    /// All tools of a server that is run like this. `None`: they are not known.
    fn tools_of(&self, server: &RunAs) -> Option<Arc<BTreeSet<String>>>;
}

/// Nothing is known.
pub(super) struct NothingKnown;

impl KnownTools for NothingKnown {
    fn tools_of(&self, _: &RunAs) -> Option<Arc<BTreeSet<String>>> {
        None
    }
}
