//! Where a door is: the values of `--listen` and `--upstream`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use url::Url;

/// A value of Codex's `--listen` (0.169).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `stdio://`
    Stdio,
    /// `unix://PATH`, or `unix://` alone for the control socket.
    Unix(Option<PathBuf>),
    /// `ws://IP:PORT`
    WebSocket(SocketAddr),
    /// `off`
    Off,
}

/// A Codex that runs already: a value of `--upstream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// `unix://PATH`, or `unix://` alone for the control socket.
    Unix(Option<PathBuf>),
    /// `ws://HOST:PORT`
    WebSocket(Url),
}

/// An address that is none. The words for a listener are Codex's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or no URL at all.
    #[error(
        "unsupported --listen URL `{0}`; expected `stdio://`, `unix://`, `unix://PATH`, `ws://IP:PORT`, or `off`"
    )]
    UnsupportedListener(String),
    /// Not an IP address and a port.
    #[error("invalid websocket --listen URL `{0}`; expected `ws://IP:PORT`")]
    InvalidListener(String),
    /// No address of a Codex.
    #[error(
        "unsupported --upstream URL `{0}`; expected `unix://`, `unix://PATH` or `ws://HOST:PORT`"
    )]
    UnsupportedUpstream(String),
}

impl From<AddressError> for LoadoutError {
    fn from(error: AddressError) -> Self {
        let hint = match &error {
            AddressError::UnsupportedListener(_) => {
                "Without `--listen`, codex-loadout speaks on stdin and stdout."
            }
            AddressError::InvalidListener(_) => {
                "Give the address as a number, like `ws://127.0.0.1:4500`; port 0 takes a free one."
            }
            AddressError::UnsupportedUpstream(_) => {
                "Without `--upstream`, codex-loadout starts a Codex of its own."
            }
        };
        Self::new(ErrorKind::InvalidSelection, error.to_string()).with_hint(hint)
    }
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(path_of(path)));
        }
        if let Some(address) = text.strip_prefix("ws://") {
            let address = address.parse();
            return address
                .map(Self::WebSocket)
                .map_err(|_| AddressError::InvalidListener(text.to_owned()));
        }
        match text {
            "stdio://" => Ok(Self::Stdio),
            "off" => Ok(Self::Off),
            _ => Err(AddressError::UnsupportedListener(text.to_owned())),
        }
    }
}

impl FromStr for UpstreamAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(path_of(path)));
        }
        let url = Url::parse(text).ok();
        url.filter(|url| url.scheme() == "ws" && url.has_host() && url.username().is_empty())
            .map(Self::WebSocket)
            .ok_or_else(|| AddressError::UnsupportedUpstream(text.to_owned()))
    }
}

fn path_of(path: &str) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty())
}

/// The control socket of the Codex with this home: where clients look when nothing is named.
#[must_use]
pub fn control_socket(codex_home: &Path) -> PathBuf {
    codex_home.join("app-server-control/app-server-control.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_those_of_codex() {
        let socket = |text: &str| text.parse().map(ListenAddress::WebSocket).unwrap();
        for (text, expected) in [
            ("stdio://", Ok(ListenAddress::Stdio)),
            ("off", Ok(ListenAddress::Off)),
            ("unix://", Ok(ListenAddress::Unix(None))),
            (
                "unix:///run/a b",
                Ok(ListenAddress::Unix(Some("/run/a b".into()))),
            ),
            ("unix://rel", Ok(ListenAddress::Unix(Some("rel".into())))),
            ("ws://127.0.0.1:0", Ok(socket("127.0.0.1:0"))),
            ("ws://[::1]:8", Ok(socket("[::1]:8"))),
            (
                "ws://localhost:1",
                Err("invalid websocket --listen URL `ws://localhost:1`; expected `ws://IP:PORT`"),
            ),
            (
                "ws://127.0.0.1:1/path",
                Err(
                    "invalid websocket --listen URL `ws://127.0.0.1:1/path`; expected `ws://IP:PORT`",
                ),
            ),
            (
                "stdio",
                Err(
                    "unsupported --listen URL `stdio`; expected `stdio://`, `unix://`, `unix://PATH`, `ws://IP:PORT`, or `off`",
                ),
            ),
            (
                "unix:/x",
                Err(
                    "unsupported --listen URL `unix:/x`; expected `stdio://`, `unix://`, `unix://PATH`, `ws://IP:PORT`, or `off`",
                ),
            ),
        ] {
            let found = text
                .parse::<ListenAddress>()
                .map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn an_upstream_is_a_path_or_a_host() {
        for (text, is_one) in [
            ("unix://", true),
            ("unix:///run/codex.sock", true),
            ("ws://localhost:4500", true),
            ("ws://[::1]:4500/rpc", true),
            ("wss://localhost:4500", false),
            ("ws://", false),
            ("ws://me@host:1", false),
            ("/run/codex.sock", false),
            ("", false),
        ] {
            let found = text.parse::<UpstreamAddress>().map_err(LoadoutError::from);
            assert_eq!(found.is_ok(), is_one, "{text}");
            if let Err(error) = found {
                assert!(error.message.contains(text) && !error.hint.is_empty());
            }
        }
    }
}
