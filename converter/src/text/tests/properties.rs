//! What holds for every text.

use proptest::prelude::*;

use super::world::World;
use crate::report::Code;
use crate::test_table::cells;
use crate::text::ConvertedText;

/// Pieces that passes look at, to be put together in any way.
const PIECES: &str = r#"
    @ ⇒ @../shared/rules.md ⇒ @reference.md ⇒ @docs/ ⇒ @alice ⇒ @$1 ⇒ @agent-forge:reviewer ⇒ $ ⇒ $1 ⇒ $0
    $ARGUMENTS ⇒ $ARGUMENTS[0] ⇒ \\$1 ⇒ $issue ⇒ ${CLAUDE_PLUGIN_ROOT} ⇒ ${CLAUDE_SKILL_DIR}/x
    `cat ${CLAUDE_PLUGIN_ROOT}/skills/shared/rules.md` ⇒ $CLAUDE_PLUGIN_ROOT ⇒ ${CLAUDE_PLUGIN_ROOT:-
    ${CLAUDE_PROJECT_DIR} ⇒ ${user_config.k} ⇒ / ⇒ /idea ⇒ /forge:idea ⇒ /forge:none ⇒ /clear ⇒ forge:old
    Skill( ⇒ Skill(forge:prd) ⇒ Task( ⇒ Agent( ⇒ subagent_type ⇒ subagent_type: reviewer
    subagent_type="reviewer" ⇒ prompt="x" ⇒ Task: ⇒ ) ⇒ ( ⇒ AskUserQuestion ⇒ `AskUserQuestion` ⇒ the Task tool
    call\_ ⇒ may refer to\_ ⇒ is called\_ ⇒ an\_ ⇒ use\_ ⇒ ` ⇒ `` ⇒ ``` ⇒ ```!\n ⇒ ```bash\n ⇒ !`date` ⇒ !
    mcp__plugin_forge_wiki__x ⇒ mcp__ ⇒ CLAUDE.md ⇒ [a](reference.md) ⇒ [a]( ⇒ ]( ⇒ <x> ⇒ </x>
    | a | b |\n|---|---|\n| ⇒ | ⇒ * ⇒ ** ⇒ _ ⇒ " ⇒ ' ⇒ \\ ⇒ : ⇒ . ⇒ , ⇒ \_ ⇒ \_\_ ⇒ \_\_\_\_ ⇒ \n ⇒ \n\n ⇒ \r\n
    -\_ ⇒ >\_ ⇒ #\_ ⇒ 1.\_ ⇒ word ⇒ café ⇒ 😀 ⇒ a b ⇒ `general-purpose` agent ⇒ { ⇒ } ⇒ < ⇒ > ⇒ = ⇒ 5
"#;

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(cells(PIECES).collect::<Vec<_>>()),
        0..24,
    )
    .prop_map(|pieces| pieces.concat())
}

/// Pieces apart from each other, as authors write them.
/// What is begun and not ended may take in what comes after it, and is left out.
fn spaced_text() -> impl Strategy<Value = String> {
    let half = [
        "${CLAUDE_PLUGIN_ROOT:-",
        "Skill(",
        "Task(",
        "Agent(",
        "`",
        "``",
        "```",
    ];
    let whole: Vec<String> = cells(PIECES)
        .filter(|piece| !half.contains(&piece.as_str()))
        .collect();
    let piece = (
        prop::sample::select(whole),
        prop::sample::select(&[" ", " ", "\n", "\n\n"]),
    );
    prop::collection::vec(piece, 0..16).prop_map(|pieces| {
        pieces
            .iter()
            .map(|(piece, space)| format!("{piece}{space}"))
            .collect()
    })
}

fn all(world: &World, body: &str) -> [ConvertedText; 4] {
    [
        world.skill(body),
        world.command(body),
        world.agent(body),
        world.support(body),
    ]
}

fn lines_are_within(body: &str, text: &ConvertedText) {
    let last = 1 + body.matches('\n').count();
    for finding in &text.findings {
        assert!(
            (1..=last).contains(&finding.location.line),
            "{finding:?} of {last}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_too_strange(body in text()) {
        for world in [World::small(), World::small().at("/b")] {
            for text in all(&world, &body) {
                lines_are_within(&body, &text);
            }
        }
    }

    #[test]
    fn no_characters_are_too_strange(body in "(?s).{0,80}") {
        for text in all(&World::small(), &body) {
            lines_are_within(&body, &text);
        }
    }

    #[test]
    fn the_same_text_gives_the_same(body in text()) {
        let world = World::small();
        prop_assert_eq!(world.skill(&body), world.skill(&body));
    }

    #[test]
    fn a_second_conversion_changes_nothing(body in spaced_text()) {
        let mut with_spaces = World::small().at("/my b");
        let moved = ("skills/shared".to_owned(), "skills/my rules".to_owned());
        with_spaces.moved.extend([moved]);
        for world in [World::small().at("/b"), with_spaces] {
            let once = world.skill(&body);
            prop_assert_eq!(&world.skill(&once.body).body, &once.body);
        }
    }

    #[test]
    fn what_is_written_whole_never_stays_alive(body in spaced_text()) {
        for text in all(&World::small(), &body) {
            let alive = text.findings.iter().find(|f| f.code == Code::ClaudeTokenAlive);
            prop_assert_eq!(alive, None);
        }
    }

    #[test]
    fn text_without_triggers_stays_as_it_is(body in "[a-z0-9 .,;:`*_#>|()\n-]{0,200}") {
        for text in all(&World::small(), &body) {
            prop_assert_eq!(&text.body, &body);
            prop_assert!(text.findings.is_empty());
        }
    }
}

#[test]
fn long_texts_of_one_piece_keep_their_lines() {
    let world = World::small();
    let pieces = r#"
        @ ⇒ ` ⇒ $ ⇒ / ⇒ !` ⇒ ```\n ⇒ @../ ⇒ @a.md\_ ⇒ $1\_ ⇒ ${CLAUDE_ ⇒ ${CLAUDE_PLUGIN_ROOT:- ⇒ /forge:idea\_
        /a: ⇒ forge: ⇒ Task( ⇒ Task(a= ⇒ Task(" ⇒ Agent(prompt="x",\_ ⇒ subagent_type ⇒ subagent_type: x\n ⇒ mcp__
        mcp__plugin_ ⇒ Skill( ⇒ AskUserQuestion\_ ⇒ [ ⇒ ]( ⇒ [a]( ⇒ < ⇒ * ⇒ \\ ⇒ a ⇒ \_ ⇒ \n ⇒ |\_ ⇒ |a\n|-\n ⇒ >\_
        -\_ ⇒ x.md\_ ⇒ a.md ⇒ ../ ⇒ CLAUDE.md ⇒ @agent-forge:reviewer\_ ⇒ é ⇒ [a]: b\n ⇒ [a](b.md)\_ ⇒ !`x`\_
        $ARGUMENTS
    "#;
    for piece in cells(pieces) {
        let body = piece.repeat(100_000 / piece.len());
        // What grew with the square of the length would take minutes.
        let lines = world.skill(&body).body.lines().count();
        assert!(lines >= body.lines().count(), "{piece:?}");
    }
}
