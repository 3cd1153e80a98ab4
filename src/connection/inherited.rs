//! Sockets that are listened at already when this program starts: systemd hands them over (`LISTEN_FDS`).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use listenfd::ListenFd;

/// Those that nobody has taken yet.
static PASSED: LazyLock<Mutex<Passed>> = LazyLock::new(|| Mutex::new(Passed::of_this_process()));

#[derive(Debug, Default)]
struct Passed {
    unix: Vec<UnixListener>,
    tcp: Vec<TcpListener>,
}

impl Passed {
    fn of_this_process() -> Self {
        let mut passed = Self::default();
        let mut descriptors = ListenFd::from_env();
        for at in 0..descriptors.len() {
            if let Ok(Some(listener)) = descriptors.take_unix_listener(at) {
                passed.unix.push(listener);
            } else if let Ok(Some(listener)) = descriptors.take_tcp_listener(at) {
                passed.tcp.push(listener);
            }
        }
        passed
    }
}

fn passed() -> MutexGuard<'static, Passed> {
    PASSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one at this path, if there is one.
pub(super) fn unix(path: &Path) -> io::Result<Option<tokio::net::UnixListener>> {
    let path = std::path::absolute(path)?;
    let listeners = &mut passed().unix;
    let is_it = |listener: &UnixListener| {
        let address = listener.local_addr().ok();
        address.is_some_and(|address| address.as_pathname() == Some(path.as_path()))
    };
    let Some(at) = listeners.iter().position(is_it) else {
        return Ok(None);
    };
    let listener = listeners.swap_remove(at);
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener).map(Some)
}

/// The one at this address, if there is one.
pub(super) fn tcp(address: SocketAddr) -> io::Result<Option<tokio::net::TcpListener>> {
    let listeners = &mut passed().tcp;
    let is_it = |listener: &TcpListener| listener.local_addr().is_ok_and(|it| it == address);
    let Some(at) = listeners.iter().position(is_it) else {
        return Ok(None);
    };
    let listener = listeners.swap_remove(at);
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener).map(Some)
}

/// Says so if one is left when all listeners are there: nobody would ever answer whoever connects to it.
///
/// # Errors
/// `invalidSelection`.
pub fn check_all_are_taken() -> Result<(), LoadoutError> {
    let passed = passed();
    let unix = passed.unix.iter().filter_map(|listener| {
        let address = listener.local_addr().ok()?;
        Some(format!("unix://{}", address.as_pathname()?.display()))
    });
    let tcp = passed.tcp.iter().filter_map(|listener| {
        let address = listener.local_addr().ok()?;
        Some(format!("ws://{address}"))
    });
    match unix.chain(tcp).next() {
        None => Ok(()),
        Some(place) => Err(LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("no `--listen` names the socket `{place}`, which was handed over at the start"),
        )
        .with_hint(format!(
            "Add `--listen {place}`, or take the socket out of the unit."
        ))),
    }
}
