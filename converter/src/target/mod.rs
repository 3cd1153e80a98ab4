//! The platform a plugin is converted for: its layout, its limits, and its words.
//!
//! Another platform is another implementation of [`Target`]; nothing else names files or words of Codex.

mod codex;
mod layout;

pub use codex::Codex;
pub use layout::{AgentDefinition, Layout, ManifestFacts};

/// The platform a plugin is converted for.
pub trait Target: Layout + Sync {
    /// Longest description that reaches the model whole, in characters.
    fn description_limit(&self) -> usize;
    /// How a text calls a skill, `plugin:skill` being its full name: Codex's `$plugin:skill`.
    fn skill_call(&self, full_name: &str) -> String;
    /// The platform's own agent for one of Claude's built-in ones (`general-purpose`, `Explore`, `Plan`), and what is to be said of it besides.
    fn built_in_agent(&self, claude_name: &str) -> Option<(&'static str, Option<&'static str>)>;
    /// What a text calls the argument that names an agent: Codex's `agent_type`.
    fn agent_argument(&self) -> &'static str;
    /// What texts say instead of the names of Claude's tools. Tools that are not in it may keep their names.
    fn tools(&self) -> &'static [ToolWords];
}

/// What a text says instead of the name of one of Claude's tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolWords {
    /// The tool's name.
    pub name: &'static str,
    /// The words; `None` if the platform has no counterpart.
    pub words: Option<ToolPhrase>,
    /// Whether the name is an ordinary word: it is a tool only before the word "tool".
    pub ordinary: bool,
}

/// The words for a tool, in the places it can have in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolPhrase {
    /// "use NOUN to …".
    pub noun: &'static str,
    /// "each SINGULAR", for a call of it.
    pub singular: &'static str,
    /// "several PLURAL", for calls of it.
    pub plural: &'static str,
    /// What is added where a text names it first.
    pub explanation: Option<&'static str>,
}
