//! What says of a folder that it is a plugin, or a marketplace.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use codex_loadout_converter::LARGEST_MANIFEST;
use codex_loadout_files::open_regular;
use serde_json::Value;

/// What says of a folder that it is a plugin.
pub(super) const MANIFESTS: [&str; 3] = [
    ".claude-plugin/plugin.json",
    ".codex-plugin/plugin.json",
    PORTABLE,
];

/// The manifest of Agent Plugins 1.0: it names its `$schema`.
const PORTABLE: &str = "plugin.json";

/// What else makes a folder a plugin.
const PARTS: [&str; 6] = [
    "SKILL.md",
    "skills",
    "commands",
    "agents",
    "hooks/hooks.json",
    ".mcp.json",
];

/// What makes a folder a marketplace.
pub(super) const MARKETPLACES: [&str; 2] = [
    ".claude-plugin/marketplace.json",
    ".agents/plugins/marketplace.json",
];

/// Folders in which no plugin is looked for: they are parts of one, or of a program.
const NO_PLUGINS: [&str; 5] = ["skills", "commands", "agents", "hooks", "node_modules"];

pub(super) fn is_plugin(folder: &Path) -> bool {
    MANIFESTS
        .iter()
        .any(|path| manifest(folder, path).is_some())
        || PARTS.iter().any(|part| folder.join(part).exists())
}

/// A manifest, empty if it can't be read; `None` if it is not there, or is a program's.
pub(super) fn manifest(folder: &Path, path: &str) -> Option<Value> {
    let bytes = regular_file(&folder.join(path))?;
    let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    (path != PORTABLE || manifest.get("$schema").is_some_and(Value::is_string)).then_some(manifest)
}

/// Folders that say that they are plugins or marketplaces, by their paths: here, or one folder down; in a folder
/// `plugins`, those that hold a plugin's texts.
pub(super) fn plugins_in(folder: &Path) -> Vec<String> {
    let says_so = |path: &Path| {
        MANIFESTS.iter().any(|name| manifest(path, name).is_some())
            || MARKETPLACES.iter().any(|name| path.join(name).is_file())
    };
    let mut found = Vec::new();
    for name in folders_in(folder) {
        let path = folder.join(&name);
        if says_so(&path) {
            found.push(name);
        } else if !path.is_symlink() && !name.starts_with('.') && !NO_PLUGINS.contains(&&*name) {
            let below = folders_in(&path).into_iter();
            let below = below.filter(|below| {
                let path = path.join(below);
                says_so(&path) || name == "plugins" && has_texts(&path)
            });
            found.extend(below.map(|below| format!("{name}/{below}")));
        }
    }
    found
}

/// Whether a folder holds a command, an agent or a skill: in `plugins`, it is a plugin without a manifest.
fn has_texts(folder: &Path) -> bool {
    let is_text = |path: PathBuf| path.extension().is_some_and(|ending| ending == "md");
    let files_in = |name: &str| {
        fs::read_dir(folder.join(name))
            .into_iter()
            .flatten()
            .flatten()
    };
    let mut texts = files_in("commands").chain(files_in("agents"));
    texts.any(|entry| is_text(entry.path()))
        || files_in("skills").any(|entry| entry.path().join("SKILL.md").is_file())
}

/// The names of the folders in a folder, sorted; of links to some, too.
fn folders_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The content of a regular file – a pipe would never end –, at most one byte more than a manifest may have.
pub(super) fn regular_file(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_regular(path).ok()?;
    file.take(LARGEST_MANIFEST + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}
