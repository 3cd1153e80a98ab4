//! What an administrator's policy means for loadouts, in sentences for people.

use serde::Serialize;
use serde_json::{Map, Value};

use super::hooks::hook_events;
use crate::catalog::{Allowed, Policy};

/// One thing that an administrator says of every thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyMeaning {
    /// The file of the layer, or Codex's word for where it comes from.
    pub layer: String,
    /// The key in it.
    pub key: String,
    /// What follows for loadouts.
    pub meaning: String,
}

const CONFLICT: &str =
    "a loadout that does not have it is refused, unless it says `\"managed\": \"include\"`";

/// Everything in a policy that loadouts have to do with; empty where they are free of it.
#[must_use]
pub(crate) fn policy_meaning(policy: &Policy) -> Vec<PolicyMeaning> {
    let mut meanings = Meanings(Vec::new());
    for layer in &policy.layers {
        meanings.layer(&layer.name, &layer.config);
    }
    let requirements = &policy.requirements;
    let name = &requirements.name;
    for (feature, on) in &requirements.features {
        meanings.feature(name, feature, *on);
    }
    for event in &requirements.hooks {
        meanings.hook(name, event);
    }
    if requirements.managed_hooks_only {
        let meaning =
            "no hook of a plugin runs: `\"hooks\": \"trusted\"` is refused where it matters";
        meanings.add(name, "allow_managed_hooks_only", meaning);
    }
    if let Some(allowed) = &requirements.servers {
        let meaning = format!(
            "of the config and of chosen plugins, only these MCP servers run: {}",
            listed(allowed)
        );
        meanings.add(name, "mcp_servers", &meaning);
    }
    for (plugin, allowed) in requirements.plugin_servers.iter().flatten() {
        let meaning = format!(
            "of plugins that Codex itself loads, only MCP servers that are listed run; of this one: {}",
            listed(allowed)
        );
        meanings.add(name, &format!("plugins.{plugin}.mcp_servers"), &meaning);
    }
    if requirements.marketplaces_restricted {
        let meaning = "plugins of other sources can't be selected: Codex does not tell of them";
        meanings.add(name, "marketplaces.restrict_to_allowed_sources", meaning);
    }
    meanings.0
}

fn listed(allowed: &Allowed) -> String {
    if allowed.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = allowed.keys().map(String::as_str).collect();
    names.join(", ")
}

struct Meanings(Vec<PolicyMeaning>);

impl Meanings {
    fn add(&mut self, layer: &str, key: &str, meaning: &str) {
        self.0.push(PolicyMeaning {
            layer: layer.to_owned(),
            key: key.to_owned(),
            meaning: meaning.to_owned(),
        });
    }

    fn layer(&mut self, layer: &str, config: &Map<String, Value>) {
        let table = |key: &str| config.get(key).and_then(Value::as_object);
        for (feature, on) in table("features").into_iter().flatten() {
            if let Some(on) = on.as_bool() {
                self.feature(layer, feature, on);
            }
        }
        for (name, entry) in table("mcp_servers").into_iter().flatten() {
            let key = format!("mcp_servers.{name}.enabled");
            match entry.get("enabled").and_then(Value::as_bool) {
                Some(true) => {
                    self.add(layer, &key, &format!("it runs in every thread: {CONFLICT}"));
                }
                Some(false) => self.add(layer, &key, "it can't be selected"),
                None => {}
            }
        }
        for (id, entry) in table("plugins").into_iter().flatten() {
            let key = format!("plugins.{id}.enabled");
            match entry.get("enabled").and_then(Value::as_bool) {
                Some(true) => {
                    let meaning = format!("`restrict` can't leave it out: {CONFLICT}");
                    self.add(layer, &key, &meaning);
                }
                Some(false) => self.add(layer, &key, "`extend` and `restrict` can't have it"),
                None => {}
            }
        }
        let skills = table("skills");
        let include = skills.and_then(|skills| skills.get("include_instructions"));
        if include == Some(&Value::Bool(true)) {
            let meaning = format!("every thread has Codex's own skill list: {CONFLICT}");
            self.add(layer, "skills.include_instructions", &meaning);
        }
        let bundled = skills.and_then(|skills| skills.get("bundled")?.get("enabled"));
        if bundled == Some(&Value::Bool(true)) {
            let meaning = "Codex's own skills are kept out one by one";
            self.add(layer, "skills.bundled.enabled", meaning);
        }
        for event in hook_events(config) {
            self.hook(layer, &event);
        }
    }

    fn feature(&mut self, layer: &str, feature: &str, on: bool) {
        let meaning = match (feature, on) {
            ("plugins", true) => {
                format!(
                    "every thread has the user's plugins: `replace` can't do without, and {CONFLICT}"
                )
            }
            ("apps", true) => {
                format!(
                    "every thread has the account's connectors: `replace` can't do without, and {CONFLICT}"
                )
            }
            ("plugins", false) => "no plugin, and no skill of one, can be selected".to_owned(),
            ("hooks", true) => "`replace` keeps the user's hooks out one by one".to_owned(),
            ("hooks", false) => {
                "no hook runs: `\"hooks\": \"trusted\"` is refused where it matters".to_owned()
            }
            _ => return,
        };
        self.add(layer, &format!("features.{feature}"), &meaning);
    }

    fn hook(&mut self, layer: &str, event: &str) {
        let meaning = format!("it runs in every thread: in `replace`, {CONFLICT}");
        self.add(layer, &format!("hooks.{event}"), &meaning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ManagedLayer, Requirements};
    use serde_json::json;

    #[test]
    fn every_key_that_counts_has_a_meaning_and_others_have_none() {
        let config = json!({ "model": "m", "features": { "plugins": true, "shell_tool": false },
            "mcp_servers": { "corp": { "command": "x", "enabled": true }, "free": { "command": "x" } },
            "hooks": { "Stop": [{ "hooks": [] }] } });
        let policy = Policy {
            layers: vec![ManagedLayer {
                name: "managed".to_owned(),
                config: config.as_object().unwrap().clone(),
            }],
            requirements: Requirements {
                name: "requirements".to_owned(),
                features: [("hooks".to_owned(), false)].into(),
                servers: Some(Allowed::new()),
                ..Requirements::default()
            },
            hidden_plugins: Vec::new(),
        };
        let keys: Vec<String> = policy_meaning(&policy)
            .into_iter()
            .map(|meaning| format!("{} {}", meaning.layer, meaning.key))
            .collect();
        assert_eq!(
            keys,
            [
                "managed features.plugins",
                "managed mcp_servers.corp.enabled",
                "managed hooks.Stop",
                "requirements features.hooks",
                "requirements mcp_servers",
            ]
        );
        assert_eq!(policy_meaning(&Policy::default()), []);
    }
}
