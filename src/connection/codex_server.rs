//! A Codex of our own that many hosts share: it listens at a socket of this process alone.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use tokio::process::{Child, Command};

use super::address::UpstreamAddress;
use super::child::CodexCommand;
use super::door::Door;
use super::socket_file;
use super::upstream_socket::connect_unix;
use crate::throwaway::ThrowawayFolder;

/// How often a Codex that starts is asked whether it listens: it says so in no other way.
const ASK_AGAIN: Duration = Duration::from_millis(2);
/// A Codex that starts listens within a second; one that reads a large home takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the end of its stdin, which comes with the end of this process, however that ends, and then ends
/// the process it is told: Codex drains when it is asked to end, and that may take as long as a turn.
const END_WITH_US: &str = r#"read -r _; kill "$1" || exit 0; for _ in 1 2 3 4 5; do sleep 1; kill -0 "$1" || exit 0; done; kill -9 "$1""#;

/// A Codex that listens. It is killed if this is dropped, and ends if this process is killed.
#[derive(Debug)]
pub struct CodexServer {
    /// The process, for signals and its exit status.
    pub child: Child,
    socket: PathBuf,
    /// What Codex made the socket a link to: it leaves a lock beside it, and both if it is killed.
    behind: PathBuf,
    _ends_with_us: Child,
    _folder: ThrowawayFolder,
}

/// It never listened.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("Codex ended before it could be used ({0})")]
    Ended(ExitStatus),
    #[error("Codex does not listen {} seconds after its start", PATIENCE.as_secs())]
    Silent,
    #[error("Codex can't be given a socket: {0}")]
    System(#[from] io::Error),
}

impl From<StartError> for LoadoutError {
    fn from(error: StartError) -> Self {
        let hint = match &error {
            StartError::Ended(_) => {
                "It says why on stderr; `codex app-server` with the same arguments says it, too."
            }
            StartError::Silent => "Run `codex-loadout doctor`, and try again.",
            StartError::System(_) => "Set TMPDIR to a folder of your own with room in it.",
        };
        Self::new(ErrorKind::UnsupportedUpstream, error.to_string()).with_hint(hint)
    }
}

impl CodexServer {
    /// Starts it and waits until it can be connected to. The arguments name no `--listen`: Codex takes one
    /// alone. Its stderr is ours.
    ///
    /// # Errors
    /// `unsupportedUpstream` if it can't be started, or ends or does nothing instead of listening.
    pub async fn start(codex: &CodexCommand) -> Result<Self, LoadoutError> {
        let folder = ThrowawayFolder::new().map_err(StartError::from)?;
        let socket = folder.path().join("codex.sock");
        let mut arguments = codex.arguments.clone();
        let mut address = std::ffi::OsString::from("unix://");
        address.push(&socket);
        arguments.extend(["--listen".into(), address]);
        let mut child = codex
            .command
            .command(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| codex.command.not_runnable(&source))?;
        let ends_with_us = end_with_us(&child).map_err(StartError::from)?;
        let listens = tokio::time::timeout(PATIENCE, listens(&mut child, &socket));
        listens.await.map_err(|_| StartError::Silent)??;
        Ok(Self {
            child,
            behind: fs::read_link(&socket).unwrap_or_default(),
            socket,
            _ends_with_us: ends_with_us,
            _folder: folder,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> UpstreamAddress {
        UpstreamAddress::Unix(Some(self.socket.clone()))
    }

    /// Opens a connection of its own for a host.
    ///
    /// # Errors
    /// `unsupportedUpstream` if it does not answer.
    pub async fn connect(&self) -> Result<Door, LoadoutError> {
        Ok(connect_unix(&self.socket).await?)
    }
}

impl Drop for CodexServer {
    fn drop(&mut self) {
        let is_socket = |path: &Path| {
            path.symlink_metadata()
                .is_ok_and(|found| found.file_type().is_socket())
        };
        if is_socket(&self.behind) {
            let _ = fs::remove_file(&self.behind);
        }
        let mut lock = self.behind.clone().into_os_string();
        lock.push(".lock");
        let _ = fs::remove_file(lock);
    }
}

async fn listens(child: &mut Child, socket: &Path) -> Result<(), StartError> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Err(StartError::Ended(status));
        }
        if socket_file::connect(socket).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Starts what ends the child if this process is killed. It goes when it is dropped.
fn end_with_us(child: &Child) -> io::Result<Child> {
    let process = child.id().unwrap_or_default().to_string();
    Command::new("/bin/sh")
        .args(["-c", END_WITH_US, "sh", &process])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[tokio::test]
    async fn it_ends_when_the_pipe_does_that_ends_with_this_process() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let mut watch = end_with_us(&child).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        drop(watch.stdin.take());
        assert_eq!(child.wait().await.unwrap().signal(), Some(15));
        assert!(watch.wait().await.unwrap().success());
    }
}
