//! What Codex answers when asked what exists: the fields that count, of Codex 0.144 to 0.169.
//!
//! Unknown fields and values are let through, so that a newer Codex can be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// Asks for the skills of folders.
pub(super) const SKILLS_LIST: &str = "skills/list";
/// Asks for the installed plugins.
pub(super) const PLUGIN_INSTALLED: &str = "plugin/installed";
/// Asks for the installed plugins and those that known marketplaces have.
pub(super) const PLUGIN_LIST: &str = "plugin/list";
/// Asks for the effective config of a folder.
pub(super) const CONFIG_READ: &str = "config/read";

/// Asks for what holds whatever any config says.
pub(super) const REQUIREMENTS_READ: &str = "configRequirements/read";

/// Asks for the hooks of folders.
pub(super) const HOOKS_LIST: &str = "hooks/list";

/// Answer to `hooks/list`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct HooksAnswer {
    pub(super) data: Vec<HooksOfFolder>,
}

#[derive(Debug, Deserialize)]
pub(super) struct HooksOfFolder {
    pub(super) hooks: Vec<ListedHook>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedHook {
    pub(super) key: String,
    /// `stop`: as in `hooks.json`, with a small letter.
    #[serde(default)]
    pub(super) event_name: String,
    /// `user`, `project`, or where else it comes from.
    #[serde(default)]
    pub(super) source: String,
    /// Of the plugin it belongs to, if any.
    #[serde(default)]
    pub(super) plugin_id: Option<String>,
    pub(super) enabled: bool,
    /// `trusted`, `managed`, or why it does not run.
    pub(super) trust_status: String,
}

impl ListedHook {
    /// The event as `hooks.json` writes it.
    pub(super) fn event(&self) -> String {
        let mut letters = self.event_name.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    }
}

/// Answer to `skills/list`.
#[derive(Debug, Deserialize)]
pub(super) struct SkillsAnswer {
    pub(super) data: Vec<SkillsOfFolder>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SkillsOfFolder {
    pub(super) skills: Vec<ListedSkill>,
    #[serde(default)]
    pub(super) errors: Vec<SkillError>,
}

/// A skill that Codex can't read.
#[derive(Debug, Deserialize)]
pub(super) struct SkillError {
    pub(super) path: PathBuf,
    pub(super) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedSkill {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    pub(super) path: PathBuf,
    pub(super) scope: String,
    pub(super) enabled: bool,
    /// Given from Codex 0.157 on; before, the path says whose it is.
    #[serde(default)]
    pub(super) plugin_id: Option<String>,
}

/// Answer to `plugin/installed` and `plugin/list`.
#[derive(Debug, Deserialize)]
pub(super) struct PluginsAnswer {
    pub(super) marketplaces: Vec<Marketplace>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Marketplace {
    pub(super) name: String,
    /// Its file, if it is on this machine.
    #[serde(default)]
    pub(super) path: Option<PathBuf>,
    pub(super) plugins: Vec<ListedPlugin>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedPlugin {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) local_version: Option<String>,
    pub(super) installed: bool,
    /// `{type: "local", path}`, or where else its files are.
    #[serde(default)]
    pub(super) source: Value,
    pub(super) enabled: bool,
    /// `AVAILABLE`, or why not (`DISABLED_BY_ADMIN`).
    #[serde(default)]
    pub(super) availability: Option<String>,
    /// `AVAILABLE`, `INSTALLED_BY_DEFAULT`, or `NOT_AVAILABLE`.
    #[serde(default)]
    pub(super) install_policy: Option<String>,
    #[serde(default)]
    pub(super) disabled_reason: Option<Value>,
}

impl Marketplace {
    /// The folder that it is, by where its file lies.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        let file = self.path.as_ref()?;
        let is_part = |folder: &Path| {
            let places = [".claude-plugin", ".agents/plugins", ".cursor-plugin"];
            places.into_iter().find(|place| folder.ends_with(place))
        };
        let folder = file.parent()?;
        let Some(place) = is_part(folder) else {
            return Some(folder.to_owned());
        };
        let above = Path::new(place).components().count();
        folder.ancestors().nth(above).map(Path::to_owned)
    }
}

impl ListedPlugin {
    /// Its folder in a marketplace on this machine.
    pub(super) fn local_source(&self) -> Option<PathBuf> {
        let path = self.source.get("path").and_then(Value::as_str)?;
        let is_local = self.source.get("type").and_then(Value::as_str) == Some("local");
        is_local.then(|| PathBuf::from(path))
    }

    /// Why policy keeps it from being used at all.
    pub(super) fn blocked(&self) -> Option<String> {
        let told = [&self.availability, &self.install_policy]
            .into_iter()
            .flatten()
            .find(|word| word.contains("DISABLED") || word.contains("NOT_AVAILABLE"))?;
        let reason = self.disabled_reason.as_ref().and_then(Value::as_str);
        Some(reason.unwrap_or(told).to_owned())
    }
}

/// Answer to `config/read`.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigAnswer {
    pub(super) config: Config,
    /// What it is made of, the strongest first.
    #[serde(default)]
    pub(super) layers: Option<Vec<ConfigLayer>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConfigLayer {
    pub(super) name: LayerName,
    #[serde(default)]
    pub(super) config: Value,
}

/// Where a layer of config comes from, in Codex's words.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct LayerName {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    pub(super) mcp_servers: Option<BTreeMap<String, Map<String, Value>>>,
    #[serde(default)]
    pub(super) plugins: Option<BTreeMap<String, PluginConfig>>,
    #[serde(default)]
    pub(super) features: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    pub(super) agents: Option<Map<String, Value>>,
    #[serde(default)]
    pub(super) skills: Option<SkillsConfig>,
    #[serde(default)]
    pub(super) developer_instructions: Option<String>,
    #[serde(default)]
    pub(super) model_context_window: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SkillsConfig {
    #[serde(default)]
    include_instructions: Option<bool>,
}

impl Config {
    /// What holds whatever any config says, Codex leaves out of what it tells of config.
    pub(super) fn require(&mut self, features: &BTreeMap<String, bool>) {
        let features = features
            .iter()
            .map(|(feature, on)| (feature.clone(), Value::Bool(*on)));
        self.features.get_or_insert_default().extend(features);
    }

    /// Whether the user has plugins switched on at all.
    pub(super) fn plugins_are_on(&self) -> bool {
        self.is_on("plugins")
    }

    /// Whether the user has the model read no list of skills.
    pub(super) fn skill_list_is_off(&self) -> bool {
        let skills = self.skills.as_ref();
        skills.and_then(|skills| skills.include_instructions) == Some(false)
    }

    /// Whether a feature is on that is unless it is switched off.
    fn is_on(&self, feature: &str) -> bool {
        let switch = self
            .features
            .as_ref()
            .and_then(|features| features.get(feature));
        switch.and_then(Value::as_bool).unwrap_or(true)
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct PluginConfig {
    #[serde(default)]
    pub(super) mcp_servers: BTreeMap<String, ServerSwitch>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ServerSwitch {
    #[serde(default)]
    pub(super) enabled: Option<bool>,
}
