//! The platform a plugin is converted for: its layout, its limits, and its words.
//!
//! Another platform is another implementation of [`Target`]; nothing else names files or words of one.

mod codex;
mod gemini;
pub mod hook_trust;
mod hooks;
mod layout;

pub use codex::{Codex, SkillHeader};
pub use gemini::Gemini;
pub use hooks::{Adapter, HookEvent, HookSubject, HookTool, Hooks};
pub use layout::{AgentDefinition, AgentTools, Layout, ManifestFacts};

use crate::components::servers::definition::{ServerDraft, Transport};
use crate::report::Finding;

/// The platform a plugin is converted for.
pub trait Target: Layout + Hooks + std::fmt::Debug + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// Longest description that reaches the model whole, in characters.
    fn description_limit(&self) -> usize;
    /// What a skill is called among those of all plugins: Codex's `plugin:skill`.
    fn skill_name(&self, plugin: &str, skill: &str) -> String;
    /// How a text calls a skill of this full name: Codex's `$plugin:skill`.
    fn skill_call(&self, full_name: &str) -> String;
    /// What an agent is called among those of all plugins: Codex's `plugin:agent`.
    fn agent_name(&self, plugin: &str, agent: &str) -> String;
    /// The platform's own agent for one of Claude's built-in ones (`general-purpose`, `Explore`, `Plan`), and what is to be said of it besides.
    fn built_in_agent(&self, claude_name: &str) -> Option<(&'static str, Option<&'static str>)>;
    /// What a text calls the argument that names an agent: Codex's `agent_type`.
    fn agent_argument(&self) -> &'static str;
    /// What the names of Claude's tools mean, those aside that no platform has. Those that are not in it need no word.
    fn tools(&self) -> &'static [ToolWords];
    /// Commands of users; `None`: the platform has none, and they become skills.
    fn commands(&self) -> Option<&'static dyn Commands>;
    /// How a text of the bundle at this path names the bundle's own folder; `None`: by the way to it from the text's own.
    fn folder_seen_from(&self, plugin: &str, path: &str) -> Option<String>;

    /// How the tool of an MCP server is called.
    fn mcp_tool(&self, server: &str, tool: &str) -> String;
    /// Whether the name of an MCP server may have this character.
    fn is_server_name(&self, c: char) -> bool;
    /// Writes an MCP server's definition.
    ///
    /// # Errors
    /// Why it can't be had.
    fn server(&self, draft: &mut ServerDraft<'_, '_>, transport: Transport) -> Result<(), Finding>;
}

/// Commands as a platform has them.
pub trait Commands: Sync {
    /// Where a command lies, and what it is called among those of all plugins.
    fn place(&self, plugin: &str, name: &str) -> CommandPlace;
    /// Whether the file at this path is one.
    fn is_file(&self, path: &str) -> bool;
    /// What its file says.
    fn definition(&self, description: &str, prompt: &str) -> String;
    /// What is put into its text.
    fn expansions(&self) -> &'static Expansions;
}

/// Where a command lies, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandPlace {
    /// Its file.
    pub file: String,
    /// Its full name.
    pub name: String,
}

/// What a platform puts into the text of a command before a model reads it.
#[derive(Debug)]
pub struct Expansions {
    /// Stands for all that the user wrote after the command's name.
    pub arguments: &'static str,
    /// What stands around the path of a file of the project.
    pub include: (&'static str, &'static str),
    /// What stands around a command whose output is put in.
    pub shell: (&'static str, &'static str),
}

impl Expansions {
    /// A path or a command between its marks; `None` if its own braces would end it too early or too late.
    pub(crate) fn around(marks: (&str, &str), inside: &str) -> Option<String> {
        Self::is_balanced(inside).then(|| format!("{}{inside}{}", marks.0, marks.1))
    }

    /// Whether each brace in a text has its other.
    pub(crate) fn is_balanced(text: &str) -> bool {
        let depth = text.chars().try_fold(0usize, |depth, c| match c {
            '{' => Some(depth + 1),
            '}' => depth.checked_sub(1),
            _ => Some(depth),
        });
        depth == Some(0)
    }
}

/// What the name of one of Claude's tools means on the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolWords {
    /// The tool's name.
    pub name: &'static str,
    /// What to do instead; `None` if the platform has no counterpart.
    pub meaning: Option<&'static str>,
    /// Whether the name is an ordinary word: it is a tool only before the word "tool", or as code.
    pub ordinary: bool,
}

impl ToolWords {
    /// A tool by a name that is nothing else.
    pub(crate) const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            meaning: Some(meaning),
            ordinary: false,
        }
    }

    /// A tool without a counterpart.
    pub(crate) const fn unavailable(name: &'static str) -> Self {
        Self {
            name,
            meaning: None,
            ordinary: false,
        }
    }

    /// The same by a name that is an ordinary word.
    pub(crate) const fn ordinary(self) -> Self {
        Self {
            ordinary: true,
            ..self
        }
    }
}

/// Claude's tools that no platform has a counterpart of: lists of tasks that agents share, teams, times, trees of work.
const ONLY_CLAUDES: &[ToolWords] = &[
    ToolWords::unavailable("TaskCreate"),
    ToolWords::unavailable("TaskUpdate"),
    ToolWords::unavailable("TaskList"),
    ToolWords::unavailable("TaskGet"),
    ToolWords::unavailable("TaskOutput"),
    ToolWords::unavailable("TaskStop"),
    ToolWords::unavailable("TeamCreate"),
    ToolWords::unavailable("TeamDelete"),
    ToolWords::unavailable("SendMessage"),
    ToolWords::unavailable("CronCreate"),
    ToolWords::unavailable("CronDelete"),
    ToolWords::unavailable("CronList"),
    ToolWords::unavailable("EnterWorktree"),
    ToolWords::unavailable("ExitWorktree"),
    ToolWords::unavailable("KillShell"),
    ToolWords::unavailable("ScheduleWakeup"),
    ToolWords::unavailable("ToolSearch"),
    ToolWords::unavailable("Monitor").ordinary(),
    ToolWords::unavailable("Workflow").ordinary(),
];

/// What the name of one of Claude's tools means on a platform.
pub(crate) fn tool_words(target: &dyn Target, name: &str) -> Option<&'static ToolWords> {
    let mut tools = target.tools().iter().chain(ONLY_CLAUDES);
    tools.find(|tool| tool.name == name)
}
