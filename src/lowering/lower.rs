//! The config of one thread.

use std::path::{Path, PathBuf};

use codex_loadout_protocol::selection::{HookPolicy, Mode};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value, json};

use super::hooks;
use super::host_config::MergeMode;
use super::levers::Levers;
use super::server_definition;
use crate::catalog::{Catalog, InstalledPlugin, SkillScope};
use crate::resolver::{Plan, PlannedHook, PlannedPlugin, PlannedServer, Scope, ServerOrigin};

/// A program that ends at once and does nothing.
const IDLE: &str = "true";

/// What a thread is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    /// Our part of `config`.
    pub config: Map<String, Value>,
    /// How the host's own part is treated.
    pub mode: MergeMode,
    /// Chosen servers of the user's config that it no longer has.
    pub gone_servers: Vec<String>,
}

impl Lowered {
    /// Puts servers that do nothing in the place of a thread's own, under the same names: to see the
    /// names without running anything.
    pub fn idle_servers(&mut self) {
        let servers = self
            .config
            .get_mut("mcp_servers")
            .and_then(Value::as_object_mut);
        for server in servers.into_iter().flat_map(Map::values_mut) {
            *server = json!({ "command": IDLE, "enabled": true });
        }
    }

    /// Keeps skills of these names out, wherever they lie.
    pub fn keep_out<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        let rules: Vec<Value> = names
            .into_iter()
            .map(|name| json!({ "name": name, "enabled": false }))
            .collect();
        if !rules.is_empty() {
            let rules = json!({ "skills": { "config": rules } });
            add(
                &mut self.config,
                rules.as_object().cloned().unwrap_or_default(),
            );
        }
    }

    /// What this says and what the other says: for a thread that may be in either of two folders.
    pub fn and(&mut self, other: Self) {
        add(&mut self.config, other.config);
        self.gone_servers
            .retain(|server| other.gone_servers.contains(server));
    }
}

/// How a server is reached. Codex refuses a thread whose config switches off a server that has no
/// transport; so one that goes from the user's config meanwhile is still a server, and off.
fn transport_of(definition: &Map<String, Value>) -> Map<String, Value> {
    ["command", "url"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), definition.get(field)?.clone())))
        .filter(|(_, value)| !value.is_null())
        .take(1)
        .collect()
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

/// What stands between a thread and what is not of its loadout.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guards<'a> {
    /// The command that a turn waits for, where newcomers could be shown by it.
    pub gate: Option<&'a str>,
    /// A role file that says nothing.
    pub no_role: Option<&'a Path>,
}

/// What the spawn tool tells of a role that is not of the loadout: Codex has no lever to hide it.
const NO_ROLE: &str = "Not available here: the same as `default`.";

/// Lowers a plan for a thread whose user has this set at this moment.
///
/// `snapshot` says where the tree of a bundle lies in the store.
///
/// # Errors
/// `unsupportedUpstream` if the plan needs a lever that this Codex lacks: it was made with another one.
pub fn lower(
    plan: &Plan,
    catalog: &Catalog,
    levers: Levers,
    guards: Guards<'_>,
    snapshot: impl Fn(usize) -> PathBuf,
) -> Result<Lowered, LoadoutError> {
    let keeps_out = matches!(plan.host_skills, Scope::Only(_));
    let mut lowering = Lowering {
        plan,
        catalog,
        gate: guards
            .gate
            .filter(|_| keeps_out && levers.gate && catalog.hooks_are_on),
        no_role: guards.no_role,
        config: Map::new(),
        skill_rules: Vec::new(),
        gone_servers: Vec::new(),
    };
    if plan.mode == Mode::Replace {
        lowering.switch_features_off();
    } else {
        lowering.native_plugins(levers)?;
    }
    lowering.host_skills();
    lowering.config_servers();
    lowering.agents(&snapshot);
    lowering.hooks(&snapshot);
    lowering.snapshot_servers(&snapshot);
    if levers.unload_on_unsubscribe {
        // So that the thread can be given another config while it lives.
        lowering.set(&["thread_unload_delay_secs"], 0);
    }
    Ok(lowering.finish())
}

/// `selectedCapabilityRoots` with the thread's root, behind those that the host chose itself.
#[must_use]
pub fn roots_json(root: &Path, of_host: Vec<Value>) -> String {
    Value::from_iter(of_host.into_iter().chain([root_entry(root)])).to_string()
}

/// The id under which a thread has its root; Codex keeps it in the session file.
pub const ROOT_ID: &str = "codex-loadout";

fn root_entry(root: &Path) -> Value {
    json!({
        "id": ROOT_ID,
        "location": { "type": "environment", "environmentId": "local", "path": root },
    })
}

/// The provider of a trial's model, in this thread's config alone.
const TRIAL_PROVIDER: &str = "codex-loadout-proof";

/// `thread/start` for a trial of a loadout: ephemeral, and its model is the endpoint at `url`. Read-only,
/// so that Codex marks no project as trusted for it.
#[must_use]
pub fn trial_request(lowered: Lowered, root: &Path, cwd: &Path, url: &str) -> Value {
    let mut config = lowered.config;
    let provider = json!({ "name": TRIAL_PROVIDER, "base_url": url, "wire_api": "responses",
        "requires_openai_auth": false, "supports_websockets": false });
    config.insert(
        "model_providers".to_owned(),
        json!({ TRIAL_PROVIDER: provider }),
    );
    json!({
        "cwd": cwd, "ephemeral": true, "sandbox": "read-only", "approvalPolicy": "never",
        "modelProvider": TRIAL_PROVIDER, "config": config,
        "selectedCapabilityRoots": [root_entry(root)],
    })
}

struct Lowering<'a> {
    plan: &'a Plan,
    catalog: &'a Catalog,
    gate: Option<&'a str>,
    no_role: Option<&'a Path>,
    config: Map<String, Value>,
    skill_rules: Vec<Value>,
    gone_servers: Vec<String>,
}

impl Lowering<'_> {
    fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        let Some((last, folders)) = path.split_last() else {
            return;
        };
        let mut at = &mut self.config;
        for key in folders {
            let inner = at.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            match inner {
                Value::Object(inner) => at = inner,
                _ => return,
            }
        }
        at.insert((*last).to_owned(), value.into());
    }

    /// Plugins come as snapshots in the thread's root; the user's own plugins and connectors stay out,
    /// whatever is installed later, and so do hooks, one by one where some of a chosen plugin's run, or
    /// one of ours. A loaded thread gets no hook that comes later (Codex 0.157 to 0.169).
    fn switch_features_off(&mut self) {
        for feature in ["plugins", "apps"] {
            self.set(&["features", feature], false);
        }
        if self.active_hooks().next().is_none() && self.gate.is_none() {
            self.set(&["features", "hooks"], false);
            return;
        }
        if self.gate.is_some() {
            // Also where the host's own config says no.
            self.set(&["features", "hooks"], true);
        }
        for key in &self.catalog.hooks {
            self.set(&["hooks", "state", key, "enabled"], false);
        }
    }

    fn host_skills(&mut self) {
        let Scope::Only(kept) = &self.plan.host_skills else {
            return;
        };
        let is_kept = |name: &str, path: &Path| {
            kept.iter()
                .any(|kept| kept == name || Path::new(kept) == path)
        };
        let catalog = self.catalog;
        let out = catalog
            .skills
            .iter()
            .chain(&catalog.newcomers)
            .filter(|skill| !is_kept(&skill.name, &skill.path));
        if self.plan.mode == Mode::Replace {
            // By name: a newcomer of the same name elsewhere is kept out as well.
            let mut names: Vec<&str> = out
                .filter(|skill| skill.scope != SkillScope::System)
                .map(|skill| skill.name.as_str())
                .collect();
            names.sort_unstable();
            names.dedup();
            self.skill_rules.extend(
                names
                    .into_iter()
                    .map(|name| json!({ "name": name, "enabled": false })),
            );
        } else {
            // By path: another skill of the same name may be kept.
            self.skill_rules
                .extend(out.map(|skill| json!({ "path": skill.path, "enabled": false })));
        }
        let keeps_system = catalog
            .skills
            .iter()
            .any(|skill| skill.scope == SkillScope::System && is_kept(&skill.name, &skill.path));
        if !keeps_system {
            self.set(&["skills", "bundled", "enabled"], false);
        }
    }

    fn native_plugins(&mut self, levers: Levers) -> Result<(), LoadoutError> {
        let catalog = self.catalog;
        let plan = self.plan;
        let named = |plugin: &InstalledPlugin| {
            plan.plugins
                .iter()
                .find(|planned| planned.native && planned.id == plugin.id)
        };
        let comes_as_bundle = |plugin: &InstalledPlugin| {
            plan.plugins
                .iter()
                .any(|planned| !planned.native && planned.id == plugin.id)
        };
        let in_scope = |plugin: &InstalledPlugin| match &plan.host_plugins {
            Scope::All if comes_as_bundle(plugin) => false,
            Scope::All => plugin.enabled || named(plugin).is_some(),
            Scope::Only(ids) => ids.contains(&plugin.id),
        };
        let brings_in = catalog
            .plugins
            .iter()
            .any(|plugin| in_scope(plugin) && !plugin.enabled);
        let mut switched = Vec::new();
        for plugin in catalog.plugins.iter().filter(|plugin| plugin.installed) {
            if !in_scope(plugin) {
                // An explicit no, also where the user's is one: switching the feature on would wake it.
                if plugin.enabled || brings_in {
                    self.set(&["plugins", &plugin.id, "enabled"], false);
                    switched.push(plugin.id.clone());
                }
                continue;
            }
            if !plugin.enabled {
                self.set(&["plugins", &plugin.id, "enabled"], true);
                switched.push(plugin.id.clone());
            }
            if self.native_plugin_parts(plugin, named(plugin)) {
                switched.push(plugin.id.clone());
            }
        }
        if brings_in {
            self.set(&["features", "plugins"], true);
        }
        if switched.is_empty() || levers.native_plugin_switch {
            return Ok(());
        }
        Err(LoadoutError::new(
            ErrorKind::UnsupportedUpstream,
            "this Codex can't switch a single plugin for one thread",
        )
        .with_hint("Use the mode `replace`, or Codex 0.157 or newer.")
        .with_items(switched.into_iter().map(ErrorItem::named).collect()))
    }

    /// Cuts a plugin that Codex itself loads; whether that took a switch of the plugin's own.
    fn native_plugin_parts(
        &mut self,
        plugin: &InstalledPlugin,
        planned: Option<&PlannedPlugin>,
    ) -> bool {
        if let Some(planned) = planned.filter(|planned| planned.skills_narrowed) {
            let out = plugin
                .native
                .skills
                .iter()
                .filter(|skill| !planned.skills.contains(&skill.name));
            self.skill_rules
                .extend(out.map(|skill| json!({ "name": skill.name, "enabled": false })));
        }
        let mut switched = false;
        let narrowed = planned.is_some_and(|planned| planned.servers_narrowed);
        if narrowed || self.plan.host_servers != Scope::All {
            for name in &plugin.native.older_servers {
                self.set(
                    &["plugins", &plugin.id, "mcp_servers", name, "enabled"],
                    false,
                );
                switched = true;
            }
        }
        for (name, server) in &plugin.native.servers {
            let chosen = self.plan.servers.iter().find(|chosen| {
                matches!(&chosen.origin, ServerOrigin::NativePlugin { id } if *id == plugin.id)
                    && chosen.name == *name
            });
            let runs = match (&self.plan.host_servers, chosen) {
                (_, Some(_)) => true,
                (Scope::All, None) => server.enabled && !narrowed,
                (Scope::Only(_), None) => false,
            };
            if runs != server.enabled {
                self.set(
                    &["plugins", &plugin.id, "mcp_servers", name, "enabled"],
                    runs,
                );
                switched = true;
            }
            if let Some(tools) = chosen.and_then(|chosen| chosen.tools.clone()) {
                self.set(
                    &["plugins", &plugin.id, "mcp_servers", name, "enabled_tools"],
                    tools,
                );
                switched = true;
            }
        }
        switched
    }

    fn config_servers(&mut self) {
        let plan = self.plan;
        let of_config = |server: &&PlannedServer| server.origin == ServerOrigin::Config;
        if let Scope::Only(_) = plan.host_servers {
            for (name, configured) in &self.catalog.servers {
                if !plan
                    .servers
                    .iter()
                    .filter(of_config)
                    .any(|server| server.name == *name)
                {
                    let mut off = transport_of(&configured.definition);
                    off.insert("enabled".to_owned(), false.into());
                    self.set(&["mcp_servers", name], off);
                }
            }
        }
        for server in plan.servers.iter().filter(of_config) {
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

    fn snapshot_servers(&mut self, snapshot: impl Fn(usize) -> PathBuf) {
        for server in &self.plan.servers {
            if let ServerOrigin::Snapshot {
                bundle, definition, ..
            } = &server.origin
            {
                let mut entry = server_definition::for_config(definition, &snapshot(*bundle));
                if let Some(tools) = server.tools.clone() {
                    entry.insert("enabled_tools".to_owned(), tools.into());
                }
                self.set(&["mcp_servers", &server.name], entry);
            }
        }
    }

    /// Hooks of snapshots that run: trusted when they were chosen, and not distrusted since.
    fn active_hooks(&self) -> impl Iterator<Item = &PlannedHook> {
        let hooks = self.plan.plugin_hooks.iter();
        let on = self.plan.hooks == HookPolicy::Trusted;
        hooks.filter(move |hook| on && hook.is_trusted_in(self.catalog))
    }

    fn hooks(&mut self, snapshot: impl Fn(usize) -> PathBuf) {
        let placed = self.active_hooks().map(|hook| {
            let place = snapshot(hook.bundle);
            (hook, place.to_string_lossy().into_owned())
        });
        let hooks = hooks::for_config(placed, self.gate);
        for (event, groups) in hooks {
            match groups {
                Value::Object(state) => {
                    for (key, trust) in state {
                        self.set(&["hooks", &event, &key], trust);
                    }
                }
                groups => self.set(&["hooks", &event], groups),
            }
        }
    }

    /// A role of the user's own can't be taken away, but it can be given another file: a loaded thread
    /// gets no role that comes later, and a role of the same name in the thread's config wins, from
    /// wherever the other comes (Codex 0.144 to 0.169).
    fn agents(&mut self, snapshot: impl Fn(usize) -> PathBuf) {
        if let (Scope::Only(kept), Some(no_role)) = (&self.plan.host_roles, self.no_role) {
            let catalog = self.catalog;
            for role in catalog
                .roles
                .iter()
                .filter(|role| !kept.contains(&role.name))
            {
                let nothing = json!({ "description": NO_ROLE, "config_file": no_role });
                self.set(&["agents", &role.name], nothing);
            }
        }
        for agent in &self.plan.agents {
            let file = snapshot(agent.bundle).join(&agent.file);
            let role = json!({ "description": agent.description, "config_file": file });
            self.set(&["agents", &agent.name], role);
        }
    }

    fn finish(mut self) -> Lowered {
        if !self.skill_rules.is_empty() {
            let rules = std::mem::take(&mut self.skill_rules);
            self.set(&["skills", "config"], rules);
        }
        Lowered {
            config: self.config,
            mode: MergeMode::of(self.plan.mode),
            gone_servers: self.gone_servers,
        }
    }
}
