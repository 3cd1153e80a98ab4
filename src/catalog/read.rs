//! Makes a catalog of what Codex answers and of the plugins' folders.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answers::{
    CONFIG_READ, ConfigAnswer, HOOKS_LIST, HooksAnswer, ListedHook, ListedPlugin, ListedSkill,
    PLUGIN_INSTALLED, PLUGIN_LIST, PluginsAnswer, REQUIREMENTS_READ, SKILLS_LIST, SkillsAnswer,
};
use super::converted::Conversions;
use super::installed::{CodexAnswers, installed_root, read_plugin};
use super::manifest::MANIFESTS;
use super::mention_only::is_mention_only;
use super::model::{Catalog, ConfigServer, HostHook, HostSkill, InstalledPlugin, SkillScope};
use super::policy::{Policy, RequirementsAnswer, launch_line, plugins_in, requirements_text};
use super::roles::{role_folders, roles};
use crate::blocking::{self, READ_WITHIN};
use crate::connection::{RpcClient, RpcError};

/// What of the plugins that Codex has not installed is part of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Offered {
    /// Nothing: Codex is not asked for them.
    Unasked,
    /// Their ids.
    Ids,
    /// Their ids, and those of these names or ids as a whole: names that are not known, so Codex is made to look at its
    /// own folders again, too.
    Named(BTreeSet<String>),
}

impl Offered {
    fn names(&self, plugin: &ListedPlugin) -> bool {
        match self {
            Self::Unasked | Self::Ids => false,
            Self::Named(names) => names.contains(&plugin.id) || names.contains(&plugin.name),
        }
    }
}

/// Reads everything that could be selected for a thread in this folder.
///
/// Codex's own list of skills follows the disk with a delay of seconds.
///
/// Installation, policy and the precedence of config files stay Codex's: it is
/// asked, and only folders of plugins that it does not list are read here.
///
/// # Errors
/// [`RpcError`] if Codex refuses, or answers in a shape that is not known.
pub(super) async fn read_catalog(
    rpc: &RpcClient,
    codex_home: &Path,
    cwd: &Path,
    offered: &Offered,
    conversions: &Arc<Conversions>,
) -> Result<Catalog, RpcError> {
    // Not by force unless it has to be: that shows newcomers to every thread that begins a turn just now.
    let is_anew = matches!(offered, Offered::Named(_));
    let skills = json!({ "cwds": [cwd], "forceReload": is_anew });
    // A name that is not known may be that of a plugin that a marketplace has.
    let which_plugins = match offered {
        Offered::Unasked => PLUGIN_INSTALLED,
        Offered::Ids | Offered::Named(_) => PLUGIN_LIST,
    };
    let plugins = json!({ "cwds": [cwd] });
    let config = json!({ "cwd": cwd, "includeLayers": true });
    let hooks = json!({ "cwds": [cwd] });
    let (skills, plugins, config, hooks, requirements) = tokio::try_join!(
        rpc.ask::<SkillsAnswer>(SKILLS_LIST, &skills),
        rpc.ask::<PluginsAnswer>(which_plugins, &plugins),
        rpc.ask::<ConfigAnswer>(CONFIG_READ, &config),
        told_hooks(rpc, &hooks),
        told_requirements(rpc),
    )?;
    let hooks = hooks
        .data
        .into_iter()
        .flat_map(|folder| folder.hooks)
        .collect();
    let mut broken_skills = Vec::new();
    let mut listed = Vec::new();
    for folder in skills.data {
        listed.extend(folder.skills);
        let broken = folder.errors.into_iter();
        broken_skills.extend(broken.map(|error| (error.path, error.message)));
    }
    let (codex_home, cwd, conversions, offered) = (
        codex_home.to_owned(),
        cwd.to_owned(),
        conversions.clone(),
        offered.clone(),
    );
    // Folders of plugins are read.
    let assembled = blocking::within(READ_WITHIN, move || {
        assemble(
            &codex_home,
            &cwd,
            listed,
            (plugins, &offered),
            (config, requirements),
            hooks,
            &conversions,
        )
    });
    let assembled = assembled.await;
    assembled
        .map(|catalog| Catalog {
            broken_skills,
            ..catalog
        })
        .map_err(|error| RpcError::Plugins(error.to_string()))
}

/// A Codex that does not tell of hooks has none that could be trusted.
async fn told_hooks(rpc: &RpcClient, params: &Value) -> Result<HooksAnswer, RpcError> {
    match rpc.ask(HOOKS_LIST, params).await {
        Err(RpcError::Refused { .. }) => Ok(HooksAnswer::default()),
        told => told,
    }
}

/// What an administrator says of every thread.
///
/// # Errors
/// [`RpcError`] if Codex refuses: it can't read a layer either.
pub(crate) async fn read_policy(rpc: &RpcClient, cwd: &Path) -> Result<Policy, RpcError> {
    let config = json!({ "cwd": cwd, "includeLayers": true });
    let (config, requirements) = tokio::try_join!(
        rpc.ask::<ConfigAnswer>(CONFIG_READ, &config),
        told_requirements(rpc),
    )?;
    let layers = config.layers.unwrap_or_default();
    Ok(Policy::of(
        &layers,
        requirements.requirements,
        &requirements_text(),
    ))
}

/// A Codex that does not tell of requirements has none.
async fn told_requirements(rpc: &RpcClient) -> Result<RequirementsAnswer, RpcError> {
    match rpc.ask(REQUIREMENTS_READ, &json!({})).await {
        Err(RpcError::Refused { .. }) => Ok(RequirementsAnswer::default()),
        told => told,
    }
}

fn assemble(
    codex_home: &Path,
    cwd: &Path,
    skills: Vec<ListedSkill>,
    (plugins, offered): (PluginsAnswer, &Offered),
    (answer, requirements): (ConfigAnswer, RequirementsAnswer),
    hooks: Vec<ListedHook>,
    conversions: &Conversions,
) -> Catalog {
    let layers = answer.layers.unwrap_or_default();
    let launch_line = launch_line(&layers);
    let mut policy = Policy::of(&layers, requirements.requirements, &requirements_text());
    let mut config = answer.config;
    config.require(&policy.requirements.features);
    let cache = codex_home.join("plugins/cache");
    let (of_plugins, of_host): (Vec<_>, Vec<_>) = skills
        .into_iter()
        .partition(|skill| skill.plugin_id.is_some() || skill.path.starts_with(&cache));
    let told = CodexAnswers {
        skills: &of_plugins,
        config: &config,
        hooks: &hooks,
        conversions,
    };
    let mut unread = Vec::new();
    let mut installed: Vec<InstalledPlugin> = plugins
        .marketplaces
        .iter()
        .flat_map(|market| market.plugins.iter().map(move |plugin| (market, plugin)))
        .filter_map(|(market, plugin)| {
            let root = if plugin.installed {
                installed_root(&cache.join(&market.name).join(&plugin.name), plugin)?
            } else {
                let folder = plugin.local_source().filter(|folder| folder.is_dir())?;
                if !offered.names(plugin) {
                    unread.extend(plugin.blocked().is_none().then(|| plugin.id.clone()));
                    return None;
                }
                folder
            };
            Some(read_plugin(market, plugin, root, &told))
        })
        .collect();
    for plugin in &mut installed {
        for (name, server) in &mut plugin.native.servers {
            server.enabled &= policy.allows_plugin_server(&plugin.id, name, &server.definition);
        }
    }
    installed.sort_by(|a, b| a.id.cmp(&b.id));
    installed.dedup_by(|a, b| a.id == b.id);
    unread.sort();
    unread.dedup();
    if policy.requirements.marketplaces_restricted || policy.forces("plugins", false) {
        policy.hidden_plugins = plugins_in(&cache);
        let told = |id: &String| installed.iter().any(|plugin| plugin.id == *id);
        policy.hidden_plugins.retain(|id| !told(id));
    }
    let mut host: Vec<HostSkill> = of_host.into_iter().map(host_skill).collect();
    host.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    let skill_list_is_off = config.skill_list_is_off();
    let roles = roles(
        config.agents.as_ref().unwrap_or(&Map::new()),
        &role_folders(codex_home, cwd),
    );
    let servers = config
        .mcp_servers
        .unwrap_or_default()
        .into_iter()
        .map(|(name, definition)| {
            let enabled = definition
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(true);
            let allowed = policy.allows_server(&name, &definition);
            (
                name,
                ConfigServer {
                    enabled: enabled && allowed,
                    definition,
                },
            )
        });
    let mut of_host_hooks: Vec<HostHook> = hooks
        .into_iter()
        .filter(|hook| hook.plugin_id.is_none() && hook.enabled)
        .map(|hook| HostHook {
            event: hook.event(),
            trusted: ["trusted", "managed"].contains(&hook.trust_status.as_str()),
            key: hook.key,
            source: hook.source,
        })
        .collect();
    of_host_hooks.sort_by(|a, b| a.key.cmp(&b.key));
    Catalog {
        cwd: cwd.to_owned(),
        hooks: of_host_hooks,
        roles,
        developer_instructions: config.developer_instructions,
        skill_list_is_off,
        context_window: config.model_context_window,
        skills: host,
        newcomers: Vec::new(),
        broken_skills: Vec::new(),
        plugins: installed,
        offered: unread,
        servers: servers.collect(),
        launch_line,
        policy,
    }
}

fn host_skill(skill: ListedSkill) -> HostSkill {
    HostSkill {
        namespace: namespace(&skill),
        scope: match skill.scope.as_str() {
            "repo" => SkillScope::Repo,
            "system" => SkillScope::System,
            "admin" => SkillScope::Admin,
            _ => SkillScope::User,
        },
        mention_only: skill.path.parent().is_some_and(is_mention_only),
        name: skill.name,
        description: skill.description,
        path: skill.path,
        enabled: skill.enabled,
    }
}

/// `ns` of `ns:skill`, where a manifest in a folder above gives it. A `:` may also be part of a skill's own name.
fn namespace(skill: &ListedSkill) -> Option<String> {
    let (namespace, _) = skill.name.split_once(':')?;
    let above = skill.path.ancestors().skip(2);
    above
        .take_while(|folder| folder.parent().is_some())
        .any(|folder| {
            MANIFESTS
                .iter()
                .any(|manifest| folder.join(manifest).is_file())
        })
        .then(|| namespace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::answers::ListedPlugin;

    fn listed(name: &str, path: &Path) -> ListedSkill {
        ListedSkill {
            name: name.to_owned(),
            description: format!("About {name}."),
            path: path.to_owned(),
            scope: "user".to_owned(),
            enabled: true,
            plugin_id: None,
        }
    }

    fn config(json: Value) -> ConfigAnswer {
        serde_json::from_value(json!({ "config": json })).unwrap()
    }

    #[test]
    fn skills_of_plugins_are_told_by_their_path_where_codex_gives_no_id() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("plugins/cache/m/p/1.0.0");
        std::fs::create_dir_all(root.join("skills/a")).unwrap();
        let skill_file = root.join("skills/a/SKILL.md");
        std::fs::write(&skill_file, "---\nname: a\ndescription: b\n---\n").unwrap();
        let plugins = serde_json::from_value(json!({ "marketplaces": [{ "name": "m", "plugins": [
            { "id": "p@m", "name": "p", "localVersion": "1.0.0", "installed": true, "enabled": true, "availability": "AVAILABLE" },
            { "id": "q@m", "name": "q", "installed": false, "enabled": false }
        ]}]})).unwrap();
        let skills = vec![
            listed("p:a", &skill_file),
            listed("solo", Path::new("/nowhere/solo/SKILL.md")),
        ];
        let config = config(
            json!({ "mcp_servers": { "s": { "command": "x", "enabled": false } }, "features": { "plugins": false } }),
        );
        let catalog = assemble(
            home.path(),
            Path::new("/w"),
            skills,
            (plugins, &Offered::Unasked),
            (config, RequirementsAnswer::default()),
            Vec::new(),
            &Conversions::default(),
        );
        assert_eq!(catalog.skills.len(), 1);
        assert_eq!(catalog.plugins.len(), 1);
        let plugin = &catalog.plugins[0];
        assert_eq!(
            (plugin.id.as_str(), plugin.enabled, plugin.version.as_str()),
            ("p@m", false, "1.0.0")
        );
        assert_eq!(
            (
                plugin.native.skills[0].name.as_str(),
                plugin.native.skills[0].folder.as_str()
            ),
            ("p:a", "skills/a")
        );
        assert!(!catalog.servers["s"].enabled);
    }

    #[test]
    fn a_namespace_needs_a_manifest_above_the_skill() {
        let home = tempfile::tempdir().unwrap();
        let skill_file = home.path().join("bundle/skills/a/SKILL.md");
        assert_eq!(namespace(&listed("x:a", &skill_file)), None);
        std::fs::create_dir_all(home.path().join("bundle/.codex-plugin")).unwrap();
        std::fs::write(home.path().join("bundle/.codex-plugin/plugin.json"), "{}").unwrap();
        assert_eq!(namespace(&listed("x:a", &skill_file)).as_deref(), Some("x"));
        assert_eq!(namespace(&listed("a", &skill_file)), None);
    }

    #[test]
    fn policy_is_told_apart_from_the_users_choice() {
        let plugin = |more: Value| {
            let mut plugin =
                json!({ "id": "p@m", "name": "p", "installed": true, "enabled": false });
            plugin
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            serde_json::from_value::<ListedPlugin>(plugin)
                .unwrap()
                .blocked()
        };
        assert_eq!(
            plugin(json!({ "availability": "AVAILABLE", "installPolicy": "AVAILABLE" })),
            None
        );
        assert_eq!(
            plugin(json!({ "availability": "DISABLED_BY_ADMIN" })).as_deref(),
            Some("DISABLED_BY_ADMIN")
        );
    }
}
