//! The receipt of a plan.

use std::collections::BTreeSet;
use std::path::Path;

use codex_loadout_protocol::receipt::{
    AgentReceipt, ContextCost, Excluded, HookReceipt, McpServerReceipt, PluginReceipt, Receipt,
    SkillReceipt, Warning,
};

use codex_loadout_protocol::selection::{Mode, SkillListing};

use super::plan::{Bundle, Plan, PlannedAgent, PlannedPlugin, PlannedServer, Scope, ServerOrigin};
use crate::bundle::Digest;
use crate::catalog::{Catalog, HostRole, InstalledPlugin, Parts, hook_id};

/// `source` of a plugin that is taken from its marketplace.
const FROM_MARKETPLACE: &str = "marketplace";
/// `source` of a plugin that Codex has installed.
const FROM_CODEX: &str = "codex";
/// `source` of a bundle that was added here.
const FROM_BUNDLE: &str = "bundle";
/// `source` of a server of the user's or the project's config.
const FROM_CONFIG: &str = "config";
/// The source of MCP servers that the host defines in its request.
const FROM_REQUEST: &str = "request";
/// Codex 0.169 cuts a description that is longer than this in the model's list.
const DESCRIPTION_LIMIT: usize = 1024;

/// Says what a plan holds. The digests of its folders must have been filled in.
#[must_use]
pub(crate) fn receipt(plan: &Plan, catalog: &Catalog) -> Receipt {
    let servers = running_servers(plan, catalog);
    let plugins: Vec<PluginReceipt> = plan
        .plugins
        .iter()
        .map(|plugin| PluginReceipt {
            id: plugin.id.clone(),
            version: Some(plugin.version.clone()),
            digest: digest_text(plan.bundles.get(plugin.bundle)),
            source: source(plugin, catalog).to_owned(),
            skills: plugin.skills.clone(),
            mcp_servers: servers
                .iter()
                .filter(|server| server.source == plugin.id)
                .map(|server| server.name.clone())
                .collect(),
            agents: plugin.agents.clone(),
        })
        .collect();
    let skills: Vec<SkillReceipt> = plan
        .skills
        .iter()
        .map(|skill| SkillReceipt {
            name: skill.name.clone(),
            source: skill.source.clone(),
            path: skill.path.to_string_lossy().into_owned(),
            digest: digest_text(plan.bundles.get(skill.bundle)),
            list: listing(plan, &skill.name, skill.bundle),
        })
        .collect();
    Receipt {
        digest: loadout_digest(plan, catalog, &servers).to_string(),
        mode: plan.mode,
        profile: plan.profile.clone(),
        excluded: excluded(plan, catalog, &servers),
        context: context(plan, catalog),
        plugins,
        skills,
        agents: single_agents(plan, catalog),
        hooks: hooks(plan, catalog),
        inherited_from: None,
        managed: Vec::new(),
        warnings: plan
            .warnings
            .iter()
            .cloned()
            .chain(servers.iter().filter_map(unstartable))
            .collect(),
        mcp_servers: servers,
    }
}

/// Codex 0.169 starts no server whose name holds anything but letters, digits and `_ : @ / . -`.
fn unstartable(server: &McpServerReceipt) -> Option<Warning> {
    let may_be = |c: char| c.is_ascii_alphanumeric() || "_:@/.-".contains(c);
    (!server.name.chars().all(may_be)).then(|| {
        let message = format!(
            "Codex starts no MCP server whose name is `{}`: only letters, digits and `_ : @ / . -` may stand in it",
            server.name
        );
        Warning::new("serverNameInvalid", message)
    })
}

/// How a skill stands in the list that the model reads.
fn listing(plan: &Plan, name: &str, bundle: usize) -> SkillListing {
    let mut listed = plan.skill_list.iter().flatten();
    let found = listed.find(|listed| listed.name == name && listed.bundle == bundle);
    found.map(|listed| listed.list).unwrap_or_default()
}

fn source(planned: &PlannedPlugin, catalog: &Catalog) -> &'static str {
    let mut plugins = catalog.plugins.iter();
    match plugins.find(|plugin| plugin.id == planned.id) {
        Some(plugin) if plugin.added.is_some() => FROM_BUNDLE,
        Some(plugin) if !plugin.installed => FROM_MARKETPLACE,
        _ => FROM_CODEX,
    }
}

/// Codex's word for what its launch line says, which holds in every thread.
const OF_LAUNCH_LINE: &str = "sessionFlags";

/// The hooks of chosen plugins, by what is trusted in this catalog; and where they stay, the user's own and those of
/// plugins that Codex itself loads.
#[must_use]
pub(crate) fn hooks(plan: &Plan, catalog: &Catalog) -> Vec<HookReceipt> {
    let hooks = plan.plugin_hooks.iter().map(|hook| {
        let trusted = hook.is_trusted_in(catalog);
        HookReceipt {
            id: Some(hook.id()),
            event: hook.event.clone(),
            source: hook.source.clone(),
            trusted,
            active: plan.runs(hook, catalog),
        }
    });
    let own = catalog
        .hooks
        .iter()
        .filter(|hook| plan.mode != Mode::Replace || hook.source == OF_LAUNCH_LINE)
        .map(|hook| HookReceipt {
            id: Some(hook.key.clone()),
            event: hook.event.clone(),
            source: hook.source.clone(),
            trusted: hook.trusted,
            active: hook.trusted,
        });
    let of_codex = plan.plugins.iter().filter(|planned| planned.native);
    let of_plugins = of_codex.flat_map(|planned| {
        let mut installed = catalog.plugins.iter();
        let plugin = installed.find(|plugin| plugin.id == planned.id);
        let hooks = plugin.into_iter().flat_map(|plugin| &plugin.native.hooks);
        hooks.map(|hook| HookReceipt {
            id: Some(hook_id(&planned.id, &hook.origin)),
            event: hook.event.clone(),
            source: planned.id.clone(),
            trusted: hook.trusted,
            active: hook.trusted,
        })
    });
    hooks.chain(of_plugins).chain(own).collect()
}

/// Those outside the chosen plugins, sorted by name.
fn single_agents(plan: &Plan, catalog: &Catalog) -> Vec<AgentReceipt> {
    let in_plugin =
        |agent: &PlannedAgent| plan.plugins.iter().any(|plugin| plugin.id == agent.source);
    let single = plan.agents.iter().filter(|agent| !in_plugin(agent));
    let single = single.map(|agent| AgentReceipt {
        name: agent.name.clone(),
        source: agent.source.clone(),
        digest: digest_text(plan.bundles.get(agent.bundle)),
    });
    let own = own_roles(plan, catalog).map(|role| AgentReceipt {
        name: role.name.clone(),
        source: FROM_CONFIG.to_owned(),
        digest: role.digest.to_string(),
    });
    let mut agents: Vec<AgentReceipt> = single.chain(own).collect();
    agents.sort_by(|a, b| (&a.name, &a.source).cmp(&(&b.name, &b.source)));
    agents
}

/// Roles of the user's own that were chosen.
fn own_roles<'a>(plan: &'a Plan, catalog: &'a Catalog) -> impl Iterator<Item = &'a HostRole> {
    let roles = catalog.roles.iter();
    roles.filter(|role| plan.own_roles.contains(&role.name))
}

fn digest_text(bundle: Option<&Bundle>) -> String {
    bundle
        .and_then(|bundle| bundle.digest)
        .map(|digest| digest.to_string())
        .unwrap_or_default()
}

/// The chosen servers and those that remain, sorted by name.
fn running_servers(plan: &Plan, catalog: &Catalog) -> Vec<McpServerReceipt> {
    let source = |server: &PlannedServer| match &server.origin {
        ServerOrigin::Config => FROM_CONFIG.to_owned(),
        ServerOrigin::Request { .. } => FROM_REQUEST.to_owned(),
        ServerOrigin::NativePlugin { id } | ServerOrigin::Snapshot { id, .. } => id.clone(),
    };
    let mut running: Vec<McpServerReceipt> = plan
        .servers
        .iter()
        .map(|server| McpServerReceipt {
            name: server.name.clone(),
            source: source(server),
            tools: server.tools.clone(),
        })
        .collect();
    if plan.host_servers == Scope::All {
        let config = catalog
            .servers
            .iter()
            .filter(|(_, server)| server.enabled)
            .map(|(name, _)| (name, FROM_CONFIG));
        let native = native_plugins(plan, catalog)
            .filter(|(planned, _)| !planned.servers_narrowed)
            .flat_map(|(_, plugin)| {
                let servers = plugin.native.servers.iter();
                servers
                    .filter(|(_, server)| server.enabled)
                    .map(|(name, _)| (name, plugin.id.as_str()))
            });
        let mut remaining: Vec<McpServerReceipt> = Vec::new();
        // Codex starts one of several servers of a name: the config's first.
        for (name, source) in config.chain(native) {
            if !running
                .iter()
                .chain(&remaining)
                .any(|server| server.name == *name)
            {
                remaining.push(McpServerReceipt {
                    name: name.clone(),
                    source: source.to_owned(),
                    tools: None,
                });
            }
        }
        running.extend(remaining);
    }
    running.sort_by(|a, b| a.name.cmp(&b.name));
    running
}

fn native_plugins<'a>(
    plan: &'a Plan,
    catalog: &'a Catalog,
) -> impl Iterator<Item = (&'a PlannedPlugin, &'a InstalledPlugin)> {
    plan.plugins
        .iter()
        .filter(|planned| planned.native)
        .filter_map(|planned| {
            let plugin = catalog
                .plugins
                .iter()
                .find(|plugin| plugin.id == planned.id)?;
            Some((planned, plugin))
        })
}

/// The digest of contents and levers: not of where they were read from, nor of what is kept out.
fn loadout_digest(plan: &Plan, catalog: &Catalog, servers: &[McpServerReceipt]) -> Digest {
    let mut parts: Vec<String> = vec![
        "loadout v1".to_owned(),
        plan.mode.as_str().to_owned(),
        format!("hooks {:?}", plan.hooks),
    ];
    for (kind, scope) in [
        ("skills", &plan.host_skills),
        ("plugins", &plan.host_plugins),
        ("servers", &plan.host_servers),
        ("roles", &plan.host_roles),
    ] {
        // Which ones are kept stands with the ones that are kept; paths are no content.
        parts.push(format!(
            "{kind} {}",
            if *scope == Scope::All { "all" } else { "only" }
        ));
    }
    parts.extend(plan.plugins.iter().map(|plugin| {
        format!(
            "plugin {} {} {} {:?}",
            plugin.id,
            plugin.native,
            digest_text(plan.bundles.get(plugin.bundle)),
            plugin.skills
        )
    }));
    parts.extend(plan.skills.iter().map(|skill| {
        format!(
            "skill {} {} {} {}",
            skill.name,
            skill.source,
            skill.native,
            digest_text(plan.bundles.get(skill.bundle))
        )
    }));
    let listed = plan.skill_list.iter().flatten();
    let otherwise = listed.filter(|skill| !skill.list.is_full());
    parts.extend(otherwise.map(|skill| format!("list {} {:?}", skill.name, skill.list)));
    parts.extend(plan.agents.iter().map(|agent| {
        let digest = digest_text(plan.bundles.get(agent.bundle));
        format!("agent {} {} {digest}", agent.name, agent.source)
    }));
    parts
        .extend(own_roles(plan, catalog).map(|role| format!("role {} {}", role.name, role.digest)));
    parts.extend(plan.plugin_hooks.iter().map(|hook| {
        let handler = canonical(&hook.handler);
        format!(
            "hook {} {} {:?} {} {handler}",
            hook.source, hook.event, hook.matcher, hook.trusted
        )
    }));
    for server in servers {
        let definition = match plan
            .servers
            .iter()
            .find(|planned| planned.name == server.name)
            .map(|planned| &planned.origin)
        {
            Some(
                ServerOrigin::Snapshot { definition, .. } | ServerOrigin::Request { definition },
            ) => Some(definition),
            Some(ServerOrigin::NativePlugin { .. }) => None,
            Some(ServerOrigin::Config) | None => catalog
                .servers
                .get(&server.name)
                .map(|server| &server.definition),
        };
        let definition = definition.map(canonical).unwrap_or_default();
        parts.push(format!(
            "server {} {} {:?} {definition}",
            server.name, server.source, server.tools
        ));
    }
    Digest::of_parts(parts.iter().map(String::as_bytes))
}

/// JSON with sorted keys: Codex reports a config table in no fixed order.
fn canonical(definition: &serde_json::Map<String, serde_json::Value>) -> String {
    let mut value = serde_json::Value::Object(definition.clone());
    value.sort_all_objects();
    value.to_string()
}

fn excluded(plan: &Plan, catalog: &Catalog, servers: &[McpServerReceipt]) -> Excluded {
    let kept_skills: BTreeSet<&Path> = plan
        .skills
        .iter()
        .map(|skill| skill.path.as_path())
        .collect();
    let kept_plugins: BTreeSet<&str> = plan
        .plugins
        .iter()
        .map(|plugin| plugin.id.as_str())
        .collect();
    let renamed = |name: &str, id: &str| {
        plan.servers.iter().any(|planned| {
            matches!(&planned.origin, ServerOrigin::Snapshot { id: of, server, .. } if of == id && server == name)
        })
    };
    let runs = |name: &str, source: &str| {
        let listed = |server: &McpServerReceipt| server.source == source && server.name == name;
        servers.iter().any(listed) || renamed(name, source)
    };
    let enabled_plugins = || catalog.plugins.iter().filter(|plugin| plugin.enabled);
    let config = catalog
        .servers
        .iter()
        .filter(|(name, server)| server.enabled && !runs(name, FROM_CONFIG))
        .count();
    let of_plugins = enabled_plugins()
        .flat_map(|plugin| {
            let servers = plugin.native.servers.iter();
            servers.map(move |(name, server)| (plugin, name, server))
        })
        .filter(|(plugin, name, server)| server.enabled && !runs(name, &plugin.id))
        .count();
    Excluded {
        skills: catalog
            .skills
            .iter()
            .filter(|skill| skill.enabled && !kept_skills.contains(skill.path.as_path()))
            .count(),
        plugins: enabled_plugins()
            .filter(|plugin| !kept_plugins.contains(plugin.id.as_str()))
            .count(),
        mcp_servers: config + of_plugins,
    }
}

fn context(plan: &Plan, catalog: &Catalog) -> ContextCost {
    let of_plugins: usize = plan
        .plugins
        .iter()
        .filter_map(|planned| {
            Some((
                planned,
                catalog
                    .plugins
                    .iter()
                    .find(|plugin| plugin.id == planned.id)?,
            ))
        })
        .map(|(planned, plugin)| {
            let parts = if planned.native {
                &plugin.native
            } else {
                plugin.parts()
            };
            plugin_chars(plugin, parts, |name| {
                planned.skills.iter().any(|kept| kept == name)
            })
        })
        .sum();
    let of_skills: usize = plan
        .skills
        .iter()
        .map(|skill| line_chars(&skill.name, &skill.description, &skill.path))
        .sum();
    let native_skills: usize = catalog
        .skills
        .iter()
        .filter(|skill| skill.enabled)
        .map(|skill| line_chars(&skill.name, &skill.description, &skill.path))
        .sum();
    let native_plugins: usize = catalog
        .plugins
        .iter()
        .filter(|plugin| plugin.enabled)
        .map(|plugin| {
            plugin_chars(plugin, &plugin.native, |name| {
                let mut native = plugin.native.skills.iter();
                native.any(|skill| skill.name == name && skill.enabled)
            })
        })
        .sum();
    ContextCost {
        skills_chars: of_plugins + of_skills,
        skills_chars_without: native_skills + native_plugins,
    }
}

fn plugin_chars(plugin: &InstalledPlugin, parts: &Parts, keep: impl Fn(&str) -> bool) -> usize {
    let listed = parts.skills.iter().filter(|skill| !skill.mention_only);
    let kept = listed.filter(|skill| keep(&skill.name));
    kept.map(|skill| {
        line_chars(
            &skill.name,
            &skill.description,
            &plugin.root.join(&skill.folder).join("SKILL.md"),
        )
    })
    .sum()
}

/// `- name: description (file: path)` and its line end.
fn line_chars(name: &str, description: &str, path: &Path) -> usize {
    let description = description.trim().chars().count().min(DESCRIPTION_LIMIT);
    name.chars().count()
        + description
        + path.to_string_lossy().chars().count()
        + "- :  (file: )\n".len()
}
