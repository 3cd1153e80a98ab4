//! What a plugin is before it is converted.

use codex_loadout_bundle::Tree;
use serde_json::{Map, Value};

/// A plugin as it was found: values only.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Its files, links resolved.
    pub tree: Tree,
    /// The name of its folder: the plugin's name where nothing else gives one.
    pub folder: String,
    /// Its entry in a marketplace, if it was found by one.
    pub entry: Option<Map<String, Value>>,
    /// Name of that marketplace.
    pub marketplace: Option<String>,
}

/// A plugin's declared parts: found, not yet converted.
///
/// Paths are relative to the plugin's root, with `/` between the parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plugin {
    /// Its name: the namespace of its skills and agents.
    pub(crate) name: String,
    /// Its version, as declared.
    pub(crate) version: Option<String>,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// The Claude manifest, the marketplace entry merged in as `strict` says.
    pub(crate) manifest: Map<String, Value>,
    /// The manifest that the author wrote for the target.
    pub(crate) own_manifest: Option<Map<String, Value>>,
    /// Its skills.
    pub(crate) skills: Vec<SkillSource>,
    /// Its commands.
    pub(crate) commands: Vec<CommandSource>,
    /// Its agents.
    pub(crate) agents: Vec<AgentSource>,
    /// Its hooks: one for each handler, in order.
    pub(crate) hooks: Vec<HookSource>,
    /// Its MCP servers.
    pub(crate) servers: Vec<ServerSource>,
    /// What no target has a counterpart of.
    pub(crate) others: Vec<OtherSource>,
}

/// A folder with a `SKILL.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkillSource {
    /// Its folder; empty for the plugin's root.
    pub(crate) folder: String,
}

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommandSource {
    /// Its name without the plugin's: of `commands/git/push.md` it is `git:push`.
    pub(crate) name: String,
    /// Where its text stands.
    pub(crate) text: CommandText,
    /// What the manifest's object form says of it, in the words of frontmatter.
    pub(crate) header: Map<String, Value>,
}

/// Where a command's text stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandText {
    /// A file of the plugin.
    File(String),
    /// The manifest itself (`content`), in this file.
    Inline {
        /// The manifest's path.
        file: String,
        /// The text.
        content: String,
    },
}

/// An agent's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentSource {
    /// Its name by its path, used where its frontmatter gives none: of `agents/a/b.md` it is `a:b`.
    pub(crate) name: String,
    /// Its file.
    pub(crate) file: String,
}

/// One handler of a hook.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HookSource {
    /// The file that declares it.
    pub(crate) file: String,
    /// Line of the handler in that file, from 1; 1 where it can't be told.
    pub(crate) line: usize,
    /// The event, as written.
    pub(crate) event: String,
    /// The matcher of its group.
    pub(crate) matcher: Option<String>,
    /// Index of its group in the event's list, and of the handler in the group: handlers of one group stay together.
    pub(crate) group: usize,
    /// The handler.
    pub(crate) handler: Value,
    /// Whether the author wrote it for the target: it needs no conversion.
    pub(crate) is_native: bool,
}

/// An MCP server's definition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerSource {
    /// Its name.
    pub(crate) name: String,
    /// The file that declares it.
    pub(crate) file: String,
    /// Line of its key in that file, from 1; 1 where it can't be told.
    pub(crate) line: usize,
    /// The definition. It may hold secrets: never print it.
    pub(crate) definition: Value,
}

/// A component that no target has a counterpart of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherSource {
    /// What it is: `outputStyle`, `lspServer`, `workflow`, …
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// The file that declares it.
    pub(crate) file: String,
    /// Line of its declaration in that file, from 1; 1 where it can't be told.
    pub(crate) line: usize,
}
