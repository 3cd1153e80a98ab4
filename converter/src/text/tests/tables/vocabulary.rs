//! Names of Claude's tools: the English stays, and the top says what they mean.

use super::{codes, under};
use crate::test_table::rows;
use crate::text::tests::world::World;

#[test]
fn sentences_about_tools_stay_and_the_top_explains_them() {
    let world = World::small();
    for [text, explained] in rows(
        r#"
            You MUST call the AskUserQuestion tool to ask which way they prefer. ⇒ `AskUserQuestion` – ask the user, and wait for the answer
            Use the **Task tool** to hand it over. ⇒ `Task` – spawn an agent
            Split it with Claude Code's Task tool. ⇒ `Task` – spawn an agent
            The Edit/MultiEdit gate runs first; MultiEdit is treated alike. ⇒ `Edit`, `MultiEdit` – edit with `apply_patch`
            Do not delegate (no Task/Agent tool). ⇒ `Agent`, `Task` – spawn an agent
            ### 3. TodoWrite (5% effort)\n\nWatch TodoWrite progress; keep TodoWrite patterns. ⇒ `TodoWrite` – keep a checklist in your messages
            | WebSearch |\n|---|\n| `Read` and `Grep` | ⇒ `WebSearch` – search the web; `Grep`, `Read` – use the shell
            - matcher: `Bash`, called TodoRead ⇒ `TodoRead` – look at your checklist; `Bash` – use the shell
            ```\nTodoWrite([1])\n``` ⇒ `TodoWrite` – keep a checklist in your messages
            Use the Skill tool, `Skill("x y")` ⇒ `Skill` – open the skill's `SKILL.md` and follow it
            The `Read` tool, or `Bash` ⇒ `Bash`, `Read` – use the shell
            Use SendMessage, then SendMessage ⇒ `SendMessage` – not there
            Run `Workflow(forge:scan)`, no Workflow(s) ⇒ `Workflow` – not there
        "#,
    ) {
        let top =
            format!("Words of Claude Code in this text, and what they mean in Codex: {explained}.");
        let once = world.skill(&text);
        let (said, body) = once.body.split_once("\n\n").unwrap();
        assert_eq!((said, body), (top.as_str(), text.as_str()));
        let again = world.skill(&once.body);
        assert_eq!(again.body, once.body, "it is said once");
        assert_eq!(under(once.clone()).body, text);
    }
}

#[test]
fn what_is_no_tool_is_not_explained() {
    let world = World::small();
    for text in [
        "Read, Write and Edit it. Monitor the Task, ask the Agent, learn a Skill.",
        "myTodoWrite, TodoWriter, x.WebFetch, Todo-Write, Skill-tool",
        "`x Task` and `Read it`, Task/person, Edit/view",
        "```\nRead the Task\n```",
        "Task tooling, the Read tool-chain",
        "Remove the `Agent` node, `Read` it, and the `Skill` row",
    ] {
        let converted = world.skill(text);
        assert_eq!(converted.body, text);
        assert_eq!(codes(&converted), Vec::<&str>::new());
    }
    let found = codes(&world.skill("WebFetch, WebFetch, TaskList")).join(" ");
    assert_eq!(found, "tool-explained tool-unavailable");
}
