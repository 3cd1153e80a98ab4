//! The platform a plugin is converted for: its layout, its limits, and its words.
//!
//! Another platform is another implementation of [`Target`]; nothing else names files or words of Codex.

mod codex;
pub mod hook_trust;
mod layout;

pub use codex::Codex;
pub use layout::{AgentDefinition, Layout, ManifestFacts};

/// The platform a plugin is converted for.
pub trait Target: Layout + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// Longest description that reaches the model whole, in characters.
    fn description_limit(&self) -> usize;
    /// How a text calls a skill, `plugin:skill` being its full name: Codex's `$plugin:skill`.
    fn skill_call(&self, full_name: &str) -> String;
    /// The platform's own agent for one of Claude's built-in ones (`general-purpose`, `Explore`, `Plan`), and what is to be said of it besides.
    fn built_in_agent(&self, claude_name: &str) -> Option<(&'static str, Option<&'static str>)>;
    /// What a text calls the argument that names an agent: Codex's `agent_type`.
    fn agent_argument(&self) -> &'static str;
    /// What the names of Claude's tools mean. Those that are not in it need no word.
    fn tools(&self) -> &'static [ToolWords];

    // Hooks and servers
    /// The event of this name; `None` if there is none.
    fn hook_event(&self, name: &str) -> Option<HookEvent>;
    /// The tool that hooks see where Claude's tool of this name would be called; `None` if nothing ever stands for it.
    fn hook_tool(&self, claude_tool: &str) -> Option<HookTool>;
    /// Whether the name of an MCP server may have this character.
    fn is_server_name(&self, c: char) -> bool;
    /// What a field of an MCP server's definition must be, if it has a meaning there.
    fn server_field(&self, transport: Transport, key: &str) -> Option<FieldShape>;
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

/// An event of hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookEvent {
    /// What its matcher is compared with.
    pub subject: HookSubject,
    /// Whether a hook can keep it from happening.
    pub can_block: bool,
    /// Longest time a handler gets, in seconds.
    pub longest: Option<u64>,
}

/// What the matcher of an event is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookSubject {
    /// The name of a tool.
    Tool,
    /// The name of an agent.
    Agent,
    /// A word of the event's own, such as what began the session.
    Word,
    /// Nothing: a matcher means nothing.
    Nothing,
}

/// A tool as hooks see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookTool {
    /// Its name.
    pub name: &'static str,
    /// Whether its input has the form that Claude's tool has.
    pub same_input: bool,
    /// Another tool through which the same can be done, to be watched as well.
    pub also: Option<&'static str>,
}

/// How an MCP server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A process.
    Stdio,
    /// Streamable HTTP.
    Http,
}

/// What a field's value must be: a wrong one can keep a whole thread from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldShape {
    /// A text.
    Text,
    /// Yes or no.
    Flag,
    /// Seconds or milliseconds.
    Number,
    /// A list of texts.
    Texts,
    /// Texts by name.
    TextMap,
    /// A list of texts or of objects.
    List,
    /// An object.
    Object,
}
