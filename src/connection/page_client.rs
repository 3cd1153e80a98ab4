//! Pages of a codex-loadout that runs.

use std::io;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::address::ListenAddress;
#[cfg(unix)]
use super::address::control_socket;
use super::http_door::MARK;
#[cfg(unix)]
use super::http_door::PROCESS;
#[cfg(unix)]
use super::socket_file;
#[cfg(unix)]
use crate::paths;

/// It may have to measure its state folder first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whoever listens at a Unix socket says at once who it is, or never.
#[cfg(unix)]
const PATIENCE_FOR_MARK: Duration = Duration::from_secs(2);

/// A page can't be had.
#[derive(Debug, thiserror::Error)]
enum PageError {
    #[error("no codex-loadout listens at {place}: {source}")]
    Nobody { place: String, source: io::Error },
    #[error("what listens at {0} is no codex-loadout")]
    Another(String),
    #[error("what listens at {place} does not answer: {source}")]
    Broken { place: String, source: hyper::Error },
    #[error("what listens at {0} does not answer")]
    Silent(String),
    #[error("the codex-loadout at {place} has no `{path}`")]
    NoPage { place: String, path: &'static str },
    #[error("`{0:?}` is no socket")]
    NotASocket(ListenAddress),
}

impl From<PageError> for LoadoutError {
    fn from(error: PageError) -> Self {
        let (kind, hint) = match &error {
            PageError::Nobody { .. } => (
                ErrorKind::UnsupportedUpstream,
                "Start one with `codex-loadout app-server --listen unix://`, or name the socket of one that runs with `--listen`. One on stdio alone can't be asked.",
            ),
            PageError::Another(_) => (
                ErrorKind::UnsupportedUpstream,
                "A Codex without codex-loadout runs there. Name the socket of a codex-loadout with `--listen`.",
            ),
            PageError::Broken { .. } | PageError::Silent(_) => (
                ErrorKind::UnsupportedUpstream,
                "Try again; if it stays so, look at the log of the codex-loadout there.",
            ),
            PageError::NoPage { .. } => (
                ErrorKind::UnsupportedUpstream,
                "The status is told at Unix sockets, metrics at those and at loopback addresses, by a codex-loadout of this version.",
            ),
            PageError::NotASocket(_) => (
                ErrorKind::InvalidSelection,
                "Name a socket: `unix://`, `unix://PATH` or `ws://IP:PORT`.",
            ),
        };
        Self::new(kind, error.to_string()).with_hint(hint)
    }
}

/// Asks the codex-loadout that listens there for a page.
///
/// # Errors
/// `unsupportedUpstream` if none does, or it has no such page; `invalidSelection` for an address that is no socket's.
pub async fn get_page(address: &ListenAddress, path: &'static str) -> Result<Bytes, LoadoutError> {
    let (place, asked) = match address {
        #[cfg(unix)]
        ListenAddress::Unix(socket) => {
            let socket = socket.clone();
            let socket = socket.unwrap_or_else(|| control_socket(&paths::codex_home()));
            let place = format!("unix://{}", socket.display());
            let asked = async {
                let stream = socket_file::connect(&socket).await;
                ask(stream, &place, path).await
            };
            (place.clone(), tokio::time::timeout(PATIENCE, asked).await)
        }
        ListenAddress::WebSocket(socket) => {
            let place = format!("ws://{socket}");
            let asked = async {
                let stream = TcpStream::connect(socket).await;
                ask(stream, &place, path).await
            };
            (place.clone(), tokio::time::timeout(PATIENCE, asked).await)
        }
        _ => return Err(PageError::NotASocket(address.clone()).into()),
    };
    Ok(asked.map_err(|_| PageError::Silent(place))??)
}

/// The process of the codex-loadout that listens at this Unix socket, if one does. Codex itself answers no plain request
/// there.
#[cfg(unix)]
pub async fn codex_loadout_at(path: &Path) -> Option<u32> {
    let asked = async {
        let stream = socket_file::connect(path).await;
        request(stream, &path.display().to_string(), "/readyz").await
    };
    let answer = tokio::time::timeout(PATIENCE_FOR_MARK, asked).await;
    let answer = answer.ok()?.ok()?;
    answer.headers().get(PROCESS)?.to_str().ok()?.parse().ok()
}

async fn ask<S>(stream: io::Result<S>, place: &str, path: &'static str) -> Result<Bytes, PageError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = request(stream, place, path).await?;
    if answer.status() != StatusCode::OK {
        return Err(PageError::NoPage {
            place: place.to_owned(),
            path,
        });
    }
    let body = answer.into_body().collect().await;
    let body = body.map_err(|source| PageError::Broken {
        place: place.to_owned(),
        source,
    })?;
    Ok(body.to_bytes())
}

/// What a codex-loadout answers, whatever that is.
async fn request<S>(
    stream: io::Result<S>,
    place: &str,
    path: &'static str,
) -> Result<Response<Incoming>, PageError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let place = || place.to_owned();
    let broken = |source| PageError::Broken {
        place: place(),
        source,
    };
    let stream = stream.map_err(|source| PageError::Nobody {
        place: place(),
        source,
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // It ends with the sender.
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = hyper::Uri::from_static(path);
    let here = hyper::header::HeaderValue::from_static("localhost");
    request.headers_mut().insert(HOST, here);
    let answer = match sender.send_request(request).await {
        Ok(answer) => answer,
        // As Codex does it, that takes WebSockets alone.
        Err(error) if error.is_incomplete_message() || error.is_parse() => {
            return Err(PageError::Another(place()));
        }
        Err(error) => return Err(broken(error)),
    };
    if !answer.headers().contains_key(MARK) {
        return Err(PageError::Another(place()));
    }
    Ok(answer)
}
