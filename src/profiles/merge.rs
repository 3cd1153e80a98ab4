//! One selection on top of another.

use codex_loadout_protocol::CapabilitySelection;
use codex_loadout_protocol::selection::{McpServerChoice, PluginChoice, SkillChoice};

/// What `below` says, with `above` on top: a word takes the place of the word below, a list is joined to the
/// list below, an entry takes the place of the one of the same name, and an empty list empties it.
#[must_use]
pub(crate) fn merge(below: CapabilitySelection, above: CapabilitySelection) -> CapabilitySelection {
    let mut profile = below.profile;
    for name in above.profile.0 {
        if !profile.0.contains(&name) {
            profile.0.push(name);
        }
    }
    CapabilitySelection {
        mode: above.mode.or(below.mode),
        profile,
        plugins: joined(below.plugins, above.plugins, |plugin: &PluginChoice| {
            &plugin.id
        }),
        skills: joined(below.skills, above.skills, |skill: &SkillChoice| {
            &skill.name
        }),
        mcp_servers: joined(
            below.mcp_servers,
            above.mcp_servers,
            |server: &McpServerChoice| &server.name,
        ),
        agents: joined(below.agents, above.agents, |name: &String| name),
        apps: joined(below.apps, above.apps, |id: &String| id),
        hooks: above.hooks.or(below.hooks),
        on_untrusted: above.on_untrusted.or(below.on_untrusted),
        managed: above.managed.or(below.managed),
        host_servers: above.host_servers.or(below.host_servers),
    }
}

fn joined<T>(
    below: Option<Vec<T>>,
    above: Option<Vec<T>>,
    name: impl Fn(&T) -> &String,
) -> Option<Vec<T>> {
    let above = match above {
        None => return below,
        Some(above) if above.is_empty() => return Some(above),
        Some(above) => above,
    };
    let mut list = below.unwrap_or_default();
    for entry in above {
        match list.iter_mut().find(|known| name(known) == name(&entry)) {
            Some(known) => *known = entry,
            None => list.push(entry),
        }
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_take_the_place_of_words_and_lists_are_joined() {
        for (below, above, merged) in [
            (r#"{"mode":"extend"}"#, "{}", r#"{"mode":"extend"}"#),
            (
                r#"{"mode":"extend","hooks":"trusted"}"#,
                r#"{"mode":"replace"}"#,
                r#"{"mode":"replace","hooks":"trusted"}"#,
            ),
            (
                r#"{"skills":["a","b"],"agents":["r"]}"#,
                r#"{"skills":["c",{"name":"a","list":"name"}]}"#,
                r#"{"skills":[{"name":"a","list":"name"},"b","c"],"agents":["r"]}"#,
            ),
            (
                r#"{"plugins":[{"id":"p","skills":[]}],"mcpServers":["s"]}"#,
                r#"{"plugins":["p"],"mcpServers":[]}"#,
                r#"{"plugins":["p"],"mcpServers":[]}"#,
            ),
            (
                r#"{"mcpServers":[]}"#,
                r#"{"mcpServers":["s"]}"#,
                r#"{"mcpServers":["s"]}"#,
            ),
            (
                r#"{"profile":"a"}"#,
                r#"{"profile":["b","a"]}"#,
                r#"{"profile":["a","b"]}"#,
            ),
        ] {
            let read = |text| CapabilitySelection::from_json(text).unwrap();
            assert_eq!(
                merge(read(below), read(above)),
                read(merged),
                "{below} {above}"
            );
        }
    }
}
