//! What an installed plugin's folder declares, for plugins that Codex itself
//! does not list the contents of: `skills/list` leaves disabled ones out.
//!
//! The rules are those of Codex 0.169: the manifest is the first of three that
//! exists, `skills` replaces the default folder, `mcpServers` replaces `.mcp.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use codex_loadout_converter::target::hook_trust::hook_key;
use serde_json::{Map, Value};

use super::mention_only::is_mention_only;
use super::model::{PluginHook, PluginSkill};
use super::skill_header::SkillHeader;

/// Where Codex looks for a manifest, in its order.
pub(super) const MANIFESTS: [&str; 3] = [
    ".codex-plugin/plugin.json",
    ".claude-plugin/plugin.json",
    ".cursor-plugin/plugin.json",
];

/// How deep below a skills folder Codex looks for `SKILL.md`.
const SKILL_DEPTH: usize = 6;

/// A plugin's folder could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PluginFolderError {
    /// The folder, or a file in it, can't be read.
    #[error("`{path}` can't be read: {source}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is no JSON object.
    #[error("`{path}` is not a JSON object: {reason}")]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        reason: String,
    },
}

/// What a plugin's folder declares.
#[derive(Debug, Default)]
pub(super) struct PluginFolder {
    /// From the manifest.
    pub(super) description: Option<String>,
    /// Its skills, sorted by name.
    pub(super) skills: Vec<PluginSkill>,
    /// Handlers of its hooks.
    pub(super) hooks: Vec<PluginHook>,
    /// Definitions of its MCP servers.
    pub(super) servers: BTreeMap<String, Map<String, Value>>,
}

impl PluginFolder {
    /// Reads the folder of the plugin with this name.
    ///
    /// # Errors
    /// [`PluginFolderError`], naming the file. A skill whose own file can't be read is left out, as Codex does.
    pub(super) fn read(root: &Path, plugin: &str) -> Result<Self, PluginFolderError> {
        let manifest = match MANIFESTS
            .iter()
            .map(|path| root.join(path))
            .find(|path| path.is_file())
        {
            Some(path) => read_object(&path)?,
            None => Map::new(),
        };
        let mut skills = Vec::new();
        for folder in skill_folders(&manifest) {
            find_skills(root, &folder, plugin, SKILL_DEPTH, &mut skills);
        }
        skills.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
        skills.dedup_by(|a, b| a.folder == b.folder);
        Ok(Self {
            description: manifest
                .get("description")
                .and_then(Value::as_str)
                .map(str::to_owned),
            skills,
            hooks: hooks(root, &manifest),
            servers: servers(root, &manifest)?,
        })
    }
}

/// The manifest's `skills`: a path or a list of paths, each starting `./`; by default `skills`.
fn skill_folders(manifest: &Map<String, Value>) -> Vec<String> {
    let given: Vec<&str> = match manifest.get("skills") {
        Some(Value::String(path)) => vec![path],
        Some(Value::Array(paths)) => paths.iter().filter_map(Value::as_str).collect(),
        _ => vec!["./skills"],
    };
    given
        .into_iter()
        .filter_map(|path| path.strip_prefix("./"))
        .map(|path| path.trim_end_matches('/'))
        .filter(|path| {
            !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        })
        .map(str::to_owned)
        .collect()
}

fn find_skills(
    root: &Path,
    folder: &str,
    plugin: &str,
    depth: usize,
    found: &mut Vec<PluginSkill>,
) {
    let path = root.join(folder);
    if let Some(header) = SkillHeader::read(&path.join("SKILL.md")) {
        let own_name = folder.rsplit('/').next().unwrap_or(folder);
        let name = header.name.unwrap_or_else(|| own_name.to_owned());
        found.push(PluginSkill {
            name: format!("{plugin}:{name}"),
            description: header.description,
            folder: folder.to_owned(),
            enabled: true,
            mention_only: is_mention_only(&path),
        });
    }
    if depth == 0 {
        return;
    }
    let Ok(entries) = fs::read_dir(&path) else {
        return;
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    for name in names.into_iter().filter(|name| !name.starts_with('.')) {
        let inner = format!("{folder}/{name}");
        if root.join(&inner).is_dir() {
            find_skills(root, &inner, plugin, depth - 1, found);
        }
    }
}

/// The manifest's `hooks`, by default `hooks/hooks.json`; of a file that can't be read, none: Codex runs none either.
fn hooks(root: &Path, manifest: &Map<String, Value>) -> Vec<PluginHook> {
    let files: Vec<&str> = match manifest.get("hooks") {
        Some(Value::String(path)) => vec![path],
        Some(Value::Array(paths)) => paths.iter().filter_map(Value::as_str).collect(),
        Some(_) => Vec::new(),
        None => vec!["./hooks/hooks.json"],
    };
    let files = files.into_iter().filter_map(|path| path.strip_prefix("./"));
    let inside = files.filter(|path| !path.split('/').any(|part| part == ".."));
    inside.flat_map(|file| hooks_in(root, file)).collect()
}

fn hooks_in(root: &Path, file: &str) -> Vec<PluginHook> {
    let read = read_object(&root.join(file)).unwrap_or_default();
    let events = read.get("hooks").and_then(Value::as_object);
    let mut found = Vec::new();
    for (event, groups) in events.into_iter().flatten() {
        for (number, group) in groups.as_array().into_iter().flatten().enumerate() {
            let matcher = group.get("matcher").and_then(Value::as_str);
            let handlers = group.get("hooks").and_then(Value::as_array);
            for (place, handler) in handlers.into_iter().flatten().enumerate() {
                found.extend(handler.as_object().map(|handler| PluginHook {
                    event: event.clone(),
                    matcher: matcher.map(str::to_owned),
                    handler: handler.clone(),
                    origin: hook_key(file, event, number, place),
                    trusted: false,
                }));
            }
        }
    }
    found
}

fn servers(
    root: &Path,
    manifest: &Map<String, Value>,
) -> Result<BTreeMap<String, Map<String, Value>>, PluginFolderError> {
    let declared = match manifest.get("mcpServers") {
        Some(Value::Object(servers)) => servers.clone(),
        Some(Value::String(path)) => match path.strip_prefix("./") {
            Some(path) if !path.split('/').any(|part| part == "..") => {
                read_object(&root.join(path))?
            }
            _ => Map::new(),
        },
        Some(_) => Map::new(),
        None => {
            let path = root.join(".mcp.json");
            if path.is_file() {
                read_object(&path)?
            } else {
                Map::new()
            }
        }
    };
    let servers = match declared.get("mcpServers") {
        Some(Value::Object(servers)) => servers.clone(),
        _ => declared,
    };
    Ok(servers
        .into_iter()
        .filter_map(|(name, definition)| match definition {
            Value::Object(definition) => Some((name, definition)),
            _ => None,
        })
        .collect())
}

fn read_object(path: &Path) -> Result<Map<String, Value>, PluginFolderError> {
    let text = fs::read(path).map_err(|source| PluginFolderError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|error| PluginFolderError::NotJson {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn skill(name: &str) -> String {
        format!("---\nname: {name}\ndescription: About {name}.\n---\nBody\n")
    }

    #[test]
    fn defaults_and_nested_skills() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "skills/a/SKILL.md", &skill("a"));
        write(
            root,
            "skills/group/b/SKILL.md",
            "---\ndescription: \"No name: here\"\n---\n",
        );
        write(root, "skills/.hidden/SKILL.md", &skill("hidden"));
        write(root, "elsewhere/SKILL.md", &skill("elsewhere"));
        write(root, ".mcp.json", r#"{"one":{"command":"x"},"bad":5}"#);
        let read = PluginFolder::read(root, "p").unwrap();
        let names: Vec<(&str, &str)> = read
            .skills
            .iter()
            .map(|skill| (skill.name.as_str(), skill.folder.as_str()))
            .collect();
        assert_eq!(names, [("p:a", "skills/a"), ("p:b", "skills/group/b")]);
        assert_eq!(read.servers.keys().collect::<Vec<_>>(), ["one"]);
    }

    #[test]
    fn the_manifest_replaces_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(
            root,
            ".codex-plugin/plugin.json",
            r#"{"description":"d","skills":["./mine/","../out","."],"mcpServers":"./servers.json"}"#,
        );
        write(root, "mine/m/SKILL.md", &skill("m"));
        write(root, "skills/a/SKILL.md", &skill("a"));
        write(
            root,
            "servers.json",
            r#"{"mcpServers":{"two":{"url":"http://x"}}}"#,
        );
        write(root, ".mcp.json", r#"{"one":{"command":"x"}}"#);
        let read = PluginFolder::read(root, "p").unwrap();
        assert_eq!(read.skills.len(), 1);
        assert_eq!(read.skills[0].name, "p:m");
        assert_eq!(read.servers.keys().collect::<Vec<_>>(), ["two"]);
        assert_eq!(read.description.as_deref(), Some("d"));
    }

    #[test]
    fn a_broken_manifest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), ".claude-plugin/plugin.json", "{,}");
        let error = PluginFolder::read(folder.path(), "p").unwrap_err();
        assert!(error.to_string().contains("plugin.json"), "{error}");
    }
}
