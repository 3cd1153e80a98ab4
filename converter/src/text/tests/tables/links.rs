//! Links.

use super::check;
use crate::test_table::rows;
use crate::text::tests::world::World;

#[test]
fn links() {
    let world = World::small();
    check(
        |body| world.skill(body),
        r"
            [a](reference.md#x) [b](<two words.md>) [c](two%20words.md)
            [a](none.md) ⇒ = ⇒ dangling-link
            [a](../../../x.md) ⇒ = ⇒ dangling-link
            [a](https://x.y/z.md) [b](#top) [c](URL) [d]({name}.md) [e](mailto:a@b.c) [f](/x.md)
            `[a](none.md)`
        ",
    );
    let moved = |body: &str| world.command(body).body;
    for [before, after] in rows(
        r#"
            [g](../docs/guide.md#a "t") ⇒ [g](../../docs/guide.md#a "t")
            [g][r]\n\n[r]: ../docs/guide.md ⇒ [g][r]\n\n[r]: ../../docs/guide.md
            [p](git/push.md) ⇒ [p](../../commands/git/push.md)
            [d](../docs/) ⇒ [d](../../docs/)
            ![i](../scripts/run.sh) ⇒ ![i](../../scripts/run.sh)
        "#,
    ) {
        assert_eq!(moved(&before), after);
    }
    assert_eq!(
        world.skill("[i](../../commands/idea.md)").body,
        "[i](../idea/SKILL.md)"
    );
}
