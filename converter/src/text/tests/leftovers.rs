//! The last look, at texts that no pass has touched.

use super::world::World;
use crate::report::Code;
use crate::text::draft::TextDraft;
use crate::text::edits::Edits;
use crate::text::scan::Scan;
use crate::text::{Arguments, Role, Text, leftovers};

/// Lines on which something is left alive.
fn alive(body: &str, role: Role<'_>, reported: Option<usize>) -> Vec<usize> {
    let world = World::small();
    let context = world.context();
    let scan = Scan::of(body);
    let text = Text {
        body,
        file: "skills/prd/SKILL.md",
        first_line: 1,
        bundle_file: "skills/prd/SKILL.md",
        role,
    };
    let mut draft = TextDraft::new(text, &context, &scan);
    if let Some(at) = reported {
        draft.find(at, Code::ClaudeSpecificText, "said");
    }
    leftovers::run(&mut draft, &Edits::default().apply(body));
    draft
        .take_findings()
        .into_iter()
        .filter(|finding| finding.code == Code::ClaudeTokenAlive)
        .map(|finding| finding.location.line)
        .collect()
}

const SKILL: Role<'static> = Role::Skill {
    folder: "skills/prd",
    arguments: Arguments {
        declared: false,
        names: &[],
    },
};

#[test]
fn what_is_left_alive_fails_with_its_line() {
    for token in [
        "${CLAUDE_PLUGIN_ROOT}/x",
        "$CLAUDE_PLUGIN_ROOT/x",
        "${user_config.x}",
        "[x](${CLAUDE_SKILL_DIR}/x.md)",
        "Do $ARGUMENTS",
        "@../shared/rules.md",
        "!`date`",
        "Run /forge:idea now",
        "(/other:plan)",
        "「/other:plan」",
        "使用/forge:idea命令",
        "run:/forge:idea",
        "~~/forge:new-name~~",
        "处理$ARGUMENTS的内容",
        "（@../shared/rules.md）",
        "_@../shared/rules.md_",
    ] {
        let body = format!("a\n\n{token}\n");
        assert_eq!(alive(&body, SKILL, None), [3], "{token}");
        assert_eq!(alive(&body, SKILL, Some(3)), [0; 0], "{token} is reported");
    }
}

#[test]
fn code_and_prose_are_no_tokens() {
    for text in [
        "`${CLAUDE_PLUGIN_ROOT}`",
        "```\n/forge:idea $ARGUMENTS @../x Task(subagent_type=1)\n```",
        "`/forge:idea` and `!x` and `` !`x` ``",
        "\\$ARGUMENTS and \\${CLAUDE_X}",
        "Task(s), Task(name: x), my_subagent_types, $ARGUMENTS_X",
        "a@../b, @.. and ../x",
        "/nobody:idea, /forge:none, /forge:idea/x, x/forge:idea",
        "wow!`x`",
    ] {
        assert_eq!(alive(text, SKILL, None), [0; 0], "{text}");
    }
    assert_eq!(alive("$ARGUMENTS !`x`", Role::Support, None), [0; 0]);
}
