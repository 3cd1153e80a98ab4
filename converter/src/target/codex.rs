//! Codex 0.169.

mod layout;
mod manifest;
mod rules;

use super::Target;

/// Codex, as measured with 0.169.0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Codex;

impl Target for Codex {
    fn description_limit(&self) -> usize {
        1024
    }

    fn skill_call(&self, full_name: &str) -> String {
        format!("${full_name}")
    }

    fn built_in_agent(&self, claude_name: &str) -> Option<(&'static str, Option<&'static str>)> {
        match claude_name {
            "general-purpose" => Some(("default", None)),
            "Explore" => Some(("explorer", None)),
            "Plan" => Some(("default", Some("read only: it plans and changes nothing"))),
            _ => None,
        }
    }

    fn tool_in_prose(&self, claude_tool: &str) -> Option<&'static str> {
        match claude_tool {
            "AskUserQuestion" => Some("a question to the user (ask, then wait for the answer)"),
            _ => None,
        }
    }
}
