//! Each pass as a table: what goes in, what comes out, what is found.

use super::world::World;
use crate::text::ConvertedText;

/// What goes in, what comes out, the codes that are found.
type Row<'a> = (&'a str, &'a str, &'a [&'a str]);

fn codes(text: &ConvertedText) -> Vec<&'static str> {
    text.findings.iter().map(|f| f.code.as_str()).collect()
}

/// Checks all rows before it fails, so that one run shows all that is wrong.
fn check(convert: impl Fn(&str) -> ConvertedText, rows: &[Row<'_>]) {
    let mut wrong = String::new();
    for (before, after, found) in rows {
        let text = convert(before);
        if text.body != *after || codes(&text) != *found {
            wrong += &format!(
                "\n--- {before}\n want {after}\n      {found:?}\n have {}\n      {:?}\n",
                text.body, text.findings
            );
        }
        let again = convert(&text.body);
        if again.body != text.body {
            wrong += &format!(
                "\n--- {before}\n once  {}\n twice {}\n",
                text.body, again.body
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A text without the paragraph at its top.
fn below(text: ConvertedText) -> ConvertedText {
    let body = text
        .body
        .split_once("\n\n")
        .map_or(text.body.clone(), |(_, body)| body.to_owned());
    ConvertedText { body, ..text }
}

#[test]
fn variables_at_a_known_place() {
    let world = World::small().at("/b/forge");
    check(
        |body| world.skill(body),
        &[
            (
                "Run ${CLAUDE_PLUGIN_ROOT}/scripts/run.sh.",
                "Run /b/forge/scripts/run.sh.",
                &[],
            ),
            ("`$CLAUDE_PLUGIN_ROOT`", "`/b/forge`", &[]),
            (
                "```bash\nbash \"${CLAUDE_PLUGIN_ROOT}\"/scripts/run.sh\n```",
                "```bash\nbash \"/b/forge\"/scripts/run.sh\n```",
                &[],
            ),
            (
                "    ${CLAUDE_PLUGIN_ROOT:-.}/scripts/run.sh",
                "    /b/forge/scripts/run.sh",
                &[],
            ),
            (
                "${CLAUDE_PLUGIN_ROOT:-${X:-.}}/docs/",
                "/b/forge/docs/",
                &[],
            ),
            (
                "${CLAUDE_SKILL_DIR}/reference.md",
                "/b/forge/skills/prd/reference.md",
                &[],
            ),
            (
                "${CLAUDE_SKILL_DIR}/../shared/rules.md",
                "/b/forge/skills/shared/rules.md",
                &[],
            ),
            (
                "${CLAUDE_SKILL_DIR}/../../../x",
                "/b/forge/skills/prd/../../../x",
                &[],
            ),
            (
                "${CLAUDE_PLUGIN_ROOT}/commands/idea.md",
                "/b/forge/skills/idea/SKILL.md",
                &[],
            ),
            (
                "${CLAUDE_PLUGIN_ROOT}/dist/x.js",
                "/b/forge/dist/x.js",
                &["dangling-link"],
            ),
            (
                "${CLAUDE_PLUGIN_ROOT}/dist/{name}.js",
                "/b/forge/dist/{name}.js",
                &[],
            ),
            (
                "[x](${CLAUDE_SKILL_DIR}/reference.md)",
                "[x](/b/forge/skills/prd/reference.md)",
                &[],
            ),
            (
                "| `${CLAUDE_PLUGIN_ROOT}` |\n|---|",
                "| `/b/forge` |\n|---|",
                &[],
            ),
            (
                "\\${CLAUDE_PLUGIN_ROOT} and $CLAUDE_PLUGIN_ROOT_X",
                "\\${CLAUDE_PLUGIN_ROOT} and $CLAUDE_PLUGIN_ROOT_X",
                &["variable-unresolved"],
            ),
            (
                "In ${CLAUDE_PROJECT_DIR}.",
                "In the root folder of the user's project.",
                &[],
            ),
            (
                "Effort: ${CLAUDE_EFFORT}",
                "Effort: your reasoning effort",
                &["variable-unresolved"],
            ),
            (
                "`${user_config.api-key}`",
                "the user's setting `api-key`",
                &["variable-unresolved"],
            ),
            (
                "`--key ${user_config.key}`",
                "`--key <the user's setting key>`",
                &["variable-unresolved"],
            ),
            (
                "`${CLAUDE_ENV_FILE}`",
                "`${CLAUDE_ENV_FILE}`",
                &["variable-unresolved"],
            ),
            (
                "`${CLAUDE_PLUGIN_ROOT%/}`",
                "`${CLAUDE_PLUGIN_ROOT%/}`",
                &["variable-unresolved"],
            ),
        ],
    );
}

#[test]
fn variables_with_words_at_the_top() {
    let mut world = World::small().at("/b/forge");
    check(
        |body| world.skill(body),
        &[
            (
                "\n`cat ${CLAUDE_PROJECT_DIR}/x`\n",
                "\nRun the commands below in the root folder of the user's project.\n\n`cat ./x`\n",
                &[],
            ),
            (
                "`${CLAUDE_SESSION_ID}.log`",
                "`<session id>` below stands for a short text that no other thread uses: make one up and keep to it.\n\n`<session id>.log`",
                &["variable-unresolved"],
            ),
            (
                "Save to ${CLAUDE_PLUGIN_DATA}/x",
                "`<data folder>` below stands for a folder outside of the project in which this plugin keeps its data: use the same one each time.\n\nSave to <data folder>/x",
                &["variable-unresolved"],
            ),
        ],
    );
    world.options.data_folder = Some("/data/forge".to_owned());
    check(
        |body| world.skill(body),
        &[(
            "${CLAUDE_PLUGIN_DATA}/x",
            "/data/forge/x",
            &["data-dir-not-writable"],
        )],
    );
}

#[test]
fn variables_in_a_bundle_that_can_be_moved() {
    let world = World::small();
    let note = |path: &str| {
        format!(
            "Paths such as `{path}` below are relative to the folder of this file: make them absolute before you use them in a command.\n\n"
        )
    };
    let root = note("../../scripts/run.sh");
    let beside = note("./reference.md");
    check(
        |body| world.skill(body),
        &[
            (
                "`${CLAUDE_PLUGIN_ROOT}/scripts/run.sh`",
                &format!("{root}`../../scripts/run.sh`"),
                &[],
            ),
            (
                "`${CLAUDE_SKILL_DIR}/reference.md`",
                &format!("{beside}`./reference.md`"),
                &[],
            ),
            (
                "${CLAUDE_PLUGIN_ROOT}",
                &format!("{}../..", note("../..")),
                &[],
            ),
        ],
    );
    check(
        |body| world.command(body),
        &[(
            "`${CLAUDE_PLUGIN_ROOT}/scripts/run.sh`",
            &format!("{root}`../../scripts/run.sh`"),
            &[],
        )],
    );
    let lost: &[&str] = &["path-not-absolute"];
    check(
        |body| world.agent(body),
        &[
            (
                "See `${CLAUDE_PLUGIN_ROOT}/docs/guide.md`.",
                "See `docs/guide.md` in the folder of the plugin `forge`.",
                lost,
            ),
            (
                "See ${CLAUDE_PLUGIN_ROOT}/docs/guide.md.",
                "See `docs/guide.md` in the folder of the plugin `forge`.",
                lost,
            ),
            (
                "`bash ${CLAUDE_PLUGIN_ROOT}/scripts/run.sh`",
                "`<folder of the plugin forge>` below stands for the folder in which that plugin is installed.\n\n`bash <folder of the plugin forge>/scripts/run.sh`",
                lost,
            ),
        ],
    );
}

#[test]
fn includes() {
    let world = World::small().at("/b");
    check(
        |body| world.skill(body),
        &[
            (
                "@../shared/rules.md",
                "Read `/b/skills/shared/rules.md` now.",
                &[],
            ),
            (
                "1. @reference.md\n",
                "1. Read `/b/skills/prd/reference.md` now.\n",
                &[],
            ),
            (
                "Follow @../shared/rules.md, then stop.",
                "Follow `/b/skills/shared/rules.md`, then stop.",
                &[],
            ),
            (
                "(see `@../shared/rules.md`)",
                "(see `/b/skills/shared/rules.md`)",
                &[],
            ),
            (
                "See @references/deep.md.",
                "See `/b/skills/prd/references/deep.md`.",
                &[],
            ),
            (
                "@${CLAUDE_SKILL_DIR}/reference.md",
                "Read `/b/skills/prd/reference.md` now.",
                &[],
            ),
            (
                "@${CLAUDE_PLUGIN_ROOT}/docs/guide.md",
                "Read `/b/docs/guide.md` now.",
                &[],
            ),
            ("Use @docs/guide.md", "Use `/b/docs/guide.md`", &[]),
            (
                "@CLAUDE.md",
                "Read `CLAUDE.md` of the project now.",
                &["claude-specific-text"],
            ),
            (
                "Check @package.json and @docs/plan.md.",
                "Check `package.json` and `docs/plan.md`.",
                &[],
            ),
            (
                "@${CLAUDE_PROJECT_DIR}/x.md",
                "Read `x.md` of the project now.",
                &[],
            ),
            (
                "@~/.config/x.toml",
                "Read `~/.config/x.toml` of the project now.",
                &[],
            ),
            (
                "| @reference.md |\n|---|",
                "| `/b/skills/prd/reference.md` |\n|---|",
                &[],
            ),
            (
                "<rules>\n@../shared/rules.md\n</rules>",
                "<rules>\nRead `/b/skills/shared/rules.md` now.\n</rules>",
                &[],
            ),
            (
                "**@../shared/rules.md**",
                "**`/b/skills/shared/rules.md`**",
                &[],
            ),
            (
                "Fill @../shared/{name}.md, @${CLAUDE_SKILL_DIR}/references/*.md",
                "Fill /b/skills/shared/{name}.md, /b/skills/prd/references/*.md",
                &[],
            ),
            (
                "@../none/{name}.md",
                "@../none/{name}.md",
                &["include-unresolved"],
            ),
            ("`@../path/to/file.md`", "`@../path/to/file.md`", &[]),
            // Not includes.
            (
                "mail me@example.md or a@b.md",
                "mail me@example.md or a@b.md",
                &[],
            ),
            (
                "@dataclass and @app.route(\"/x\") and @media print",
                "@dataclass and @app.route(\"/x\") and @media print",
                &[],
            ),
            (
                "npm i @scope/pkg @types/node @a/b-c",
                "npm i @scope/pkg @types/node @a/b-c",
                &[],
            ),
            (
                "@alice, @bob: ask @platform-team",
                "@alice, @bob: ask @platform-team",
                &[],
            ),
            (
                "`@docs/features/auth.md` and `@source.md`",
                "`@docs/features/auth.md` and `@source.md`",
                &[],
            ),
            (
                "```\n@../shared/rules.md\n```",
                "```\n@../shared/rules.md\n```",
                &[],
            ),
            ("@ and @@ and @.", "@ and @@ and @.", &[]),
            // Gates.
            (
                "x\n@../shared/none.md",
                "x\n@../shared/none.md",
                &["include-unresolved"],
            ),
            (
                "@${CLAUDE_PLUGIN_ROOT}/none.md",
                "@/b/none.md",
                &["include-unresolved", "dangling-link"],
            ),
            (
                "@references/none.md",
                "@references/none.md",
                &["include-unresolved"],
            ),
            ("@./none.md", "@./none.md", &["include-unresolved"]),
            (
                "@../../../out.md",
                "@../../../out.md",
                &["include-unresolved"],
            ),
        ],
    );
    let read = world.skill("@../shared/rules.md [d](references/deep.md) `docs/guide.md` ${CLAUDE_PLUGIN_ROOT}/scripts/run.sh");
    assert_eq!(
        Vec::from_iter(read.reads),
        [
            "docs/guide.md",
            "skills/prd/references/deep.md",
            "skills/shared/rules.md"
        ]
    );
    let line = world.skill("a\n\nb @../none.md").findings[0]
        .location
        .clone();
    assert_eq!(line.to_string(), "skills/prd/SKILL.md:3");
}

#[test]
fn includes_of_commands_and_agents() {
    let world = World::small().at("/b");
    check(
        |body| world.command(body),
        &[
            ("@README.md", "Read `README.md` of the project now.", &[]),
            ("@../docs/guide.md", "Read `/b/docs/guide.md` now.", &[]),
        ],
    );
    let world = World::small();
    check(
        |body| world.agent(body),
        &[(
            "Follow `@../skills/shared/rules.md` always",
            "Follow `skills/shared/rules.md` in the folder of the plugin `forge` always",
            &["path-not-absolute"],
        )],
    );
}

#[test]
fn links() {
    let world = World::small();
    check(
        |body| world.skill(body),
        &[
            (
                "[a](reference.md#x) [b](<two words.md>) [c](two%20words.md)",
                "[a](reference.md#x) [b](<two words.md>) [c](two%20words.md)",
                &[],
            ),
            ("[a](none.md)", "[a](none.md)", &["dangling-link"]),
            (
                "[a](../../../x.md)",
                "[a](../../../x.md)",
                &["dangling-link"],
            ),
            (
                "[a](https://x.y/z.md) [b](#top) [c](URL) [d]({name}.md) [e](mailto:a@b.c) [f](/x.md)",
                "[a](https://x.y/z.md) [b](#top) [c](URL) [d]({name}.md) [e](mailto:a@b.c) [f](/x.md)",
                &[],
            ),
            ("`[a](none.md)`", "`[a](none.md)`", &[]),
        ],
    );
    let moved = |body: &str| world.command(body).body;
    for (before, after) in [
        (
            "[g](../docs/guide.md#a \"t\")",
            "[g](../../docs/guide.md#a \"t\")",
        ),
        (
            "[g][r]\n\n[r]: ../docs/guide.md",
            "[g][r]\n\n[r]: ../../docs/guide.md",
        ),
        ("[p](git/push.md)", "[p](../../commands/git/push.md)"),
        ("[d](../docs/)", "[d](../../docs/)"),
        ("![i](../scripts/run.sh)", "![i](../../scripts/run.sh)"),
    ] {
        assert_eq!(moved(before), after);
    }
    assert_eq!(
        world.skill("[i](../../commands/idea.md)").body,
        "[i](../idea/SKILL.md)"
    );
}

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

#[test]
fn references() {
    let world = World::small();
    let unknown: &[&str] = &["unresolved-reference"];
    check(
        |body| world.skill(body),
        &[
            ("Run /forge:idea now.", "Run $forge:idea now.", &[]),
            (
                "`/forge:idea {x}` or **/other:plan**",
                "`$forge:idea {x}` or **$other:plan**",
                &[],
            ),
            (
                "| `/forge:prd <n>` |\n|---|",
                "| `$forge:prd <n>` |\n|---|",
                &[],
            ),
            (
                "/forge:old and forge:old",
                "$forge:new-name and forge:new-name",
                &[],
            ),
            ("/forge:git:push", "$forge:git:push", &[]),
            (
                "Use /idea, `/prd x` (or /git:push).",
                "Use $forge:idea, `$forge:prd x` (or $forge:git:push).",
                &[],
            ),
            ("/forge:none", "/forge:none", unknown),
            ("/strange:thing", "/strange:thing", unknown),
            (
                "Skill(forge:prd), `Skill(skill=\"other:plan\", args=\"x\")`",
                "`$forge:prd`, `$other:plan x`",
                &[],
            ),
            ("Skill(none:x)", "Skill(none:x)", unknown),
            ("<li>/forge:idea</li>", "<li>$forge:idea</li>", &[]),
            // Not references.
            ("```\n/forge:idea\n```", "```\n/forge:idea\n```", &[]),
            (
                "src/idea, /idea/x.md, https://a.b/idea ~/idea ./idea",
                "src/idea, /idea/x.md, https://a.b/idea ~/idea ./idea",
                &[],
            ),
            (
                "/clear and /compact and /help",
                "/clear and /compact and /help",
                &[],
            ),
            (
                "and/or 1/2/2024 </idea> /idea/ s/idea/x/",
                "and/or 1/2/2024 </idea> /idea/ s/idea/x/",
                &[],
            ),
            (
                "GET /status, the `/status` endpoint",
                "GET /status, the `/status` endpoint",
                &[],
            ),
            (
                "`docker -v /data:ro`, /data:ro, http://localhost:80/x",
                "`docker -v /data:ro`, /data:ro, http://localhost:80/x",
                &[],
            ),
            (
                "`run /idea` and [x](/idea)",
                "`run /idea` and [x](/idea)",
                &[],
            ),
            ("the forge:prd skill", "the forge:prd skill", &[]),
        ],
    );
}

#[test]
fn agents() {
    let world = World::small();
    let unknown: &[&str] = &["agent-unknown"];
    check(
        |body| world.skill(body),
        &[
            (
                "Launch `Task(subagent_type=\"general-purpose\")` with this:",
                "Spawn the `default` agent with this:",
                &[],
            ),
            (
                "Each MUST be a `Task(subagent_type=\"reviewer\")` call.",
                "Each MUST be a spawned `forge:reviewer` agent.",
                &[],
            ),
            (
                "use Agent(subagent_type: \"other:auditor\", prompt: \"Look at it\")",
                "spawn the `other:auditor` agent with the prompt \"Look at it\"",
                &[],
            ),
            (
                "`Task(subagent_type=\"auditor\", prompt=\"Do it\")`",
                "Spawn the `other:auditor` agent with the prompt `\"Do it\"`",
                &[],
            ),
            (
                "`Agent(forge:reviewer, check it)`",
                "Spawn the `forge:reviewer` agent",
                &[],
            ),
            (
                "run `Task({subagent_type: 'Plan', prompt: 'x'})`",
                "spawn the `default` agent (read only: it plans and changes nothing) with the prompt `'x'`",
                &[],
            ),
            (
                "```\nTask(\n  subagent_type=\"tester\",\n  prompt=\"x\"\n)\n```",
                "```\nSpawn the `forge:forge-tester` agent with (\n  agent_type=\"forge:forge-tester\",\n  prompt=\"x\"\n)\n```",
                &[],
            ),
            (
                "```\nTask:\n  subagent_type: \"forge-reviewer\"\n  prompt: |\n    x\n```",
                "```\nSpawn the `forge:reviewer` agent:\n  agent_type: \"forge:reviewer\"\n  prompt: |\n    x\n```",
                &[],
            ),
            (
                "<Task>\nsubagent_type: reviewer\nprompt: x\n</Task>",
                "<Task>\nagent: spawn the `forge:reviewer` agent\nprompt: x\n</Task>",
                &[],
            ),
            (
                "- `subagent_type`: `\"Explore\"`",
                "- agent: spawn the `explorer` agent",
                &[],
            ),
            (
                "- **subagent_type:** reviewer",
                "- agent: spawn the `forge:reviewer` agent",
                &[],
            ),
            (
                "```json\n{\"subagent_type\": \"reviewer\"}\n```",
                "```json\n{\"agent_type\": \"forge:reviewer\"}\n```",
                &[],
            ),
            (
                "Use Task tool with subagent_type=\"reviewer\" to check.",
                "Spawn the `forge:reviewer` agent to check.",
                &[],
            ),
            (
                "`Task` with `subagent_type: Explore` — look",
                "Spawn the `explorer` agent — look",
                &[],
            ),
            (
                "Choose the `subagent_type` well",
                "Choose the agent type well",
                &[],
            ),
            (
                "`subagent_type`: the chosen role",
                "Agent type: the chosen role",
                &[],
            ),
            (
                "`Task(subagent_type=\"nobody\")`",
                "Spawn the `default` agent (in place of `nobody`, which is not there)",
                unknown,
            ),
            (
                "Use the forge:reviewer agent.",
                "Spawn the `forge:reviewer` agent.",
                &[],
            ),
            (
                "Then spawn a `forge:reviewer` sub-agent.",
                "Then spawn a `forge:reviewer` sub-agent.",
                &[],
            ),
            (
                "Spawn a `none:x` agent.",
                "Spawn a `none:x` agent.",
                unknown,
            ),
            (
                "Ask @agent-forge:reviewer to look",
                "Spawn the `forge:reviewer` agent to look",
                &[],
            ),
            ("and @agent-none:x", "and @agent-none:x", unknown),
            (
                "Dispatch a `general-purpose` subagent",
                "Spawn the `default` agent",
                &[],
            ),
            (
                "```\nSubagent (general-purpose):\n  x\n```",
                "```\nSpawn the `default` agent:\n  x\n```",
                &[],
            ),
            (
                "Use the Task tool (subagent_type: reviewer) here.",
                "Use the agent-spawning tool (spawn the `forge:reviewer` agent) here.",
                &["tool-reworded"],
            ),
            (
                "Launch three with subagent_type=\"Explore\"",
                "Launch three with agent type `explorer` (spawn the `explorer` agent)",
                &[],
            ),
            // Not agents.
            (
                "Task(s) to do, Agent(s), the Task (urgent)",
                "Task(s) to do, Agent(s), the Task (urgent)",
                &[],
            ),
            (
                "```python\nclass Agent(Base):\n  x = Task(description=\"a\", agent=b)\n```",
                "```python\nclass Agent(Base):\n  x = Task(description=\"a\", agent=b)\n```",
                &[],
            ),
            ("Use the reviewer agent.", "Use the reviewer agent.", &[]),
            (
                "Plan and Explore, `Plan` it",
                "Plan and Explore, `Plan` it",
                &[],
            ),
            (
                "Task: do it\n\nnote: agents agree",
                "Task: do it\n\nnote: agents agree",
                &[],
            ),
        ],
    );
}

#[test]
fn tools() {
    let world = World::small();
    let note: &[&str] = &["tool-reworded"];
    check(
        |body| world.skill(body),
        &[
            (
                "Use `AskUserQuestion` to ask. AskUserQuestion again",
                "Use a question to the user (ask, then wait for the answer) to ask. A question to the user again",
                note,
            ),
            (
                "Use the AskUserQuestion tool.",
                "Use a question to the user (ask, then wait for the answer).",
                note,
            ),
            (
                "in one AskUserQuestion call, each `AskUserQuestion`",
                "in one question to the user, each question to the user",
                note,
            ),
            (
                "an AskUserQuestion prompt",
                "a question to the user prompt",
                note,
            ),
            ("Create TodoWrite entries", "Create checklist entries", note),
            (
                "Call ExitPlanMode",
                "Use a request to approve your plan (show the plan, then wait for the answer)",
                note,
            ),
            ("Do NOT use EnterPlanMode.", "Do NOT use plan mode.", note),
            (
                "Use the Task tool to check, with multiple Task tool calls",
                "Use the agent-spawning tool to check, with multiple agents",
                note,
            ),
            ("Spawn an `Agent` tool call:", "Spawn an agent:", note),
            (
                "Use the Skill tool",
                "Use your skills (open the skill's `SKILL.md` and follow it)",
                note,
            ),
            (
                "`WebFetch` a page, NotebookEdit",
                "Web page fetching a page, editing of the notebook",
                &["tool-reworded", "tool-reworded"],
            ),
            (
                "Use SendMessage, then SendMessage",
                "Use SendMessage, then SendMessage",
                &["tool-unavailable"],
            ),
            (
                "Run `Workflow(forge:scan)`, no Workflow(s)",
                "Run `Workflow(forge:scan)`, no Workflow(s)",
                &["tool-unavailable"],
            ),
            // Left alone.
            (
                "Read, Write and Edit it. `Read` and `Bash`, the Grep tool",
                "Read, Write and Edit it. `Read` and `Bash`, the Grep tool",
                &[],
            ),
            (
                "Monitor the Task, ask the Agent, learn a Skill",
                "Monitor the Task, ask the Agent, learn a Skill",
                &[],
            ),
            (
                "`x TodoWrite`, myTodoWrite, TodoWriter",
                "`x TodoWrite`, myTodoWrite, TodoWriter",
                &[],
            ),
            ("```\nTodoWrite\n```", "```\nTodoWrite\n```", &[]),
        ],
    );
}

#[test]
fn servers() {
    let world = World::small();
    check(
        |body| world.skill(body),
        &[
            ("mcp__plugin_forge_db__query", "mcp__db__query", &[]),
            (
                "`mcp__plugin_forge_wiki__*` and mcp__wiki__read",
                "`mcp__forge-wiki__*` and mcp__forge-wiki__read",
                &[],
            ),
            ("```\nmcp__plugin_forge_db\n```", "```\nmcp__db\n```", &[]),
            (
                "mcp__db__x mcp__strange__y",
                "mcp__db__x mcp__strange__y",
                &[],
            ),
            (
                "mcp__plugin_none_db__x",
                "mcp__plugin_none_db__x",
                &["unresolved-reference"],
            ),
        ],
    );
}

#[test]
fn what_means_claude_code_is_reported() {
    let world = World::small();
    let note: &[&str] = &["claude-specific-text"];
    check(
        |body| world.skill(body),
        &[
            ("Read CLAUDE.md", "Read CLAUDE.md", note),
            (
                "`~/.claude/settings.json`",
                "`~/.claude/settings.json`",
                note,
            ),
            ("```\nclaude -p hi\n```", "```\nclaude -p hi\n```", note),
            (
                "MY_CLAUDE.md, claude -print",
                "MY_CLAUDE.md, claude -print",
                &[],
            ),
        ],
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
