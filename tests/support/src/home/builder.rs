//! Fills a home: writes its files, lets Codex install the plugins once, and copies that.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::fingerprint::hex_digest;
use super::parts::HOME_MARK;
use super::{CONFIG, Home, MARKET, PROJECT, Plugin, Server, Skill, run_codex, servers, write};
use crate::{DEFAULT_VERSION, codex, workspace};

/// Stands for the model's `base_url` until the home is made.
const MODEL_MARK: &str = "@LAB_MODEL@";

/// What a home is to hold.
#[derive(Debug, Clone)]
pub struct HomeBuilder {
    codex_version: String,
    tree: BTreeMap<PathBuf, Vec<u8>>,
    plugins: Vec<Plugin>,
    disabled: Vec<String>,
    offered: Vec<String>,
    servers: Vec<Server>,
    config: String,
}

impl Default for HomeBuilder {
    fn default() -> Self {
        Self {
            codex_version: DEFAULT_VERSION.to_owned(),
            tree: BTreeMap::new(),
            plugins: Vec::new(),
            disabled: Vec::new(),
            offered: Vec::new(),
            servers: Vec::new(),
            config: String::new(),
        }
    }
}

impl HomeBuilder {
    /// A user as they are: skills in all three places, three plugins with an MCP server each (one of
    /// them disabled), an MCP server of their own.
    ///
    /// | what | names |
    /// |---|---|
    /// | `~/.agents/skills` | `repo-review`, `incident-debugging`, `release-notes` |
    /// | `$CODEX_HOME/skills` | `planning`, `dependency-upgrade` |
    /// | the project's `.agents/skills` | `house-style` |
    /// | `github@internal` | `github:pull-request`, server `github` |
    /// | `linear@internal` | `linear:issue-writing`, server `linear` |
    /// | `sentry@internal`, disabled | `sentry:error-triage`, server `sentry` |
    /// | config.toml | server `team-notes` |
    ///
    /// # Errors
    ///
    /// When the lab's skills cannot be read.
    pub fn standard() -> Result<Self> {
        let plugin = |name: &str, skill: &str, tools: &[&str]| {
            anyhow::Ok(
                Plugin::new(name)
                    .skill(Skill::real(skill)?)
                    .server(Server::new(name, tools)),
            )
        };
        Ok(Self::default()
            .skill(Skill::real("repo-review")?)
            .skill(Skill::real("incident-debugging")?)
            .skill(Skill::real("release-notes")?)
            .codex_skill(Skill::real("planning")?)
            .codex_skill(Skill::real("dependency-upgrade")?)
            .project_skill(Skill::real("house-style")?)
            .plugin(plugin(
                "github",
                "pull-request",
                &["list_pull_requests", "read_diff", "comment"],
            )?)
            .plugin(plugin(
                "linear",
                "issue-writing",
                &["search_issues", "create_issue"],
            )?)
            .disabled_plugin(plugin("sentry", "error-triage", &["search_events"])?)
            .server(Server::new("team-notes", &["search_notes", "write_note"])))
    }

    /// Another Codex than [`DEFAULT_VERSION`].
    #[must_use]
    pub fn codex_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.codex_version);
        self
    }

    /// Adds a skill to `~/.agents/skills`.
    #[must_use]
    pub fn skill(self, skill: Skill) -> Self {
        self.skill_in(".agents/skills", &skill)
    }

    /// Adds a skill to `$CODEX_HOME/skills`.
    #[must_use]
    pub fn codex_skill(self, skill: Skill) -> Self {
        self.skill_in(".codex/skills", &skill)
    }

    /// Adds a skill to the project's `.agents/skills`.
    #[must_use]
    pub fn project_skill(self, skill: Skill) -> Self {
        self.skill_in(&format!("{PROJECT}/.agents/skills"), &skill)
    }

    /// Adds a plugin to the marketplace `internal` and installs it.
    #[must_use]
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Adds a plugin that is installed but switched off.
    #[must_use]
    pub fn disabled_plugin(mut self, plugin: Plugin) -> Self {
        self.disabled.push(plugin.id());
        self.plugin(plugin)
    }

    /// Adds a plugin to the marketplace that is not installed.
    #[must_use]
    pub fn offered_plugin(mut self, plugin: Plugin) -> Self {
        self.offered.push(plugin.id());
        self.plugin(plugin)
    }

    /// Adds an MCP server to config.toml.
    #[must_use]
    pub fn server(mut self, server: Server) -> Self {
        self.servers.push(server);
        self
    }

    /// Adds tables to config.toml.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// Adds any other file, by its path in the home.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.tree.insert(path.into(), text.into());
        self
    }

    /// Makes the home, with a model at `model_url`.
    ///
    /// # Errors
    ///
    /// When Codex cannot be installed, or refuses a plugin, or files cannot be written.
    pub fn build(&self, model_url: &str) -> Result<Home> {
        let codex = codex(&self.codex_version)?;
        let template = self.template(&codex)?;
        let folder = TempDir::with_prefix("codex-lab-")?;
        // Codex gives back resolved paths; a temporary folder may lie behind a link.
        let path = folder.path().canonicalize()?;
        let marks = [
            (
                template.to_string_lossy().into_owned(),
                path.to_string_lossy().into_owned(),
            ),
            (MODEL_MARK.to_owned(), model_url.to_owned()),
        ];
        copy(&template, &path, &marks)?;
        Ok(Home {
            _folder: folder,
            path,
            codex,
        })
    }

    fn skill_in(mut self, folder: &str, skill: &Skill) -> Self {
        self.tree.extend(
            skill
                .files_in(folder)
                .map(|(path, content)| (path.into(), content.to_vec())),
        );
        self
    }

    /// A home with the plugins installed, kept under `target`, since Codex takes a while to
    /// install: to be copied.
    fn template(&self, codex: &Path) -> Result<PathBuf> {
        let tree = self.all_files();
        let recipe = format!(
            "{} {tree:?} {:?} {:?}",
            self.codex_version, self.disabled, self.offered
        );
        let homes = workspace::target().join("codex/homes");
        fs::create_dir_all(&homes)?;
        let home = homes
            .canonicalize()?
            .join(&hex_digest(recipe.as_bytes())[..16]);
        let lock = File::create(home.with_extension("lock"))?;
        lock.lock().context("cannot lock target/codex/homes")?;
        let finished = home.with_extension("finished");
        if finished.exists() {
            return Ok(home);
        }
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        let own_path = home.to_string_lossy().into_owned();
        for (path, content) in &tree {
            write(
                &home.join(path),
                &replaced(content, &[(HOME_MARK.to_owned(), own_path.clone())]),
            )?;
        }
        self.install_plugins(&home, codex)?;
        File::create(finished)?;
        Ok(home)
    }

    fn all_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut tree = self.tree.clone();
        for plugin in &self.plugins {
            plugin.write_into(&format!("{MARKET}/plugins"), &mut tree);
        }
        let entry = |plugin: &Plugin| {
            let path = format!("./plugins/{}", plugin.name);
            json!({"name": plugin.name, "source": {"source": "local", "path": path}})
        };
        let entries: Vec<_> = self.plugins.iter().map(entry).collect();
        let market = json!({"name": "internal", "plugins": entries});
        let mut add = |path: &str, content: String| tree.insert(path.into(), content.into());
        add(
            &format!("{MARKET}/.agents/plugins/marketplace.json"),
            market.to_string(),
        );
        add(
            &format!("{PROJECT}/.git/HEAD"),
            "ref: refs/heads/main\n".to_owned(),
        );
        add(
            &format!("{PROJECT}/README.md"),
            "A project to work on.\n".to_owned(),
        );
        add(servers::SCRIPT_PATH, servers::SCRIPT.to_owned());
        add(CONFIG, self.config_toml());
        tree
    }

    fn config_toml(&self) -> String {
        let mut config = format!(
            r#"model = "lab"
model_provider = "lab"
approval_policy = "never"
sandbox_mode = "read-only"
check_for_update_on_startup = false

[model_providers.lab]
name = "lab"
base_url = "{MODEL_MARK}"
wire_api = "responses"
requires_openai_auth = false
supports_websockets = false

[analytics]
enabled = false
"#
        );
        for server in &self.servers {
            config.push('\n');
            config.push_str(&server.to_toml());
        }
        config.push('\n');
        config.push_str(&self.config);
        config
    }

    fn install_plugins(&self, home: &Path, codex: &Path) -> Result<()> {
        if self.plugins.is_empty() {
            return Ok(());
        }
        let market = home.join(MARKET);
        run_codex(
            home,
            codex,
            &["plugin", "marketplace", "add", &market.to_string_lossy()],
        )?;
        let installed = |plugin: &&Plugin| !self.offered.contains(&plugin.id());
        for plugin in self.plugins.iter().filter(installed) {
            run_codex(home, codex, &["plugin", "add", &plugin.id()])?;
        }
        let mut config = fs::read_to_string(home.join(CONFIG))?;
        for id in &self.disabled {
            let enabled = format!("[plugins.\"{id}\"]\nenabled = true");
            ensure!(
                config.contains(&enabled),
                "codex plugin add {id} wrote another config.toml than expected:\n{config}"
            );
            config = config.replace(&enabled, &enabled.replace("true", "false"));
        }
        fs::write(home.join(CONFIG), config)?;
        Ok(())
    }
}

/// Copies a folder; texts get what the marks stand for.
fn copy(from: &Path, to: &Path, marks: &[(String, String)]) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&source, &target, marks)?;
        } else {
            let content = fs::read(&source)?;
            write(&target, &replaced(&content, marks))?;
        }
    }
    Ok(())
}

/// Only texts are changed: a database holds lengths beside its strings.
fn replaced(content: &[u8], marks: &[(String, String)]) -> Vec<u8> {
    match std::str::from_utf8(content) {
        Ok(text) => marks
            .iter()
            .fold(text.to_owned(), |text, (mark, value)| {
                text.replace(mark, value)
            })
            .into_bytes(),
        Err(_) => content.to_vec(),
    }
}
