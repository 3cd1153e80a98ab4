//! From the name of an MCP server to where it is defined.

use super::name_error::NameError;
use super::plan::RequestServers;
use crate::catalog::{Catalog, InstalledPlugin};

/// Qualifies a server of the user's or the project's config.
pub(super) const CONFIG_QUALIFIER: &str = "config";

/// A server of one plugin.
pub(super) fn check_server_of<'a>(
    plugin: &'a InstalledPlugin,
    name: &str,
) -> Result<(), NameError<'a>> {
    if plugin.parts().servers.contains_key(name) {
        return Ok(());
    }
    Err(NameError::unknown(
        "MCP server in that plugin named",
        name,
        plugin.parts().servers.keys().map(String::as_str),
    ))
}

/// What a server's name leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum FoundServer<'a> {
    Request(&'a str),
    Config(&'a str),
    OfPlugin(&'a InstalledPlugin, &'a str),
}

impl FoundServer<'_> {
    /// As its source has it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Request(name) | Self::Config(name) | Self::OfPlugin(_, name) => name,
        }
    }
}

/// A server by its name, or by `plugin:server`, `plugin@marketplace:server`, `config:server`. The request's own
/// comes first; of several other sources, a single chosen plugin is meant.
pub(super) fn find_server<'a>(
    catalog: &'a Catalog,
    request: &'a RequestServers,
    name: &str,
    is_chosen: impl Fn(&InstalledPlugin) -> bool,
) -> Result<FoundServer<'a>, NameError<'a>> {
    if let Some((name, _)) = request.get_key_value(name) {
        return Ok(FoundServer::Request(name));
    }
    let mut fitting = servers_named(catalog, None, name);
    if fitting.is_empty()
        && let Some((qualifier, own)) = name.split_once(':')
    {
        fitting = servers_named(catalog, Some(qualifier), own);
    }
    match fitting.as_slice() {
        [one] => return Ok(*one),
        [] => {
            let of_plugins = catalog
                .plugins
                .iter()
                .flat_map(|plugin| plugin.parts().servers.keys());
            let own = catalog.servers.keys().chain(request.keys());
            let known = own.chain(of_plugins).map(String::as_str);
            return Err(NameError::unknown("MCP server", name, known));
        }
        _ => {}
    }
    let chosen: Vec<FoundServer<'a>> = fitting
        .iter()
        .copied()
        .filter(|found| matches!(found, FoundServer::OfPlugin(plugin, _) if is_chosen(plugin)))
        .collect();
    match chosen.as_slice() {
        [one] => Ok(*one),
        _ => Err(NameError::ambiguous(
            "MCP server",
            name,
            fitting.iter().map(qualified).collect(),
        )),
    }
}

fn servers_named<'a>(
    catalog: &'a Catalog,
    qualifier: Option<&str>,
    name: &str,
) -> Vec<FoundServer<'a>> {
    let config = catalog
        .servers
        .get_key_value(name)
        .filter(|_| qualifier.is_none_or(|qualifier| qualifier == CONFIG_QUALIFIER));
    let of_plugins = catalog
        .plugins
        .iter()
        .filter(|plugin| {
            plugin.blocked.is_none()
                && qualifier
                    .is_none_or(|qualifier| plugin.id == qualifier || plugin.name == qualifier)
        })
        .filter_map(|plugin| {
            let found = plugin.parts().servers.get_key_value(name);
            found.map(|(name, _)| FoundServer::OfPlugin(plugin, name))
        });
    config
        .map(|(name, _)| FoundServer::Config(name))
        .into_iter()
        .chain(of_plugins)
        .collect()
}

fn qualified(found: &FoundServer<'_>) -> String {
    match found {
        FoundServer::Request(name) => (*name).to_owned(),
        FoundServer::Config(name) => format!("{CONFIG_QUALIFIER}:{name}"),
        FoundServer::OfPlugin(plugin, name) => format!("{}:{name}", plugin.id),
    }
}
