//! The host's own `config` in the same request: it still counts, except where it
//! would widen the loadout.

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value};

use super::dotted;
use super::lowered::{Lowered, MergeMode};
use crate::resolver::RequestServers;
use crate::wire::{EditError, RawObject};

/// Config keys under which capabilities are switched on or defined.
const GUARDED: [&str; 10] = [
    "cloud",
    "features",
    "skills",
    "plugins",
    "mcp_servers",
    "agents",
    "hooks",
    "apps",
    "profile",
    "marketplaces",
];

/// Of these, the one that holds MCP servers.
const SERVERS: &str = "mcp_servers";

/// Features that bring capabilities of the user's back in.
const WIDENING_FEATURES: [&str; 3] = ["plugins", "apps", "hooks"];

/// The host's own `config`: guarded keys as a tree, the others as text.
#[derive(Debug, Default)]
pub(crate) struct HostConfig<'a> {
    guarded: Map<String, Value>,
    /// Where the guarded keys lead.
    places: Vec<dotted::Place>,
    others: Vec<(&'a str, &'a str)>,
}

impl<'a> HostConfig<'a> {
    /// Reads the host's `config`. Codex takes a key as a path as well (`features.plugins`): those are unfolded.
    ///
    /// # Errors
    /// `invalidSelection` for a guarded key that holds no JSON.
    pub(crate) fn parse(config: &'a RawObject<'a>) -> Result<Self, LoadoutError> {
        let mut host = Self::default();
        for (key, json) in config.iter() {
            let place = dotted::place_of(key);
            if !place
                .first()
                .is_some_and(|top| GUARDED.contains(&top.as_str()))
            {
                host.others.push((key, json));
                continue;
            }
            let value: Value = serde_json::from_str(json)
                .map_err(|_| LoadoutError::from(EditError::NotAnObject("config")))?;
            let tree = place.iter().rev().fold(value, |inner, part| {
                Value::Object(Map::from_iter([(part.clone(), inner)]))
            });
            if let Value::Object(tree) = tree {
                merge(&mut host.guarded, tree);
            }
            host.places.push(place);
        }
        Ok(host)
    }

    /// The config to send: the host's, with ours on top, in keys that leave the launch line what it says.
    ///
    /// # Errors
    /// `invalidSelection`, naming each key that would widen a guarded loadout.
    pub(crate) fn merged_with(&self, lowered: &Lowered) -> Result<String, LoadoutError> {
        let ours = &lowered.config;
        let mut guarded = self.guarded.clone();
        if lowered.drops_host_servers
            && let Some(Value::Object(servers)) = guarded.get_mut(SERVERS)
        {
            servers.retain(|name, entry| {
                !is_definition(entry) || has_switched_on(ours, SERVERS, name)
            });
        }
        if lowered.mode == MergeMode::Guarded {
            refuse_widening(&guarded, ours)?;
        }
        let texts: Vec<(String, String)> =
            dotted::print(&lowered.launch_line, &guarded, &self.places, ours)
                .into_iter()
                .map(|(key, value)| (key, value.to_string()))
                .collect();
        let mut config = RawObject::default();
        for (key, json) in &self.others {
            config.set_text(key, json);
        }
        for (key, json) in &texts {
            config.set_text(key, json);
        }
        Ok(config.to_string())
    }

    /// The MCP servers that it defines, and does not switch off.
    #[must_use]
    pub(crate) fn servers(&self) -> RequestServers {
        let servers = self.guarded.get(SERVERS).and_then(Value::as_object);
        let defined = servers.into_iter().flatten();
        let defined = defined.filter(|(_, entry)| is_definition(entry) && !switches_off(entry));
        defined
            .filter_map(|(name, entry)| Some((name.clone(), entry.as_object()?.clone())))
            .collect()
    }
}

/// Refuses what of the host's config would widen a guarded loadout, each key by its name.
fn refuse_widening(
    of_host: &Map<String, Value>,
    ours: &Map<String, Value>,
) -> Result<(), LoadoutError> {
    let mut found = Vec::new();
    for (key, value) in of_host {
        match (key.as_str(), value) {
            ("cloud", Value::Object(cloud)) => {
                if is_on(cloud.get("skills").and_then(|skills| skills.get("enabled"))) {
                    found.push("cloud.skills.enabled".to_owned());
                }
            }
            ("features", Value::Object(features)) => {
                found.extend(
                    WIDENING_FEATURES
                        .iter()
                        .filter(|name| is_on(features.get(**name)))
                        .map(|name| format!("features.{name}")),
                );
            }
            ("skills", Value::Object(skills)) => {
                if is_on(
                    skills
                        .get("bundled")
                        .and_then(|bundled| bundled.get("enabled")),
                ) {
                    found.push("skills.bundled.enabled".to_owned());
                }
                let rules = skills.get("config").and_then(Value::as_array);
                if rules.is_some_and(|rules| {
                    rules
                        .iter()
                        .any(|rule| rule.get("enabled") != Some(&Value::Bool(false)))
                }) {
                    found.push("skills.config".to_owned());
                }
            }
            ("mcp_servers", Value::Object(servers)) => {
                found.extend(
                    servers
                        .iter()
                        .filter(|(name, entry)| {
                            !switches_off(entry) && !has_switched_on(ours, key, name)
                        })
                        .map(|(name, _)| format!("mcp_servers.{name}")),
                );
            }
            ("plugins", Value::Object(plugins)) => {
                found.extend(
                    plugins
                        .iter()
                        .filter(|(id, entry)| {
                            !switches_off(entry) && !has_switched_on(ours, key, id)
                        })
                        .map(|(id, _)| format!("plugins.{id}")),
                );
            }
            // Numbers and the like among `agents` are limits, not roles.
            ("agents", Value::Object(agents)) => {
                found.extend(
                    agents
                        .iter()
                        .filter(|(_, entry)| entry.is_object())
                        .map(|(name, _)| format!("agents.{name}")),
                );
            }
            _ => found.push(key.clone()),
        }
    }
    match found.first() {
        None => Ok(()),
        Some(first) => {
            let items = found
                .iter()
                .map(|key| ErrorItem::named(format!("config.{key}")));
            Err(
                widened(first, "it brings in what the selection does not name")
                    .with_items(items.collect()),
            )
        }
    }
}

fn widened(key: &str, why: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("`config.{key}` would widen the loadout: {why}"),
    )
    .with_hint(
        "Leave it out, name the capability in `capabilitySelection`, or use the mode `extend`.",
    )
    .with_items(vec![ErrorItem::named(format!("config.{key}"))])
}

impl From<EditError> for LoadoutError {
    fn from(error: EditError) -> Self {
        Self::new(ErrorKind::InvalidSelection, error.to_string())
            .with_hint("Send the request in the shape of Codex's own schema.")
    }
}

fn is_on(value: Option<&Value>) -> bool {
    value.is_some_and(|value| *value != Value::Bool(false))
}

/// An entry that says how a server is reached; another one is a detail of a server that there is.
fn is_definition(entry: &Value) -> bool {
    entry.get("command").is_some() || entry.get("url").is_some()
}

/// An entry that can only switch something off.
fn switches_off(entry: &Value) -> bool {
    entry
        .as_object()
        .is_some_and(|entry| entry.get("enabled") == Some(&Value::Bool(false)))
}

/// Whether ours has the entry and does not switch it off.
fn has_switched_on(ours: &Map<String, Value>, key: &str, name: &str) -> bool {
    ours.get(key)
        .and_then(|entries| entries.get(name))
        .is_some_and(|entry| !switches_off(entry))
}

/// Objects are merged member by member, anything else is replaced.
fn merge(base: &mut Map<String, Value>, top: Map<String, Value>) {
    for (key, value) in top {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(top)) => merge(base, top),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(host: &str, ours: Value, mode: MergeMode) -> Result<String, Vec<String>> {
        let raw = RawObject::parse(host, "config").unwrap();
        HostConfig::parse(&raw)
            .and_then(|config| {
                config.merged_with(&Lowered::new(ours.as_object().unwrap().clone(), mode))
            })
            .map_err(|error| {
                assert_eq!(error.kind, ErrorKind::InvalidSelection);
                error.items.into_iter().map(|item| item.name).collect()
            })
    }

    fn ours() -> Value {
        json!({ "features": { "plugins": false }, "skills": { "config": [{ "name": "a", "enabled": false }] },
                "mcp_servers": { "chosen": { "enabled": true }, "other": { "enabled": false } } })
    }

    #[test]
    fn what_does_not_widen_counts_and_keeps_its_text() {
        let text = merged(
            r#"{"model_context_window":1.10,"features.goals":true,"mcp_servers":{"chosen":{"tool_timeout_sec":5},"gone":{"enabled":false}},"skills.config":[{"name":"b","enabled":false}]}"#,
            ours(),
            MergeMode::Guarded,
        )
        .unwrap();
        assert!(
            text.starts_with(r#"{"model_context_window":1.10,"#),
            "{text}"
        );
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["features.goals"], &value["features.plugins"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(
            value["mcp_servers"]["chosen"],
            json!({ "tool_timeout_sec": 5, "enabled": true })
        );
        assert_eq!(value["mcp_servers"]["gone"]["enabled"], false);
        assert_eq!(value["skills.config"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_widens_is_refused_by_name_however_it_is_spelled() {
        for (host, key) in [
            (
                r#"{"features":{"plugins":true}}"#,
                "config.features.plugins",
            ),
            (r#"{"features.plugins":true}"#, "config.features.plugins"),
            (r#"{"features":{"hooks":true}}"#, "config.features.hooks"),
            (
                r#"{"skills":{"bundled":{"enabled":true}}}"#,
                "config.skills.bundled.enabled",
            ),
            (
                r#"{"skills.config":[{"name":"x","enabled":true}]}"#,
                "config.skills.config",
            ),
            (
                r#"{"mcp_servers":{"new":{"command":"x"}}}"#,
                "config.mcp_servers.new",
            ),
            (
                r#"{"mcp_servers.other.enabled":true}"#,
                "config.mcp_servers.other",
            ),
            (r#"{"plugins.p@m.enabled":true}"#, "config.plugins.p@m"),
            // Codex knows no quotes in a key: they are of the name.
            (
                r#"{"plugins.\"p@m\".enabled":true}"#,
                "config.plugins.\"p@m\"",
            ),
            (
                r#"{"agents":{"role":{"description":"d"}}}"#,
                "config.agents.role",
            ),
            (r#"{"hooks":{"Stop":[]}}"#, "config.hooks"),
            (
                r#"{"cloud.skills.enabled":true}"#,
                "config.cloud.skills.enabled",
            ),
            (r#"{"profile":"wide"}"#, "config.profile"),
            (r#"{"mcp_servers.\"x":{}}"#, "config.mcp_servers.\"x"),
        ] {
            assert_eq!(
                merged(host, ours(), MergeMode::Guarded),
                Err(vec![key.to_owned()]),
                "{host}"
            );
        }
        assert!(
            merged(
                r#"{"agents":{"max_threads":3},"features":{"hooks":false}}"#,
                ours(),
                MergeMode::Guarded
            )
            .is_ok()
        );
        assert!(
            merged(
                r#"{"mcp_servers":{"new":{"command":"x"}}}"#,
                ours(),
                MergeMode::Open
            )
            .is_ok()
        );
    }
}
