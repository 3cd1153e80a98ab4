//! The plan: what a thread gets, in terms that any Codex version can be told.
//!
//! A plan is durable: it is what a thread's record holds, and what its loadout
//! is lowered from again at every resume and fork. It says what was chosen, not
//! what is to be kept out: that follows from the user's set at the moment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use codex_loadout_protocol::bundle::bundle_name;
use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::selection::{
    HookPolicy, HostServers, ManagedPolicy, Mode, SkillListing,
};
use serde::{Deserialize, Serialize};

use crate::bundle::{BundleContent, Digest};
use crate::catalog::{Catalog, ConversionInput, hook_id};

/// What a thread gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The mode of the selection.
    pub mode: Mode,
    /// The profiles it was merged from.
    pub profile: Vec<String>,
    /// What remains, natively, of the user's skills outside plugins.
    pub host_skills: Scope,
    /// What remains, natively, of the user's plugins.
    pub host_plugins: Scope,
    /// What remains of the MCP servers that are the user's own: of the config and of native plugins.
    pub host_servers: Scope,
    /// Which agent roles of the user's own it has.
    #[serde(default)]
    pub host_roles: Scope,
    /// Which hooks of chosen plugins run.
    pub hooks: HookPolicy,
    /// What becomes of what an administrator forces on every thread.
    #[serde(default)]
    pub managed: ManagedPolicy,
    /// What becomes of MCP servers that the host defines itself.
    #[serde(default)]
    pub host_defined: HostServers,
    /// The content it is made of.
    pub bundles: Vec<Bundle>,
    /// Plugins it holds, sorted by id: the chosen ones, and what remained of the user's when it was made.
    pub plugins: Vec<PlannedPlugin>,
    /// Skills outside those plugins, sorted by name: chosen and remaining.
    pub skills: Vec<PlannedSkill>,
    /// All skills of the thread, sorted by name, as the list that we write for the model has them. `None`: the
    /// plan was recorded by a version that left the list to Codex.
    #[serde(default)]
    pub skill_list: Option<Vec<ListedSkill>>,
    /// Chosen agents, sorted by name: those of chosen plugins and single ones.
    #[serde(default)]
    pub agents: Vec<PlannedAgent>,
    /// Chosen agent roles of the user's own, sorted.
    #[serde(default)]
    pub own_roles: Vec<String>,
    /// Hooks of the plugins that come as snapshots, in their order.
    #[serde(default)]
    pub plugin_hooks: Vec<PlannedHook>,
    /// Chosen MCP servers, sorted by name, whichever source they come from. Those that merely remain are not among them.
    pub servers: Vec<PlannedServer>,
    /// What the host should know.
    pub warnings: Vec<Warning>,
}

/// MCP servers that a host defines in the `config` of its request, by name.
pub(crate) type RequestServers = BTreeMap<String, serde_json::Map<String, serde_json::Value>>;

impl Plan {
    /// The MCP servers that the thread's host has defined itself.
    #[must_use]
    pub fn request_servers(&self) -> RequestServers {
        let servers = self
            .servers
            .iter()
            .filter_map(|server| match &server.origin {
                ServerOrigin::Request { definition } => {
                    Some((server.name.clone(), definition.clone()))
                }
                _ => None,
            });
        servers.collect()
    }

    /// Takes up what the host's request defines: those that the thread has, as they are defined now, and new ones
    /// unless the host's own are dropped. Tells whether that changed anything.
    pub fn take_up(&mut self, defined: RequestServers) -> bool {
        let mut changed = false;
        for (name, definition) in defined {
            match self.servers.iter_mut().find(|server| server.name == name) {
                Some(server) => {
                    if let ServerOrigin::Request { definition: known } = &mut server.origin {
                        changed |= *known != definition;
                        *known = definition;
                    }
                }
                None if self.host_defined == HostServers::Drop => {}
                None => {
                    changed = true;
                    self.servers.push(PlannedServer {
                        name,
                        origin: ServerOrigin::Request { definition },
                        tools: None,
                    });
                }
            }
        }
        self.servers.sort_by(|a, b| a.name.cmp(&b.name));
        changed
    }

    /// The bundles that were added here and are in it: the id of each, and the content that it was made of.
    pub fn added_bundles(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.bundles.iter().filter_map(|bundle| {
            let BundleContent::Plugin { id, .. } = &bundle.content else {
                return None;
            };
            bundle_name(id)?;
            // Its content lies in the store, under its digest.
            let content = bundle.source.file_name()?.to_str()?;
            Some((id.as_str(), Digest::from_hex(content).ok()?))
        })
    }

    /// Whether there are any.
    #[must_use]
    pub fn has_added_bundles(&self) -> bool {
        self.added_bundles().next().is_some()
    }

    /// The hooks of snapshots that run, as far as this catalog has no other word on their trust.
    pub fn active_hooks<'a>(
        &'a self,
        catalog: &'a Catalog,
    ) -> impl Iterator<Item = &'a PlannedHook> {
        let hooks = self.plugin_hooks.iter();
        hooks.filter(|hook| self.runs(hook, catalog))
    }

    /// Whether a hook of a snapshot runs.
    #[must_use]
    pub fn runs(&self, hook: &PlannedHook, catalog: &Catalog) -> bool {
        match &self.hooks {
            HookPolicy::None => false,
            HookPolicy::Trusted => hook.is_trusted_in(catalog),
            HookPolicy::Only(names) => names.iter().any(|name| hook.is_named(name)),
        }
    }

    /// Whether something of the user's counts for the thread from turn to turn. Where Codex itself loads some
    /// of the user's plugins, one that is installed later has to be kept out; where hooks run, the user may take
    /// back the trust in them.
    #[must_use]
    pub fn follows_user(&self) -> bool {
        let is_cut = self.host_plugins != Scope::All || self.host_servers != Scope::All;
        let mut hooks = self.plugin_hooks.iter();
        let has_hooks = self.hooks == HookPolicy::Trusted && hooks.any(|hook| hook.trusted);
        has_hooks || self.mode == Mode::Restrict && is_cut
    }
}

/// What of the user's own set reaches the thread without being named in a root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// All that is enabled.
    #[default]
    All,
    /// Of what there is, only these names; empty: none.
    Only(Vec<String>),
}

impl Scope {
    /// Whether a name is among those that are kept by name.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        matches!(self, Self::Only(names) if names.iter().any(|kept| kept == name))
    }
}

/// A folder that a plan is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// Whether the thread keeps a snapshot of it. Otherwise Codex itself loads it, and it is only
    /// read to say what it was.
    pub stored: bool,
    /// Folder name under the thread's root, unique in the plan. `None`: no part of the root (MCP
    /// servers may run from it all the same).
    pub mount: Option<String>,
    /// The folder it is read from.
    pub source: PathBuf,
    /// The folder that its links may lead to, if that is a larger one: its marketplace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<PathBuf>,
    /// How it becomes a bundle, if it was made for Claude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<ConversionInput>,
    /// What it is, once converted.
    pub content: BundleContent,
    /// The digest of its tree, once it was read.
    pub digest: Option<Digest>,
}

impl Bundle {
    /// The folder that its links may lead to.
    #[must_use]
    pub fn within(&self) -> &Path {
        self.within.as_deref().unwrap_or(&self.source)
    }
}

/// A chosen plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedPlugin {
    /// `name@marketplace`.
    pub id: String,
    /// The version installed when it was chosen.
    pub version: String,
    /// Whether the selection names it; otherwise it is the user's own and remains.
    pub named: bool,
    /// Whether Codex itself loads it (restrict, extend), or the thread's root carries a snapshot.
    pub native: bool,
    /// Index of its folder in [`Plan::bundles`].
    pub bundle: usize,
    /// `plugin:skill` names the thread sees.
    pub skills: Vec<String>,
    /// `plugin:agent` roles the thread can spawn.
    #[serde(default)]
    pub agents: Vec<String>,
    /// Whether the selection says which of its skills are kept.
    pub skills_narrowed: bool,
    /// Whether the selection says which of its MCP servers are kept.
    pub servers_narrowed: bool,
}

/// A chosen skill outside the chosen plugins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedSkill {
    /// The name the model sees.
    pub name: String,
    /// What it is for, for the context numbers.
    pub description: String,
    /// A Codex scope, or the id of the plugin it was taken from.
    pub source: String,
    /// Its `SKILL.md` when it was chosen.
    pub path: PathBuf,
    /// Whether Codex itself finds it (restrict, extend), or the thread's root carries a snapshot.
    pub native: bool,
    /// Index of its folder in [`Plan::bundles`].
    pub bundle: usize,
}

/// A line of the skill list that the model reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedSkill {
    /// The name the model sees.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Index of its folder in [`Plan::bundles`].
    pub bundle: usize,
    /// Its `SKILL.md`, relative to that folder as the thread has it, `/` between the parts.
    pub file: String,
    /// Whether it stands in the list, and how.
    #[serde(default, skip_serializing_if = "SkillListing::is_full")]
    pub list: SkillListing,
}

/// A chosen agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedAgent {
    /// The role to spawn it by.
    pub name: String,
    /// What it is for, as the spawn tool tells the model.
    pub description: String,
    /// Id of its plugin.
    pub source: String,
    /// Index of its plugin's snapshot in [`Plan::bundles`].
    pub bundle: usize,
    /// Its role file, relative to that snapshot.
    pub file: String,
}

/// One handler of a chosen plugin's hooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedHook {
    /// Codex's name of the event.
    pub event: String,
    /// Which of the event's occasions it runs at; `None`: at all.
    pub matcher: Option<String>,
    /// The handler, in the words of `hooks.json`.
    pub handler: serde_json::Map<String, serde_json::Value>,
    /// Id of its plugin.
    pub source: String,
    /// The end of Codex's key of the handler that it was made of.
    pub origin: String,
    /// Index of its plugin's snapshot in [`Plan::bundles`].
    pub bundle: usize,
    /// Whether the user had trusted it: in Codex, or with the bundle that it is of.
    pub trusted: bool,
}

impl PlannedHook {
    /// Codex's key of the handler that it was made of.
    #[must_use]
    pub fn id(&self) -> String {
        hook_id(&self.source, &self.origin)
    }

    /// Whether a selection means it by this name: its event, or its id.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.event == name || self.id() == name
    }

    /// Whether it was trusted when it was chosen, and is not distrusted in this catalog.
    #[must_use]
    pub fn is_trusted_in(&self, catalog: &Catalog) -> bool {
        let mut plugins = catalog.plugins.iter();
        let plugin = plugins.find(|plugin| plugin.id == self.source);
        let hooks = plugin.map(|plugin| plugin.parts().hooks.iter());
        let mut same = hooks
            .into_iter()
            .flatten()
            .filter(|now| now.origin == self.origin && now.handler == self.handler);
        self.trusted && !same.any(|now| !now.trusted)
    }
}

/// A chosen MCP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedServer {
    /// The name it runs under.
    pub name: String,
    /// Where its definition comes from.
    pub origin: ServerOrigin,
    /// The tools it is cut to; `None` means all.
    pub tools: Option<Vec<String>>,
}

impl PlannedServer {
    /// Whether an administrator lets it run.
    #[must_use]
    pub fn may_run(&self, catalog: &Catalog) -> bool {
        let policy = &catalog.policy;
        match &self.origin {
            ServerOrigin::Config => {
                let configured = catalog.servers.get(&self.name);
                configured.is_none_or(|server| policy.allows_server(&self.name, &server.definition))
            }
            ServerOrigin::NativePlugin { id } => {
                let mut plugins = catalog.plugins.iter();
                let plugin = plugins.find(|plugin| plugin.id == *id);
                let server = plugin.and_then(|plugin| plugin.native.servers.get(&self.name));
                server.is_none_or(|server| {
                    policy.allows_plugin_server(id, &self.name, &server.definition)
                })
            }
            // It is given to the thread in its config.
            ServerOrigin::Snapshot { definition, .. } | ServerOrigin::Request { definition } => {
                policy.allows_server(&self.name, definition)
            }
        }
    }
}

/// Where a chosen MCP server's definition comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ServerOrigin {
    /// The effective config of the user and the project: it is switched on there, not copied.
    Config,
    /// The `config` of the host's request: it is the thread's own, by value.
    #[serde(rename_all = "camelCase")]
    Request {
        /// The host's own definition. It may hold secrets: never print it.
        definition: serde_json::Map<String, serde_json::Value>,
    },
    /// A plugin that Codex itself loads for this thread.
    #[serde(rename_all = "camelCase")]
    NativePlugin {
        /// `name@marketplace`.
        id: String,
    },
    /// A plugin's definition, given to the thread by value.
    #[serde(rename_all = "camelCase")]
    Snapshot {
        /// `name@marketplace`.
        id: String,
        /// The name the plugin gives it.
        server: String,
        /// Index of the plugin's snapshot in [`Plan::bundles`].
        bundle: usize,
        /// The plugin's own definition. It may hold secrets: never print it.
        definition: serde_json::Map<String, serde_json::Value>,
    },
}
