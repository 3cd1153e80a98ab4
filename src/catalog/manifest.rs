//! Which manifest of a plugin counts, and what it says, as Codex 0.157 to 0.169 reads it.
//!
//! `plugin.json` at the top, with an Agent Plugins `$schema`, comes before all others, and what it
//! declares lies in fixed places: folders right below `skills`, servers in `mcp.json`, no hooks.
//! Otherwise the first of three folders' manifests counts, and each field that is not
//! of a form that Codex knows stands for its default.

use std::fs;
use std::path::Path;

use codex_loadout_files::{BoundedReadError, read_at_most};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::plugin_folder::PluginFolderError;

/// Where Codex looks for a manifest of its own form, in its order.
pub(super) const MANIFESTS: [&str; 3] = [
    ".codex-plugin/plugin.json",
    ".claude-plugin/plugin.json",
    ".cursor-plugin/plugin.json",
];
/// Where an Agent Plugins manifest lies.
const AGENT_MANIFEST: &str = "plugin.json";
const AGENT_SCHEMAS: &str = "https://agent-plugins.org/schemas/";
const AGENT_SCHEMA: &str = "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json";

/// Manifests and the files they name are a few kilobytes; what is longer is read by nobody here.
const TEXT_LIMIT: u64 = 4 * 1024 * 1024;

/// Whose form a manifest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Codex's own, which Claude's and Cursor's share.
    Codex,
    /// Agent Plugins 1.0.
    AgentPlugin,
}

/// Where hooks are declared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Hooks {
    None,
    /// In files, relative to the plugin's folder.
    Files(Vec<String>),
    /// In the manifest, each as a hooks file would hold it.
    Inline(Vec<Value>),
}

/// Where MCP servers are declared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Servers {
    File(String),
    Inline(Map<String, Value>),
}

/// What a manifest says.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) form: Form,
    pub(super) description: Option<String>,
    /// Relative to the plugin's folder.
    pub(super) skill_folders: Vec<String>,
    pub(super) hooks: Hooks,
    pub(super) servers: Servers,
}

impl Manifest {
    /// Reads the manifest that counts.
    ///
    /// # Errors
    /// [`PluginFolderError`] where Codex would not load the plugin.
    pub(super) fn find(root: &Path) -> Result<Self, PluginFolderError> {
        if let Ok(text) = text_at(root, AGENT_MANIFEST)
            && let Ok(Value::Object(manifest)) = serde_json::from_slice::<Value>(&text)
            && let Some(Value::String(schema)) = manifest.get("$schema")
            && schema.starts_with(AGENT_SCHEMAS)
        {
            return Self::of_agent_plugin(&manifest).map_err(|reason| {
                PluginFolderError::NotAManifest {
                    path: root.join(AGENT_MANIFEST),
                    reason: reason.to_owned(),
                }
            });
        }
        Self::find_older(root)
    }

    /// Reads the manifest that counts for a Codex that does not know Agent Plugins.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) fn find_older(root: &Path) -> Result<Self, PluginFolderError> {
        let found = MANIFESTS
            .into_iter()
            .find(|manifest| fs::symlink_metadata(root.join(manifest)).is_ok());
        // What Codex installs has one; in a marketplace, the plugin's entry may stand for it.
        let Some(file) = found else {
            return Ok(CodexManifest::default().into());
        };
        let text = text_at(root, file).map_err(|error| PluginFolderError::Unreadable {
            path: root.join(file),
            reason: error.to_string(),
        })?;
        let read: CodexManifest =
            serde_json::from_slice(&text).map_err(|error| PluginFolderError::NotAManifest {
                path: root.join(file),
                reason: error.to_string(),
            })?;
        Ok(read.into())
    }

    fn of_agent_plugin(manifest: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |key: &str| match manifest.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err("a field has another type than Agent Plugins 1.0 gives it"),
        };
        if text("$schema")? != Some(AGENT_SCHEMA) {
            return Err("its version of Agent Plugins is not known");
        }
        if !text("name")?.is_some_and(is_agent_plugin_name) {
            return Err("its name is none that Agent Plugins allows");
        }
        for key in ["version", "homepage", "repository", "license"] {
            text(key)?;
        }
        Ok(Self {
            form: Form::AgentPlugin,
            description: text("description")?.map(str::to_owned),
            skill_folders: vec!["skills".to_owned()],
            hooks: Hooks::None,
            servers: Servers::File("mcp.json".to_owned()),
        })
    }
}

/// Fields of another type than these make Codex refuse the whole manifest; of the others, it passes over what
/// it can't use.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CodexManifest {
    #[serde(default)]
    description: Option<String>,
    #[serde(default, rename = "name")]
    _name: String,
    #[serde(default, rename = "version")]
    _version: Option<String>,
    #[serde(default, rename = "keywords")]
    _keywords: Vec<String>,
    #[serde(default)]
    skills: Value,
    #[serde(default)]
    mcp_servers: Value,
    #[serde(default)]
    hooks: Value,
}

impl From<CodexManifest> for Manifest {
    fn from(read: CodexManifest) -> Self {
        let skill_folders = texts(&read.skills)
            .map(|paths| paths.into_iter().filter_map(inside).collect::<Vec<_>>())
            .filter(|folders| !folders.is_empty());
        let hook_files = texts(&read.hooks)
            .map(|paths| paths.into_iter().filter_map(inside).collect::<Vec<_>>())
            .filter(|files| !files.is_empty());
        let hooks = match (hook_files, read.hooks) {
            (Some(files), _) => Hooks::Files(files),
            (None, hooks) if is_hooks(&hooks) => Hooks::Inline(vec![hooks]),
            (None, Value::Array(list)) if !list.is_empty() && list.iter().all(is_hooks) => {
                Hooks::Inline(list)
            }
            _ => Hooks::Files(vec!["hooks/hooks.json".to_owned()]),
        };
        let servers = match read.mcp_servers {
            Value::Object(servers) => Servers::Inline(servers),
            Value::String(path) => Servers::File(inside(&path).unwrap_or_else(default_servers)),
            _ => Servers::File(default_servers()),
        };
        Self {
            form: Form::Codex,
            description: read.description,
            skill_folders: skill_folders.unwrap_or_else(|| vec!["skills".to_owned()]),
            hooks,
            servers,
        }
    }
}

fn default_servers() -> String {
    ".mcp.json".to_owned()
}

fn is_hooks(value: &Value) -> bool {
    value.get("hooks").is_some_and(Value::is_object)
}

/// A text, or a list of nothing but texts.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// A path in the words of a manifest, `./…`, relative to the plugin's folder.
fn inside(path: &str) -> Option<String> {
    let path = path.strip_prefix("./")?.trim_end_matches('/');
    let stays = !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    stays.then(|| path.to_owned())
}

fn is_agent_plugin_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 64
        && !name.contains("--")
        && !name.contains("..")
        && name.chars().all(|c| is_plain(c) || matches!(c, '.' | '-'))
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
}

/// Reads a file of a plugin, if it lies in the plugin's folder and is no larger than such files are.
///
/// # Errors
/// Why it can't be read.
pub(super) fn text_at(root: &Path, file: &str) -> Result<Vec<u8>, BoundedReadError> {
    let path = root.join(file);
    // An installed plugin has no links; in a marketplace, a link out of the plugin is not followed.
    if !path.canonicalize()?.starts_with(root.canonicalize()?) {
        return Err(std::io::Error::other("it leads out of the plugin's folder").into());
    }
    read_at_most(&path, TEXT_LIMIT)
}
