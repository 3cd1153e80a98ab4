//! The manifest that counts, as far as it says what runs.

use codex_loadout_bundle::Tree;
use serde_json::{Map, Value};

/// Where a manifest may lie, the first counts, as for Codex.
const FILES: [&str; 3] = [
    ".codex-plugin/plugin.json",
    ".claude-plugin/plugin.json",
    ".cursor-plugin/plugin.json",
];
const AGENT_SCHEMAS: &str = "https://agent-plugins.org/schemas/";

/// A manifest.
pub(super) struct Manifest {
    /// Its path; where there is none, that of Codex's.
    pub(super) file: &'static str,
    /// What it says.
    pub(super) says: Map<String, Value>,
    /// Whether it is an Agent Plugin: what it has lies in fixed places.
    pub(super) is_agent_plugin: bool,
}

impl Manifest {
    pub(super) fn of(tree: &Tree) -> Self {
        if let Some(Value::Object(says)) = json(tree, "plugin.json")
            && let Some(Value::String(schema)) = says.get("$schema")
            && schema.starts_with(AGENT_SCHEMAS)
        {
            return Self {
                file: "plugin.json",
                says: Map::new(),
                is_agent_plugin: true,
            };
        }
        let file = FILES.into_iter().find(|file| tree.get(file).is_some());
        let file = file.unwrap_or(FILES[0]);
        let says = match json(tree, file) {
            Some(Value::Object(says)) => says,
            _ => Map::new(),
        };
        Self {
            file,
            says,
            is_agent_plugin: false,
        }
    }

    /// Everything that declares a kind of thing: by the manifest's key, and in its default file. What a manifest of
    /// Codex's declares stands for the default file, what one of Claude's declares is added to it.
    pub(super) fn declared(&self, tree: &Tree, key: &str, default: &str) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        match self.says.get(key) {
            Some(Value::Array(list)) => {
                for value in list {
                    self.one(tree, value, &mut found);
                }
            }
            Some(value) => self.one(tree, value, &mut found),
            None => {}
        }
        let has_default = found.iter().any(|(file, _)| file == default);
        let is_added = found.is_empty() || self.file != FILES[0];
        if is_added
            && !has_default
            && let Some(value) = json(tree, default)
        {
            found.push((default.to_owned(), value));
        }
        found
    }

    fn one(&self, tree: &Tree, value: &Value, found: &mut Vec<(String, Value)>) {
        match value {
            Value::String(path) => {
                let path = path.strip_prefix("./").unwrap_or(path);
                found.extend(json(tree, path).map(|value| (path.to_owned(), value)));
            }
            Value::Object(_) => found.push((self.file.to_owned(), value.clone())),
            _ => {}
        }
    }
}

/// A file as JSON; `None` if it is none: then Codex runs nothing of it.
pub(super) fn json(tree: &Tree, path: &str) -> Option<Value> {
    let bytes = &tree.get(path)?.bytes;
    serde_json::from_slice(bytes).ok()
}
