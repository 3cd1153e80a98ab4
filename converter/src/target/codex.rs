//! Codex 0.169.

mod layout;
mod manifest;
mod rules;
mod servers;
mod skill_header;

pub use skill_header::SkillHeader;

use super::{Adapter, Commands, HookEvent, HookSubject, HookTool, Hooks, Target, ToolWords};
use crate::components::servers::definition::{ServerDraft, Transport};
use crate::components::shell;
use crate::report::Finding;

/// Codex, as measured with 0.169.0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Codex;

impl Target for Codex {
    fn name(&self) -> &'static str {
        "Codex"
    }

    fn description_limit(&self) -> usize {
        1024
    }

    fn skill_name(&self, plugin: &str, skill: &str) -> String {
        format!("{plugin}:{skill}")
    }

    fn skill_call(&self, full_name: &str) -> String {
        format!("${full_name}")
    }

    fn agent_name(&self, plugin: &str, agent: &str) -> String {
        format!("{plugin}:{agent}")
    }

    fn built_in_agent(&self, claude_name: &str) -> Option<(&'static str, Option<&'static str>)> {
        match claude_name {
            "general-purpose" => Some(("default", None)),
            "Explore" => Some(("explorer", None)),
            "Plan" => Some(("default", Some("read only: it plans and changes nothing"))),
            _ => None,
        }
    }

    fn agent_argument(&self) -> &'static str {
        "agent_type"
    }

    fn tools(&self) -> &'static [ToolWords] {
        TOOLS
    }

    fn commands(&self) -> Option<&'static dyn Commands> {
        None
    }

    fn folder_seen_from(&self, _plugin: &str, _path: &str) -> Option<String> {
        None
    }

    fn mcp_tool(&self, server: &str, tool: &str) -> String {
        format!("mcp__{server}__{tool}")
    }

    fn is_server_name(&self, c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_' || c == '-'
    }

    fn server(&self, draft: &mut ServerDraft<'_, '_>, transport: Transport) -> Result<(), Finding> {
        servers::convert(draft, transport)
    }
}

impl Hooks for Codex {
    fn hook_event(&self, claude_name: &str) -> Option<HookEvent> {
        let (name, subject, can_block) = *EVENTS.iter().find(|(name, ..)| *name == claude_name)?;
        Some(HookEvent {
            name,
            subject,
            can_block,
            longest: super::hook_trust::longest(name),
        })
    }

    fn hook_tools(&self) -> &'static [(&'static str, HookTool)] {
        HOOK_TOOLS
    }

    fn hook_matcher(&self, names: &[String], any_mcp: bool) -> String {
        let names = names.join("|");
        match (any_mcp, names.is_empty()) {
            (false, _) => names,
            (true, true) => "^mcp__.*$".to_owned(),
            (true, false) => format!("^(?:{names}|mcp__.*)$"),
        }
    }

    fn adapter(&self) -> Adapter {
        Adapter {
            name: "codex-adapter",
            program: concat!(
                include_str!("../../assets/codex-adapter.mjs"),
                include_str!("../../assets/claude-rules.mjs")
            ),
            for_all: false,
        }
    }

    fn has_tool_hooks(&self) -> bool {
        true
    }

    fn gives_transcript(&self) -> bool {
        true
    }

    fn trusts_each_hook(&self) -> bool {
        true
    }

    fn hook_timeout(&self, seconds: u64) -> u64 {
        seconds
    }

    fn hook_folder(&self) -> &'static str {
        "${CLAUDE_PLUGIN_ROOT}"
    }

    fn sets_plugin_variables(&self) -> bool {
        true
    }

    /// Codex 0.157 to 0.169: `$CODEX_HOME/plugins/data/<plugin>-<marketplace>`.
    fn data_folder(&self, plugin: &str, marketplace: Option<&str>) -> String {
        let id =
            marketplace.map_or_else(|| plugin.to_owned(), |market| format!("{plugin}-{market}"));
        format!(
            "${{CODEX_HOME:-$HOME/.codex}}/plugins/data/{}",
            shell::in_double_quotes(&id)
        )
    }
}

/// Its events, what their matchers are compared with, and whether a hook can keep them from happening.
const EVENTS: &[(&str, HookSubject, bool)] = &[
    ("PreToolUse", HookSubject::Tool, true),
    ("PermissionRequest", HookSubject::Tool, true),
    ("PostToolUse", HookSubject::Tool, false),
    ("SubagentStart", HookSubject::Agent, false),
    ("SubagentStop", HookSubject::Agent, false),
    ("SessionStart", HookSubject::Word, false),
    ("SessionEnd", HookSubject::Word, false),
    ("PreCompact", HookSubject::Word, false),
    ("PostCompact", HookSubject::Word, false),
    ("UserPromptSubmit", HookSubject::Nothing, true),
    ("Stop", HookSubject::Nothing, false),
    ("Interrupt", HookSubject::Nothing, false),
    ("PreModelRequest", HookSubject::Nothing, false),
    ("PostModelRequest", HookSubject::Nothing, false),
];

const fn hook_tool(name: &'static str, same_input: bool, also: Option<&'static str>) -> HookTool {
    HookTool {
        name,
        same_input,
        also,
    }
}

/// A model without the tool edits with `apply_patch <<EOF` in the shell: hooks see that as Bash.
const BY_PATCH: HookTool = hook_tool("apply_patch", false, Some("Bash"));
const BY_SPAWN: HookTool = hook_tool("spawn_agent", false, None);

const HOOK_TOOLS: &[(&str, HookTool)] = &[
    ("Bash", hook_tool("Bash", true, None)),
    ("Edit", BY_PATCH),
    ("Write", BY_PATCH),
    ("MultiEdit", BY_PATCH),
    ("NotebookEdit", BY_PATCH),
    ("Agent", BY_SPAWN),
    ("Task", BY_SPAWN),
    ("apply_patch", hook_tool("apply_patch", true, None)),
    ("spawn_agent", hook_tool("spawn_agent", true, None)),
];

const SHELL: &str = "use the shell";
const PATCH: &str = "edit with `apply_patch`";
const SPAWN: &str = "spawn an agent";

/// Claude's tools, and the argument of one that texts name by itself.
const TOOLS: &[ToolWords] = &[
    ToolWords::new("AskUserQuestion", "ask the user, and wait for the answer"),
    ToolWords::new("TodoWrite", "keep a checklist in your messages"),
    ToolWords::new("TodoRead", "look at your checklist"),
    ToolWords::new("WebFetch", "fetch a web page"),
    ToolWords::new("WebSearch", "search the web"),
    ToolWords::new("EnterPlanMode", "plan first, and change nothing meanwhile"),
    ToolWords::new(
        "ExitPlanMode",
        "show your plan, and wait until the user agrees to it",
    ),
    ToolWords::new("NotebookEdit", PATCH),
    ToolWords::new("NotebookRead", SHELL),
    ToolWords::new("MultiEdit", PATCH),
    ToolWords::new("BashOutput", "read what the command has written so far"),
    ToolWords::new("SlashCommand", "open the skill's `SKILL.md` and follow it"),
    ToolWords::new("subagent_type", "`agent_type`, the agent to spawn"),
    ToolWords::new("Task", SPAWN).ordinary(),
    ToolWords::new("Agent", SPAWN).ordinary(),
    ToolWords::new("Skill", "open the skill's `SKILL.md` and follow it").ordinary(),
    ToolWords::new("Edit", PATCH).ordinary(),
    ToolWords::new("Write", PATCH).ordinary(),
    ToolWords::new("Read", SHELL).ordinary(),
    ToolWords::new("Glob", SHELL).ordinary(),
    ToolWords::new("Grep", SHELL).ordinary(),
    ToolWords::new("Bash", SHELL).ordinary(),
];
