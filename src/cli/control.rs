//! The control door by HTTP: `--control http://127.0.0.1:PORT`.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::connection::{TOKEN_ENDING, WebSocketAuth};
use crate::control::{ControlServer, HttpAccess};
use crate::paths::{check_private, private_file, private_folder};

/// Tokens that others could guess are no tokens.
const SHORTEST_TOKEN: usize = 16;

/// A value of `--control`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ControlAddress(SocketAddr);

/// The control door can't be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    #[error("invalid --control URL `{0}`; expected `http://127.0.0.1:PORT` or `http://[::1]:PORT`")]
    NoAddress(String),
    #[error("can't listen at http://{address}: {source}")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("the token of the control door can't be read from {}: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("the token in {} has less than {SHORTEST_TOKEN} bytes", .0.display())]
    Short(PathBuf),
    #[error("the token of the control door can't be written to {}: {source}", file.display())]
    Unwritable { file: PathBuf, source: io::Error },
}

impl From<ControlError> for LoadoutError {
    fn from(error: ControlError) -> Self {
        let (kind, hint) = match &error {
            ControlError::NoAddress(_) => (
                ErrorKind::InvalidSelection,
                "The control door is for this machine: reach it from another one through SSH. Port 0 takes a free one.",
            ),
            ControlError::Bind { .. } => (
                ErrorKind::StateUnavailable,
                "Another program may listen there: name another port, or 0 for one that is free.",
            ),
            ControlError::Unreadable { .. } | ControlError::Short(_) => (
                ErrorKind::InvalidSelection,
                "Write a long random text into it, as `openssl rand -hex 32` prints one, or leave `--control-token-file` out to have one made.",
            ),
            ControlError::Unwritable { .. } => (
                ErrorKind::StateUnavailable,
                "Make the state folder writable, or give a token with `--control-token-file`.",
            ),
        };
        Self::new(kind, error.to_string()).with_hint(hint)
    }
}

impl FromStr for ControlAddress {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, ControlError> {
        let address = text.strip_prefix("http://");
        let address = address.map(|address| address.strip_suffix('/').unwrap_or(address));
        let address: Option<SocketAddr> = address.and_then(|address| address.parse().ok());
        address
            .filter(|address| address.ip().is_loopback())
            .map(Self)
            .ok_or_else(|| ControlError::NoAddress(text.to_owned()))
    }
}

/// Where clients of the control door come to.
#[derive(Debug)]
pub(super) struct ControlListener {
    listener: TcpListener,
    access: HttpAccess,
    token: TokenFile,
}

/// Serves until this is dropped.
#[derive(Debug)]
pub(super) struct Serving {
    serving: JoinHandle<()>,
    _token: TokenFile,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl ControlListener {
    /// Listens there. Without a file with a token, one is made in the state folder.
    pub(super) async fn bind(
        ControlAddress(address): ControlAddress,
        token_file: Option<PathBuf>,
        state_home: &Path,
    ) -> Result<Self, LoadoutError> {
        let failed = |source| ControlError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (token, file) = match token_file {
            Some(file) => (read_token(&file)?, TokenFile::Given(file)),
            None => made_token(state_home)?,
        };
        let auth = WebSocketAuth::CapabilityToken(Sha256::digest(token).into());
        Ok(Self {
            listener,
            access: HttpAccess { address, auth },
            token: file,
        })
    }

    /// What is said on stderr.
    pub(super) fn announcement(&self) -> String {
        let address = self.access.address;
        let file = self.token.path().display();
        format!("codex-loadout control\n  listening on: http://{address}\n  token in: {file}")
    }

    /// Begins to serve.
    pub(super) fn serve(self, server: Arc<ControlServer>) -> Serving {
        Serving {
            serving: tokio::spawn(server.serve_http(self.listener, self.access)),
            _token: self.token,
        }
    }
}

/// Where the token is written.
#[derive(Debug)]
enum TokenFile {
    Given(PathBuf),
    /// It goes with its door. Its lock says that somebody serves with it.
    Made {
        path: PathBuf,
        _lock: File,
    },
}

impl TokenFile {
    fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::Made { path, .. } => path,
        }
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        if let Self::Made { path, .. } = self
            && let Err(error) = std::fs::remove_file(&*path)
        {
            tracing::debug!(%error, "the token's file can't be removed");
        }
    }
}

fn read_token(file: &Path) -> Result<String, ControlError> {
    let text = std::fs::read_to_string(file).map_err(|source| ControlError::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    match text.trim() {
        token if token.len() < SHORTEST_TOKEN => Err(ControlError::Short(file.to_owned())),
        token => Ok(token.to_owned()),
    }
}

fn made_token(state_home: &Path) -> Result<(String, TokenFile), LoadoutError> {
    let folder = state_home.join("control");
    let part = || Uuid::new_v4().simple().to_string();
    let token = format!("{}{}", part(), part());
    let name = format!("{}-{}.{TOKEN_ENDING}", std::process::id(), &part()[..8]);
    let path = folder.join(name);
    let written = || {
        private_folder(&folder)?;
        let mut file = private_file(&path)?;
        file.lock()?;
        file.write_all(token.as_bytes())?;
        Ok(file)
    };
    let file = path.clone();
    let lock = written().map_err(|source| ControlError::Unwritable { file, source })?;
    let file = TokenFile::Made { path, _lock: lock };
    check_private(state_home)?;
    Ok((token, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_door_is_on_loopback_alone() {
        for (text, is_one) in [
            ("http://127.0.0.1:0", true),
            ("http://127.0.0.1:80/", true),
            ("http://[::1]:4600", true),
            ("http://0.0.0.0:4600", false),
            ("http://[::]:4600", false),
            ("http://192.168.0.1:4600", false),
            ("http://localhost:4600", false),
            ("http://127.0.0.1", false),
            ("http://127.0.0.1:1/path", false),
            ("https://127.0.0.1:1", false),
            ("127.0.0.1:1", false),
        ] {
            let found = text.parse::<ControlAddress>().map_err(LoadoutError::from);
            assert_eq!(found.is_ok(), is_one, "{text}");
            assert!(found.err().is_none_or(|error| !error.hint.is_empty()));
        }
    }

    #[tokio::test]
    async fn a_token_is_read_or_made_for_its_user_alone_and_goes_with_the_door() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let any: ControlAddress = "http://127.0.0.1:0".parse().unwrap();
        let bound = ControlListener::bind(any, None, &state).await.unwrap();
        let path = bound.token.path().to_owned();
        let token = std::fs::read_to_string(&path).unwrap();
        assert_eq!(token.len(), 64);
        assert!(bound.announcement().contains(&path.display().to_string()));
        assert!(!bound.announcement().contains(&token));
        let shown = format!("Bearer {token}");
        assert_eq!(bound.access.auth.check(Some(shown.as_bytes())), Ok(()));
        use std::os::unix::fs::PermissionsExt;
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(bound);
        assert!(!path.exists());
        let given = folder.path().join("token");
        for (text, is_good) in [(" 0123456789abcdef\n", true), ("short", false), ("", false)] {
            std::fs::write(&given, text).unwrap();
            let bound = ControlListener::bind(any, Some(given.clone()), &state).await;
            assert_eq!(bound.is_ok(), is_good, "{text}");
            assert!(given.exists());
        }
    }
}
