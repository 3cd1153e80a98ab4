//! Agents that are spawned: their names become the platform's, the sentences stay.

use super::{check, under};
use crate::text::tests::world::World;

#[test]
fn names_of_agents_in_sentences_that_stay() {
    let world = World::small();
    check(
        |body| under(world.skill(body)),
        r#"
            Use the Task tool with subagent_type="general-purpose" to spawn these three agents in parallel. ⇒ Use the Task tool with agent_type="default" to spawn these three agents in parallel. ⇒ tool-explained
            Launch a second Claude Agent (subagent_type: `reviewer`, model: `opus`). Compare both. ⇒ Launch a second Claude Agent (agent_type: `forge:reviewer`, model: `opus`). Compare both.
            Each MUST be a `Task(subagent_type="reviewer")` call. ⇒ Each MUST be a `Task(agent_type="forge:reviewer")` call. ⇒ tool-explained
            use Agent(subagent_type: "other:auditor", prompt: "Look at it") ⇒ use Agent(agent_type: "other:auditor", prompt: "Look at it") ⇒ tool-explained
            `Agent(forge:tester, check it)`, Task(reviewer), Task("Explore", "look at it") ⇒ `Agent(forge:forge-tester, check it)`, Task(forge:reviewer), Task("explorer", "look at it") ⇒ tool-explained tool-explained
            ```\nTask(\n  subagent_type="tester",\n  prompt="x"\n)\n``` ⇒ ```\nTask(\n  agent_type="forge:forge-tester",\n  prompt="x"\n)\n``` ⇒ tool-explained
            ```\nTask:\n  subagent_type: "forge-reviewer"\n  prompt: |\n    x\n``` ⇒ ```\nTask:\n  agent_type: "forge:reviewer"\n  prompt: |\n    x\n```
            - `subagent_type`: `"Explore"`, **subagent_type:** reviewer, {"subagent_type": "auditor"} ⇒ - `agent_type`: `"explorer"`, **agent_type:** forge:reviewer, {"agent_type": "other:auditor"}
            Task(subagent_type="Plan") and subagent_type: nobody. ⇒ = ⇒ agent-unknown tool-explained tool-explained
            Choose the `subagent_type` well ⇒ = ⇒ tool-explained
            `Task(subagent_type="nobody")` ⇒ = ⇒ agent-unknown tool-explained tool-explained
            Use the forge:tester agent. ⇒ Use the forge:forge-tester agent.
            Then spawn a `forge:reviewer` sub-agent.
            Ask @agent-forge:reviewer to look. @agent-reviewer looks; the @agent-auditor agent ⇒ Ask `forge:reviewer` to look. `forge:reviewer` looks; the `other:auditor` agent
            ```\nSubagent (general-purpose):\n  x\n``` ⇒ ```\nSubagent (default):\n  x\n```
            This invokes the **reviewer** agent, a forge-tester subagent, and the Explore agent.
        "#,
    );
    check(
        |body| world.skill(body),
        r#"
            Spawn a `none:x` agent. ⇒ = ⇒ agent-unknown
            and @agent-none:x ⇒ = ⇒ agent-unknown
            // Not agents.
            Task(s) to do, Agent(s), the Task (urgent)
            ```python\nclass Agent(Base):\n  x = Task(description="a", agent=b)\n```
            Use the reviewer agent.
            Plan and Explore, `Plan` it. A plan agent, explore agent options
            Task: do it\n\nnote: agents agree
            subagent_type: nobody ⇒ Words of Claude Code in this text, and what they mean in Codex: `subagent_type` – `agent_type`, the agent to spawn; `nobody` agent – the `default` agent (in place of `nobody`, which is not there). Spawn the agents to which this text hands work.\n\nsubagent_type: nobody ⇒ agent-unknown tool-explained
            The **reviewer** agent, the Plan agent ⇒ Words of Claude Code in this text, and what they mean in Codex: `Plan` agent – the `default` agent (read only: it plans and changes nothing); `reviewer` agent – the `forge:reviewer` agent. Spawn the agents to which this text hands work.\n\nThe **reviewer** agent, the Plan agent
        "#,
    );
}
