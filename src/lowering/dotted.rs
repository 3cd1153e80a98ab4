//! How a thread's config is printed, so that the launch line (`-c …`, `--disable …`) goes on counting.
//!
//! Codex 0.144 to 0.169 put each key of a request's `config` over the launch line's at the place that the
//! key names: it is split at every `.`, there are no quotes, and what it names is replaced whole, in no
//! order that could be relied on. So ours are printed down to the leaves, and no key of a request lies
//! within another. A name that holds a `.` can only be said in the table around it; that table then carries
//! what the launch line has there.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A place in a config.
pub(super) type Place = Vec<String>;

/// Where a key of a request's `config` leads.
pub(super) fn place_of(key: &str) -> Place {
    key.split('.').map(str::to_owned).collect()
}

/// The keys that say ours and the host's, by the text of each.
///
/// `host` is the host's own part as a tree, `host_places` where its keys lead: what stood there on the
/// launch line is gone, as without a loadout.
pub(super) fn print(
    launch_line: &Map<String, Value>,
    host: &Map<String, Value>,
    host_places: &[Place],
    ours: &Map<String, Value>,
) -> BTreeMap<String, Value> {
    let mut whole = launch_line.clone();
    let mut places = outermost(host_places.to_vec());
    for place in &places {
        if let Some(value) = at(host, place) {
            put(&mut whole, place, value.clone());
        }
    }
    put_over(&mut whole, ours.clone());
    leaves(ours, &mut Vec::new(), &mut places);
    outermost(places)
        .into_iter()
        .filter_map(|place| Some((place.join("."), at(&whole, &place)?.clone())))
        .collect()
}

/// Objects are merged member by member. Lists of rules are joined, the later ones last: those count.
/// Anything else is replaced.
fn put_over(base: &mut Map<String, Value>, top: Map<String, Value>) {
    for (key, value) in top {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(top)) => put_over(base, top),
            (Some(Value::Array(base)), Value::Array(top)) if is_rules(&top) => base.extend(top),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn is_rules(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(Value::is_object)
}

/// Where ours has values; where a name on the way holds a `.`, the table around it.
fn leaves(tree: &Map<String, Value>, folder: &mut Place, places: &mut Vec<Place>) {
    if !folder.is_empty() && (tree.is_empty() || tree.keys().any(|key| key.contains('.'))) {
        places.push(folder.clone());
        return;
    }
    for (key, value) in tree {
        folder.push(key.clone());
        match value {
            Value::Object(inner) => leaves(inner, folder, places),
            _ => places.push(folder.clone()),
        }
        folder.pop();
    }
}

/// The places that lie in no other one.
fn outermost(mut places: Vec<Place>) -> Vec<Place> {
    places.sort();
    // What lies in a place follows it.
    places.dedup_by(|inner, outer| inner.starts_with(outer));
    places
}

fn at<'a>(tree: &'a Map<String, Value>, place: &[String]) -> Option<&'a Value> {
    let (first, rest) = place.split_first()?;
    let mut value = tree.get(first)?;
    for key in rest {
        value = value.get(key)?;
    }
    Some(value)
}

fn put(tree: &mut Map<String, Value>, place: &[String], value: Value) {
    let Some((last, folders)) = place.split_last() else {
        return;
    };
    let mut at = tree;
    for key in folders {
        let inner = at.entry(key).or_insert(Value::Null);
        if !inner.is_object() {
            *inner = Value::Object(Map::new());
        }
        match inner {
            Value::Object(inner) => at = inner,
            _ => return,
        }
    }
    at.insert(last.clone(), value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn printed(launch_line: Value, host: &[(&str, Value)], ours: Value) -> Value {
        let places: Vec<Place> = host.iter().map(|(key, _)| place_of(key)).collect();
        let mut of_host = Map::new();
        for (place, (_, value)) in places.iter().zip(host) {
            put(&mut of_host, place, value.clone());
        }
        let printed = print(&tree(launch_line), &of_host, &places, &tree(ours));
        Value::Object(printed.into_iter().collect())
    }

    #[test]
    fn ours_is_said_leaf_by_leaf_and_lists_of_rules_are_joined() {
        let launch_line = json!({
            "features": { "shell_tool": false },
            "mcp_servers": { "s": { "disabled_tools": ["x"], "args": ["a"] } },
            "skills": { "config": [{ "name": "theirs", "enabled": false }] },
            "hooks": { "Stop": [{ "hooks": ["theirs"] }] },
        });
        assert_eq!(
            printed(
                launch_line,
                &[],
                json!({
                    "features": { "plugins": false },
                    "mcp_servers": { "s": { "enabled": true, "args": ["b"] }, "a b": { "enabled": false } },
                    "plugins": { "p@m": { "enabled": false } },
                    "skills": { "config": [{ "name": "ours", "enabled": false }] },
                    "hooks": { "Stop": [{ "hooks": ["ours"] }] },
                })
            ),
            json!({
                "features.plugins": false,
                "mcp_servers.s.enabled": true, "mcp_servers.s.args": ["b"],
                "mcp_servers.a b.enabled": false,
                "plugins.p@m.enabled": false,
                "skills.config": [{ "name": "theirs", "enabled": false }, { "name": "ours", "enabled": false }],
                "hooks.Stop": [{ "hooks": ["theirs"] }, { "hooks": ["ours"] }],
            })
        );
    }

    #[test]
    fn the_table_around_a_name_with_a_dot_keeps_what_the_launch_line_has_there() {
        assert_eq!(
            printed(
                json!({ "mcp_servers": { "s": { "env": { "TOKEN": "t" } } }, "features": { "x": true } }),
                &[("mcp_servers.host.command", json!("h"))],
                json!({ "mcp_servers": { "a.b": { "enabled": false }, "s": { "enabled": true } }, "features": { "y": false } }),
            ),
            json!({
                "features.y": false,
                "mcp_servers": { "s": { "env": { "TOKEN": "t" }, "enabled": true },
                    "a.b": { "enabled": false }, "host": { "command": "h" } },
            })
        );
    }

    #[test]
    fn a_table_of_the_hosts_replaces_the_launch_lines_as_ever_and_has_ours_in_it() {
        let launch_line = || json!({ "features": { "shell_tool": false, "x": true } });
        let ours = || json!({ "features": { "plugins": false } });
        assert_eq!(
            printed(
                launch_line(),
                &[
                    ("features", json!({ "goals": true })),
                    ("features.plugins", json!(true))
                ],
                ours()
            ),
            json!({ "features": { "goals": true, "plugins": false } })
        );
        assert_eq!(
            printed(launch_line(), &[("features.goals", json!(true))], ours()),
            json!({ "features.goals": true, "features.plugins": false })
        );
    }
}
