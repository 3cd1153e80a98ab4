//! `${CLAUDE_…}`.

use super::{check, codes};
use crate::text::tests::world::World;

#[test]
fn variables_at_a_known_place() {
    let world = World::small().at("/b/forge");
    check(
        |body| world.skill(body),
        r#"
            Run ${CLAUDE_PLUGIN_ROOT}/scripts/run.sh. ⇒ Run /b/forge/scripts/run.sh.
            `$CLAUDE_PLUGIN_ROOT` ⇒ `/b/forge`
            ```bash\nbash "${CLAUDE_PLUGIN_ROOT}"/scripts/run.sh\n``` ⇒ ```bash\nbash "/b/forge"/scripts/run.sh\n```
            \_   ${CLAUDE_PLUGIN_ROOT:-.}/scripts/run.sh ⇒ \_   /b/forge/scripts/run.sh
            ${CLAUDE_PLUGIN_ROOT:-${X:-.}}/docs/ ⇒ /b/forge/docs/
            ${CLAUDE_SKILL_DIR}/reference.md ⇒ /b/forge/skills/prd/reference.md
            ${CLAUDE_SKILL_DIR}/../shared/rules.md ⇒ /b/forge/skills/shared/rules.md
            ${CLAUDE_SKILL_DIR}/../../../x ⇒ /b/forge/skills/prd/../../../x
            ${CLAUDE_PLUGIN_ROOT}/commands/idea.md ⇒ /b/forge/skills/idea/SKILL.md
            ${CLAUDE_PLUGIN_ROOT}/dist/x.js ⇒ /b/forge/dist/x.js ⇒ dangling-link
            ${CLAUDE_PLUGIN_ROOT}/dist/{name}.js ⇒ /b/forge/dist/{name}.js
            [x](${CLAUDE_SKILL_DIR}/reference.md) ⇒ [x](/b/forge/skills/prd/reference.md)
            | `${CLAUDE_PLUGIN_ROOT}` |\n|---| ⇒ | `/b/forge` |\n|---|
            \\${CLAUDE_PLUGIN_ROOT} and $CLAUDE_PLUGIN_ROOT_X ⇒ = ⇒ variable-unresolved
            In ${CLAUDE_PROJECT_DIR}. ⇒ In the root folder of the user's project.
            Effort: ${CLAUDE_EFFORT} ⇒ Effort: your reasoning effort ⇒ variable-unresolved
            `${user_config.api-key}` ⇒ the user's setting `api-key` ⇒ variable-unresolved
            `--key ${user_config.key}` ⇒ `--key <the user's setting key>` ⇒ variable-unresolved
            `${CLAUDE_ENV_FILE}` ⇒ = ⇒ variable-unresolved
            `${CLAUDE_PLUGIN_ROOT%/}` ⇒ = ⇒ variable-unresolved
        "#,
    );
}

#[test]
fn variables_with_words_at_the_top() {
    let mut world = World::small().at("/b/forge");
    check(
        |body| world.skill(body),
        r"
            \n`cat ${CLAUDE_PROJECT_DIR}/x`\n ⇒ \nRun the commands below in the root folder of the user's project.\n\n`cat ./x`\n
            `${CLAUDE_SESSION_ID}.log` ⇒ `<session id>` below stands for a short text that no other thread uses: make one up and keep to it.\n\n`<session id>.log` ⇒ variable-unresolved
            Save to ${CLAUDE_PLUGIN_DATA}/x ⇒ `<data folder>` below stands for a folder outside of the project in which this plugin keeps its data: use the same one each time.\n\nSave to <data folder>/x ⇒ variable-unresolved
        ",
    );
    world.options.data_folder = Some("/data/forge".to_owned());
    check(
        |body| world.skill(body),
        "${CLAUDE_PLUGIN_DATA}/x ⇒ /data/forge/x ⇒ data-dir-not-writable",
    );
}

#[test]
fn variables_in_a_bundle_that_can_be_moved() {
    let world = World::small();
    let note = |path: &str, text: &str| {
        format!(
            "Paths such as `{path}` below are relative to the folder of this file: make them absolute before you use them in a command.\n\n{text}"
        )
    };
    let run = "`${CLAUDE_PLUGIN_ROOT}/scripts/run.sh`";
    let ran = note("../../scripts/run.sh", "`../../scripts/run.sh`");
    assert_eq!(world.command(run).body, ran);
    for (written, expected) in [
        (run, ran),
        (
            "`${CLAUDE_SKILL_DIR}/reference.md`",
            note("./reference.md", "`./reference.md`"),
        ),
        ("${CLAUDE_PLUGIN_ROOT}", note("../..", "../..")),
    ] {
        let converted = world.skill(written);
        assert_eq!(converted.body, expected);
        assert_eq!(codes(&converted), Vec::<&str>::new());
    }
    check(
        |body| world.agent(body),
        r"
            See `${CLAUDE_PLUGIN_ROOT}/docs/guide.md`. ⇒ See `docs/guide.md` in the folder of the plugin `forge`. ⇒ path-not-absolute
            See ${CLAUDE_PLUGIN_ROOT}/docs/guide.md. ⇒ See `docs/guide.md` in the folder of the plugin `forge`. ⇒ path-not-absolute
            `bash ${CLAUDE_PLUGIN_ROOT}/scripts/run.sh` ⇒ `<folder of the plugin forge>` below stands for the folder in which that plugin is installed.\n\n`bash <folder of the plugin forge>/scripts/run.sh` ⇒ path-not-absolute
        ",
    );
}
