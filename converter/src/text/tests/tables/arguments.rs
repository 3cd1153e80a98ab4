//! `$ARGUMENTS`, `$1`, `$name`.

use super::{below, check};
use crate::text::tests::world::World;

#[test]
fn arguments() {
    let world = World::small();
    let described: &[&str] = &["arguments-described"];
    let positional: &[&str] = &["arguments-described", "positional-base-ambiguous"];
    let one: &[(&str, &str, &[&str])] = &[
        (
            "Fix: **$ARGUMENTS**",
            "Fix: **the user's argument text**",
            described,
        ),
        (
            "Parse `$ARGUMENTS`:",
            "Parse the user's argument text:",
            described,
        ),
        ("$ARGUMENTS", "The user's argument text", described),
        (
            "Read the $ARGUMENTS",
            "Read the user's argument text",
            described,
        ),
        (
            "about \"$ARGUMENTS\" and ideas/$ARGUMENTS.md",
            "about \"<arguments>\" and ideas/<arguments>.md",
            described,
        ),
        (
            "`ideas/$ARGUMENTS/draft.md`",
            "`ideas/<arguments>/draft.md`",
            described,
        ),
        (
            "```json\n{\"t\": \"$ARGUMENTS\"}\n```",
            "```json\n{\"t\": \"<arguments>\"}\n```",
            described,
        ),
        (
            "Use $ARGUMENTS[0] and $ARGUMENTS[1]",
            "Use the user's first argument and the user's second argument",
            described,
        ),
        (
            "Review $0 against $1",
            "Review the user's first argument against the user's second argument",
            described,
        ),
        (
            "Review PR #$1 on `$2`",
            "Review PR #<first argument> on the user's second argument",
            positional,
        ),
        (
            "Review the file: @$1",
            "Review the file: the file named by the user's first argument",
            positional,
        ),
        (
            "处理$ARGUMENTS的内容，引数は$ARGUMENTSです",
            "处理 the user's argument text 的内容，引数は the user's argument text です",
            described,
        ),
        ("将$1を", "将 the user's first argument を", positional),
        (
            "Fix $issue in `git switch $branch`",
            "Fix the user's argument `issue` in `git switch <branch>`",
            described,
        ),
    ];
    check(|body| below(world.skill(body)), one);
    let none: &[&str] = &[];
    check(
        |body| world.skill(body),
        &[
            (
                "\\$ARGUMENTS, \\$1 and $ARGUMENTS_X",
                "\\$ARGUMENTS, \\$1 and $ARGUMENTS_X",
                none,
            ),
            ("It costs $5, or $1,500.", "It costs $5, or $1,500.", none),
            ("`awk '{print $1}'`", "`awk '{print $1}'`", none),
            (
                "```bash\nawk '{print $1}' x\n```",
                "```bash\nawk '{print $1}' x\n```",
                none,
            ),
            ("$issues and $branch:x", "$issues and $branch:x", none),
            (
                "```bash\nissue=$(next)\necho $issue\n```",
                "```bash\nissue=$(next)\necho $issue\n```",
                none,
            ),
        ],
    );
    assert_eq!(
        world.skill("\nFix $1.\n").body,
        "\nThe user's argument text, also written `<arguments>` below, is what the user wrote after the name of this skill; it may be empty. Its single arguments are its words; quotation marks keep words together.\n\nFix the user's first argument.\n"
    );
    check(
        |body| world.agent(body),
        &[("Do $ARGUMENTS", "Do the text of your task", described)],
    );
    check(
        |body| world.support(body),
        &[(
            "Write $ARGUMENTS and $1",
            "Write $ARGUMENTS and $1",
            &["claude-specific-text"],
        )],
    );
}
