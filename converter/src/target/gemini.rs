//! The Gemini CLI 0.61: its extensions.

mod commands;
mod hooks;
mod layout;
mod manifest;
mod servers;
#[cfg(test)]
mod tests;

use super::{Commands, Target, ToolWords};
use crate::components::servers::definition::{ServerDraft, Transport};
use crate::discovery::SKILL_FILE;
use crate::paths::file_name;
use crate::report::Finding;

/// The Gemini CLI, as read in 0.61.0 and seen with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gemini;

/// What stands for the extension's folder in its manifest, its hooks, its skills and its agents.
const FOLDER: &str = "${extensionPath}";

impl Target for Gemini {
    fn name(&self) -> &'static str {
        "Gemini"
    }

    /// It shows a description whole; this is what the standard for skills allows.
    fn description_limit(&self) -> usize {
        1024
    }

    /// Skills of all extensions have one set of names, commands have the plugin's in theirs.
    fn skill_name(&self, _plugin: &str, skill: &str) -> String {
        skill.to_owned()
    }

    fn skill_call(&self, full_name: &str) -> String {
        format!("/{}", full_name.replace(' ', "-"))
    }

    fn agent_name(&self, plugin: &str, agent: &str) -> String {
        layout::slug(&format!("{plugin}-{agent}"))
    }

    fn built_in_agent(&self, claude_name: &str) -> Option<(&'static str, Option<&'static str>)> {
        match claude_name {
            "general-purpose" => Some(("generalist", None)),
            "Explore" => Some(("codebase_investigator", None)),
            "Plan" => Some((
                "generalist",
                Some("read only: it plans and changes nothing"),
            )),
            _ => None,
        }
    }

    fn agent_argument(&self) -> &'static str {
        "agent_name"
    }

    fn tools(&self) -> &'static [ToolWords] {
        TOOLS
    }

    fn commands(&self) -> Option<&'static dyn Commands> {
        Some(&commands::Toml)
    }

    /// Nothing is put into a command but arguments, files of the project and output: it can name the folder into which
    /// `gemini extensions install` copies.
    fn folder_seen_from(&self, plugin: &str, path: &str) -> Option<String> {
        if commands::Toml.is_file(path) {
            return Some(format!("~/.gemini/extensions/{}", manifest::name(plugin)));
        }
        let is_read_by_it = file_name(path) == SKILL_FILE || path.starts_with("agents/");
        is_read_by_it.then(|| FOLDER.to_owned())
    }

    fn mcp_tool(&self, server: &str, tool: &str) -> String {
        format!("mcp_{server}_{tool}")
    }

    /// In the names of its tools, `_` ends that of the server.
    fn is_server_name(&self, c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '-' || c == '.'
    }

    fn server(&self, draft: &mut ServerDraft<'_, '_>, transport: Transport) -> Result<(), Finding> {
        servers::convert(draft, transport)
    }
}

const SHELL: &str = "call `run_shell_command`";
const EDIT: &str = "call `replace`";
const WRITE: &str = "call `write_file`";
const AGENT: &str = "call `invoke_agent`";

/// Claude's tools, and the argument of one that texts name by itself.
const TOOLS: &[ToolWords] = &[
    ToolWords::new("AskUserQuestion", "call `ask_user`"),
    ToolWords::new("TodoWrite", "call `write_todos`"),
    ToolWords::new("TodoRead", "look at your todos"),
    ToolWords::new("WebFetch", "call `web_fetch`"),
    ToolWords::new("WebSearch", "call `google_web_search`"),
    ToolWords::new("EnterPlanMode", "call `enter_plan_mode`"),
    ToolWords::new("ExitPlanMode", "call `exit_plan_mode`"),
    ToolWords::new("NotebookEdit", EDIT),
    ToolWords::new("NotebookRead", "call `read_file`"),
    ToolWords::new("MultiEdit", EDIT),
    ToolWords::new("BashOutput", "read what the command has written so far"),
    ToolWords::new("SlashCommand", "follow the skill or command"),
    ToolWords::new("subagent_type", "`agent_name`, the agent to call"),
    ToolWords::new("Task", AGENT).ordinary(),
    ToolWords::new("Agent", AGENT).ordinary(),
    ToolWords::new("Skill", "call `activate_skill`").ordinary(),
    ToolWords::new("Edit", EDIT).ordinary(),
    ToolWords::new("Write", WRITE).ordinary(),
    ToolWords::new("Read", "call `read_file`").ordinary(),
    ToolWords::new("Glob", "call `glob`").ordinary(),
    ToolWords::new("Grep", "call `grep_search`").ordinary(),
    ToolWords::new("Bash", SHELL).ordinary(),
];
