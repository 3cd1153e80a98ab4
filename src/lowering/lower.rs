//! The config of one thread.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use codex_loadout_protocol::selection::{HookPolicy, HostServers, ManagedPolicy, Mode};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value, json};

use super::codex_features::CodexFeatures;
use super::dotted;
use super::hooks;
use super::host_config::MergeMode;
use super::launch_line::refuse_given_back;
use super::policy::has_hooks;
use super::server_definition;
use super::skill_list::{developer_instructions, role_with_list, skill_list};
use crate::bundle::Digest;
use crate::catalog::{Catalog, ConfigServer, InstalledPlugin, SkillScope};
use crate::resolver::{Plan, PlannedHook, PlannedPlugin, PlannedServer, Scope, ServerOrigin};

/// A program that ends at once and does nothing.
const IDLE: &str = "true";

/// Of `skills`: whether Codex writes the list of skills.
const INCLUDE_INSTRUCTIONS: &str = "include_instructions";

/// What a thread is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lowered {
    /// Our part of `config`.
    pub config: Map<String, Value>,
    /// How the host's own part is treated.
    pub mode: MergeMode,
    /// What the launch line says, which goes on counting.
    pub launch_line: Map<String, Value>,
    /// Whether MCP servers that the host defines itself are taken out of its config.
    pub drops_host_servers: bool,
    /// Chosen servers of the user's config that it no longer has.
    pub gone_servers: Vec<String>,
    /// The list of skills that we write for the model; empty if it has none. `None`: the list is Codex's own.
    pub skill_list: Option<String>,
    /// What the user's config has developers say to the model.
    pub user_instructions: Option<String>,
    /// Role files that `config` names and that have to be there, with their text.
    pub role_files: BTreeMap<PathBuf, String>,
}

impl Lowered {
    /// This config, and nothing else.
    pub(super) fn new(config: Map<String, Value>, mode: MergeMode) -> Self {
        Self {
            config,
            mode,
            launch_line: Map::new(),
            drops_host_servers: false,
            gone_servers: Vec::new(),
            skill_list: None,
            user_instructions: None,
            role_files: BTreeMap::new(),
        }
    }

    /// Puts servers that do nothing in the place of a thread's own, under the same names: to see the
    /// names without running anything.
    pub(crate) fn idle_servers(&mut self) {
        let servers = self
            .config
            .get_mut("mcp_servers")
            .and_then(Value::as_object_mut);
        for server in servers.into_iter().flat_map(Map::values_mut) {
            *server = json!({ "command": IDLE, "enabled": true });
        }
    }

    /// Leaves the list of skills to Codex: to see which skills it finds itself.
    pub(crate) fn leave_list_to_codex(&mut self) {
        self.skill_list = None;
        if let Some(Value::Object(skills)) = self.config.get_mut("skills") {
            skills.remove(INCLUDE_INSTRUCTIONS);
        }
    }

    /// What this says and what the other says: for a thread that may be in either of two folders.
    pub(crate) fn and(&mut self, other: Self) {
        add(&mut self.config, other.config);
        self.role_files.extend(other.role_files);
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

/// Where files lie that a thread's config names, and what they say.
#[derive(Clone, Copy)]
pub(crate) struct Files<'a> {
    /// Where the tree of a bundle lies in the store.
    pub snapshot: &'a dyn Fn(usize) -> PathBuf,
    /// What a role file in a snapshot says.
    pub role: &'a dyn Fn(&Path) -> Option<String>,
    /// The folder for role files of ours; `None`: no role is led to one.
    pub roles: Option<&'a Path>,
    /// This program, which hooks of converted plugins run through.
    pub program: &'a Path,
}

impl Default for Files<'_> {
    /// Files that are nowhere: to see whether a plan can be lowered at all.
    fn default() -> Self {
        Self {
            snapshot: &|_| PathBuf::new(),
            role: &|_| None,
            roles: None,
            program: Path::new("codex-loadout"),
        }
    }
}

/// A role file that says nothing: what a role that is not of the loadout is led to.
const NO_ROLE_FILE: &str = "# The role is not of this thread's loadout.\n";
/// What the spawn tool tells of a role that is not of the loadout: Codex has no lever to hide it.
const NO_ROLE: &str = "Not available here: the same as `default`.";

/// Lowers a plan for a thread whose user has this set at this moment.
///
/// # Errors
/// `unsupportedUpstream` if the plan needs a lever that this Codex lacks: it was made with another one.
/// `blockedByPolicy` if it would have what the launch line takes away.
pub(crate) fn lower(
    plan: &Plan,
    catalog: &Catalog,
    levers: CodexFeatures,
    files: Files<'_>,
) -> Result<Lowered, LoadoutError> {
    let mut lowering = Lowering {
        plan,
        catalog,
        files,
        skill_list: skill_list(plan, catalog, files.snapshot),
        role_files: BTreeMap::new(),
        config: Map::new(),
        skill_rules: Vec::new(),
        gone_servers: Vec::new(),
    };
    if plan.mode == Mode::Replace {
        lowering.switch_features_off();
    } else {
        lowering.native_plugins(levers)?;
    }
    lowering.host_skills(levers);
    lowering.config_servers();
    lowering.agents();
    lowering.hooks();
    lowering.given_servers();
    if levers.unload_on_unsubscribe {
        // So that the thread can be given another config while it lives.
        lowering.set(&["thread_unload_delay_secs"], 0);
    }
    let lowered = lowering.finish();
    refuse_given_back(plan, &lowered.config, &lowered.launch_line)?;
    Ok(lowered)
}

/// `selectedCapabilityRoots` with the thread's root, behind those that the host chose itself.
#[must_use]
pub(crate) fn roots_json(root: &Path, of_host: Vec<Value>) -> String {
    Value::from_iter(of_host.into_iter().chain([root_entry(root)])).to_string()
}

/// The id under which a thread has its root; Codex keeps it in the session file.
pub(crate) const ROOT_ID: &str = "codex-loadout";

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
pub(crate) fn trial_request(
    mut lowered: Lowered,
    root: Option<&Path>,
    cwd: &Path,
    url: &str,
) -> Value {
    let list = lowered.skill_list.as_deref().unwrap_or_default();
    let instructions = developer_instructions(None, lowered.user_instructions.as_deref(), list);
    let provider = json!({ "name": TRIAL_PROVIDER, "base_url": url, "wire_api": "responses",
        "requires_openai_auth": false, "supports_websockets": false });
    lowered.config.insert(
        "model_providers".to_owned(),
        json!({ TRIAL_PROVIDER: provider }),
    );
    let config = dotted::print(&lowered.launch_line, &Map::new(), &[], &lowered.config);
    json!({
        "cwd": cwd, "ephemeral": true, "sandbox": "read-only", "approvalPolicy": "never",
        "modelProvider": TRIAL_PROVIDER, "config": config, "developerInstructions": instructions,
        "selectedCapabilityRoots": root.map(root_entry).into_iter().collect::<Vec<_>>(),
    })
}

/// A thread without a loadout, in which nothing of the user's runs: no plugin, MCP server or hook.
#[must_use]
pub(crate) fn without_servers(catalog: &Catalog) -> Lowered {
    let off = |(name, server): (&String, &ConfigServer)| {
        let mut entry = transport_of(&server.definition);
        entry.insert("enabled".to_owned(), false.into());
        (name.clone(), Value::Object(entry))
    };
    let servers: Map<String, Value> = catalog.servers.iter().map(off).collect();
    let off = json!({ "features": { "plugins": false, "hooks": false }, "mcp_servers": servers });
    Lowered {
        launch_line: catalog.launch_line.clone(),
        ..Lowered::new(
            off.as_object().cloned().unwrap_or_default(),
            MergeMode::Open,
        )
    }
}

struct Lowering<'a> {
    plan: &'a Plan,
    catalog: &'a Catalog,
    files: Files<'a>,
    skill_list: Option<String>,
    role_files: BTreeMap<PathBuf, String>,
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
    /// whatever is installed later, and so do hooks, one by one where some of a chosen plugin's run. A loaded
    /// thread gets no hook that comes later (Codex 0.157 to 0.169).
    fn switch_features_off(&mut self) {
        for feature in ["plugins", "apps"] {
            self.set(&["features", feature], false);
        }
        let of_launch_line = hooks::of_launch_line(&self.catalog.launch_line);
        let runs = self.active_hooks().next().is_some();
        let policy = &self.catalog.policy;
        let included = self.plan.managed == ManagedPolicy::Include && has_hooks(policy);
        let stay_on = policy.forces("hooks", true) || included;
        if !runs && of_launch_line.is_empty() && !stay_on {
            self.set(&["features", "hooks"], false);
            return;
        }
        for hook in &self.catalog.hooks {
            if !hooks::is_of_launch_line(&hook.key) {
                self.set(&["hooks", "state", &hook.key, "enabled"], false);
            }
        }
    }

    fn host_skills(&mut self, levers: CodexFeatures) {
        let Scope::Only(kept) = &self.plan.host_skills else {
            return;
        };
        self.set(&["skills", INCLUDE_INSTRUCTIONS], false);
        if levers.switches_off_cloud_skills {
            // The model could ask for them by Codex's `skills` tool.
            self.set(&["cloud", "skills", "enabled"], false);
        }
        let is_kept = |name: &str, path: &Path| {
            kept.iter()
                .any(|kept| kept == name || Path::new(kept) == path)
        };
        let catalog = self.catalog;
        // Where an administrator has Codex's own stay on, each is kept out by itself.
        let bundled_stay =
            catalog.policy.says(&["skills", "bundled", "enabled"]) == Some(&Value::Bool(true));
        let out = catalog
            .skills
            .iter()
            .chain(&catalog.newcomers)
            .filter(|skill| !is_kept(&skill.name, &skill.path));
        if self.plan.mode == Mode::Replace {
            // By name: a newcomer of the same name elsewhere is kept out as well.
            let mut names: Vec<&str> = out
                .filter(|skill| bundled_stay || skill.scope != SkillScope::System)
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
        if !keeps_system && !bundled_stay {
            self.set(&["skills", "bundled", "enabled"], false);
        }
    }

    fn native_plugins(&mut self, levers: CodexFeatures) -> Result<(), LoadoutError> {
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
                // Codex merges what the request defines into the user's of the same name.
                let of_request =
                    |server: &PlannedServer| matches!(server.origin, ServerOrigin::Request { .. });
                let mut kept = plan
                    .servers
                    .iter()
                    .filter(|server| of_config(server) || of_request(server));
                if !kept.any(|server| server.name == *name) {
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

    /// Servers that are given to the thread by value.
    fn given_servers(&mut self) {
        for server in &self.plan.servers {
            if let ServerOrigin::Request { definition } = &server.origin {
                let mut entry = definition.clone();
                entry.insert("enabled".to_owned(), true.into());
                if let Some(tools) = server.tools.clone() {
                    entry.insert("enabled_tools".to_owned(), tools.into());
                }
                self.set(&["mcp_servers", &server.name], entry);
            }
            if let ServerOrigin::Snapshot {
                bundle, definition, ..
            } = &server.origin
            {
                let mut entry =
                    server_definition::for_config(definition, &(self.files.snapshot)(*bundle));
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

    fn hooks(&mut self) {
        let placed = self.active_hooks().map(|hook| {
            let place = (self.files.snapshot)(hook.bundle);
            (hook, place.to_string_lossy().into_owned())
        });
        let behind = hooks::of_launch_line(&self.catalog.launch_line);
        let hooks = hooks::for_config(placed, self.files.program, &behind);
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
    fn agents(&mut self) {
        if let (Scope::Only(kept), Some(roles)) = (&self.plan.host_roles, self.files.roles) {
            let catalog = self.catalog;
            let file = self.role_file(roles, NO_ROLE_FILE.to_owned());
            for role in catalog
                .roles
                .iter()
                .filter(|role| !kept.contains(&role.name))
            {
                let nothing = json!({ "description": NO_ROLE, "config_file": file });
                self.set(&["agents", &role.name], nothing);
            }
        }
        for agent in &self.plan.agents {
            let mut file = (self.files.snapshot)(agent.bundle).join(&agent.file);
            let list = self.skill_list.as_deref().filter(|list| !list.is_empty());
            if let (Some(list), Some(roles)) = (list, self.files.roles) {
                let role = (self.files.role)(&file);
                if let Some(with_list) = role.and_then(|role| role_with_list(&role, list)) {
                    file = self.role_file(roles, with_list);
                }
            }
            let role = json!({ "description": agent.description, "config_file": file });
            self.set(&["agents", &agent.name], role);
        }
    }

    /// A role file of ours, named by what it says.
    fn role_file(&mut self, roles: &Path, text: String) -> PathBuf {
        let digest = Digest::of_parts([text.as_bytes()]);
        let file = roles.join(format!("{}.toml", digest.hex()));
        self.role_files.insert(file.clone(), text);
        file
    }

    fn finish(mut self) -> Lowered {
        if !self.skill_rules.is_empty() {
            let rules = std::mem::take(&mut self.skill_rules);
            self.set(&["skills", "config"], rules);
        }
        Lowered {
            config: self.config,
            mode: MergeMode::of(self.plan.mode),
            launch_line: self.catalog.launch_line.clone(),
            drops_host_servers: self.plan.host_defined == HostServers::Drop,
            gone_servers: self.gone_servers,
            skill_list: self.skill_list,
            user_instructions: self.catalog.developer_instructions.clone(),
            role_files: self.role_files,
        }
    }
}
