//! What the launch line takes away (`--disable X`, `-c …=false`) no loadout gives back.

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value};

use crate::resolver::Plan;

/// Refuses a plan that would have what the launch line takes away.
///
/// # Errors
/// `blockedByPolicy`, naming each part.
pub(super) fn refuse_given_back(
    plan: &Plan,
    ours: &Map<String, Value>,
    launch_line: &Map<String, Value>,
) -> Result<(), LoadoutError> {
    let mut names = Vec::new();
    switched_on(ours, launch_line, "", &mut names);
    let tools = plan.servers.iter().flat_map(|server| {
        let chosen = server.tools.iter().flatten();
        let out = chosen.filter(|tool| !has_tool(launch_line, &server.name, tool));
        out.map(move |tool| format!("{}.{tool}", server.name))
    });
    names.extend(tools);
    let of_plugins = plan.plugins.iter().flat_map(|plugin| &plugin.skills);
    let single = plan
        .skills
        .iter()
        .map(|skill| (&skill.name, Some(skill.path.as_path())));
    let skills = single.chain(of_plugins.map(|name| (name, None)));
    let denied = skills.filter(|(name, path)| {
        let rules = launch_line
            .get("skills")
            .and_then(|skills| skills.get("config"));
        // The last rule that is about it counts.
        let rule = rules.and_then(Value::as_array).and_then(|rules| {
            rules.iter().rfind(|rule| {
                rule["name"] == name.as_str()
                    || path.is_some() && rule["path"].as_str().map(std::path::Path::new) == *path
            })
        });
        rule.is_some_and(|rule| rule["enabled"] == false)
    });
    names.extend(denied.map(|(name, _)| name.clone()));
    if names.is_empty() {
        return Ok(());
    }
    Err(LoadoutError::new(
        ErrorKind::BlockedByPolicy,
        format!("the launch line takes away `{}`", names.join("`, `")),
    )
    .with_hint("Leave it out of the selection, or start without that flag.")
    .with_items(names.into_iter().map(ErrorItem::named).collect()))
}

/// Switches of ours that are on where the launch line's are off.
fn switched_on(
    ours: &Map<String, Value>,
    launch_line: &Map<String, Value>,
    folder: &str,
    places: &mut Vec<String>,
) {
    for (key, ours) in ours {
        let place = format!("{folder}{key}");
        match (ours, launch_line.get(key)) {
            (Value::Object(ours), Some(Value::Object(launch_line))) => {
                switched_on(ours, launch_line, &format!("{place}."), places);
            }
            (Value::Bool(true), Some(Value::Bool(false))) => places.push(place),
            _ => {}
        }
    }
}

/// Whether the launch line leaves a server this tool.
fn has_tool(launch_line: &Map<String, Value>, server: &str, tool: &str) -> bool {
    let servers = launch_line.get("mcp_servers");
    let entry = servers.and_then(|servers| servers.get(server));
    let listed = |field: &str| {
        let list = entry.and_then(|entry| entry.get(field)?.as_array());
        list.map(|tools| tools.iter().any(|name| name == tool))
    };
    listed("enabled_tools") != Some(false) && listed("disabled_tools") != Some(true)
}
