//! The layers of config that a thread's own does not take the place of: the launch line, and an
//! administrator's.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::answers::{ConfigLayer, LayerName};

/// Codex's requirements on Unix. What it tells of them leaves the MCP servers out, so the file is read.
pub(super) const REQUIREMENTS_FILE: &str = "/etc/codex/requirements.toml";
/// What the file is called where there is none: requirements may come from elsewhere, too.
const REQUIREMENTS: &str = "requirements";
/// The strongest kinds of layer that a thread's own config outranks, or is.
const OUTRANKED: [&str; 4] = ["sessionFlags", "project", "user", "system"];

/// What the launch line says, as Codex 0.144 to 0.169 tell of it.
pub(super) fn launch_line(layers: &[ConfigLayer]) -> Map<String, Value> {
    let layer = layers
        .iter()
        .find(|layer| layer.name.kind == "sessionFlags");
    layer
        .and_then(|layer| layer.config.as_object())
        .cloned()
        .unwrap_or_default()
}

/// What an administrator says of every thread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Layers of config above a thread's own, the strongest first.
    pub layers: Vec<ManagedLayer>,
    /// What holds whatever any config says.
    pub requirements: Requirements,
    /// Ids of plugins that are installed, and that Codex does not tell of: an administrator allows no plugins, or
    /// not their source. Sorted.
    pub hidden_plugins: Vec<String>,
}

/// A layer of config above a thread's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManagedLayer {
    /// Its file, or Codex's word for where it comes from.
    pub name: String,
    /// What it says. It may hold secrets: never print it.
    pub config: Map<String, Value>,
}

/// What holds whatever any config says: `requirements.toml`, and what a company's account or device
/// management has in its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requirements {
    /// Its file, or a word for it.
    pub name: String,
    /// Features that are switched on or off.
    pub features: BTreeMap<String, bool>,
    /// Events that an administrator has hooks of.
    pub hooks: Vec<String>,
    /// Whether no other hooks run.
    pub managed_hooks_only: bool,
    /// The MCP servers that may run, outside plugins; `None`: any.
    pub servers: Option<Allowed>,
    /// By plugin, the MCP servers of plugins that may run; `None`: any.
    pub plugin_servers: Option<BTreeMap<String, Allowed>>,
    /// Whether plugins may come from some sources alone.
    pub marketplaces_restricted: bool,
}

/// MCP servers that may run: by name, what their definition has to be.
pub(crate) type Allowed = BTreeMap<String, Map<String, Value>>;

impl Policy {
    /// What is made of Codex's answers, and of the text of the requirements' file.
    pub(super) fn of(layers: &[ConfigLayer], told: Option<ToldRequirements>, file: &str) -> Self {
        let managed = layers
            .iter()
            .take_while(|layer| !OUTRANKED.contains(&layer.name.kind.as_str()));
        Self {
            layers: managed
                .filter_map(|layer| {
                    Some(ManagedLayer {
                        name: name_of(&layer.name),
                        config: layer.config.as_object()?.clone(),
                    })
                })
                .collect(),
            requirements: Requirements::of(told.unwrap_or_default(), file),
            hidden_plugins: Vec::new(),
        }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let nothing = Requirements {
            name: self.requirements.name.clone(),
            ..Requirements::default()
        };
        self.layers.is_empty() && self.requirements == nothing
    }

    /// The plugin of this id or name, if it is hidden.
    #[must_use]
    pub fn hides(&self, id: &str) -> Option<&str> {
        let mut hidden = self.hidden_plugins.iter().map(String::as_str);
        hidden.find(|hidden| *hidden == id || hidden.split('@').next() == Some(id))
    }

    /// What it makes of a feature, and which layer does.
    #[must_use]
    pub fn feature(&self, feature: &str) -> Option<(&str, bool)> {
        if let Some(on) = self.requirements.features.get(feature) {
            return Some((&self.requirements.name, *on));
        }
        self.layers.iter().find_map(|layer| {
            let features = layer.config.get("features")?;
            Some((layer.name.as_str(), features.get(feature)?.as_bool()?))
        })
    }

    /// What the strongest layer that says anything says at a place.
    #[must_use]
    pub fn says(&self, place: &[&str]) -> Option<&Value> {
        self.layers.iter().find_map(|layer| {
            let (first, rest) = place.split_first()?;
            let top = layer.config.get(*first)?;
            rest.iter().try_fold(top, |value, key| value.get(*key))
        })
    }

    /// Whether a feature is on or off whatever a thread's config says.
    #[must_use]
    pub fn forces(&self, feature: &str, on: bool) -> bool {
        self.feature(feature).is_some_and(|(_, is)| is == on)
    }

    /// Whether an MCP server of a thread's config may run.
    #[must_use]
    pub fn allows_server(&self, name: &str, definition: &Map<String, Value>) -> bool {
        let allowed = self.requirements.servers.as_ref();
        allowed.is_none_or(|allowed| is_allowed(allowed.get(name), definition))
    }

    /// Whether an MCP server of a plugin that Codex itself loads may run.
    #[must_use]
    pub fn allows_plugin_server(
        &self,
        plugin: &str,
        name: &str,
        definition: &Map<String, Value>,
    ) -> bool {
        let allowed = self.requirements.plugin_servers.as_ref();
        allowed.is_none_or(|allowed| {
            let of_plugin = allowed.get(plugin);
            is_allowed(of_plugin.and_then(|servers| servers.get(name)), definition)
        })
    }
}

/// A server goes by what it runs or where it is reached.
fn is_allowed(identity: Option<&Map<String, Value>>, definition: &Map<String, Value>) -> bool {
    identity.is_some_and(|identity| {
        let mut fields = identity.iter();
        fields.all(|(field, value)| definition.get(field) == Some(value))
    })
}

fn name_of(layer: &LayerName) -> String {
    let file = layer.file.as_ref();
    file.map_or_else(
        || layer.kind.clone(),
        |file| file.to_string_lossy().into_owned(),
    )
}

/// Answer to `configRequirements/read`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RequirementsAnswer {
    #[serde(default)]
    pub(super) requirements: Option<ToldRequirements>,
}

/// What Codex 0.144 to 0.169 tell of requirements.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToldRequirements {
    #[serde(default)]
    feature_requirements: Option<BTreeMap<String, bool>>,
    #[serde(default)]
    allow_managed_hooks_only: Option<bool>,
    #[serde(default)]
    hooks: Option<Map<String, Value>>,
}

/// The servers of a table; `None` where there is no table.
fn allowed(table: &Value) -> Option<Allowed> {
    let servers = table.as_object()?.iter();
    // One whose identity is not understood may not run.
    let identity = |server: &Value| match &server["identity"] {
        Value::Object(identity) => identity.clone(),
        other => Map::from_iter([(String::new(), other.clone())]),
    };
    Some(
        servers
            .map(|(name, server)| (name.clone(), identity(server)))
            .collect(),
    )
}

impl Requirements {
    fn of(told: ToldRequirements, text: &str) -> Self {
        let file = read(text);
        let of_plugins: BTreeMap<String, Allowed> = file["plugins"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(plugin, required)| {
                Some((plugin.clone(), allowed(&required["mcp_servers"])?))
            })
            .collect();
        let hooks = told.hooks.unwrap_or_default().into_iter();
        Self {
            name: match text {
                "" => REQUIREMENTS,
                _ => REQUIREMENTS_FILE,
            }
            .to_owned(),
            features: told.feature_requirements.unwrap_or_default(),
            hooks: hooks
                .filter(|(_, groups)| groups.as_array().is_some_and(|groups| !groups.is_empty()))
                .map(|(event, _)| event)
                .collect(),
            managed_hooks_only: told.allow_managed_hooks_only == Some(true),
            servers: allowed(&file["mcp_servers"]),
            // One plugin's list counts for all plugins.
            plugin_servers: Some(of_plugins).filter(|plugins| !plugins.is_empty()),
            marketplaces_restricted: MarketplaceRestriction::of(&file).is_some(),
        }
    }
}

/// Ids of the plugins that lie in Codex's cache, sorted.
pub(super) fn plugins_in(cache: &Path) -> Vec<String> {
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok())
    };
    let mut ids: Vec<String> = names(cache)
        .flat_map(|market| {
            let plugins = names(&cache.join(&market));
            plugins.map(move |plugin| format!("{plugin}@{market}"))
        })
        .collect();
    ids.sort();
    ids
}

/// That Codex's own requirements let marketplaces come from some sources alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MarketplaceRestriction {
    /// The file that says so.
    pub file: String,
    /// Addresses and paths of what is allowed, as they are written there.
    pub allowed: Vec<String>,
}

impl MarketplaceRestriction {
    /// What a requirements' file says of it; `None`: nothing.
    fn of(requirements: &Value) -> Option<Self> {
        let marketplaces = &requirements["marketplaces"];
        if marketplaces["restrict_to_allowed_sources"] != true {
            return None;
        }
        let mut allowed = Vec::new();
        texts(&marketplaces["allowed_sources"], &mut allowed);
        Some(Self {
            file: REQUIREMENTS_FILE.to_owned(),
            allowed,
        })
    }

    /// Whether a source is allowed that can be called by each of these names.
    #[must_use]
    pub(crate) fn allows(&self, names: &[String]) -> bool {
        let plain = |name: &str| {
            name.trim_end_matches('/')
                .trim_end_matches(".git")
                .to_owned()
        };
        let mut allowed = self.allowed.iter().map(|name| plain(name));
        allowed.any(|allowed| names.iter().any(|name| plain(name) == allowed))
    }
}

/// Every text in a value.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// What Codex's requirements on this machine say of marketplaces. Blocking.
#[must_use]
pub(crate) fn marketplace_restriction() -> Option<MarketplaceRestriction> {
    MarketplaceRestriction::of(&read(&requirements_text()))
}

/// Codex refuses everything where it can't read it.
fn read(requirements: &str) -> Value {
    toml::from_str(requirements).unwrap_or_default()
}

/// The text of the requirements' file; empty where there is none.
pub(super) fn requirements_text() -> String {
    std::fs::read_to_string(Path::new(REQUIREMENTS_FILE)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layers(layers: Value) -> Vec<ConfigLayer> {
        serde_json::from_value(layers).unwrap()
    }

    #[test]
    fn layers_above_a_threads_own_are_an_administrators() {
        let layers = layers(json!([
            { "name": { "type": "legacyManagedConfigTomlFromFile", "file": "/etc/codex/managed_config.toml" },
              "config": { "features": { "plugins": true } } },
            { "name": { "type": "sessionFlags" }, "config": { "features": { "x": true } } },
            { "name": { "type": "user", "file": "/u" }, "config": {} },
            { "name": { "type": "mdm" }, "config": { "features": { "apps": true } } },
        ]));
        let policy = Policy::of(&layers, None, "");
        assert_eq!(policy.layers.len(), 1);
        assert_eq!(
            policy.feature("plugins"),
            Some(("/etc/codex/managed_config.toml", true))
        );
        assert!(!policy.forces("apps", true) && !policy.is_empty());
        assert_eq!(launch_line(&layers)["features"], json!({ "x": true }));
        assert!(Policy::of(&[], None, "").is_empty());
    }

    #[test]
    fn servers_outside_an_administrators_list_may_not_run() {
        let file = "[mcp_servers.notes.identity]\ncommand = \"node\"\n\
            [plugins.\"p@m\".mcp_servers.s.identity]\nurl = \"https://x\"\n";
        let policy = Policy::of(&[], None, file);
        let definition = |value: Value| value.as_object().unwrap().clone();
        let node = definition(json!({ "command": "node", "args": ["a"] }));
        let other = definition(json!({ "command": "other" }));
        let at_x = definition(json!({ "url": "https://x" }));
        assert!(policy.allows_server("notes", &node));
        assert!(!policy.allows_server("notes", &other));
        assert!(!policy.allows_server("more", &node));
        assert!(policy.allows_plugin_server("p@m", "s", &at_x));
        assert!(!policy.allows_plugin_server("p@m", "s", &node));
        assert!(!policy.allows_plugin_server("q@m", "s", &at_x));
        let none = Policy::of(&[], None, "");
        assert!(none.allows_server("any", &other) && none.allows_plugin_server("p@m", "s", &other));
    }
}
