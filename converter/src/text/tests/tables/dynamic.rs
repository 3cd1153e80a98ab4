//! `` !`command` ``.

use super::{below, check};
use crate::text::tests::world::World;

#[test]
fn dynamic_context() {
    let world = World::small();
    check(
        |body| world.command(body),
        r"
            - Branch: !`git branch` ⇒ - Branch: (run `git branch` first and use its output) ⇒ dynamic-context-deferred
            !`git status` ⇒ (run `git status` first and use its output) ⇒ dynamic-context-deferred
            It is !`date` now ⇒ It is (run `date` first and use its output) now ⇒ dynamic-context-deferred
            | x | !`date` |\n|---|---| ⇒ | x | (run `date` first and use its output) |\n|---|---| ⇒ dynamic-context-deferred
            Do it:\n\n```!\ngit log\n```\n ⇒ Do it:\n\nRun the commands in this block first and use their output:\n\n```bash\ngit log\n```\n ⇒ dynamic-context-deferred
            - ```!\n  x\n  ``` ⇒ - Run the commands in this block first and use their output:\n\n  ```bash\n  x\n  ``` ⇒ dynamic-context-deferred
            wow!`x` and `!x` and `` !`x` ``
            ```\n!`x`\n```
        ",
    );
    check(
        |body| below(world.command(body)),
        "!`gh pr view $ARGUMENTS` ⇒ (run `gh pr view <arguments>` first and use its output) ⇒ arguments-described dynamic-context-deferred",
    );
    check(
        |body| world.support(body),
        "!`date` ⇒ = ⇒ claude-specific-text",
    );
}
