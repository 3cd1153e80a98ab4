//! The catalog as a value.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::policy::Policy;
use crate::bundle::Digest;

/// Everything that could be selected for a thread in one folder, at one moment.
///
/// All lists are sorted, so that equal catalogs compare equal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// The thread's folder.
    pub cwd: PathBuf,
    /// Skills that Codex found outside plugins, disabled ones included.
    pub skills: Vec<HostSkill>,
    /// Skills that lie where Codex looks and that it does not list yet, or lists as they were before.
    /// They can't be selected, but they have to be kept out: Codex may show them at any moment.
    pub newcomers: Vec<HostSkill>,
    /// Skills that Codex can't read: the file, and what it says of it.
    pub broken_skills: Vec<(PathBuf, String)>,
    /// Plugins that Codex has installed, disabled ones included, and those of marketplaces that were named.
    pub plugins: Vec<InstalledPlugin>,
    /// Ids of other plugins that a marketplace on this machine has, sorted. Only where Codex was asked for them; their
    /// folders are not read.
    pub offered: Vec<String>,
    /// MCP servers of the effective config (user, project, managed), by name.
    pub servers: BTreeMap<String, ConfigServer>,
    /// The hooks outside plugins that are switched on, sorted by key.
    pub hooks: Vec<HostHook>,
    /// Agent roles of the user's own, sorted by name.
    pub roles: Vec<HostRole>,
    /// What the user's config has developers say to the model.
    pub developer_instructions: Option<String>,
    /// Whether the user has the list of skills switched off.
    pub skill_list_is_off: bool,
    /// The model's context window in tokens, where the config says it.
    pub context_window: Option<u64>,
    /// What the launch line says (`-c …`, `--enable …`, `--disable …`), as Codex's config has it. It may
    /// hold secrets: never print it.
    pub launch_line: serde_json::Map<String, serde_json::Value>,
    /// What an administrator says of every thread.
    pub policy: Policy,
}

impl Catalog {
    /// The catalog as it is when these servers are in the config, too.
    pub fn add_servers(
        &mut self,
        written: &BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    ) {
        for (name, definition) in written {
            self.servers
                .entry(name.clone())
                .or_insert_with(|| ConfigServer {
                    enabled: true,
                    definition: definition.clone(),
                });
        }
    }
}

/// An agent role outside plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRole {
    /// What it is spawned by.
    pub name: String,
    /// What the spawn tool tells of it.
    pub description: String,
    /// Of what it tells and of its file.
    pub digest: Digest,
}

/// Codex's word for where a skill was found (`skills/list`, `scope`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SkillScope {
    /// `~/.agents/skills` and `$CODEX_HOME/skills`.
    User,
    /// A project's `.agents/skills` or `.codex/skills`.
    Repo,
    /// Bundled with Codex.
    System,
    /// `/etc/codex/skills`.
    Admin,
}

impl SkillScope {
    /// Codex's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Repo => "repo",
            Self::System => "system",
            Self::Admin => "admin",
        }
    }
}

/// A skill outside plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSkill {
    /// The name the model sees; it may hold a `:` where a manifest above the skill gives a namespace.
    pub name: String,
    /// `ns` of `ns:skill`, where a manifest in a folder above the skill gives it.
    pub namespace: Option<String>,
    /// What it is for.
    pub description: String,
    /// Its `SKILL.md`.
    pub path: PathBuf,
    /// Where it was found.
    pub scope: SkillScope,
    /// Whether a thread without a selection gets it.
    pub enabled: bool,
    /// Whether it stands in no list, and comes when the user mentions it by `$name`.
    pub mention_only: bool,
}

/// A plugin that Codex has installed, or that a marketplace on this machine has.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledPlugin {
    /// `name@marketplace`.
    pub id: String,
    /// The name alone; also the namespace of its skills.
    pub name: String,
    /// The version Codex has installed, or would.
    pub version: String,
    /// Whether Codex has installed it; otherwise it can only be given as a snapshot.
    pub installed: bool,
    /// Whether a thread without a selection gets it.
    pub enabled: bool,
    /// Why policy keeps it from being used at all, in a few words.
    pub blocked: Option<String>,
    /// Its installed folder, or that in its marketplace.
    pub root: PathBuf,
    /// The folder that its links may lead to, if that is a larger one: its marketplace's.
    pub within: Option<PathBuf>,
    /// What it is for.
    pub description: Option<String>,
    /// The parts that Codex itself loads of it.
    pub native: Parts,
    /// Where it may keep data of its own.
    pub data_folder: PathBuf,
    /// Its entry in its marketplace, if it is taken from there.
    pub entry: Option<serde_json::Map<String, serde_json::Value>>,
    /// What becomes of it as a bundle, if it was made for Claude.
    pub converted: Option<Conversion>,
    /// What is to be known of it if it was added here, and no marketplace of Codex's has it.
    pub added: Option<Added>,
}

/// What is to be known of a bundle that was added here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// `sha256:…` of its content: what an approval is bound to.
    pub digest: String,
    /// Whether the user has approved what it can run.
    pub approved: bool,
    /// The policy file that lets no bundle run hooks.
    pub hooks_denied_by: Option<String>,
    /// The policy file that lets no bundle start MCP servers.
    pub servers_denied_by: Option<String>,
}

impl Parts {
    /// Whether there is nothing that a thread could be given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.skills.is_empty()
            && self.servers.is_empty()
            && self.agents.is_empty()
            && self.hooks.is_empty()
    }
}

impl InstalledPlugin {
    /// Whether its parts are there to be selected: it is installed, or was added here, and no policy blocks it.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.blocked.is_none() && (self.installed || self.added.is_some())
    }

    /// The digest that waits for the user's approval, of a bundle that was added here and has none.
    #[must_use]
    pub fn unapproved(&self) -> Option<&str> {
        let added = self.added.as_ref()?;
        (!added.approved).then_some(&added.digest)
    }

    /// What a thread gets that is given the plugin's bundle: all there is to select.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        match &self.converted {
            Some(Conversion::Done(parts)) => parts,
            Some(Conversion::Failed(_)) | None => &self.native,
        }
    }

    /// Whether its bundle is another than the folder that Codex loads.
    #[must_use]
    pub fn is_converted(&self) -> bool {
        self.converted.is_some()
    }
}

/// What became of a plugin that was made for Claude.
#[derive(Debug, Clone, PartialEq)]
pub enum Conversion {
    /// Its parts as a bundle.
    Done(Arc<Parts>),
    /// Why there is no bundle of it; one sentence for each reason.
    Failed(Vec<String>),
}

/// What a plugin consists of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parts {
    /// Its skills.
    pub skills: Vec<PluginSkill>,
    /// Its MCP servers, by name.
    pub servers: BTreeMap<String, PluginServer>,
    /// Names of servers that only an older Codex runs of it: never to be chosen, always to be kept out.
    pub older_servers: BTreeSet<String>,
    /// Its agents, which Codex itself does not load.
    pub agents: Vec<PluginAgent>,
    /// Its hooks, in their order.
    pub hooks: Vec<PluginHook>,
}

/// An agent of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginAgent {
    /// `plugin:agent`, the role to spawn it by.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its role file, relative to the bundle's root.
    pub file: String,
}

/// A hook of the user's, the project's or the administrator's config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostHook {
    /// Codex's key of it.
    pub key: String,
    /// Codex's name of the event, as in `hooks.json`.
    pub event: String,
    /// `user`, `project`, or where else it comes from, in Codex's words.
    pub source: String,
    /// Whether it runs.
    pub trusted: bool,
}

/// Codex's key of a plugin's handler: what `hooks/list` says of it, the user's trust is noted under, and a selection can
/// name it by. `origin` is the end of it.
#[must_use]
pub(crate) fn hook_id(plugin: &str, origin: &str) -> String {
    format!("{plugin}:{origin}")
}

/// One handler of a plugin's hook.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginHook {
    /// Codex's name of the event, as in `hooks.json`.
    pub event: String,
    /// Which of the event's occasions it runs at; `None`: at all.
    pub matcher: Option<String>,
    /// The handler, in the words of `hooks.json`.
    pub handler: serde_json::Map<String, serde_json::Value>,
    /// The end of Codex's key of the handler that it was made of: file, event, group and place in the group.
    pub origin: String,
    /// Whether the user has trusted that one in Codex.
    pub trusted: bool,
}

/// A skill that a plugin declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSkill {
    /// `plugin:skill`, the name the model sees.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its folder, relative to the plugin's root, `/` between the parts.
    pub folder: String,
    /// Whether the user has it enabled (`skills.config` may disable one skill of a plugin).
    pub enabled: bool,
    /// Whether it stands in no list, and comes when the user mentions it by `$name`.
    pub mention_only: bool,
}

/// An MCP server that a plugin declares.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginServer {
    /// The plugin's own definition of it. It may hold secrets: never print it.
    pub definition: serde_json::Map<String, serde_json::Value>,
    /// Whether the user has it enabled (`plugins."p@m".mcp_servers.N.enabled`).
    pub enabled: bool,
}

/// An MCP server of the effective config.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigServer {
    /// Whether a thread without a selection gets it.
    pub enabled: bool,
    /// Its definition in the effective config. It may hold secrets: never print it.
    pub definition: serde_json::Map<String, serde_json::Value>,
}
