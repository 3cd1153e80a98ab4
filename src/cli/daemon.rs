//! `app-server daemon`: the one that runs is a codex-loadout in front of Codex, at the usual socket. What it prints has
//! Codex's shape (0.169).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Result;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::terminal::print;
use crate::connection::{
    Introduced, UpstreamAddress, UpstreamCommand, codex_loadout_at, connect, control_socket,
};
use crate::paths::{self, private_file, private_folder};
use crate::session::terminate;

/// Set for a daemon, and for nothing that it starts: it has a session of its own.
pub(super) const VARIABLE: &str = "CODEX_LOADOUT_DAEMON";
/// Codex listens within a second; one that reads a large home takes longer.
const LISTENS_WITHIN: Duration = Duration::from_secs(60);
/// Turns under way may end first.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Of a daemon's verbs, those that are ours.
pub(super) fn is_ours(verb: Option<&str>) -> bool {
    matches!(
        verb,
        Some("start" | "restart" | "stop" | "version" | "bootstrap" | "update")
    )
}

/// A daemon of this user.
pub(super) struct Daemon {
    /// The Codex that it runs.
    pub(super) codex: UpstreamCommand,
    /// Options of Codex's config.
    pub(super) config: Vec<OsString>,
    /// Options of ours that say what holds for its threads.
    pub(super) carriers: Vec<OsString>,
    /// Where it listens.
    pub(super) socket: PathBuf,
}

impl Daemon {
    /// The one of this `CODEX_HOME`.
    pub(super) fn new(
        codex: UpstreamCommand,
        config: Vec<OsString>,
        carriers: Vec<OsString>,
    ) -> Self {
        Self {
            codex,
            config,
            carriers,
            socket: control_socket(&paths::codex_home()),
        }
    }

    /// Does what a verb says. `None`: a Codex without us is there, or nobody, and Codex says what of it.
    pub(super) async fn run(&self, verb: &str) -> Result<Option<ExitCode>> {
        let process = codex_loadout_at(&self.socket).await;
        let told = match (verb, process) {
            ("start", Some(_)) => self.told("alreadyRunning", None).await?,
            ("start", None) => self.started("started").await?,
            ("restart", process) => {
                if let Some(process) = process {
                    self.stopped(process).await?;
                }
                self.started("restarted").await?
            }
            ("stop", Some(process)) => {
                self.stopped(process).await?;
                self.told("stopped", None).await?
            }
            ("version", Some(_)) => self.told("running", None).await?,
            ("bootstrap" | "update", _) => return Err(refused(verb).into()),
            _ => return Ok(None),
        };
        print(&format!("{}\n", Value::Object(told)))?;
        Ok(Some(ExitCode::SUCCESS))
    }

    async fn started(&self, status: &str) -> Result<Map<String, Value>> {
        let address = UpstreamAddress::Unix(Some(self.socket.clone()));
        if connect(&address, None).await.is_ok() {
            return Err(LoadoutError::new(
                ErrorKind::UnsupportedUpstream,
                format!(
                    "a Codex that is no codex-loadout listens at `{}`",
                    self.socket.display()
                ),
            )
            .with_hint("End it first: `codex app-server daemon stop`.")
            .into());
        }
        let folder = paths::state_home()?.join("daemon");
        private_folder(&folder)?;
        let log = folder.join("app-server-daemon.log");
        let (log, said) = (private_file(&log)?, log);
        let mut command = std::process::Command::new(paths::this_program());
        command
            .arg("--codex")
            .arg(&self.codex.path)
            .args(&self.carriers)
            .arg("app-server")
            .args(&self.config)
            .args(["--listen", "unix://"])
            .env(VARIABLE, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut child = command.spawn()?;
        let deadline = Instant::now() + LISTENS_WITHIN;
        while codex_loadout_at(&self.socket).await != Some(child.id()) {
            let has_ended = child.try_wait()?;
            if has_ended.is_some() || Instant::now() > deadline {
                let message = match has_ended {
                    Some(status) => format!("the daemon has ended ({status})"),
                    None => "the daemon does not listen".to_owned(),
                };
                return Err(LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
                    .with_hint(format!("`{}` may say why.", said.display()))
                    .into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.told(status, Some(child.id())).await
    }

    async fn stopped(&self, process: u32) -> Result<()> {
        terminate(Some(process));
        let deadline = Instant::now() + ENDS_WITHIN;
        while codex_loadout_at(&self.socket).await == Some(process) || self.socket.exists() {
            if Instant::now() > deadline {
                return Err(LoadoutError::new(
                    ErrorKind::ThreadBusy,
                    format!("the daemon (process {process}) does not end"),
                )
                .with_hint("Turns under way may keep it: interrupt them, or end the process.")
                .into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// What Codex says of its daemon, in its order.
    async fn told(&self, status: &str, process: Option<u32>) -> Result<Map<String, Value>> {
        let line = self.codex.version_line()?;
        let version = line.split_whitespace().last();
        let mut told = Map::new();
        told.insert("status".to_owned(), json!(status));
        told.insert("backend".to_owned(), json!("pid"));
        if let Some(process) = process {
            told.insert("pid".to_owned(), json!(process));
        }
        told.insert("managedCodexPath".to_owned(), json!(self.codex.path));
        told.insert("managedCodexVersion".to_owned(), json!(version));
        told.insert("socketPath".to_owned(), json!(self.socket));
        told.insert("cliVersion".to_owned(), json!(version));
        if status != "stopped" {
            let running = running_version(&self.socket).await?;
            told.insert("appServerVersion".to_owned(), json!(running));
        }
        Ok(told)
    }
}

fn refused(verb: &str) -> LoadoutError {
    let hint = match verb {
        "update" => {
            "The daemon runs the Codex that is installed: update that, then `app-server daemon restart`."
        }
        _ => "The units for systemd and launchd start it with the machine: see `docs/running.md`.",
    };
    LoadoutError::new(
        ErrorKind::UnsupportedUpstream,
        format!("`app-server daemon {verb}` would put a Codex without codex-loadout in its place"),
    )
    .with_hint(hint)
}

/// The version of the Codex behind a socket.
async fn running_version(socket: &Path) -> Result<String> {
    let address = UpstreamAddress::Unix(Some(socket.to_owned()));
    let codex = Introduced::to(connect(&address, None).await?).await?;
    codex.close();
    Ok(codex.info().version.to_string())
}

/// A daemon lives on when the terminal that it was started from is closed.
pub(super) fn has_a_session_of_its_own() {
    #[cfg(unix)]
    if std::env::var_os(VARIABLE).is_some()
        && let Err(error) = rustix::process::setsid()
    {
        tracing::warn!(%error, "the daemon ends with its terminal");
    }
}
