//! Paths in backticks.

use super::world::World;
use crate::test_table::rows;

/// The converted text without what is said at its top.
fn last(body: &str) -> &str {
    body.rsplit("\n\n").next().unwrap_or(body)
}

#[test]
fn paths_in_backticks() {
    let here = World::small();
    let there = World::small().at("/b");
    // In a skill, in a command that has moved, and in one whose place is known; alone: as it was.
    for [written, in_skill, in_command, in_command_at] in rows(
        r"
        // The text has moved, or what it names has.
        `../docs/guide.md` ⇒ `../docs/guide.md` ⇒ `../../docs/guide.md` ⇒ `/b/docs/guide.md`
        `../../commands/idea.md` ⇒ `../idea/SKILL.md` ⇒ `../../commands/idea.md` ⇒ `../../commands/idea.md`
        `../skills/shared/` ⇒ `../skills/shared/` ⇒ `../shared/` ⇒ `/b/skills/shared/`
        // Seen from the plugin's root.
        `skills/shared/rules.md` ⇒ `../shared/rules.md` ⇒ `../shared/rules.md` ⇒ `/b/skills/shared/rules.md`
        `commands/idea.md` ⇒ `../idea/SKILL.md` ⇒ `./SKILL.md` ⇒ `/b/skills/idea/SKILL.md`
        // Beside the text, or the user's own.
        `reference.md`
        `docs/guide.md`
        `scripts/run.sh`
        `README.md`
        `skills/none.md`
        `skills/*/SKILL.md`
        `cat skills/shared/rules.md`
        skills/shared/rules.md
        (see ../docs/guide.md, or git/push). ⇒ (see ../docs/guide.md, or git/push). ⇒ (see ../../docs/guide.md, or git/push). ⇒ (see /b/docs/guide.md, or git/push).
        See commands/idea.md. ⇒ See ../idea/SKILL.md. ⇒ See ./SKILL.md. ⇒ See /b/skills/idea/SKILL.md.
        ",
    ) {
        let [in_skill, in_command, in_command_at] = match in_skill.as_str() {
            "" => std::array::from_fn(|_| written.clone()),
            _ => [in_skill, in_command, in_command_at],
        };
        assert_eq!(last(&here.skill(&written).body), in_skill, "{written}");
        assert_eq!(last(&here.command(&written).body), in_command, "{written}");
        assert_eq!(
            last(&there.command(&written).body),
            in_command_at,
            "{written}"
        );
    }
    let named = "`skills/shared/rules.md` in the folder of the plugin `forge`";
    assert_eq!(here.agent("`skills/shared/rules.md`").body, named);
    assert_eq!(here.agent(named).body, named);
    let block = "```\n`skills/shared/rules.md`\n```";
    assert_eq!(here.skill(block).body, block);
}
