//! Where the parts of a bundle lie, and what their files look like.

use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Where the parts of a bundle lie, and what their files look like.
pub trait Layout {
    /// The folder of all skills.
    fn skills_folder(&self) -> &'static str;
    /// The name of a skill as the platform takes it.
    fn skill_title(&self, name: &str) -> String;
    /// Name of the folder of a skill with this name: of `git:push` it is `git-push`.
    fn skill_folder(&self, name: &str) -> String;
    /// How many parts the path of a skill's file may have, so that the skill is found.
    fn skill_depth(&self) -> usize;
    /// Frontmatter of a skill, with its fences.
    fn skill_header(
        &self,
        name: &str,
        description: &str,
        metadata: &IndexMap<String, String>,
    ) -> String;
    /// The file beside a skill's own that says whether the model may choose it by itself. Where there is none, a skill that
    /// only users call becomes a command.
    fn policy_file(&self) -> Option<&'static str>;
    /// What that file says of a skill that only users call; `existing` is what the plugin's own says.
    /// `None` if `existing` can't be read.
    fn mention_only(&self, existing: Option<&str>) -> Option<String>;
    /// Why a skill's file would not be loaded, or not under its name; empty: it would.
    fn check_skill(&self, plugin: &str, name: &str, text: &str) -> Vec<String>;

    /// Whether the platform makes a skill of the file at this path.
    fn finds_skill(&self, path: &str) -> bool;
    /// The folder whose texts the platform makes skills of by itself when it installs a bundle, if there is one.
    fn migrated_folder(&self) -> Option<&'static str>;

    /// Whether the platform reads agents from the folder in which Claude has them, in files of the same names.
    fn agents_lie_where_claudes_do(&self) -> bool;
    /// Which of the platform's tools an agent has; `None`: it can't be said, an agent has those of its thread.
    fn agent_tools(&self, tools: &AgentTools<'_>) -> Option<Vec<String>>;
    /// How often an agent may take a turn, by the key for it; `None`: it can't be said.
    fn has_turn_limit(&self) -> bool;
    /// The file of an agent with this name.
    fn agent_file(&self, name: &str) -> String;
    /// What that file says.
    fn agent_definition(&self, agent: &AgentDefinition) -> String;
    /// The platform's word for one of Claude's efforts.
    fn effort(&self, claude_effort: &str) -> Option<&'static str>;

    /// The file of MCP servers; the manifest's where it holds them.
    fn servers_file(&self) -> &'static str;
    /// The file of hooks.
    fn hooks_file(&self) -> &'static str;

    /// The manifest's file; where an author may have written one for the platform, too.
    fn manifest_file(&self) -> &'static str;
    /// The name of a plugin as the platform takes it.
    fn plugin_name(&self, name: &str) -> String;
    /// Whether the platform asks its user for the settings that a plugin declares; its manifest then holds them.
    fn asks_for_settings(&self) -> bool;
    /// What the manifest says, and a sentence for each value that could not be written as it was.
    fn manifest(&self, facts: &ManifestFacts<'_>) -> (Map<String, Value>, Vec<String>);
}

/// An agent, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentDefinition {
    /// The role it is registered under: `plugin:agent`.
    pub role: String,
    /// What it is for.
    pub description: String,
    /// What it is told.
    pub instructions: String,
    /// Whether it may change nothing.
    pub read_only: bool,
    /// How hard it thinks, in the platform's word.
    pub effort: Option<&'static str>,
    /// The platform's tools that it has, where that can be said.
    pub tools: Option<Vec<String>>,
    /// How many turns it may take, where that can be said.
    pub turns: Option<u64>,
}

/// What an agent's header says of its tools.
#[derive(Debug, Clone, Copy)]
pub struct AgentTools<'a> {
    /// Those it has; `None`: all.
    pub allowed: Option<&'a [String]>,
    /// Those it does not have.
    pub forbidden: &'a [String],
}

/// What a manifest is made of.
#[derive(Debug, Clone, Copy)]
pub struct ManifestFacts<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Claude's manifest.
    pub claude: &'a Map<String, Value>,
    /// The author's own manifest for this platform.
    pub own: Option<&'a Map<String, Value>>,
    /// Whether the bundle has skills.
    pub skills: bool,
    /// Its MCP servers.
    pub servers: &'a Map<String, Value>,
    /// Whether it has hooks.
    pub hooks: bool,
}
