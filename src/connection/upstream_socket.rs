//! A Codex that listens at a socket.

use std::path::Path;
use std::time::Duration;

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{self, http};

use super::address::{UpstreamAddress, control_socket};
use super::door::Door;
use super::keep_alive::keep_alive;
#[cfg(unix)]
use super::socket_file;
use super::web_socket::{settings, split};
use crate::paths;

/// A Codex on this machine answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// No connection to the Codex that was named.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no Codex listens at {place}: {source}")]
    Nobody {
        place: String,
        source: std::io::Error,
    },
    #[error("what listens at {place} refuses the connection: {source}")]
    Refused {
        place: String,
        source: Box<tungstenite::Error>,
    },
    #[error("what listens at {place} does not answer")]
    Silent { place: String },
    #[error("the environment variable `{0}` holds no bearer token")]
    NoToken(String),
}

impl From<ConnectError> for LoadoutError {
    fn from(error: ConnectError) -> Self {
        let hint = match &error {
            ConnectError::Nobody { .. } => {
                "Start one with `codex app-server --listen …`, or leave `--upstream` out to have one started."
            }
            ConnectError::Refused { source, .. } if is_unauthorized(source) => {
                "Name the environment variable that holds its token with `--upstream-token-env`."
            }
            ConnectError::Refused { .. } | ConnectError::Silent { .. } => {
                "Check that it is a Codex app-server that speaks WebSocket."
            }
            ConnectError::NoToken(_) => "Set it to the token that the Codex asks for.",
        };
        Self::new(ErrorKind::UnsupportedUpstream, error.to_string()).with_hint(hint)
    }
}

fn is_unauthorized(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Http(answer) if answer.status() == http::StatusCode::UNAUTHORIZED)
}

/// The token that the variable holds which `--upstream-token-env` names.
///
/// # Errors
/// `unsupportedUpstream` if it holds none.
pub fn bearer_token(variable: &str) -> Result<String, LoadoutError> {
    std::env::var(variable)
        .ok()
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty())
        .ok_or_else(|| ConnectError::NoToken(variable.to_owned()).into())
}

/// Opens a connection to a Codex that listens there. `token` is shown to one at a `ws://` address.
///
/// # Errors
/// `unsupportedUpstream` if nobody listens, or whoever does refuses, or does not answer.
pub async fn connect(address: &UpstreamAddress, token: Option<&str>) -> Result<Door, LoadoutError> {
    Ok(match address {
        #[cfg(unix)]
        UpstreamAddress::Unix(path) => {
            let path = path.clone();
            let path = path.unwrap_or_else(|| control_socket(&paths::codex_home()));
            connect_unix(&path).await?
        }
        #[cfg(not(unix))]
        UpstreamAddress::Unix(_) => Err(ConnectError::Nobody {
            place: "a Unix socket".to_owned(),
            source: std::io::ErrorKind::Unsupported.into(),
        })?,
        UpstreamAddress::WebSocket(url) => {
            let place = url.to_string();
            let host = url.host_str().unwrap_or_default();
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let port = url.port_or_known_default().unwrap_or_default();
            let stream = TcpStream::connect((host, port));
            let stream = in_time(&place, stream).await?.map_err(nobody(&place))?;
            stream.set_nodelay(true).map_err(nobody(&place))?;
            keep_alive(&stream);
            open(stream, url.as_str(), token, place).await?
        }
    })
}

#[cfg(unix)]
pub(super) async fn connect_unix(path: &Path) -> Result<Door, ConnectError> {
    let place = path.display().to_string();
    let stream = in_time(&place, socket_file::connect(path)).await?;
    let stream = stream.map_err(nobody(&place))?;
    open(stream, "ws://localhost/", None, place).await
}

fn nobody(place: &str) -> impl Fn(std::io::Error) -> ConnectError {
    move |source| ConnectError::Nobody {
        place: place.to_owned(),
        source,
    }
}

async fn in_time<T>(place: &str, work: impl Future<Output = T>) -> Result<T, ConnectError> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.map_err(|_| ConnectError::Silent {
        place: place.to_owned(),
    })
}

async fn open<S>(
    stream: S,
    url: &str,
    token: Option<&str>,
    place: String,
) -> Result<Door, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let refused = |source| ConnectError::Refused {
        place: place.clone(),
        source: Box::new(source),
    };
    let request = request(url, token).map_err(refused)?;
    let settings = Some(settings(Role::Client));
    let opened = tokio_tungstenite::client_async_with_config(request, stream, settings);
    let (socket, _) = in_time(&place, opened).await?.map_err(refused)?;
    Ok(split(socket))
}

fn request(url: &str, token: Option<&str>) -> tungstenite::Result<Request> {
    let mut request = url.into_client_request()?;
    if let Some(token) = token {
        let mut shown = http::HeaderValue::try_from(format!("Bearer {token}"))?;
        shown.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, shown);
    }
    Ok(request)
}
