//! What an installed plugin's folder declares, for plugins that Codex itself
//! does not list the contents of: `skills/list` leaves disabled ones out.
//!
//! Which manifest counts, and what an odd one means, is [`super::manifest`]'s to say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use codex_loadout_converter::target::hook_trust::hook_key;
use serde_json::{Map, Value};

use super::agent_plugin;
use super::manifest::{Form, Hooks, Manifest, Servers, text_at};
use super::mention_only::is_mention_only;
use super::model::{PluginHook, PluginSkill};
use super::skill_header::read_skill_header;

/// How deep below a skills folder Codex looks for `SKILL.md`.
const SKILL_DEPTH: usize = 6;
/// So many folders are looked at for one plugin's skills: Codex's own limit for one root.
const SKILL_FOLDERS: usize = 2_000;
/// Where Codex puts the skills that it makes of a plugin's commands when it installs it.
const MIGRATED_COMMANDS: &str = ".codex-plugin/migrated-command-skills";

/// A plugin's folder could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PluginFolderError {
    /// The manifest can't be read.
    #[error("`{path}` can't be read: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What stood in the way.
        reason: String,
    },
    /// The manifest is not what Codex takes for one.
    #[error("`{path}` is no manifest: {reason}")]
    NotAManifest {
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
    /// Whether Codex reads it as an Agent Plugin: nothing else in its folder counts.
    pub(super) is_agent_plugin: bool,
    /// Servers that only a Codex before 0.157 sees, which does not know Agent Plugins.
    pub(super) older_servers: BTreeSet<String>,
}

impl PluginFolder {
    /// Reads the folder of the plugin with this name, which may keep its data in `data_folder`.
    ///
    /// # Errors
    /// [`PluginFolderError`], naming the manifest. A skill, hook or server file that can't be read is
    /// left out, as Codex does.
    pub(super) fn read(
        root: &Path,
        plugin: &str,
        data_folder: &Path,
    ) -> Result<Self, PluginFolderError> {
        let manifest = Manifest::find(root)?;
        let servers = servers(root, &manifest, data_folder);
        let mut older_servers = BTreeSet::new();
        if manifest.form == Form::AgentPlugin
            && let Ok(older) = Manifest::find_older(root)
        {
            older_servers.extend(self::servers(root, &older, data_folder).into_keys());
            older_servers.retain(|name| !servers.contains_key(name));
        }
        Ok(Self {
            is_agent_plugin: manifest.form == Form::AgentPlugin,
            skills: skills(root, &manifest, plugin),
            hooks: hooks(root, &manifest),
            description: manifest.description,
            servers,
            older_servers,
        })
    }
}

fn skills(root: &Path, manifest: &Manifest, plugin: &str) -> Vec<PluginSkill> {
    let mut search = SkillSearch {
        root,
        plugin,
        folders_left: SKILL_FOLDERS,
        found: Vec::new(),
    };
    let depth = match manifest.form {
        Form::Codex => SKILL_DEPTH,
        Form::AgentPlugin => 1,
    };
    for folder in &manifest.skill_folders {
        search.look(folder, depth);
    }
    if manifest.form == Form::Codex {
        search.look(MIGRATED_COMMANDS, SKILL_DEPTH);
    }
    let mut skills = search.found;
    skills.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
    skills.dedup_by(|a, b| a.folder == b.folder);
    skills
}

struct SkillSearch<'a> {
    root: &'a Path,
    plugin: &'a str,
    folders_left: usize,
    found: Vec<PluginSkill>,
}

impl SkillSearch<'_> {
    fn look(&mut self, folder: &str, depth: usize) {
        if self.folders_left == 0 {
            return;
        }
        self.folders_left -= 1;
        let path = self.root.join(folder);
        if let Some(header) = read_skill_header(&path.join("SKILL.md")) {
            let own_name = folder.rsplit('/').next().unwrap_or(folder);
            let name = header.name.unwrap_or_else(|| own_name.to_owned());
            self.found.push(PluginSkill {
                name: format!("{}:{name}", self.plugin),
                description: header.description,
                folder: folder.to_owned(),
                enabled: true,
                mention_only: is_mention_only(&path),
            });
        }
        if depth == 0 {
            return;
        }
        let Ok(entries) = std::fs::read_dir(&path) else {
            return;
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        for name in names.into_iter().filter(|name| !name.starts_with('.')) {
            let inner = format!("{folder}/{name}");
            if self.root.join(&inner).is_dir() {
                self.look(&inner, depth - 1);
            }
        }
    }
}

/// Of a file that can't be read, none: Codex runs none either.
fn hooks(root: &Path, manifest: &Manifest) -> Vec<PluginHook> {
    match &manifest.hooks {
        Hooks::None => Vec::new(),
        Hooks::Files(files) => {
            let read = files.iter().filter_map(|file| {
                let text = text_at(root, file).ok()?;
                Some((file, serde_json::from_slice::<Value>(&text).ok()?))
            });
            read.flat_map(|(file, hooks)| hooks_in(&hooks, file))
                .collect()
        }
        Hooks::Inline(list) => {
            let numbered = list.iter().enumerate();
            numbered
                .flat_map(|(number, hooks)| {
                    hooks_in(hooks, &format!("plugin.json#hooks[{number}]"))
                })
                .collect()
        }
    }
}

fn hooks_in(read: &Value, file: &str) -> Vec<PluginHook> {
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
    manifest: &Manifest,
    data_folder: &Path,
) -> BTreeMap<String, Map<String, Value>> {
    let declared = match &manifest.servers {
        Servers::Inline(servers) => servers.clone(),
        Servers::File(file) => {
            let Some(Value::Object(read)) = text_at(root, file)
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok())
            else {
                return BTreeMap::new();
            };
            read
        }
    };
    if manifest.form == Form::AgentPlugin {
        return agent_plugin::servers(root, &declared, data_folder);
    }
    let servers = match declared.get("mcpServers") {
        Some(Value::Object(servers)) => servers.clone(),
        _ => declared,
    };
    servers
        .into_iter()
        .filter_map(|(name, definition)| match definition {
            Value::Object(definition) if says_how_to_reach_it(&definition) => {
                Some((name, definition))
            }
            _ => None,
        })
        .collect()
}

/// Whether Codex would take it for a server: it has a command or an address, and not both.
fn says_how_to_reach_it(definition: &Map<String, Value>) -> bool {
    let is_text = |key: &str| definition.get(key).is_some_and(Value::is_string);
    let args_are_texts = match definition.get("args") {
        None | Some(Value::Null) => true,
        Some(Value::Array(args)) => args.iter().all(Value::is_string),
        Some(_) => false,
    };
    is_text("command") != is_text("url") && args_are_texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
        write(root, ".claude-plugin/plugin.json", "{}");
        write(root, "elsewhere/SKILL.md", &skill("elsewhere"));
        write(root, ".mcp.json", r#"{"one":{"command":"x"},"bad":5}"#);
        let read = PluginFolder::read(root, "p", Path::new("/data")).unwrap();
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
        let read = PluginFolder::read(root, "p", Path::new("/data")).unwrap();
        assert_eq!(read.skills.len(), 1);
        assert_eq!(read.skills[0].name, "p:m");
        assert_eq!(read.servers.keys().collect::<Vec<_>>(), ["two"]);
        assert_eq!(read.description.as_deref(), Some("d"));
    }

    #[test]
    fn a_broken_manifest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), ".claude-plugin/plugin.json", "{,}");
        let error = PluginFolder::read(folder.path(), "p", Path::new("/data")).unwrap_err();
        assert!(error.to_string().contains("plugin.json"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn files_that_are_none_and_files_without_end_are_left_out() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, ".codex-plugin/plugin.json", "{}");
        write(root, "skills/ok/SKILL.md", &skill("ok"));
        write(root, "skills/zero/x", "");
        write(root, "skills/ok/agents/x", "");
        write(root, "hooks/x", "");
        symlink("/dev/zero", root.join("skills/zero/SKILL.md")).unwrap();
        symlink("/dev/zero", root.join("hooks/hooks.json")).unwrap();
        symlink(".", root.join("skills/round")).unwrap();
        let yaml = root.join("skills/ok/agents/openai.yaml");
        let made = std::process::Command::new("mkfifo").arg(yaml).status();
        assert!(made.unwrap().success());
        let servers = fs::File::create(root.join(".mcp.json")).unwrap();
        servers.set_len(200 << 20).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let path = root.to_owned();
        std::thread::spawn(move || {
            drop(tell.send(PluginFolder::read(&path, "p", Path::new("/d"))))
        });
        let read = told.recv_timeout(std::time::Duration::from_secs(20));
        let read = read.expect("the folder was waited for").unwrap();
        assert!(read.skills.iter().any(|skill| skill.name == "p:ok"));
        assert!(read.servers.is_empty() && read.hooks.is_empty());
    }
}
