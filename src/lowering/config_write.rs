//! What a host writes into the user's config.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The MCP servers that `config/value/write` and `config/batchWrite` define or change, each with what is
/// written of its definition (Codex 0.144 to 0.169: `keyPath` and `value`, or `edits` of those).
#[must_use]
pub(crate) fn servers_written(params: &Value) -> BTreeMap<String, Map<String, Value>> {
    let mut servers = BTreeMap::new();
    let edits = params["edits"].as_array().map(Vec::as_slice);
    for edit in edits.unwrap_or(std::slice::from_ref(params)) {
        let path = edit["keyPath"].as_str().and_then(split_path);
        let Some(path) = path.filter(|path| path.first().is_some_and(|key| key == "mcp_servers"))
        else {
            continue;
        };
        let written = path.into_iter().skip(1).rev();
        let written = written.fold(edit["value"].clone(), |inner, key| {
            Value::Object(Map::from_iter([(key, inner)]))
        });
        let Value::Object(written) = written else {
            continue;
        };
        for (name, definition) in written {
            if let Value::Object(definition) = definition {
                let known: &mut Map<String, Value> = servers.entry(name).or_default();
                known.extend(definition);
            }
        }
    }
    // Without one of these it is no server: what is written is a detail of one that there is, or nothing.
    servers.retain(|_, definition: &mut Map<String, Value>| {
        definition.contains_key("command") || definition.contains_key("url")
    });
    servers
}

/// `a.b."c.d"` -> `[a, b, c.d]`; `None` if a quote is not closed.
fn split_path(key: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in key.chars() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            _ => parts.last_mut()?.push(character),
        }
    }
    (!quoted).then(|| {
        parts
            .into_iter()
            .map(|part| part.trim().to_owned())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_server_is_written_as_a_whole_or_in_parts() {
        let whole = json!({ "new": { "command": "x" } });
        for params in [
            json!({ "keyPath": "mcp_servers.new", "value": { "command": "x" } }),
            json!({ "keyPath": "mcp_servers", "value": { "new": { "command": "x" } } }),
            json!({ "edits": [{ "keyPath": "model", "value": "m" }, { "keyPath": "mcp_servers.\"new\".command", "value": "x" }] }),
        ] {
            assert_eq!(json!(servers_written(&params)), whole, "{params}");
        }
        for params in [
            json!({}),
            json!({ "edits": [{ "keyPath": "mcp_servers.gone", "value": null }] }),
            json!({ "keyPath": "features.x", "value": true }),
            json!({ "keyPath": "mcp_servers.there.enabled", "value": true }),
        ] {
            assert_eq!(json!(servers_written(&params)), json!({}), "{params}");
        }
    }
}
