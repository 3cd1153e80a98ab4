//! `gemini-extension.json`: without a name of allowed characters and a version there is no extension.

use serde_json::{Map, Value, json};

use crate::components::settings;
use crate::target::ManifestFacts;

/// Where a plugin says no version.
const NO_VERSION: &str = "0.0.0";

/// A name as it is taken: letters, digits, dashes.
pub(super) fn name(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    match name.trim_matches('-') {
        "" => "plugin".to_owned(),
        name => name.to_owned(),
    }
}

pub(super) fn manifest(facts: &ManifestFacts<'_>) -> (Map<String, Value>, Vec<String>) {
    let mut changes = Vec::new();
    // What the author has written for it stays: context files, settings, themes.
    let mut manifest = facts.own.cloned().unwrap_or_default();
    manifest.insert("name".to_owned(), json!(facts.name));
    let version = [facts.own, Some(facts.claude)]
        .into_iter()
        .flatten()
        .find_map(|manifest| match manifest.get("version")? {
            Value::String(version) if !version.trim().is_empty() => Some(version.clone()),
            Value::Number(version) => Some(version.to_string()),
            _ => None,
        });
    let version = version.unwrap_or_else(|| {
        changes.push(format!(
            "`version` is written `{NO_VERSION}`: there is none"
        ));
        NO_VERSION.to_owned()
    });
    manifest.insert("version".to_owned(), json!(version));
    if let Some(description) = facts.description {
        manifest.insert("description".to_owned(), json!(description));
    }
    let asked = settings(facts.claude, manifest.get("settings"));
    if !asked.is_empty() {
        manifest.insert("settings".to_owned(), Value::Array(asked));
    }
    manifest.shift_remove("mcpServers");
    if !facts.servers.is_empty() {
        let servers = Value::Object(facts.servers.clone());
        manifest.insert("mcpServers".to_owned(), servers);
    }
    (manifest, changes)
}

/// What the user is asked for when the extension is installed: what the author has written for the CLI, and then what
/// Claude Code asks for. The CLI keeps it in a file of the extension's, or a secret with the system's, and puts it into
/// servers and the environment of hooks.
fn settings(claude: &Map<String, Value>, own: Option<&Value>) -> Vec<Value> {
    let mut asked = own.and_then(Value::as_array).cloned().unwrap_or_default();
    for setting in settings::declared(claude) {
        if !asked
            .iter()
            .any(|own| own.get("envVar") == Some(&json!(setting.variable)))
        {
            asked.push(json!({
                "name": setting.title,
                "description": setting.description,
                "envVar": setting.variable,
                "sensitive": setting.is_secret,
            }));
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(claude: Value, own: Option<Value>, servers: Value) -> (Value, usize) {
        let (manifest, changes) = manifest(&ManifestFacts {
            name: "p",
            description: Some("d"),
            claude: claude.as_object().unwrap(),
            own: own.as_ref().map(|own| own.as_object().unwrap()),
            skills: true,
            servers: servers.as_object().unwrap(),
            hooks: false,
        });
        (Value::Object(manifest), changes.len())
    }

    #[test]
    fn manifests() {
        let plain = json!({"name": "p", "version": "1.0", "description": "d"});
        for (claude, own, servers, expected) in [
            (json!({"version": "1.0"}), None, json!({}), (plain, 0)),
            (
                json!({}),
                None,
                json!({"s": {"command": "c"}}),
                (
                    json!({"name": "p", "version": "0.0.0", "description": "d", "mcpServers": {"s": {"command": "c"}}}),
                    1,
                ),
            ),
            (
                json!({"version": 2}),
                Some(
                    json!({"contextFileName": "GEMINI.md", "version": "3", "mcpServers": {"x": {}}}),
                ),
                json!({}),
                (
                    json!({"contextFileName": "GEMINI.md", "version": "3", "name": "p", "description": "d"}),
                    0,
                ),
            ),
        ] {
            assert_eq!(made(claude, own, servers), expected);
        }
    }

    #[test]
    fn names() {
        for (written, taken) in [("a_b.C 1", "a-b-C-1"), ("é", "plugin"), ("--x", "x")] {
            assert_eq!(name(written), taken);
        }
    }
}
