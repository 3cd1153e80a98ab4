//! Codex 0.169.

mod layout;
mod manifest;
mod rules;

use super::{FieldShape, HookEvent, HookSubject, HookTool, Target, ToolWords, Transport};

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

    fn agent_argument(&self) -> &'static str {
        "agent_type"
    }

    fn tools(&self) -> &'static [ToolWords] {
        TOOLS
    }

    // Hooks and servers
    fn hook_event(&self, name: &str) -> Option<HookEvent> {
        use HookSubject::{Agent, Nothing, Tool, Word};
        let (subject, can_block) = match name {
            "PreToolUse" | "PermissionRequest" => (Tool, true),
            "PostToolUse" => (Tool, false),
            "SubagentStart" | "SubagentStop" => (Agent, false),
            "SessionStart" | "SessionEnd" | "PreCompact" | "PostCompact" => (Word, false),
            "UserPromptSubmit" => (Nothing, true),
            "Stop" | "Interrupt" | "PreModelRequest" | "PostModelRequest" => (Nothing, false),
            _ => return None,
        };
        Some(HookEvent {
            subject,
            can_block,
            longest: super::hook_trust::longest(name),
        })
    }

    fn hook_tool(&self, claude_tool: &str) -> Option<HookTool> {
        let tool = |name, same_input, also| HookTool {
            name,
            same_input,
            also,
        };
        match claude_tool {
            "Bash" => Some(tool("Bash", true, None)),
            // A model without the tool edits with `apply_patch <<EOF` in the shell: hooks see that as Bash.
            "Write" | "Edit" | "MultiEdit" | "NotebookEdit" => {
                Some(tool("apply_patch", false, Some("Bash")))
            }
            "Agent" | "Task" => Some(tool("spawn_agent", false, None)),
            "apply_patch" => Some(tool("apply_patch", true, None)),
            "spawn_agent" => Some(tool("spawn_agent", true, None)),
            _ => None,
        }
    }

    fn is_server_name(&self, c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_' || c == '-'
    }

    /// What 0.169.0 takes; a field of the other transport is an error there, an unknown one a warning.
    fn server_field(&self, transport: Transport, key: &str) -> Option<FieldShape> {
        use FieldShape::{Flag, List, Number, Object, Text, TextMap, Texts};
        let common = match key {
            "startup_timeout_sec" | "startup_timeout_ms" | "tool_timeout_sec" => Some(Number),
            "enabled" | "required" | "supports_parallel_tool_calls" => Some(Flag),
            "enabled_tools" | "disabled_tools" | "scopes" => Some(Texts),
            "default_tools_approval_mode" | "environment_id" | "name" => Some(Text),
            "tools" => Some(Object),
            _ => None,
        };
        common.or(match (transport, key) {
            (Transport::Stdio, "command" | "cwd") => Some(Text),
            (Transport::Stdio, "args") => Some(Texts),
            (Transport::Stdio, "env") => Some(TextMap),
            (Transport::Stdio, "env_vars") => Some(List),
            (Transport::Http, "url" | "bearer_token_env_var" | "oauth_resource" | "auth") => {
                Some(Text)
            }
            (Transport::Http, "http_headers" | "env_http_headers" | "oauth") => Some(TextMap),
            _ => None,
        })
    }
}

/// A tool by a name that is nothing else.
const fn tool(name: &'static str, meaning: &'static str) -> ToolWords {
    ToolWords {
        name,
        meaning: Some(meaning),
        ordinary: false,
    }
}

const fn unavailable(name: &'static str) -> ToolWords {
    ToolWords {
        name,
        meaning: None,
        ordinary: false,
    }
}

const fn ordinary(tool: ToolWords) -> ToolWords {
    ToolWords {
        ordinary: true,
        ..tool
    }
}

const SHELL: &str = "use the shell";
const PATCH: &str = "edit with `apply_patch`";
const SPAWN: &str = "spawn an agent";

/// Claude's tools, and the argument of one that texts name by itself.
const TOOLS: &[ToolWords] = &[
    tool("AskUserQuestion", "ask the user, and wait for the answer"),
    tool("TodoWrite", "keep a checklist in your messages"),
    tool("TodoRead", "look at your checklist"),
    tool("WebFetch", "fetch a web page"),
    tool("WebSearch", "search the web"),
    tool("EnterPlanMode", "plan first, and change nothing meanwhile"),
    tool(
        "ExitPlanMode",
        "show your plan, and wait until the user agrees to it",
    ),
    tool("NotebookEdit", PATCH),
    tool("NotebookRead", SHELL),
    tool("MultiEdit", PATCH),
    tool("BashOutput", "read what the command has written so far"),
    tool("SlashCommand", "open the skill's `SKILL.md` and follow it"),
    tool("subagent_type", "`agent_type`, the agent to spawn"),
    ordinary(tool("Task", SPAWN)),
    ordinary(tool("Agent", SPAWN)),
    ordinary(tool("Skill", "open the skill's `SKILL.md` and follow it")),
    ordinary(tool("Edit", PATCH)),
    ordinary(tool("Write", PATCH)),
    ordinary(tool("Read", SHELL)),
    ordinary(tool("Glob", SHELL)),
    ordinary(tool("Grep", SHELL)),
    ordinary(tool("Bash", SHELL)),
    // Lists of tasks that agents share.
    unavailable("TaskCreate"),
    unavailable("TaskUpdate"),
    unavailable("TaskList"),
    unavailable("TaskGet"),
    unavailable("TeamCreate"),
    unavailable("TeamDelete"),
    unavailable("SendMessage"),
    unavailable("CronCreate"),
    unavailable("CronDelete"),
    unavailable("CronList"),
    unavailable("EnterWorktree"),
    unavailable("ExitWorktree"),
    unavailable("KillShell"),
    unavailable("ScheduleWakeup"),
    unavailable("ToolSearch"),
    ordinary(unavailable("Monitor")),
    ordinary(unavailable("Workflow")),
];
