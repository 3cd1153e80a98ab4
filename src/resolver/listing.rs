//! Everything that could be selected, with what to write for it.

use std::collections::BTreeMap;

use codex_loadout_protocol::bundle::BUNDLE;
use codex_loadout_protocol::method::{Capability, CapabilityKind};

use super::server_names::CONFIG_QUALIFIER;
use crate::catalog::Catalog;

/// The entries of `capability/list`, sorted by kind and id. Where several
/// sources have a name, the id is the form that tells them apart.
#[must_use]
pub(crate) fn capabilities(catalog: &Catalog) -> Vec<Capability> {
    let mut found = Vec::new();
    for plugin in catalog.plugins.iter().filter(|plugin| plugin.is_listed()) {
        found.push(Capability {
            id: plugin.id.clone(),
            kind: CapabilityKind::Plugin,
            source: match plugin.added {
                Some(_) => BUNDLE.to_owned(),
                None => "codex".to_owned(),
            },
            enabled: plugin.enabled,
            version: Some(plugin.version.clone()),
            description: plugin.description.clone(),
        });
        let of_plugin = |kind, id: &str, enabled, description: &str| Capability {
            id: id.to_owned(),
            kind,
            source: plugin.id.clone(),
            enabled,
            version: Some(plugin.version.clone()),
            description: Some(description.to_owned()),
        };
        let is_native = |name: &str| {
            let mut native = plugin.native.skills.iter();
            plugin.enabled && native.any(|skill| skill.name == name && skill.enabled)
        };
        found.extend(plugin.parts().skills.iter().map(|skill| {
            let enabled = is_native(&skill.name);
            of_plugin(
                CapabilityKind::Skill,
                &skill.name,
                enabled,
                &skill.description,
            )
        }));
        // Codex itself loads no plugin's agents.
        found.extend(plugin.parts().agents.iter().map(|agent| {
            of_plugin(
                CapabilityKind::Agent,
                &agent.name,
                false,
                &agent.description,
            )
        }));
    }
    // What they have is not read before one is named.
    found.extend(catalog.offered.iter().map(|id| Capability {
        id: id.clone(),
        kind: CapabilityKind::Plugin,
        source: "marketplace".to_owned(),
        enabled: false,
        version: None,
        description: None,
    }));
    let mut skill_names: BTreeMap<&str, usize> = BTreeMap::new();
    for skill in &catalog.skills {
        *skill_names.entry(&skill.name).or_default() += 1;
    }
    found.extend(catalog.skills.iter().map(|skill| Capability {
        id: match skill_names.get(skill.name.as_str()) {
            Some(1) => skill.name.clone(),
            _ => skill.path.to_string_lossy().into_owned(),
        },
        kind: CapabilityKind::Skill,
        source: skill.scope.as_str().to_owned(),
        enabled: skill.enabled,
        version: None,
        description: Some(skill.description.clone()),
    }));
    found.extend(catalog.roles.iter().map(|role| Capability {
        id: role.name.clone(),
        kind: CapabilityKind::Agent,
        source: CONFIG_QUALIFIER.to_owned(),
        enabled: true,
        version: None,
        description: Some(role.description.clone()),
    }));
    found.extend(servers(catalog));
    found.sort_by(|a, b| (a.kind, &a.id, &a.source).cmp(&(b.kind, &b.id, &b.source)));
    found
}

fn servers(catalog: &Catalog) -> Vec<Capability> {
    let of_config = catalog
        .servers
        .iter()
        .map(|(name, server)| (name, CONFIG_QUALIFIER, server.enabled, None));
    let of_plugins = catalog
        .plugins
        .iter()
        .filter(|plugin| plugin.is_listed())
        .flat_map(|plugin| {
            plugin.parts().servers.iter().map(|(name, server)| {
                (
                    name,
                    plugin.id.as_str(),
                    plugin.enabled && server.enabled,
                    Some(plugin.version.clone()),
                )
            })
        });
    let all: Vec<_> = of_config.chain(of_plugins).collect();
    let sources = |name: &str| all.iter().filter(|(other, ..)| *other == name).count();
    all.iter()
        .map(|(name, source, enabled, version)| Capability {
            id: if sources(name) == 1 {
                (*name).clone()
            } else {
                format!("{source}:{name}")
            },
            kind: CapabilityKind::McpServer,
            source: (*source).to_owned(),
            enabled: *enabled,
            version: version.clone(),
            description: None,
        })
        .collect()
}
