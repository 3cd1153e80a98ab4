//! What is left as it is.

use super::{check, codes};
use crate::text::tests::world::World;

#[test]
fn what_means_claude_code_is_reported() {
    let world = World::small();
    check(
        |body| world.skill(body),
        r"
            Read CLAUDE.md ⇒ = ⇒ claude-specific-text
            `~/.claude/settings.json` ⇒ = ⇒ claude-specific-text
            ```\nclaude -p hi\n``` ⇒ = ⇒ claude-specific-text
            MY_CLAUDE.md, claude -print
        ",
    );
}

#[test]
fn prose_and_programs_are_left_alone() {
    let world = World::small();
    for text in [
        "",
        "\n",
        "Plain text, 50/50 and 3 > 2, it's 10:30.",
        "a | b\n--|--\n`x|y` | $5",
        "The user's input/output; he/she; TCP/IP; n/a; w/o.",
        "Regex `/^a+$/` and /^b$/ and path /usr/bin:/usr/local/bin",
        "email: a.b@c.de, @handle, twitter.com/@x",
        "price: $0.99, $1.50, $20-$30, US$5, $1M+",
        "```js\nconst x = `${process.env.CLAUDE_X}/y`;\n@Injectable()\n```",
        "Tasks: Task 1, Task 2 (Task(s) may follow). Agents: Agent Smith.",
        "<a href=\"/x\">y</a><br/> and <!-- /forge -->",
        "echo $HOME ${HOME} $ARGS $ARGUMENT",
        "caf\u{e9} \u{1f600} @\u{e9} /\u{e9} $\u{e9} `\u{e9}`",
        "(see above) [ref] [x]: y \\@x \\`z\\`",
    ] {
        let converted = world.skill(text);
        assert_eq!(converted.body, text);
        assert_eq!(codes(&converted), Vec::<&str>::new(), "{text}");
    }
}
