//! Hooks, as read in 0.61.0: other events, other tools, other answers, so each of Claude's runs through the adapter.

use super::{FOLDER, Gemini};
use crate::components::shell;
use crate::target::{Adapter, HookEvent, HookSubject, HookTool, Hooks};

/// Its events by Claude's names for them, what their matchers are compared with, and whether a hook can keep them from
/// happening.
const EVENTS: &[(&str, &str, HookSubject, bool)] = &[
    ("PreToolUse", "BeforeTool", HookSubject::Tool, true),
    ("PostToolUse", "AfterTool", HookSubject::Tool, false),
    (
        "UserPromptSubmit",
        "BeforeAgent",
        HookSubject::Nothing,
        true,
    ),
    ("Stop", "AfterAgent", HookSubject::Nothing, false),
    (
        "SessionStart",
        "SessionStart",
        HookSubject::WordForAdapter,
        false,
    ),
    (
        "SessionEnd",
        "SessionEnd",
        HookSubject::WordForAdapter,
        false,
    ),
    (
        "PreCompact",
        "PreCompress",
        HookSubject::WordForAdapter,
        false,
    ),
    (
        "Notification",
        "Notification",
        HookSubject::WordForAdapter,
        false,
    ),
];

const fn tool(name: &'static str) -> HookTool {
    HookTool {
        name,
        same_input: true,
        also: None,
    }
}

/// Its tools by Claude's names for them.
const TOOLS: &[(&str, HookTool)] = &[
    ("Bash", tool("run_shell_command")),
    ("Edit", tool("replace")),
    ("MultiEdit", tool("replace")),
    ("Write", tool("write_file")),
    ("Read", tool("read_file")),
    ("Glob", tool("glob")),
    ("Grep", tool("grep_search")),
    ("LS", tool("list_directory")),
    ("Agent", tool("invoke_agent")),
    ("Task", tool("invoke_agent")),
    ("WebFetch", tool("web_fetch")),
    ("WebSearch", tool("google_web_search")),
    ("TodoWrite", tool("write_todos")),
    ("Skill", tool("activate_skill")),
];

impl Hooks for Gemini {
    fn hook_event(&self, claude_name: &str) -> Option<HookEvent> {
        let (_, name, subject, can_block) =
            *EVENTS.iter().find(|(claude, ..)| *claude == claude_name)?;
        Some(HookEvent {
            name,
            subject,
            can_block,
            longest: None,
        })
    }

    fn hook_tools(&self) -> &'static [(&'static str, HookTool)] {
        TOOLS
    }

    /// A pattern that may fit anywhere in a name, unless it says where.
    fn hook_matcher(&self, names: &[String], any_mcp: bool) -> String {
        let mcp = any_mcp.then(|| "mcp_.*".to_owned());
        let all: Vec<String> = names.iter().cloned().chain(mcp).collect();
        format!("^(?:{})$", all.join("|"))
    }

    fn adapter(&self) -> Adapter {
        Adapter {
            name: "gemini-adapter",
            program: concat!(
                include_str!("../../../assets/gemini-adapter.mjs"),
                include_str!("../../../assets/claude-rules.mjs")
            ),
            for_all: true,
        }
    }

    fn has_tool_hooks(&self) -> bool {
        false
    }

    fn gives_transcript(&self) -> bool {
        false
    }

    fn trusts_each_hook(&self) -> bool {
        false
    }

    /// In milliseconds.
    fn hook_timeout(&self, seconds: u64) -> u64 {
        seconds.saturating_mul(1000)
    }

    fn hook_folder(&self) -> &'static str {
        FOLDER
    }

    fn sets_plugin_variables(&self) -> bool {
        false
    }

    /// It has no such folder of its own.
    fn data_folder(&self, plugin: &str, _marketplace: Option<&str>) -> String {
        format!(
            "${{HOME}}/.gemini/extension-data/{}",
            shell::in_double_quotes(plugin)
        )
    }
}
