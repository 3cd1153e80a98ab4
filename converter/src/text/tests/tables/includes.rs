//! `@path`.

use super::check;
use crate::text::tests::world::World;

#[test]
fn includes() {
    let world = World::small().at("/b");
    check(
        |body| world.skill(body),
        r#"
            @../shared/rules.md ⇒ Read `/b/skills/shared/rules.md` now.
            1. @reference.md\n ⇒ 1. Read `/b/skills/prd/reference.md` now.\n
            Follow @../shared/rules.md, then stop. ⇒ Follow `/b/skills/shared/rules.md`, then stop.
            (see `@../shared/rules.md`) ⇒ (see `/b/skills/shared/rules.md`)
            See @references/deep.md. ⇒ See `/b/skills/prd/references/deep.md`.
            @${CLAUDE_SKILL_DIR}/reference.md ⇒ Read `/b/skills/prd/reference.md` now.
            @${CLAUDE_PLUGIN_ROOT}/docs/guide.md ⇒ Read `/b/docs/guide.md` now.
            Use @docs/guide.md ⇒ Use `/b/docs/guide.md`
            @CLAUDE.md ⇒ Read `CLAUDE.md` of the project now. ⇒ claude-specific-text
            Check @package.json and @docs/plan.md. ⇒ Check `package.json` and `docs/plan.md`.
            @${CLAUDE_PROJECT_DIR}/x.md ⇒ Read `x.md` of the project now.
            @~/.config/x.toml ⇒ Read `~/.config/x.toml` now.
            | @reference.md |\n|---| ⇒ | `/b/skills/prd/reference.md` |\n|---|
            <rules>\n@../shared/rules.md\n</rules> ⇒ <rules>\nRead `/b/skills/shared/rules.md` now.\n</rules>
            **@../shared/rules.md** ⇒ **`/b/skills/shared/rules.md`**
            Fill @../shared/{name}.md, @${CLAUDE_SKILL_DIR}/references/*.md ⇒ Fill /b/skills/shared/{name}.md, /b/skills/prd/references/*.md
            @../none/{name}.md ⇒ = ⇒ include-unresolved
            `@../path/to/file.md`
            `@../none.md` ⇒ = ⇒ dangling-link
            （@../shared/rules.md）：@reference.mdを読む ⇒ （`/b/skills/shared/rules.md`）：`/b/skills/prd/reference.md`を読む
            _@../shared/rules.md_ ~~@reference.md~~ {@reference.md};@reference.md ⇒ _`/b/skills/shared/rules.md`_ ~~`/b/skills/prd/reference.md`~~ {`/b/skills/prd/reference.md`};`/b/skills/prd/reference.md`
            Review @./src/main.ts of the project ⇒ Review `src/main.ts` of the project
            See @docs/ and @${CLAUDE_PLUGIN_ROOT}/docs/, @references/, `@docs/`. ⇒ See `/b/docs` and `/b/docs`, `/b/skills/prd/references`, `/b/docs`.
            - @docs/ ⇒ - Read `/b/docs` now.
            Look at @src/, @docs, @./ and @/docs/ ⇒ Look at `src/`, @docs, `./` and @/docs/ ⇒ claude-specific-text
            - Build: @go.mod\n- CI: @Jenkinsfile or @.github/workflows/\n- @.env\n- @prisma/schema.prisma (@app/api/[id]/route.ts) ⇒ - Build: `go.mod`\n- CI: `Jenkinsfile` or `.github/workflows/`\n- Read `.env` of the project now.\n- `prisma/schema.prisma` (`app/api/[id]/route.ts`)
            @app/(auth)/login/page.tsx, @app/[[...all]]/page.tsx. @docs/[x](y) @acme/ packages ⇒ `app/(auth)/login/page.tsx`, `app/[[...all]]/page.tsx`. @docs/[x](y) @acme/ packages ⇒ claude-specific-text
            Look at @prd/references and @references, @src/components or @alice ⇒ Look at @prd/references and @references, @src/components or @alice ⇒ claude-specific-text
            Read @/etc/hosts, not @/etc or @/home ⇒ Read `/etc/hosts`, not @/etc or @/home
            @plan.md and @missing.md, @README.md and @notes.txt ⇒ `plan.md` and `missing.md`, `README.md` and `notes.txt` ⇒ include-of-project include-of-project include-of-project
            // Of many files.
            `@docs/*`, @docs/*, @src/**/*.ts and *@docs/* ⇒ `@docs/*`, @docs/*, @src/**/*.ts and *`/b/docs`*
            // Of paths in general.
            It stops ../ and ~/ escapes, `../..`, @../ and @.. too: `@docs/...`, @docs/…, @references/...
            // A variable is read whole.
            _@$CLAUDE_PLUGIN_ROOT_ @${CLAUDE_PLUGIN_ROOT:-a#b}/docs/guide.md ⇒ _@$CLAUDE_PLUGIN_ROOT_ `/b/docs/guide.md` ⇒ variable-unresolved
            // Not includes.
            import "@/components/ui/button.tsx" and @/lib/utils, add @types/chart.js
            mail me@example.md or a@b.md
            @dataclass and @app.route("/x") and @media print
            npm i @scope/pkg @types/node @a/b-c
            @alice, @bob: ask @platform-team
            `@docs/features/auth.md` and `@source.md`
            ```\n@../shared/rules.md\n```
            @ and @@ and @.
            // Gates.
            x\n@../shared/none.md ⇒ = ⇒ include-unresolved
            @${CLAUDE_PLUGIN_ROOT}/none.md ⇒ = ⇒ include-unresolved
            @references/none.md ⇒ = ⇒ include-unresolved
            @./none.md ⇒ = ⇒ include-unresolved
            @"two words.md" ⇒ Read `/b/skills/prd/two words.md` now.
            a @"../prd/two words.md" b ⇒ a `/b/skills/prd/two words.md` b
            @"../gone x.md" ⇒ = ⇒ include-unresolved
            see @"Jane Doe" and @"
            @../shared/rules.md#L10-20 ⇒ Read `/b/skills/shared/rules.md#L10-20` now.
            a @../shared/rules.md:10-20, `@../shared/rules.md:7` ⇒ a `/b/skills/shared/rules.md:10-20`, `/b/skills/shared/rules.md:7`
            @reference.md#top ⇒ Read `/b/skills/prd/reference.md#top` now.
            a @src/main.rs:10-20: x ⇒ a `src/main.rs:10-20`: x
            @../none.md:3 ⇒ = ⇒ include-unresolved
            @../../../out.md ⇒ = ⇒ include-unresolved
        "#,
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
        r"
            @README.md ⇒ Read `README.md` of the project now.
            @../docs/guide.md ⇒ Read `/b/docs/guide.md` now.
        ",
    );
    let world = World::small();
    check(
        |body| world.agent(body),
        r"
            Follow `@../skills/shared/rules.md` always ⇒ Follow `skills/shared/rules.md` in the folder of the plugin `forge` always ⇒ path-not-absolute
            See @../docs/guide.md#L1 ⇒ See `docs/guide.md` in the folder of the plugin `forge` (`#L1`) ⇒ path-not-absolute
        ",
    );
}
