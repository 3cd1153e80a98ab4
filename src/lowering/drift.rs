//! What a thread was told, held against what it would be told now.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// Names that are told before the rest is counted.
const NAMED: usize = 8;

/// What has to be told anew, by its place in the config; empty if everything that would be told now was
/// told. A rule too many shuts nothing in: what it was for is gone. A hook too many would run.
#[must_use]
pub(crate) fn drift(told: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    let mut places = Vec::new();
    compare(told, now, "", &mut places);
    places.extend(hooks_too_many(told, now));
    places
}

fn hooks_too_many(told: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    let hooks = |config: &Map<String, Value>, event: &str| {
        let groups = config.get("hooks").and_then(|hooks| hooks.get(event));
        groups
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let events = told.get("hooks").and_then(Value::as_object);
    let events = events.into_iter().flat_map(Map::keys);
    events
        .filter(|event| {
            let left = hooks(now, event);
            hooks(told, event).iter().any(|group| !left.contains(group))
        })
        .map(|event| format!("hooks.{event}"))
        .collect()
}

/// What a rule that keeps a skill out is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SkillRule {
    /// Every skill of this name.
    Name(String),
    /// The skill with this `SKILL.md`.
    Path(PathBuf),
}

/// The rules that would keep a skill out now and were not told.
#[must_use]
pub(crate) fn new_skill_rules(
    told: &Map<String, Value>,
    now: &Map<String, Value>,
) -> Vec<SkillRule> {
    let rules = |config: &Map<String, Value>| -> Vec<Value> {
        let rules = config.get("skills").and_then(|skills| skills.get("config"));
        rules.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let told: HashSet<String> = rules(told).iter().map(Value::to_string).collect();
    let new = rules(now).into_iter();
    let new = new.filter(|rule| !told.contains(&rule.to_string()));
    new.filter_map(
        |rule| match (rule["name"].as_str(), rule["path"].as_str()) {
            (Some(name), _) => Some(SkillRule::Name(name.to_owned())),
            (None, path) => Some(SkillRule::Path(PathBuf::from(path?))),
        },
    )
    .collect()
}

/// Drift in a sentence's length. It says places and names, and no values.
#[must_use]
pub(crate) fn summary(drift: &[String]) -> String {
    let named = drift[..drift.len().min(NAMED)].join(", ");
    match drift.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

fn compare(
    told: &Map<String, Value>,
    now: &Map<String, Value>,
    folder: &str,
    places: &mut Vec<String>,
) {
    for (key, now) in now {
        let place = match folder {
            "" => key.clone(),
            folder => format!("{folder}.{key}"),
        };
        match (told.get(key), now) {
            (Some(Value::Object(told)), Value::Object(now)) => compare(told, now, &place, places),
            // Lists of rules: each counts by itself.
            (told, Value::Array(now)) if now.iter().all(Value::is_object) => {
                let told = told.and_then(Value::as_array).into_iter().flatten();
                let told: HashSet<String> = told.map(Value::to_string).collect();
                let is_new = |rule: &&Value| !told.contains(&rule.to_string());
                places.extend(now.iter().filter(is_new).map(|rule| of_rule(&place, rule)));
            }
            (told, now) if told == Some(now) => {}
            _ => places.push(place),
        }
    }
}

/// A rule goes by what it is about.
fn of_rule(place: &str, rule: &Value) -> String {
    let about = rule["name"].as_str().or(rule["path"].as_str());
    about.map_or_else(|| place.to_owned(), |about| format!("{place} `{about}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn between(told: Value, now: Value) -> Vec<String> {
        drift(told.as_object().unwrap(), now.as_object().unwrap())
    }

    #[test]
    fn a_newcomer_is_named_and_what_is_gone_is_not() {
        let deny = |names: &[&str]| -> Value {
            let rules = names
                .iter()
                .map(|name| json!({ "name": name, "enabled": false }));
            json!({ "skills": { "config": rules.collect::<Vec<_>>(), "bundled": { "enabled": false } } })
        };
        assert!(between(deny(&["a", "b"]), deny(&["b", "a"])).is_empty());
        assert!(between(deny(&["a", "b"]), deny(&["a"])).is_empty());
        assert_eq!(
            between(deny(&["a"]), deny(&["a", "new"])),
            ["skills.config `new`"]
        );
        assert_eq!(
            between(json!({}), deny(&[])),
            ["skills"],
            "what was never told"
        );
        let server = |enabled: bool| json!({ "mcp_servers": { "s": { "enabled": enabled, "env": { "TOKEN": "s3cret" } } } });
        assert!(between(server(false), server(false)).is_empty());
        assert_eq!(
            between(server(true), server(false)),
            ["mcp_servers.s.enabled"]
        );
        assert_eq!(
            between(json!({ "mcp_servers": {} }), server(false)),
            ["mcp_servers.s"]
        );
        // The tools of a server are no rules: fewer would be another set.
        let tools = |tools: &[&str]| json!({ "mcp_servers": { "s": { "enabled_tools": tools } } });
        assert_eq!(
            between(tools(&["a", "b"]), tools(&["a"])),
            ["mcp_servers.s.enabled_tools"]
        );
    }

    #[test]
    fn a_hook_that_is_trusted_no_longer_counts() {
        let hooks = |commands: &[&str]| {
            let groups = commands
                .iter()
                .map(|command| json!({ "hooks": [{ "command": command }] }));
            json!({ "hooks": { "Stop": groups.collect::<Vec<_>>(), "state": { "k": { "trusted_hash": commands } } } })
        };
        let with_state = |config: Value, state: &Value| {
            let mut config = config;
            config["hooks"]["state"] = state.clone();
            config
        };
        let state = json!({});
        let both = || with_state(hooks(&["a", "b"]), &state);
        assert!(between(both(), both()).is_empty());
        assert_eq!(
            between(both(), with_state(hooks(&["b"]), &state)),
            ["hooks.Stop"]
        );
        assert_eq!(between(both(), json!({})), ["hooks.Stop"]);
        assert_eq!(
            between(with_state(hooks(&["a"]), &state), both()),
            ["hooks.Stop"]
        );
    }

    #[test]
    fn a_summary_ends() {
        let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(summary(&names), "0, 1, 2, 3, 4, 5, 6, 7, and 2 more");
        assert_eq!(summary(&names[..2]), "0, 1");
    }
}
