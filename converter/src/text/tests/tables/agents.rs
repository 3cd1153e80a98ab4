//! Agents that are spawned.

use super::check;
use crate::text::tests::world::World;

#[test]
fn agents() {
    let world = World::small();
    let unknown: &[&str] = &["agent-unknown"];
    check(
        |body| world.skill(body),
        &[
            (
                "This invokes the **reviewer** agent.",
                "This invokes the `forge:reviewer` agent.",
                &[],
            ),
            (
                "Use the **reviewer** agent to look, then launch 3 `reviewer` agents.",
                "Spawn the `forge:reviewer` agent to look, then launch 3 `forge:reviewer` agents.",
                &[],
            ),
            (
                "Run a forge-tester subagent. Use the Explore agent; explore agent options; a plan agent, the reviewer agent.",
                "Spawn the `forge:forge-tester` agent. Spawn the `explorer` agent; explore agent options; a plan agent, the reviewer agent.",
                &[],
            ),
            (
                "Launch `Task(subagent_type=\"general-purpose\")` with this:",
                "Spawn the `default` agent with this:",
                &[],
            ),
            (
                "Each MUST be a `Task(subagent_type=\"reviewer\")` call.",
                "Each MUST be a spawned `forge:reviewer` agent.",
                &[],
            ),
            (
                "use Agent(subagent_type: \"other:auditor\", prompt: \"Look at it\")",
                "spawn the `other:auditor` agent with the prompt \"Look at it\"",
                &[],
            ),
            (
                "`Task(subagent_type=\"auditor\", prompt=\"Do it\")`",
                "Spawn the `other:auditor` agent with the prompt `\"Do it\"`",
                &[],
            ),
            (
                "`Agent(forge:reviewer, check it)`",
                "Spawn the `forge:reviewer` agent with the prompt `check it`",
                &[],
            ),
            (
                "run `Task({subagent_type: 'Plan', prompt: 'x'})`",
                "spawn the `default` agent (read only: it plans and changes nothing) with the prompt `'x'`",
                &[],
            ),
            (
                "```\nTask(\n  subagent_type=\"tester\",\n  prompt=\"x\"\n)\n```",
                "```\nSpawn the `forge:forge-tester` agent with (\n  agent_type=\"forge:forge-tester\",\n  prompt=\"x\"\n)\n```",
                &[],
            ),
            (
                "```\nTask:\n  subagent_type: \"forge-reviewer\"\n  prompt: |\n    x\n```",
                "```\nSpawn the `forge:reviewer` agent:\n  agent_type: \"forge:reviewer\"\n  prompt: |\n    x\n```",
                &[],
            ),
            (
                "<Task>\nsubagent_type: reviewer\nprompt: x\n</Task>",
                "<Task>\nagent: spawn the `forge:reviewer` agent\nprompt: x\n</Task>",
                &[],
            ),
            (
                "- `subagent_type`: `\"Explore\"`",
                "- agent: spawn the `explorer` agent",
                &[],
            ),
            (
                "- **subagent_type:** reviewer",
                "- agent: spawn the `forge:reviewer` agent",
                &[],
            ),
            (
                "```json\n{\"subagent_type\": \"reviewer\"}\n```",
                "```json\n{\"agent_type\": \"forge:reviewer\"}\n```",
                &[],
            ),
            (
                "Use Task tool with subagent_type=\"reviewer\" to check.",
                "Spawn the `forge:reviewer` agent to check.",
                &[],
            ),
            (
                "`Task` with `subagent_type: Explore` — look",
                "Spawn the `explorer` agent — look",
                &[],
            ),
            (
                "Choose the `subagent_type` well",
                "Choose the agent type well",
                &[],
            ),
            (
                "`subagent_type`: the chosen role",
                "Agent type: the chosen role",
                &[],
            ),
            (
                "`Task(subagent_type=\"nobody\")`",
                "Spawn the `default` agent (in place of `nobody`, which is not there)",
                unknown,
            ),
            (
                "Use the forge:reviewer agent.",
                "Spawn the `forge:reviewer` agent.",
                &[],
            ),
            (
                "Then spawn a `forge:reviewer` sub-agent.",
                "Then spawn a `forge:reviewer` sub-agent.",
                &[],
            ),
            (
                "Spawn a `none:x` agent.",
                "Spawn a `none:x` agent.",
                unknown,
            ),
            (
                "Ask @agent-forge:reviewer to look",
                "Spawn the `forge:reviewer` agent to look",
                &[],
            ),
            ("and @agent-none:x", "and @agent-none:x", unknown),
            (
                "Dispatch a `general-purpose` subagent",
                "Spawn the `default` agent",
                &[],
            ),
            (
                "```\nSubagent (general-purpose):\n  x\n```",
                "```\nSpawn the `default` agent:\n  x\n```",
                &[],
            ),
            (
                "Use the Task tool (subagent_type: reviewer) here.",
                "Use the agent-spawning tool (spawn the `forge:reviewer` agent) here.",
                &["tool-reworded"],
            ),
            (
                "Launch three with subagent_type=\"Explore\"",
                "Launch three with agent type `explorer` (spawn the `explorer` agent)",
                &[],
            ),
            (
                "Run Task(reviewer). Run Task(\"Explore\", \"look at it\").",
                "Spawn the `forge:reviewer` agent. Spawn the `explorer` agent with the prompt \"look at it\".",
                &[],
            ),
            (
                "Use Task with subagent_type: reviewer. Then subagent_type=general-purpose.",
                "Spawn the `forge:reviewer` agent. Then agent type `default` (spawn the `default` agent).",
                &[],
            ),
            (
                "Set subagent_type: nobody.",
                "Set agent type `default` (spawn the `default` agent (in place of `nobody`, which is not there)).",
                unknown,
            ),
            // Not agents.
            (
                "Task(s) to do, Agent(s), the Task (urgent)",
                "Task(s) to do, Agent(s), the Task (urgent)",
                &[],
            ),
            (
                "```python\nclass Agent(Base):\n  x = Task(description=\"a\", agent=b)\n```",
                "```python\nclass Agent(Base):\n  x = Task(description=\"a\", agent=b)\n```",
                &[],
            ),
            ("Use the reviewer agent.", "Use the reviewer agent.", &[]),
            (
                "Plan and Explore, `Plan` it",
                "Plan and Explore, `Plan` it",
                &[],
            ),
            (
                "Task: do it\n\nnote: agents agree",
                "Task: do it\n\nnote: agents agree",
                &[],
            ),
        ],
    );
}
