//! A throwaway user: a `HOME` with skills, plugins, MCP servers, a project, and Codex's config.

mod builder;

mod fingerprint;

mod parts;

mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

pub use builder::HomeBuilder;
pub use fingerprint::Fingerprint;
pub use parts::{Plugin, Server, Skill};

/// Where the home's own parts lie, relative to it.
pub(crate) const CODEX_HOME: &str = ".codex";
pub(crate) const CONFIG: &str = ".codex/config.toml";
pub(crate) const MARKET: &str = "market";
pub(crate) const PROJECT: &str = "project";

/// How long MCP processes may take to come or go.
const PATIENCE: Duration = Duration::from_secs(10);

/// A throwaway user; dropping it removes it.
#[derive(Debug)]
pub struct Home {
    _folder: TempDir,
    path: PathBuf,
    codex: PathBuf,
}

impl Home {
    /// An empty home to fill; [`HomeBuilder::standard`] has one that is full.
    #[must_use]
    pub fn builder() -> HomeBuilder {
        HomeBuilder::default()
    }

    /// The `HOME`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The `CODEX_HOME`, `~/.codex`.
    #[must_use]
    pub fn codex_home(&self) -> PathBuf {
        self.path.join(CODEX_HOME)
    }

    /// The project folder, the `cwd` of threads.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.path.join(PROJECT)
    }

    /// The Codex executable it was made for.
    #[must_use]
    pub fn codex(&self) -> &Path {
        &self.codex
    }

    /// A command of this user, in the project folder, without traces of whoever runs the tests.
    #[must_use]
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        command_of(&self.path, program, arguments)
    }

    /// `codex app-server` itself, without a proxy.
    #[must_use]
    pub fn codex_app_server(&self) -> Command {
        self.command(&self.codex, &["app-server"])
    }

    /// Runs `codex` with these arguments to its end and returns its output.
    ///
    /// # Errors
    ///
    /// When it fails; the error has its stderr.
    pub fn run_codex(&self, arguments: &[&str]) -> Result<String> {
        run_codex(&self.path, &self.codex, arguments)
    }

    /// Writes a file of the user's; folders are made as needed.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        write(&self.path.join(path), text.as_bytes())
    }

    /// Writes a profile of the user's; the state folder is the user's alone.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn add_profile(&self, name: &str, text: &str) -> Result<()> {
        self.write(&format!(".codex-loadout/profiles/{name}.toml"), text)?;
        #[cfg(unix)]
        fs::set_permissions(
            self.path.join(".codex-loadout"),
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )?;
        Ok(())
    }

    /// Writes a plugin into a folder of this home, which no marketplace knows; gives the plugin's own folder.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write_plugin(&self, folder: &str, plugin: &Plugin) -> Result<PathBuf> {
        let mut tree = BTreeMap::new();
        plugin.write_into(folder, &mut tree);
        let own_path = self.path.to_string_lossy().into_owned();
        for (path, content) in tree {
            let text = String::from_utf8(content)?.replace(parts::HOME_MARK, &own_path);
            write(&self.path.join(path), text.as_bytes())?;
        }
        Ok(self.path.join(folder).join(&plugin.name))
    }

    /// Adds a skill to a folder of skills, such as `.agents/skills`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn add_skill(&self, folder: &str, skill: &Skill) -> Result<()> {
        skill
            .files_in(folder)
            .try_for_each(|(path, content)| write(&self.path.join(path), content))
    }

    /// The sha256 of config.toml, in hex.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn config_hash(&self) -> Result<String> {
        Ok(fingerprint::hex_digest(
            &fs::read(self.path.join(CONFIG)).context("config.toml of the lab's home")?,
        ))
    }

    /// Everything that is the user's own: what a proxy must leave as it is.
    ///
    /// # Errors
    ///
    /// When something cannot be read.
    pub fn fingerprint(&self) -> Result<Fingerprint> {
        Fingerprint::of(&self.path)
    }

    /// Names of the MCP servers that were ever started, in order.
    ///
    /// # Errors
    ///
    /// When their log cannot be read.
    pub fn mcp_started(&self) -> Result<Vec<String>> {
        Ok(servers::started(&self.path)?
            .into_iter()
            .map(|(_, name)| name)
            .collect())
    }

    /// Process ids of the MCP servers that are alive.
    ///
    /// # Errors
    ///
    /// When their log cannot be read.
    pub fn mcp_processes(&self) -> Result<BTreeSet<u32>> {
        servers::alive(&self.path)
    }

    /// Waits until exactly `count` MCP servers are alive.
    ///
    /// # Errors
    ///
    /// When that is not so within 10 seconds.
    pub async fn wait_for_mcp_processes(&self, count: usize) -> Result<()> {
        let begin = Instant::now();
        loop {
            let alive = self.mcp_processes()?.len();
            if alive == count {
                return Ok(());
            }
            ensure!(
                begin.elapsed() < PATIENCE,
                "{alive} MCP servers are alive, not {count}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn command_of(home: &Path, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(home.join(PROJECT));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CODEX_", "OPENAI_", "XDG_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", home)
        .env("USERPROFILE", home)
        .env("CODEX_HOME", home.join(CODEX_HOME));
    // Codex fetches a list of plugins from GitHub at every start. A proxy where nobody listens keeps
    // it, and with it what a thread sees, on this machine.
    for name in [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        command.env(name, "http://127.0.0.1:9");
    }
    for name in ["NO_PROXY", "no_proxy"] {
        command.env(name, "127.0.0.1,localhost");
    }
    command
}

fn run_codex(home: &Path, codex: &Path, arguments: &[&str]) -> Result<String> {
    let output = command_of(home, codex, arguments)
        .output()
        .with_context(|| format!("cannot run {}", codex.display()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "codex {} failed ({}):\n{stderr}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, content).with_context(failed)?;
    #[cfg(unix)]
    if content.starts_with(b"#!") {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).with_context(failed)?;
    }
    Ok(())
}
