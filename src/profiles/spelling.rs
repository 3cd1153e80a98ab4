//! Where the field's members are written by people, in TOML or in `config`, they may be in snake case.

use codex_loadout_protocol::schema::snake_case;
use codex_loadout_protocol::selection::MEMBERS;
use serde_json::{Map, Value};

/// Members of an entry that are two words.
const IN_ENTRIES: [&str; 1] = ["mcpServers"];

/// A selection whose members may be in snake case, as the field spells them. What is no member stays.
#[must_use]
pub(crate) fn in_field_spelling(selection: Value) -> Value {
    let Value::Object(members) = selection else {
        return selection;
    };
    Value::Object(
        members
            .into_iter()
            .map(|(key, value)| (spelled(&key, &MEMBERS), entries(value)))
            .collect(),
    )
}

fn entries(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(entry).collect(),
        value => value,
    }
}

fn entry(value: Value) -> Value {
    let Value::Object(members) = value else {
        return value;
    };
    let members: Map<String, Value> = members
        .into_iter()
        .map(|(key, value)| (spelled(&key, &IN_ENTRIES), value))
        .collect();
    Value::Object(members)
}

/// The known name that this is the snake case of, else the name itself.
pub(super) fn spelled(key: &str, known: &[&str]) -> String {
    let known = known.iter().find(|known| snake_case(known) == key);
    known.map_or(key, |known| known).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_of_either_spelling_are_the_fields() {
        assert_eq!(
            in_field_spelling(json!({
                "mcp_servers": ["a_b"], "host_servers": "drop", "plugins": [{ "id": "p", "mcp_servers": [] }],
                "mcpServers": 1, "no_member": 2,
            })),
            json!({
                "mcpServers": 1, "hostServers": "drop", "plugins": [{ "id": "p", "mcpServers": [] }],
                "no_member": 2,
            })
        );
        assert_eq!(in_field_spelling(json!("review")), json!("review"));
    }
}
