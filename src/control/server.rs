//! The control door: our methods for clients that are no hosts, by the socket in the state folder and by HTTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use codex_loadout_protocol::audit::CONTROL;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use super::answer::Control;
use super::context::Context;
use super::http::{self, HttpAccess};
use super::lines;
use crate::loadouts::Loadouts;
use crate::records::asked_by;

/// Clients that may be connected at a time, by all ways together.
const MOST_CLIENTS: usize = 64;
/// A client that says nothing at first is let go of after this long.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// After the system could not give out a connection.
const AFTER_FAILURE: Duration = Duration::from_millis(200);
/// Bytes of one request, at most.
pub(super) const LONGEST_REQUEST: usize = 4 * 1024 * 1024;

/// Serves clients of the control door.
#[derive(Debug)]
pub(crate) struct ControlServer {
    control: Control,
    pub(super) loadouts: Arc<Loadouts>,
    places: Arc<Semaphore>,
}

impl ControlServer {
    /// One that works on this.
    #[must_use]
    pub(crate) fn new(context: Context) -> Arc<Self> {
        Arc::new(Self {
            loadouts: context.loadouts.clone(),
            control: Control::new(context),
            places: Arc::new(Semaphore::new(MOST_CLIENTS)),
        })
    }

    /// Calls a method for somebody; gives `result` or `error`, and its JSON.
    pub(super) async fn call(
        &self,
        actor: Option<Arc<str>>,
        method: &str,
        params: Option<&str>,
    ) -> (&'static str, String) {
        let actor = actor.unwrap_or_else(|| CONTROL.into());
        asked_by(Some(actor), self.control.call(method, params)).await
    }

    /// Serves those who come to a Unix socket, for ever: lines of JSON-RPC, or HTTP.
    pub(crate) async fn serve_unix(self: Arc<Self>, listener: UnixListener) {
        loop {
            let Some((stream, _)) = accepted(listener.accept().await).await else {
                continue;
            };
            let Ok(place) = self.places.clone().try_acquire_owned() else {
                continue;
            };
            let server = self.clone();
            tokio::spawn(async move {
                let _place = place;
                let mut stream = BufReader::new(stream);
                let first = tokio::time::timeout(FIRST_WORD, stream.fill_buf()).await;
                match first {
                    Ok(Ok([b'{' | b'[' | b'\n' | b' ', ..])) => lines::serve(stream, server).await,
                    Ok(Ok([_, ..])) => http::serve(stream, server, None).await,
                    _ => {}
                }
            });
        }
    }

    /// Serves those who come by HTTP on loopback and show the token, for ever.
    pub(crate) async fn serve_http(self: Arc<Self>, listener: TcpListener, access: HttpAccess) {
        let access = Arc::new(access);
        loop {
            let Some((stream, _)) = accepted(listener.accept().await).await else {
                continue;
            };
            let Ok(place) = self.places.clone().try_acquire_owned() else {
                let _ = stream.try_write(http::TOO_MANY);
                continue;
            };
            let (server, access) = (self.clone(), access.clone());
            tokio::spawn(async move {
                let _place = place;
                http::serve(stream, server, Some(access)).await;
            });
        }
    }
}

async fn accepted<T>(accepted: io::Result<T>) -> Option<T> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a client of the control door can't be accepted");
            tokio::time::sleep(AFTER_FAILURE).await;
            None
        }
    }
}
