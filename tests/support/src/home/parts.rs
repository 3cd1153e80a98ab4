//! What a home is filled with: skills, plugins, MCP servers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::servers;

/// Stands for the home's absolute path in files until the home is made.
pub(super) const HOME_MARK: &str = "@LAB_HOME@";

/// A skill: `SKILL.md` and the files beside it.
#[derive(Debug, Clone)]
pub struct Skill {
    name: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Skill {
    /// A skill with a description and a body that say its name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let text =
            format!("---\nname: {name}\ndescription: How to do {name}.\n---\n\nThis is {name}.\n");
        Self {
            name: name.to_owned(),
            files: BTreeMap::new(),
        }
        .file("SKILL.md", &text)
    }

    /// One of the lab's real skills, `tests/support/skills/<name>`, with its scripts and references.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub fn real(name: &str) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("skills")
            .join(name);
        let mut files = BTreeMap::new();
        read_tree(&folder, "", &mut files)
            .with_context(|| format!("the lab has no skill {name}: {}", folder.display()))?;
        Ok(Self {
            name: name.to_owned(),
            files,
        })
    }

    /// Adds or replaces a file, by its path in the skill's folder.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.into());
        self
    }

    /// Its files as they lie in a folder of skills.
    pub(super) fn files_in(&self, folder: &str) -> impl Iterator<Item = (String, &[u8])> {
        self.files.iter().map(move |(path, content)| {
            (format!("{folder}/{}/{path}", self.name), content.as_slice())
        })
    }
}

fn read_tree(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_tree(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// A stdio MCP server, a small Node program.
#[derive(Debug, Clone)]
pub struct Server {
    pub(super) name: String,
    tools: Vec<String>,
}

impl Server {
    /// A server with these tools.
    #[must_use]
    pub fn new(name: &str, tools: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
        }
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        let at_home = |path: &str| format!("{HOME_MARK}/{path}");
        let mut arguments = vec![
            at_home(servers::SCRIPT_PATH),
            at_home(servers::LOG_PATH),
            self.name.clone(),
        ];
        arguments.extend(self.tools.iter().cloned());
        arguments
    }

    /// Its definition in config.toml.
    pub(super) fn to_toml(&self) -> String {
        // A JSON list of strings is a TOML list of strings.
        format!(
            "[mcp_servers.{:?}]\ncommand = \"node\"\nargs = {}\n",
            self.name,
            json!(self.arguments())
        )
    }

    fn to_json(&self) -> Value {
        json!({"command": "node", "args": self.arguments()})
    }
}

/// A plugin of the home's marketplace, `internal`: Codex's own, or one that was made for Claude.
#[derive(Debug, Clone)]
pub struct Plugin {
    pub(super) name: String,
    version: String,
    skills: Vec<Skill>,
    servers: Vec<Server>,
    files: BTreeMap<String, String>,
    for_claude: bool,
}

impl Plugin {
    /// An empty plugin, version 1.0.0.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (name, version) = (name.to_owned(), "1.0.0".to_owned());
        Self {
            name,
            version,
            skills: Vec::new(),
            servers: Vec::new(),
            files: BTreeMap::new(),
            for_claude: false,
        }
    }

    /// Gives it Claude's manifest in the place of Codex's; commands, agents and the like are files.
    #[must_use]
    pub fn for_claude(mut self) -> Self {
        self.for_claude = true;
        self
    }

    /// Sets its version.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Adds a skill.
    #[must_use]
    pub fn skill(mut self, skill: Skill) -> Self {
        self.skills.push(skill);
        self
    }

    /// Adds an MCP server.
    #[must_use]
    pub fn server(mut self, server: Server) -> Self {
        self.servers.push(server);
        self
    }

    /// Adds a file, by its path in the plugin: scripts and references beside the skills, agents, hooks.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// `name@internal`.
    pub(super) fn id(&self) -> String {
        format!("{}@internal", self.name)
    }

    pub(super) fn write_into(&self, folder: &str, tree: &mut BTreeMap<PathBuf, Vec<u8>>) {
        let mut manifest = json!({"name": self.name, "version": self.version,
                                  "description": format!("Work with {}.", self.name), "skills": "./skills/"});
        let top = format!("{folder}/{}", self.name);
        if !self.servers.is_empty() {
            manifest["mcpServers"] = json!("./.mcp.json");
            let servers: serde_json::Map<_, _> = self
                .servers
                .iter()
                .map(|server| (server.name.clone(), server.to_json()))
                .collect();
            tree.insert(
                format!("{top}/.mcp.json").into(),
                json!({"mcpServers": servers}).to_string().into(),
            );
        }
        let folder = if self.for_claude {
            ".claude-plugin"
        } else {
            ".codex-plugin"
        };
        tree.insert(
            format!("{top}/{folder}/plugin.json").into(),
            manifest.to_string().into(),
        );
        let skills = format!("{top}/skills");
        for skill in &self.skills {
            tree.extend(
                skill
                    .files_in(&skills)
                    .map(|(path, content)| (path.into(), content.to_vec())),
            );
        }
        for (path, text) in &self.files {
            tree.insert(format!("{top}/{path}").into(), text.as_bytes().to_vec());
        }
    }
}
