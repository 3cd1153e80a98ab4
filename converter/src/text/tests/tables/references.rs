//! `/plugin:skill`.

use super::check;
use crate::text::tests::world::World;

#[test]
fn references() {
    let world = World::small();
    check(
        |body| world.skill(body),
        r#"
            Run /forge:idea now. ⇒ Run $forge:idea now.
            `/forge:idea {x}` or **/other:plan** ⇒ `$forge:idea {x}` or **$other:plan**
            | `/forge:prd <n>` |\n|---| ⇒ | `$forge:prd <n>` |\n|---|
            /forge:old and forge:old ⇒ $forge:new-name and forge:new-name
            /forge:git:push ⇒ $forge:git:push
            Use /idea, `/prd x` (or /git:push). ⇒ Use $forge:idea, `$forge:prd x` (or $forge:git:push).
            /forge:none ⇒ = ⇒ unresolved-reference
            /strange:thing ⇒ = ⇒ unresolved-reference
            Skill(forge:prd), `Skill(skill="other:plan", args="x")` ⇒ `$forge:prd`, `$other:plan x`
            Skill(none:x) ⇒ = ⇒ unresolved-reference
            <li>/forge:idea</li> ⇒ <li>$forge:idea</li>
            Skill({skill: "forge:prd", args: "a b"}), Skill("prd", "x") ⇒ `$forge:prd a b`, `$forge:prd x`
            // By the new name, too.
            /forge:new-name, `/new-name`, Skill(new-name) ⇒ $forge:new-name, `$forge:new-name`, `$forge:new-name`
            // Beside marks, and beside letters of scripts without spaces.
            {/forge:idea} ;/forge:idea run:/forge:idea ~~/forge:idea~~ _/idea_ ⇒ {$forge:idea} ;$forge:idea run:$forge:idea ~~$forge:idea~~ _$forge:idea_
            使用/forge:idea命令（/forge:prd）、「/idea」、/forge:部署, /部署 ⇒ 使用$forge:idea命令（$forge:prd）、「$forge:idea」、$forge:部署, $forge:部署
            // A family of commands has no name of its own.
            Each begins with `/idea:`. Call any `/idea:*`, /idea:<x> or /idea:… command; /idea: it does ⇒ Each begins with `/idea:`. Call any `/idea:*`, /idea:<x> or /idea:… command; $forge:idea: it does
            /forge:idea:*, `/forge:idea:` and /forge:idea:<x>
            // Not references.
            ```\n/forge:idea\n```
            src/idea, /idea/x.md, https://a.b/idea ~/idea ./idea
            /clear and /compact and /help
            and/or 1/2/2024 </idea> /idea/ s/idea/x/
            GET /status, the `/status` endpoint, Route `/status`, app.get("/status")
            `docker -v /data:ro`, /data:ro, http://localhost:80/x
            `run /idea` and [x](/idea)
            the forge:prd skill
            run:/idea x;/idea é/forge:idea /ideaé Skill(x\n)
        "#,
    );
}
