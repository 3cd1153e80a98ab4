//! A plugin's MCP server as a config entry of one thread.

use std::path::{Component, Path};

use serde_json::{Map, Value};

use crate::bundle::KEPT_AT;

/// The fields that Codex 0.169 reads of a plugin's server. What else stands
/// there, Codex passes over in a plugin, but would refuse in config.
const FIELDS: [&str; 16] = [
    "command",
    "args",
    "env",
    "env_vars",
    "cwd",
    "url",
    "bearer_token_env_var",
    "http_headers",
    "env_http_headers",
    "startup_timeout_sec",
    "startup_timeout_ms",
    "tool_timeout_sec",
    "enabled_tools",
    "disabled_tools",
    "scopes",
    "oauth_resource",
];

/// The entry for `config.mcp_servers`.
///
/// Of a plugin's server, Codex 0.169 takes a relative `cwd` from the plugin's
/// folder; in config it would be the thread's. So it is made absolute, in the
/// snapshot that the thread keeps.
pub(super) fn for_config(definition: &Map<String, Value>, snapshot: &Path) -> Map<String, Value> {
    let mut entry: Map<String, Value> = definition
        .iter()
        .filter(|(field, value)| FIELDS.contains(&field.as_str()) && !value.is_null())
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    for value in entry.values_mut() {
        name_place(value, &snapshot.to_string_lossy());
    }
    if let Some(cwd) = entry.get("cwd").and_then(Value::as_str) {
        let mut absolute = snapshot.to_owned();
        absolute.extend(
            Path::new(cwd)
                .components()
                .filter(|part| *part != Component::CurDir),
        );
        entry.insert(
            "cwd".to_owned(),
            Value::String(absolute.to_string_lossy().into_owned()),
        );
    }
    entry.insert("enabled".to_owned(), Value::Bool(true));
    entry
}

/// Whether a server that is run by this definition shows all its tools. What the launch line takes away of them is
/// there all the same: it is forbidden, not unknown.
#[must_use]
pub(crate) fn shows_all_tools(
    server: &str,
    definition: &Map<String, Value>,
    launch_line: &Map<String, Value>,
) -> bool {
    let on_launch_line = launch_line.get("mcp_servers");
    let on_launch_line = on_launch_line.and_then(|servers| servers.get(server));
    let cuts = |field: &str| on_launch_line.is_some_and(|entry| entry.get(field).is_some());
    let only = definition.get("enabled_tools");
    only.is_none_or(Value::is_null) && !cuts("enabled_tools") && !cuts("disabled_tools")
}

/// Lets what was converted name the place that its bundle is kept at.
pub(super) fn name_place(value: &mut Value, place: &str) {
    match value {
        Value::String(text) if text.contains(KEPT_AT) => *text = text.replace(KEPT_AT, place),
        Value::Array(items) => items.iter_mut().for_each(|item| name_place(item, place)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| name_place(field, place)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_fields_go_along_and_a_relative_cwd_is_of_the_snapshot() {
        let entry = |definition: Value| {
            for_config(definition.as_object().unwrap(), Path::new("/store/tree"))
        };
        assert_eq!(
            Value::Object(entry(
                json!({ "type": "stdio", "command": "./bin/x", "args": ["a"], "cwd": ".", "note": 1 })
            )),
            json!({ "command": "./bin/x", "args": ["a"], "cwd": "/store/tree", "enabled": true })
        );
        assert_eq!(
            entry(json!({ "command": "x", "cwd": "./sub" }))["cwd"],
            "/store/tree/sub"
        );
        assert_eq!(
            entry(json!({ "command": "x", "cwd": "/abs" }))["cwd"],
            "/abs"
        );
    }
}
