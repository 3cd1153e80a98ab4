//! Values that Claude Code asks the user of a plugin for: `userConfig` in its manifest, `${user_config.key}` where one is used.

use serde_json::{Map, Value};

use crate::context::Context;

/// The variable that Claude Code sets for a plugin's processes, by the key of the setting.
pub(crate) fn variable(key: &str) -> String {
    let name = key.to_ascii_uppercase().replace('-', "_");
    format!("CLAUDE_PLUGIN_OPTION_{name}")
}

/// A value that the user is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// What it is called.
    pub(crate) title: String,
    /// What it is for.
    pub(crate) description: String,
    /// The variable that holds it.
    pub(crate) variable: String,
    /// Whether it is kept as a secret.
    pub(crate) is_secret: bool,
}

/// The settings that a manifest of Claude's declares.
pub(crate) fn declared(claude: &Map<String, Value>) -> Vec<Setting> {
    let settings = claude.get("userConfig").and_then(Value::as_object);
    let read = |(key, value): (&String, &Value)| {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let title = text("title").unwrap_or_else(|| key.clone());
        Setting {
            description: text("description").unwrap_or_else(|| title.clone()),
            title,
            variable: variable(key),
            is_secret: value.get("sensitive") == Some(&Value::Bool(true)),
        }
    };
    settings.into_iter().flatten().map(read).collect()
}

impl Context<'_> {
    /// Whether the platform asks the user for the value of a variable, as Claude Code does.
    pub(crate) fn is_asked_for(&self, variable: &str) -> bool {
        self.target.asks_for_settings()
            && declared(&self.plugin.manifest)
                .iter()
                .any(|setting| setting.variable == variable)
    }
}
