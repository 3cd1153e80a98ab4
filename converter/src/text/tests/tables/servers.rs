//! `mcp__server__tool`.

use super::check;
use crate::text::tests::world::World;

#[test]
fn servers() {
    let world = World::small();
    check(
        |body| world.skill(body),
        r"
            mcp__plugin_forge_db__query ⇒ mcp__db__query
            `mcp__plugin_forge_wiki__*` and mcp__wiki__read ⇒ `mcp__forge-wiki__*` and mcp__forge-wiki__read
            ```\nmcp__plugin_forge_db\n``` ⇒ ```\nmcp__db\n```
            mcp__db__x mcp__strange__y
            mcp__plugin_none_db__x ⇒ = ⇒ unresolved-reference
        ",
    );
}
