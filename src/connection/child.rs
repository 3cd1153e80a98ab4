//! The Codex process: found, started, and ended as the host would have ended it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

#[cfg(unix)]
use super::pipe_size::enlarge;
use super::reentry::{self, Start};

/// Names the Codex to run where no flag does.
pub const CODEX_VARIABLE: &str = "CODEX_LOADOUT_CODEX";

/// There is no Codex to run, for this reason.
fn no_codex(message: String, hint: String) -> LoadoutError {
    LoadoutError::new(ErrorKind::UnsupportedUpstream, message).with_hint(hint)
}

fn not_found() -> LoadoutError {
    no_codex(
        "no Codex was found: `codex` is not on PATH".to_owned(),
        format!(
            "Install it with `npm install -g @openai/codex`, or name it with `--codex PATH` or {CODEX_VARIABLE}."
        ),
    )
}

/// What was named is a script that runs this program.
fn itself(path: &Path) -> LoadoutError {
    no_codex(
        format!(
            "Codex at `{}` is a script that runs codex-loadout again",
            path.display()
        ),
        format!(
            "Name the real Codex with `--codex PATH` or {CODEX_VARIABLE} in it, or let `codex-loadout shim DIR` write it."
        ),
    )
}

/// A Codex and its arguments.
#[derive(Debug, Clone)]
pub struct CodexCommand {
    /// Which one.
    pub command: UpstreamCommand,
    /// `app-server` and what the host gave with it.
    pub arguments: Vec<OsString>,
}

/// Which Codex to run.
#[derive(Debug, Clone)]
pub struct UpstreamCommand {
    /// The executable.
    pub path: PathBuf,
    /// Where it was named, for messages.
    origin: &'static str,
    /// Set for it alone.
    environment: Vec<(OsString, OsString)>,
}

impl UpstreamCommand {
    /// Decides which Codex to run: the flag, then `CODEX_LOADOUT_CODEX`, then `codex` on `PATH`.
    ///
    /// # Errors
    /// `unsupportedUpstream` if nothing is named and `PATH` has none, or if this program is what it would run.
    pub fn find(flag: Option<PathBuf>) -> Result<Self, LoadoutError> {
        let of_variable = || std::env::var_os(CODEX_VARIABLE).filter(|path| !path.is_empty());
        let (path, origin) = match flag {
            Some(path) => (path, "--codex"),
            None => match of_variable() {
                Some(path) => (path.into(), CODEX_VARIABLE),
                None => (find_on_path().ok_or_else(not_found)?, "PATH"),
            },
        };
        if reentry::is_what_became_of(&path) {
            return Err(itself(&path));
        }
        Ok(Self {
            path,
            origin,
            environment: Vec::new(),
        })
    }

    /// This very program, in the place of a Codex.
    ///
    /// # Errors
    /// What the system says when it can't tell where that is.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self {
            path: std::env::current_exe()?,
            origin: "the path of this program",
            environment: Vec::new(),
        })
    }

    /// With a variable set for it alone.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A command that runs it with these arguments; stdio is inherited unless changed.
    #[must_use]
    pub fn command(&self, arguments: &[OsString]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments);
        command.env(reentry::VARIABLE, reentry::said(Start::Spawn, &self.path));
        command.envs(self.environment.iter().cloned());
        command
    }

    /// The same, started in this way and waited for here.
    #[must_use]
    pub fn blocking(&self, arguments: &[OsString], start: Start) -> std::process::Command {
        let mut command = std::process::Command::new(&self.path);
        command.args(arguments);
        command.env(reentry::VARIABLE, reentry::said(start, &self.path));
        command
    }

    /// What it says of its version: `codex-cli 0.169.0`. Blocking.
    ///
    /// # Errors
    /// `unsupportedUpstream` if it can't be run.
    pub fn version_line(&self) -> Result<String, LoadoutError> {
        let output = std::process::Command::new(&self.path)
            .arg("--version")
            .output()
            .map_err(|error| self.not_runnable(&error))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Says why it could not be started.
    #[must_use]
    pub fn not_runnable(&self, source: &io::Error) -> LoadoutError {
        no_codex(
            format!("Codex at `{}` can't be run: {source}", self.path.display()),
            format!("Check the path given by {}.", self.origin),
        )
    }

    /// Starts it with pipes on stdin and stdout; its stderr is ours.
    ///
    /// # Errors
    /// `unsupportedUpstream` if it can't be started.
    pub fn start(&self, arguments: &[OsString]) -> Result<Upstream, LoadoutError> {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|source| self.not_runnable(&source))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => {
                #[cfg(unix)]
                {
                    enlarge(&stdin);
                    enlarge(&stdout);
                }
                Ok(Upstream {
                    child,
                    stdin,
                    stdout,
                })
            }
            _ => Err(self.not_runnable(&io::Error::other("its pipes are missing"))),
        }
    }
}

/// A running Codex.
#[derive(Debug)]
pub struct Upstream {
    /// The process. It is killed if this is dropped.
    pub child: Child,
    /// Where requests go.
    pub stdin: ChildStdin,
    /// Where answers come from.
    pub stdout: ChildStdout,
}

/// `codex` on `PATH`, but never this very program: it may stand in as `codex` itself.
fn find_on_path() -> Option<PathBuf> {
    let own = std::env::current_exe()
        .ok()
        .and_then(|path| path.canonicalize().ok());
    let name = format!("codex{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(&name))
        .find(|candidate| is_executable(candidate) && candidate.canonicalize().ok() != own)
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// The exit code to end with after a process: its own, or 128 + the signal that ended it, as shells say it.
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return u8::try_from(128 + signal).unwrap_or(u8::MAX);
        }
    }
    status
        .code()
        .and_then(|code| u8::try_from(code & 0xff).ok())
        .unwrap_or(1)
}
