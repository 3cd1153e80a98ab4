//! Where hosts come to by a socket.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::address::{ListenAddress, control_socket};
use super::door::Door;
use super::http_door::{HttpDoor, Pages, empty};
#[cfg(unix)]
use super::inherited;
use super::keep_alive::keep_alive;
#[cfg(unix)]
use super::socket_file::{SocketFile, SocketFileError};
use super::web_socket::web_socket;
use super::web_socket_auth::WebSocketAuth;

/// Hosts that may be connected to one listener at a time: each takes two descriptors, of the 1,024 a process has by
/// default.
const MOST_HOSTS: usize = 400;
/// Connections that may be on their way to being a host's.
const MOST_HANDSHAKES: usize = 256;
/// How long one may be on its way.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After the system could not give out a connection: it has none left, and asking at once changes nothing.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A place where hosts come to. Nobody can come any more, and its socket is removed, when it is dropped.
#[derive(Debug)]
pub struct Listener {
    place: Place,
    hosts: mpsc::Receiver<Door>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
enum Place {
    #[cfg(unix)]
    Unix {
        /// Removed with this; one that was handed over is another's.
        _file: Option<SocketFile>,
    },
    WebSocket(SocketAddr),
}

#[derive(Debug)]
enum Socket {
    #[cfg(unix)]
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Hosts can't come there.
#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error(
        "refusing to start non-loopback websocket listener {0} without auth; configure `--ws-auth capability-token` or `--ws-auth signed-bearer-token`"
    )]
    Open(SocketAddr),
    #[error("can't listen at {address}: {source}")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("`{0:?}` is no socket")]
    NotASocket(ListenAddress),
}

impl From<ListenError> for LoadoutError {
    fn from(error: ListenError) -> Self {
        let (kind, hint) = match &error {
            ListenError::Open(_) => (
                ErrorKind::InvalidSelection,
                "Listen at 127.0.0.1 and reach it through SSH, or say who may connect: `--ws-auth capability-token --ws-token-file FILE`.",
            ),
            ListenError::Bind { .. } => (
                ErrorKind::StateUnavailable,
                "Another program may listen there: name another port, or 0 for one that is free.",
            ),
            ListenError::NotASocket(_) => (
                ErrorKind::InvalidSelection,
                "Name a socket: `unix://`, `unix://PATH` or `ws://IP:PORT`.",
            ),
        };
        Self::new(kind, error.to_string()).with_hint(hint)
    }
}

impl Listener {
    /// Listens at a socket. `auth` is asked of those who come by `ws://`, as Codex does it; `pages` answer further
    /// paths where only this machine's users can come to.
    ///
    /// # Errors
    /// `invalidSelection` for an address that is no socket's, or that anybody could come to; `stateUnavailable` if
    /// the socket can't be had.
    pub async fn bind(
        address: &ListenAddress,
        codex_home: &Path,
        auth: Option<Arc<WebSocketAuth>>,
        pages: Option<Pages>,
    ) -> Result<Self, LoadoutError> {
        let (place, socket, door) = match address {
            #[cfg(unix)]
            ListenAddress::Unix(path) => {
                let path = match path {
                    Some(path) => path.clone(),
                    None => made_control_socket(codex_home),
                };
                let failed = |source| SocketFileError::System {
                    path: path.clone(),
                    source,
                };
                let (file, listener) = match inherited::unix(&path).map_err(failed)? {
                    Some(listener) => (None, listener),
                    None => {
                        let (file, listener) = SocketFile::bind(&path).await?;
                        (Some(file), listener)
                    }
                };
                let door = HttpDoor {
                    auth: None,
                    pages,
                    is_unix: true,
                };
                (Place::Unix { _file: file }, Socket::Unix(listener), door)
            }
            ListenAddress::WebSocket(address) => {
                let (address, listener) = bind_tcp(*address, auth.is_some()).await?;
                let door = HttpDoor {
                    auth,
                    pages: pages.filter(|_| address.ip().is_loopback()),
                    is_unix: false,
                };
                (Place::WebSocket(address), Socket::Tcp(listener), door)
            }
            _ => return Err(ListenError::NotASocket(address.clone()).into()),
        };
        let (sender, hosts) = mpsc::channel(16);
        let accepting = tokio::spawn(accept_all(socket, door, sender));
        Ok(Self {
            place,
            hosts,
            accepting,
        })
    }

    /// The next host, once its handshake is done.
    pub async fn accept(&mut self) -> Door {
        match self.hosts.recv().await {
            Some(host) => host,
            None => pending().await,
        }
    }

    /// Where it listens by TCP.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self.place {
            #[cfg(unix)]
            Place::Unix { .. } => None,
            Place::WebSocket(address) => Some(address),
        }
    }

    /// What Codex (0.169) writes to stderr when it begins to listen by TCP.
    #[must_use]
    pub fn announcement(&self) -> Option<String> {
        let address = self.address()?;
        let note = match address.ip().is_loopback() {
            true => "binds localhost only (use SSH port-forwarding for remote access)",
            false => "websocket auth is required for non-localhost listeners",
        };
        Some(format!(
            "codex app-server (WebSockets)\n  listening on: ws://{address}\n  readyz: http://{address}/readyz\n  \
             healthz: http://{address}/healthz\n  note: {note}\n"
        ))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The control socket, its folder made: whatever goes wrong with that is said of the socket.
#[cfg(unix)]
fn made_control_socket(codex_home: &Path) -> PathBuf {
    let path = control_socket(codex_home);
    if let Some(folder) = path.parent()
        && let Err(error) = crate::paths::private_folder(folder)
    {
        tracing::debug!(%error, "the control socket's folder can't be made");
    }
    path
}

async fn bind_tcp(
    address: SocketAddr,
    has_auth: bool,
) -> Result<(SocketAddr, TcpListener), ListenError> {
    if !address.ip().is_loopback() && !has_auth {
        return Err(ListenError::Open(address));
    }
    let failed = |source| ListenError::Bind { address, source };
    #[cfg(unix)]
    let passed = inherited::tcp(address).map_err(failed)?;
    #[cfg(not(unix))]
    let passed = None;
    let listener = match passed {
        Some(listener) => listener,
        None => TcpListener::bind(address).await.map_err(failed)?,
    };
    Ok((listener.local_addr().map_err(failed)?, listener))
}

/// Gives out hosts for ever. Slow ones are waited for on the side, and no longer when this ends.
async fn accept_all(socket: Socket, door: HttpDoor, hosts: mpsc::Sender<Door>) {
    let places = Arc::new(Semaphore::new(MOST_HOSTS));
    let mut handshakes = JoinSet::new();
    loop {
        let accepted = accept_one(&socket, &door, &hosts, &places, &mut handshakes).await;
        if let Err(error) = accepted {
            tracing::warn!(%error, "a connection can't be accepted");
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
}

async fn accept_one(
    socket: &Socket,
    door: &HttpDoor,
    hosts: &mpsc::Sender<Door>,
    places: &Arc<Semaphore>,
    handshakes: &mut JoinSet<()>,
) -> io::Result<()> {
    let (door, hosts, places) = (door.clone(), hosts.clone(), places.clone());
    let is_full = |handshakes: &mut JoinSet<()>| {
        while handshakes.try_join_next().is_some() {}
        handshakes.len() >= MOST_HANDSHAKES
    };
    match socket {
        #[cfg(unix)]
        Socket::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            match is_full(handshakes) {
                true => drop(stream.try_write(TOO_MANY)),
                false => drop(handshakes.spawn(receive(stream, door, places, hosts))),
            }
        }
        Socket::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            // A message is not to wait for the answer to the one before it. A peer that is gone shows later.
            let _ = stream.set_nodelay(true);
            keep_alive(&stream);
            match is_full(handshakes) {
                true => drop(stream.try_write(TOO_MANY)),
                false => drop(handshakes.spawn(receive(stream, door, places, hosts))),
            }
        }
    }
    Ok(())
}

/// A host that speaks WebSocket on a stream that is there already; `None` if it does not.
pub async fn accept_on<S>(stream: S) -> Option<Door>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let door = HttpDoor {
        auth: None,
        pages: None,
        is_unix: true,
    };
    let host = handshake(stream, &door, &Arc::new(Semaphore::new(1))).await;
    host.inspect_err(|error| tracing::debug!(%error, "no WebSocket"))
        .ok()
        .flatten()
}

async fn receive<S>(stream: S, door: HttpDoor, places: Arc<Semaphore>, hosts: mpsc::Sender<Door>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match tokio::time::timeout(HANDSHAKE, handshake(stream, &door, &places)).await {
        Ok(Ok(Some(host))) => drop(hosts.send(host).await),
        Ok(Ok(None)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

/// Answers requests until one makes the connection a WebSocket.
async fn handshake<S>(
    stream: S,
    door: &HttpDoor,
    places: &Arc<Semaphore>,
) -> hyper::Result<Option<Door>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let upgrade = Mutex::new(None);
    let answer = service_fn(async |mut request: hyper::Request<Incoming>| {
        let mut answer = door.answer(&request).await;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let coming = hyper::upgrade::on(&mut request);
                    *upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some((coming, place));
                }
                Err(_) => answer = empty(StatusCode::SERVICE_UNAVAILABLE),
            }
        }
        Ok::<_, Infallible>(answer)
    });
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades()
        .await?;
    let Some((coming, place)) = upgrade.into_inner().unwrap_or_else(PoisonError::into_inner) else {
        return Ok(None);
    };
    let Ok(parts) = coming.await?.downcast::<TokioIo<S>>() else {
        return Ok(None);
    };
    let stream = parts.io.into_inner();
    let host = web_socket(stream, parts.read_buf, Role::Server).await;
    Ok(Some(Door {
        reader: host.reader.at_place(place),
        ..host
    }))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{FrameReader, FrameWriter, UpstreamAddress, codex_loadout_at, connect};
    use bytes::Bytes;
    use sha2::{Digest, Sha256};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpStream, UnixStream};

    const ANY_PORT: &str = "ws://127.0.0.1:0";
    const UPGRADE: &str = "GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: x\r\n\r\n";

    async fn listen(address: &str, auth: Option<WebSocketAuth>) -> Result<Listener, LoadoutError> {
        let home = Path::new("/nowhere");
        Listener::bind(&address.parse().unwrap(), home, auth.map(Arc::new), None).await
    }

    async fn say(writer: &FrameWriter, to: &mut FrameReader, text: &'static str) {
        writer.send(Bytes::from_static(text.as_bytes()));
        assert_eq!(to.next().await.unwrap()[0].bytes(), text);
    }

    #[tokio::test]
    async fn hosts_come_by_both_kinds_of_sockets_and_stay_when_the_door_closes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let unix = listen(&format!("unix://{}", path.display()), None)
            .await
            .unwrap();
        let token = WebSocketAuth::CapabilityToken(Sha256::digest("tok").into());
        let tcp = listen(ANY_PORT, Some(token)).await.unwrap();
        let at = format!("ws://{}", tcp.address().unwrap());
        assert!(
            tcp.announcement()
                .unwrap()
                .contains(&format!("listening on: {at}\n"))
        );
        assert!(unix.announcement().is_none());
        let at: UpstreamAddress = at.parse().unwrap();
        let refused = connect(&at, Some("toc")).await.unwrap_err();
        assert!(refused.hint.contains("--upstream-token-env"));
        for (mut listener, at) in [(unix, UpstreamAddress::Unix(Some(path.clone()))), (tcp, at)] {
            let Door {
                mut reader, writer, ..
            } = connect(&at, Some("tok")).await.unwrap();
            let mut host = listener.accept().await;
            drop(listener);
            say(&writer, &mut host.reader, "a").await;
            say(&host.writer, &mut reader, "b").await;
            let gone = connect(&at, Some("tok")).await.unwrap_err();
            assert!(gone.message.starts_with("no Codex listens at"), "{gone}");
            drop(writer);
            assert!(host.reader.next().await.is_none());
        }
        assert!(!path.is_symlink());
    }

    #[tokio::test]
    async fn a_slow_handshake_keeps_nobody_waiting() {
        let mut listener = listen(ANY_PORT, None).await.unwrap();
        let address = listener.address().unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        let (begin, rest) = UPGRADE.split_at(30);
        slow.write_all(begin.as_bytes()).await.unwrap();
        let at = format!("ws://{address}").parse().unwrap();
        let Door {
            reader: _reader,
            writer,
            ..
        } = connect(&at, None).await.unwrap();
        let mut quick = listener.accept().await;
        say(&writer, &mut quick.reader, "quick").await;
        slow.write_all(rest.as_bytes()).await.unwrap();
        listener.accept().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_too_slow_or_too_many_is_turned_away() {
        let (host, near) = tokio::io::duplex(4096);
        let (sender, mut hosts) = mpsc::channel(1);
        let door = HttpDoor {
            auth: None,
            pages: None,
            is_unix: false,
        };
        let none = Arc::new(Semaphore::new(0));
        receive(near, door.clone(), none.clone(), sender.clone()).await;
        drop(host);
        let (mut host, near) = tokio::io::duplex(4096);
        host.write_all(UPGRADE.as_bytes()).await.unwrap();
        let receiving = tokio::spawn(receive(near, door, none, sender));
        let mut answer = String::new();
        host.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        receiving.await.unwrap();
        assert!(hosts.recv().await.is_none());
    }

    #[tokio::test]
    async fn one_codex_loadout_knows_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        assert_eq!(codex_loadout_at(&path).await, None);
        // As Codex does it, that takes WebSockets alone.
        let other = UnixListener::bind(&path).unwrap();
        let turned_away = tokio::spawn(async move {
            let (mut stream, _): (UnixStream, _) = other.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
        });
        assert_eq!(codex_loadout_at(&path).await, None);
        turned_away.await.unwrap();
        let address = format!("unix://{}", path.display());
        let _listener = listen(&address, None).await.unwrap();
        assert_eq!(codex_loadout_at(&path).await, Some(std::process::id()));
    }

    #[tokio::test]
    async fn what_anybody_could_reach_needs_auth() {
        for (address, reason) in [
            (
                "ws://0.0.0.0:0",
                "refusing to start non-loopback websocket listener 0.0.0.0:0 without auth",
            ),
            ("ws://[::]:0", "without auth"),
            ("off", "is no socket"),
            (
                "unix:///nowhere/at/all.sock",
                "can't listen at /nowhere/at/all.sock",
            ),
        ] {
            let error = listen(address, None).await.unwrap_err();
            assert!(
                error.message.contains(reason) && !error.hint.is_empty(),
                "{error}"
            );
        }
        let token = WebSocketAuth::CapabilityToken([0; 32]);
        let listener = listen("ws://0.0.0.0:0", Some(token)).await.unwrap();
        assert!(
            listener
                .announcement()
                .unwrap()
                .contains("auth is required")
        );
    }
}
