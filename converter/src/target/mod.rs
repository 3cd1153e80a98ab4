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
    /// What a text says instead of naming one of Claude's tools; `None` where the name may stay.
    fn tool_in_prose(&self, claude_tool: &str) -> Option<&'static str>;
}
