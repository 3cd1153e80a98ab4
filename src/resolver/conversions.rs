//! What each converted bundle of a plan is made with.

use std::collections::BTreeMap;

use codex_loadout_converter::names::{Names, PluginNames};

use super::plan::{Bundle, PlannedServer, ServerOrigin};
use crate::bundle::BundleContent;
use crate::catalog::{ConversionInput, InstalledPlugin};

/// Says of each bundle that is converted what its texts can refer to: the other chosen plugins, and
/// its own MCP servers by the names they run under.
pub(super) fn say_how(
    bundles: &mut [Bundle],
    plugins: &[&InstalledPlugin],
    servers: &[PlannedServer],
) {
    for bundle in bundles.iter_mut().filter(|bundle| bundle.stored) {
        let BundleContent::Plugin { id, .. } = &bundle.content else {
            continue;
        };
        let plugin = plugins.iter().find(|plugin| plugin.id == *id);
        let Some(plugin) = plugin.filter(|plugin| plugin.is_converted()) else {
            continue;
        };
        let neighbours = plugins.iter().filter(|other| other.name != plugin.name);
        bundle.conversion = Some(ConversionInput {
            plugin: plugin.name.clone(),
            data_folder: plugin.data_folder.clone(),
            entry: plugin.entry.clone(),
            neighbours: Names {
                plugins: neighbours
                    .map(|other| (other.name.clone(), names_of(other)))
                    .collect(),
            },
            renamed_servers: renamed(servers, id),
        });
    }
}

fn names_of(plugin: &InstalledPlugin) -> PluginNames {
    let own = |name: &str| {
        let own = name
            .strip_prefix(&plugin.name)
            .and_then(|name| name.strip_prefix(':'));
        own.unwrap_or(name).to_owned()
    };
    let parts = plugin.parts();
    PluginNames {
        skills: parts
            .skills
            .iter()
            .map(|skill| (own(&skill.name), own(&skill.name)))
            .collect(),
        agents: parts.agents.iter().map(|agent| own(&agent.name)).collect(),
        servers: BTreeMap::new(),
    }
}

fn renamed(servers: &[PlannedServer], id: &str) -> BTreeMap<String, String> {
    let of_plugin = servers.iter().filter_map(|planned| match &planned.origin {
        ServerOrigin::Snapshot { id: of, server, .. } if of == id => Some((server, &planned.name)),
        _ => None,
    });
    of_plugin
        .filter(|(own, runs_as)| own != runs_as)
        .map(|(own, runs_as)| (own.clone(), runs_as.clone()))
        .collect()
}
