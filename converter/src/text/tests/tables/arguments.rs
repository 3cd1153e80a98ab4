//! `$ARGUMENTS`, `$1`, `$name`.

use super::{below, check};
use crate::text::tests::world::World;

#[test]
fn arguments() {
    let world = World::small();
    check(
        |body| below(world.skill(body)),
        r#"
            Fix: **$ARGUMENTS** ⇒ Fix: **<arguments>** ⇒ arguments-described
            - $ARGUMENTS ⇒ - `<arguments>` ⇒ arguments-described
            Parse `$ARGUMENTS`: ⇒ Parse `<arguments>`: ⇒ arguments-described
            about "$ARGUMENTS" and ideas/$ARGUMENTS.md ⇒ about "<arguments>" and ideas/<arguments>.md ⇒ arguments-described
            ```json\n{"t": "$ARGUMENTS"}\n``` ⇒ ```json\n{"t": "<arguments>"}\n``` ⇒ arguments-described
            Use $ARGUMENTS[0] and $ARGUMENTS[1] ⇒ Use <first argument> and <second argument> ⇒ arguments-described
            Review $0 against $1 ⇒ Review <first argument> against <second argument> ⇒ arguments-described
            Review PR #$1 on `$2` ⇒ Review PR #<first argument> on `<second argument>` ⇒ arguments-described positional-base-ambiguous
            Review the file: @$1 ⇒ Review the file: the file named by <first argument> ⇒ arguments-described positional-base-ambiguous
            处理$ARGUMENTS的内容，引数は$ARGUMENTSです ⇒ 处理<arguments>的内容，引数は<arguments>です ⇒ arguments-described
            将$1を ⇒ 将<first argument>を ⇒ arguments-described positional-base-ambiguous
            Fix $issue in `git switch $branch` ⇒ Fix <issue> in `git switch <branch>` ⇒ arguments-described
        "#,
    );
    check(
        |body| world.skill(body),
        r"
            \\$ARGUMENTS, \\$1 and $ARGUMENTS_X
            It costs $5, or $1,500.
            `awk '{print $1}'`
            ```bash\nawk '{print $1}' x\n```
            $issues and $branch:x
            ```bash\nissue=$(next)\necho $issue\n```
        ",
    );
    assert_eq!(
        world.skill("\nFix $1.\n").body,
        "\n`<arguments>` below is what the user wrote after the name of this skill; it may be empty. Single arguments are its words; quotation marks keep words together.\n\nFix <first argument>.\n"
    );
    check(
        |body| world.agent(body),
        "Do $ARGUMENTS ⇒ Do <your task> ⇒ arguments-described",
    );
    check(
        |body| world.support(body),
        "Write $ARGUMENTS and $1 ⇒ = ⇒ claude-specific-text",
    );
}
