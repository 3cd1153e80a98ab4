//! A Unix socket at a path of any length: the path is a link to a socket in a folder of this user alone, as
//! Codex does it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use sha2::{Digest, Sha256};
use tokio::net::{UnixListener, UnixStream};

use crate::paths::{check_private, private_folder};

/// The address of a socket has room for 104 bytes on macOS and 108 on Linux, its end included.
pub(super) const LONGEST_ADDRESS: usize = 103;

/// A socket can't be made there.
#[derive(Debug, thiserror::Error)]
pub enum SocketFileError {
    /// Somebody answers there.
    #[error("app-server control socket is already in use at {}", .0.display())]
    InUse(PathBuf),
    /// Something else is there.
    #[error("app-server control socket path exists and is not a socket: {}", .0.display())]
    NotASocket(PathBuf),
    /// The folder for sockets can't be trusted.
    #[error("the folder for sockets `{}` is another user's, or open to others", .0.display())]
    NotPrivate(PathBuf),
    /// No folder for sockets is near enough to the root.
    #[error("the path of the folder for temporary files is too long for a socket: {}", .0.display())]
    TooLong(PathBuf),
    /// What the system says.
    #[error("can't listen at {}: {source}", path.display())]
    System {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<SocketFileError> for LoadoutError {
    fn from(error: SocketFileError) -> Self {
        let hint = match &error {
            SocketFileError::InUse(_) => {
                "Use what listens there, end it first (`codex app-server daemon stop` ends a daemon), or name another path with `--listen unix://PATH`."
            }
            SocketFileError::NotASocket(_) => {
                "Move it away, or name another path with `--listen unix://PATH`."
            }
            SocketFileError::NotPrivate(_) => "Set TMPDIR to a folder of your own.",
            SocketFileError::TooLong(_) => "Set TMPDIR to a folder with a shorter path.",
            SocketFileError::System { .. } => {
                "Name a path in a folder that is there and that you may write, with `--listen unix://PATH`."
            }
        };
        Self::new(ErrorKind::StateUnavailable, error.to_string()).with_hint(hint)
    }
}

/// A socket that is listened at. It is removed when this is dropped, unless it has become another's.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    socket: PathBuf,
    /// Locked as long as somebody listens, however he ends.
    _in_use: File,
}

impl SocketFile {
    /// Listens there. What a listener left that is gone is replaced.
    pub(super) async fn bind(path: &Path) -> Result<(Self, UnixListener), SocketFileError> {
        let failed = |source| SocketFileError::System {
            path: path.to_owned(),
            source,
        };
        let path = std::path::absolute(path).map_err(failed)?;
        let socket = socket_of(&path)?;
        let lock = socket.with_extension("lock");
        let in_use = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&lock)
            .map_err(failed)?;
        if in_use.try_lock().is_err() || connect(&path).await.is_ok() {
            return Err(SocketFileError::InUse(path));
        }
        match path.symlink_metadata().map(|found| found.file_type()) {
            Ok(kind) if kind.is_socket() || is_link_of_socket(&path) => {
                fs::remove_file(&path).map_err(failed)?;
            }
            Ok(_) => return Err(SocketFileError::NotASocket(path)),
            Err(_) => {}
        }
        if let Err(source) = fs::remove_file(&socket)
            && source.kind() != io::ErrorKind::NotFound
        {
            return Err(failed(source));
        }
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        // From here on it is removed, whatever fails.
        let file = Self {
            path,
            socket,
            _in_use: in_use,
        };
        fs::set_permissions(&file.socket, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        symlink(&file.socket, &file.path).map_err(failed)?;
        Ok((file, listener))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::read_link(&self.path).is_ok_and(|socket| socket == self.socket);
        let leftovers = [&self.path, &self.socket];
        for file in leftovers.into_iter().skip(usize::from(!is_ours)) {
            if let Err(error) = fs::remove_file(file) {
                tracing::debug!(%error, file = %file.display(), "a socket can't be removed");
            }
        }
    }
}

/// Whether it is a link to a socket, or to where one was.
fn is_link_of_socket(path: &Path) -> bool {
    path.is_symlink()
        && match path.metadata() {
            Ok(found) => found.file_type().is_socket(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
}

/// Where the socket of this path lies: always the same place, so that a new one replaces what is left of an old one.
fn socket_of(path: &Path) -> Result<PathBuf, SocketFileError> {
    let user = rustix::process::geteuid().as_raw();
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let name = data_encoding::HEXLOWER.encode(&digest[..16]);
    let temporary = std::env::temp_dir();
    let within = |folder: &Path| folder.join(format!("codex-loadout-{user}")).join(&name);
    let socket = [within(&temporary), within(Path::new("/tmp"))]
        .into_iter()
        .find(|socket| socket.as_os_str().len() <= LONGEST_ADDRESS)
        .ok_or(SocketFileError::TooLong(temporary))?;
    check_folder(socket.parent().unwrap_or(&socket))?;
    Ok(socket)
}

/// A folder near the root for sockets of this user.
pub(super) fn folder_for_sockets() -> Result<PathBuf, SocketFileError> {
    // What lies in it has a name of its own.
    let of_any = socket_of(Path::new(""))?;
    Ok(of_any.parent().unwrap_or(&of_any).to_owned())
}

fn check_folder(folder: &Path) -> Result<(), SocketFileError> {
    let made = private_folder(folder);
    // A link could be turned elsewhere by whoever made it.
    if made.is_err() || folder.is_symlink() || check_private(folder).is_err() {
        return Err(SocketFileError::NotPrivate(folder.to_owned()));
    }
    Ok(())
}

/// Connects to a socket, though its path may be too long for an address: then what it links to is asked.
pub(super) async fn connect(path: &Path) -> io::Result<UnixStream> {
    match path.as_os_str().len() > LONGEST_ADDRESS {
        true => UnixStream::connect(fs::canonicalize(path)?).await,
        false => UnixStream::connect(path).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[tokio::test]
    async fn a_socket_is_its_users_alone_at_a_path_of_any_length_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(150));
        fs::create_dir(&long).unwrap();
        for path in [folder.path().join("a.sock"), long.join("a.sock")] {
            let (file, _listener) = SocketFile::bind(&path).await.unwrap();
            let socket = fs::read_link(&path).unwrap();
            let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
            assert_eq!(mode(&socket), 0o600);
            assert_eq!(mode(socket.parent().unwrap()), 0o700);
            connect(&path).await.unwrap();
            assert!(matches!(
                SocketFile::bind(&path).await,
                Err(SocketFileError::InUse(_))
            ));
            drop(file);
            assert!(!path.is_symlink() && !socket.exists());
        }
    }

    #[tokio::test]
    async fn what_is_left_of_a_listener_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        // As a listener leaves it that is killed.
        let (file, listener) = SocketFile::bind(&path).await.unwrap();
        let SocketFile { socket, .. } = &file;
        let socket = socket.clone();
        drop(listener);
        let lock = std::mem::ManuallyDrop::new(file);
        lock._in_use.unlock().unwrap();
        assert!(path.exists() && socket.exists());
        let (file, listener) = SocketFile::bind(&path).await.unwrap();
        connect(&path).await.unwrap();
        drop((file, listener));
        // A plain socket without a listener.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        drop(SocketFile::bind(&path).await.unwrap());
        // A listener of another program.
        let other = UnixListener::bind(&path).unwrap();
        let refused = SocketFile::bind(&path).await;
        assert!(matches!(refused, Err(SocketFileError::InUse(_))));
        drop(other);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        let refused = LoadoutError::from(SocketFile::bind(&path).await.unwrap_err());
        assert!(refused.message.contains("not a socket") && !refused.hint.is_empty());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        // What another made of the path meanwhile stays.
        fs::remove_file(&path).unwrap();
        let (file, _listener) = SocketFile::bind(&path).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "theirs").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }
}
