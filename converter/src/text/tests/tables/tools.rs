//! Names of Claude's tools.

use super::check;
use crate::text::tests::world::World;

#[test]
fn tools() {
    let world = World::small();
    let note: &[&str] = &["tool-reworded"];
    check(
        |body| world.skill(body),
        &[
            (
                "- AskUserQuestion({questions: []}), `WebFetch(url)`, TodoWrite()",
                "- AskUserQuestion({questions: []}), `WebFetch(url)`, TodoWrite()",
                &["claude-specific-text", "claude-specific-text"],
            ),
            (
                "Use `AskUserQuestion` to ask. AskUserQuestion again",
                "Use a question to the user (ask, then wait for the answer) to ask. A question to the user again",
                note,
            ),
            (
                "Use the AskUserQuestion tool.",
                "Use a question to the user (ask, then wait for the answer).",
                note,
            ),
            (
                "in one AskUserQuestion call, each `AskUserQuestion`",
                "in one question to the user, each question to the user",
                note,
            ),
            (
                "an AskUserQuestion prompt",
                "a question to the user prompt",
                note,
            ),
            ("Create TodoWrite entries", "Create checklist entries", note),
            (
                "Call ExitPlanMode",
                "Use a request to approve your plan (show the plan, then wait for the answer)",
                note,
            ),
            ("Do NOT use EnterPlanMode.", "Do NOT use plan mode.", note),
            (
                "Use the Task tool to check, with multiple Task tool calls",
                "Use the agent-spawning tool to check, with multiple agents",
                note,
            ),
            ("Spawn an `Agent` tool call:", "Spawn an agent:", note),
            (
                "Use the Skill tool",
                "Use your skills (open the skill's `SKILL.md` and follow it)",
                note,
            ),
            (
                "`WebFetch` a page, NotebookEdit",
                "Web page fetching a page, editing of the notebook",
                &["tool-reworded", "tool-reworded"],
            ),
            (
                "Use SendMessage, then SendMessage",
                "Use SendMessage, then SendMessage",
                &["tool-unavailable"],
            ),
            (
                "Run `Workflow(forge:scan)`, no Workflow(s)",
                "Run `Workflow(forge:scan)`, no Workflow(s)",
                &["tool-unavailable"],
            ),
            // The name is spoken of.
            (
                "Older docs may refer to `TodoWrite`; treat that as a list. Use `TodoWrite`",
                "Older docs may refer to `TodoWrite`; treat that as a list. Use a checklist (keep it in your messages)",
                &["tool-reworded", "claude-specific-text"],
            ),
            (
                "A tool called **`SendMessage`**; it says\n`WebFetch`. Unnamed `TodoWrite`, called TodoWrite",
                "A tool called **`SendMessage`**; it says\n`WebFetch`. Unnamed a checklist (keep it in your messages), used a checklist",
                &[
                    "claude-specific-text",
                    "tool-reworded",
                    "claude-specific-text",
                ],
            ),
            (
                "subagent_type: AskUserQuestion",
                "agent: spawn the `default` agent (in place of `AskUserQuestion`, which is not there)",
                &["agent-unknown"],
            ),
            (
                "It called `ExitPlanMode` too early",
                "It used a request to approve your plan (show the plan, then wait for the answer) too early",
                note,
            ),
            // Left alone.
            (
                "Read, Write and Edit it. `Read` and `Bash`, the Grep tool",
                "Read, Write and Edit it. `Read` and `Bash`, the Grep tool",
                &[],
            ),
            (
                "Monitor the Task, ask the Agent, learn a Skill",
                "Monitor the Task, ask the Agent, learn a Skill",
                &[],
            ),
            (
                "`x TodoWrite`, myTodoWrite, TodoWriter",
                "`x TodoWrite`, myTodoWrite, TodoWriter",
                &[],
            ),
            ("```\nTodoWrite\n```", "```\nTodoWrite\n```", &[]),
        ],
    );
}
