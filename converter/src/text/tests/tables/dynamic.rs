//! `` !`command` ``.

use super::{below, check};
use crate::text::tests::world::World;

#[test]
fn dynamic_context() {
    let world = World::small();
    let deferred: &[&str] = &["dynamic-context-deferred"];
    check(
        |body| world.command(body),
        &[
            (
                "- Branch: !`git branch`",
                "- Branch: run `git branch` first and use its output",
                deferred,
            ),
            (
                "!`git status`",
                "Run `git status` first and use its output.",
                deferred,
            ),
            (
                "It is !`date` now",
                "It is (run `date` first and use its output) now",
                deferred,
            ),
            (
                "| x | !`date` |\n|---|---|",
                "| x | (run `date` first and use its output) |\n|---|---|",
                deferred,
            ),
            (
                "Do it:\n\n```!\ngit log\n```\n",
                "Do it:\n\nRun the commands in this block first and use their output:\n\n```bash\ngit log\n```\n",
                deferred,
            ),
            (
                "- ```!\n  x\n  ```",
                "- Run the commands in this block first and use their output:\n\n  ```bash\n  x\n  ```",
                deferred,
            ),
            (
                "wow!`x` and `!x` and `` !`x` ``",
                "wow!`x` and `!x` and `` !`x` ``",
                &[],
            ),
            ("```\n!`x`\n```", "```\n!`x`\n```", &[]),
        ],
    );
    check(
        |body| below(world.command(body)),
        &[(
            "!`gh pr view $ARGUMENTS`",
            "Run `gh pr view <arguments>` first and use its output.",
            &["arguments-described", "dynamic-context-deferred"],
        )],
    );
    check(
        |body| world.support(body),
        &[("!`date`", "!`date`", &["claude-specific-text"])],
    );
}
