//! Codex's `plugin.json`, as measured with 0.169.0: one value it does not take loses the whole plugin.

use serde_json::{Map, Value, json};

use super::Codex;
use crate::target::{Layout, ManifestFacts};

/// Keys that mean the same in Claude's manifest and in Codex's, and are plain text or plain facts.
const SHARED: &[&str] = &["author", "homepage", "repository", "license"];
/// Keys that declare parts: what the bundle holds is said anew.
const PARTS: &[&str] = &["skills", "commands", "agents", "mcpServers", "hooks"];
/// At most so many, of at most so many characters.
const PROMPTS: (usize, usize) = (3, 512);

/// A name as Codex takes it: letters, digits, `.`, `_`, `-`.
pub(super) fn plugin_name(name: &str) -> String {
    let name = clean(name, "._-");
    if name.is_empty() {
        "plugin".to_owned()
    } else {
        name
    }
}

pub(super) fn manifest(
    codex: &Codex,
    facts: &ManifestFacts<'_>,
) -> (Map<String, Value>, Vec<String>) {
    let mut changes = Vec::new();
    let own = facts.own.cloned().unwrap_or_default();
    let value = |key: &str| own.get(key).or_else(|| facts.claude.get(key));
    let mut manifest = Map::new();
    manifest.insert("name".to_owned(), json!(facts.name));
    if let Some(version) = value("version").and_then(|value| version(value, &mut changes)) {
        manifest.insert("version".to_owned(), json!(version));
    }
    if let Some(description) = facts.description {
        manifest.insert("description".to_owned(), json!(description));
    }
    for key in SHARED {
        if let Some(value) = value(key) {
            manifest.insert((*key).to_owned(), value.clone());
        }
    }
    if let Some(keywords) = value("keywords").and_then(|value| keywords(value, &mut changes)) {
        manifest.insert("keywords".to_owned(), json!(keywords));
    }
    for (key, value) in &own {
        if !PARTS.contains(&key.as_str()) && !manifest.contains_key(key) && key != "version" {
            manifest.insert(key.clone(), value.clone());
        }
    }
    let display_name = facts
        .claude
        .get("displayName")
        .filter(|name| name.is_string());
    if let (None, Some(name)) = (manifest.get("interface"), display_name) {
        manifest.insert("interface".to_owned(), json!({ "displayName": name }));
    }
    if let Some(prompts) = manifest
        .get_mut("interface")
        .and_then(|interface| interface.get_mut("defaultPrompt"))
    {
        cut_prompts(prompts, &mut changes);
    }
    for (there, key, path) in [
        (
            facts.skills,
            "skills",
            format!("./{}/", codex.skills_folder()),
        ),
        (
            !facts.servers.is_empty(),
            "mcpServers",
            format!("./{}", codex.servers_file()),
        ),
        (facts.hooks, "hooks", format!("./{}", codex.hooks_file())),
    ] {
        if there {
            manifest.insert(key.to_owned(), json!(path));
        }
    }
    (manifest, changes)
}

/// A version as Codex takes it; `None`: it is left out.
fn version(value: &Value, changes: &mut Vec<String>) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let version = clean(&text, "._+-");
    if value.as_str() != Some(&version) {
        changes.push(if version.is_empty() {
            "`version` is left out: it is not text".to_owned()
        } else {
            format!("`version` is written `{version}`")
        });
    }
    (!version.is_empty()).then_some(version)
}

fn keywords(value: &Value, changes: &mut Vec<String>) -> Option<Vec<String>> {
    let words: Vec<String> = match value {
        Value::Array(words) => words
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
        Value::String(words) => words
            .split(',')
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty())
            .collect(),
        _ => Vec::new(),
    };
    if value.as_array().map(Vec::len) != Some(words.len()) {
        changes.push("`keywords` is written as a list of texts".to_owned());
    }
    (!words.is_empty()).then_some(words)
}

fn cut_prompts(prompts: &mut Value, changes: &mut Vec<String>) {
    let (most, longest) = PROMPTS;
    let Value::Array(prompts) = prompts else {
        return;
    };
    let fits = |prompt: &Value| {
        prompt
            .as_str()
            .is_none_or(|text| text.chars().count() <= longest)
    };
    let before = prompts.len();
    prompts.retain(fits);
    prompts.truncate(most);
    if prompts.len() != before {
        changes.push(format!(
            "`interface.defaultPrompt` is cut to {most} prompts of at most {longest} characters"
        ));
    }
}

/// What is neither a letter, a digit nor one of these becomes `-`; none at the ends.
fn clean(text: &str, also: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || also.contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    text.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(claude: Value, own: Option<Value>) -> (Value, Vec<String>) {
        let (manifest, changes) = manifest(
            &Codex,
            &ManifestFacts {
                name: "p",
                description: Some("d"),
                claude: claude.as_object().unwrap(),
                own: own.as_ref().map(|own| own.as_object().unwrap()),
                skills: true,
                servers: &Map::new(),
                hooks: true,
            },
        );
        (Value::Object(manifest), changes)
    }

    #[test]
    fn names() {
        for (name, safe) in [
            ("a.b_c-D1", "a.b_c-D1"),
            ("My Plugin!", "My-Plugin"),
            ("é", "plugin"),
        ] {
            assert_eq!(plugin_name(name), safe);
        }
    }

    #[test]
    fn parts_are_said_anew_and_the_rest_is_kept() {
        let (made, changes) = made(
            json!({"name": "x", "version": "1.0.0", "license": "MIT", "commands": "./c", "agents": [], "displayName": "P", "keywords": ["a"]}),
            None,
        );
        assert_eq!(
            made,
            json!({
                "name": "p", "version": "1.0.0", "description": "d", "license": "MIT", "keywords": ["a"],
                "interface": {"displayName": "P"}, "skills": "./skills/", "hooks": "./hooks/hooks.json"
            })
        );
        assert_eq!(changes, Vec::<String>::new());
    }

    #[test]
    fn the_authors_own_manifest_wins() {
        let (made, _) = made(
            json!({"version": "1.0.0", "license": "MIT", "displayName": "P"}),
            Some(
                json!({"version": "2.0.0", "skills": "./s/", "hooks": {}, "apps": ["x"], "interface": {"displayName": "Q", "defaultPrompt": ["1", "2", "3", "4"]}}),
            ),
        );
        assert_eq!(made["version"], "2.0.0");
        assert_eq!(made["license"], "MIT");
        assert_eq!(made["skills"], "./skills/");
        assert_eq!(made["apps"], json!(["x"]));
        assert_eq!(
            made["interface"],
            json!({"displayName": "Q", "defaultPrompt": ["1", "2", "3"]})
        );
    }

    #[test]
    fn values_that_would_lose_the_plugin_are_mended() {
        for (claude, version, keywords, changed) in [
            (json!({"version": 2}), json!("2"), json!(null), 1),
            (json!({"version": "v 1"}), json!("v-1"), json!(null), 1),
            (json!({"version": " "}), json!(null), json!(null), 1),
            (json!({"version": {}}), json!(null), json!(null), 1),
            (
                json!({"keywords": "a, b"}),
                json!(null),
                json!(["a", "b"]),
                1,
            ),
            (json!({"keywords": [1, "a"]}), json!(null), json!(["a"]), 1),
            (json!({"keywords": []}), json!(null), json!(null), 0),
        ] {
            let (made, changes) = made(claude.clone(), None);
            assert_eq!(
                made.get("version").unwrap_or(&Value::Null),
                &version,
                "{claude}"
            );
            assert_eq!(
                made.get("keywords").unwrap_or(&Value::Null),
                &keywords,
                "{claude}"
            );
            assert_eq!(changes.len(), changed, "{claude}");
        }
    }
}
