//! The control sockets of one state folder: each process that serves has one there, that is its user's alone and goes
//! with it.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::socket_file::{LONGEST_ADDRESS, SocketFileError, connect, folder_for_sockets};
use crate::paths::private_folder;

/// Where they lie in the state folder.
const FOLDER: &str = "control";
/// How their names end.
const ENDING: &str = "sock";
/// How names of files with tokens end: whoever made one holds its lock as long as he serves.
pub const TOKEN_ENDING: &str = "token";
/// Nobody listens at a socket for a moment when it is made.
const JUST_MADE: Duration = Duration::from_secs(10);

/// A control socket of this process. It is removed when this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    /// Where it lies, if its path is too long for a socket: that is a link then.
    behind: Option<PathBuf>,
}

impl ControlSocket {
    /// Listens in a state folder, and removes what processes have left there that are gone.
    ///
    /// # Errors
    /// What the system says, or that there is no folder for the socket of a path that is too long.
    pub async fn bind(state_home: &Path) -> Result<(Self, UnixListener), SocketFileError> {
        let folder = state_home.join(FOLDER);
        let failed = |source| SocketFileError::System {
            path: folder.clone(),
            source,
        };
        private_folder(&folder).map_err(failed)?;
        remove_leftovers(&folder).await;
        // Processes of two containers may share the folder and a number.
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{}-{}.{ENDING}", std::process::id(), &unique[..8]);
        let path = folder.join(&name);
        let behind = match path.as_os_str().len() > LONGEST_ADDRESS {
            true => Some(folder_for_sockets()?.join(&name)),
            false => None,
        };
        let socket = behind.as_ref().unwrap_or(&path);
        let listener = UnixListener::bind(socket).map_err(failed)?;
        // From here on it is removed, whatever fails.
        let bound = Self { path, behind };
        let socket = bound.behind.as_ref().unwrap_or(&bound.path);
        fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        if let Some(behind) = &bound.behind {
            symlink(behind, &bound.path).map_err(failed)?;
        }
        Ok((bound, listener))
    }

    /// Where it is found.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        for file in std::iter::once(&self.path).chain(&self.behind) {
            if let Err(error) = fs::remove_file(file) {
                tracing::debug!(%error, file = %file.display(), "a socket can't be removed");
            }
        }
    }
}

/// Connects to all processes that serve on a state folder, the newest first.
pub async fn control_sockets(state_home: &Path) -> Vec<UnixStream> {
    let mut found = Vec::new();
    for path in sockets(&state_home.join(FOLDER)) {
        match connect(&path).await {
            Ok(stream) => found.push(stream),
            Err(error) => tracing::debug!(%error, path = %path.display(), "nobody listens there"),
        }
    }
    found
}

/// The sockets in a folder, the newest first.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    ending_with(ENDING, folder)
}

/// The files in a folder that end like this, the newest first.
fn ending_with(wanted: &str, folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut sockets: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == wanted))
        .collect();
    let made = |path: &PathBuf| {
        path.symlink_metadata()
            .and_then(|found| found.modified())
            .ok()
    };
    sockets.sort_by_key(|path| std::cmp::Reverse(made(path)));
    sockets
}

async fn remove_leftovers(folder: &Path) {
    for path in ending_with(TOKEN_ENDING, folder) {
        let is_held = |file: &fs::File| file.try_lock().is_err();
        let token = fs::File::open(&path);
        if is_old(&path) && token.is_ok_and(|token| !is_held(&token)) {
            let _ = fs::remove_file(&path);
        }
    }
    for path in sockets(folder) {
        if !is_old(&path) {
            continue;
        }
        let gone = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
        let Err(error) = connect(&path).await else {
            continue;
        };
        if gone.contains(&error.kind()) {
            drop(ControlSocket {
                behind: fs::read_link(&path).ok(),
                path,
            });
        }
    }
}

fn is_old(path: &Path) -> bool {
    let made = path.symlink_metadata().and_then(|found| found.modified());
    let age = made.ok().and_then(|made| made.elapsed().ok());
    age.is_some_and(|age| age >= JUST_MADE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::time::SystemTime;

    #[tokio::test]
    async fn a_socket_is_its_users_alone_in_a_folder_of_any_length_and_goes_with_its_process() {
        let folder = tempfile::tempdir().unwrap();
        for state in [folder.path().join("s"), folder.path().join("x".repeat(150))] {
            private_folder(&state).unwrap();
            assert!(control_sockets(&state).await.is_empty());
            let (socket, _listener) = ControlSocket::bind(&state).await.unwrap();
            let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
            let behind = fs::canonicalize(socket.path()).unwrap();
            assert_eq!(mode(&behind), 0o600);
            assert_eq!(mode(behind.parent().unwrap()), 0o700);
            assert_eq!(mode(socket.path().parent().unwrap()), 0o700);
            let (_another, _other_listener) = ControlSocket::bind(&state).await.unwrap();
            assert_eq!(control_sockets(&state).await.len(), 2);
            drop(socket);
            assert_eq!(control_sockets(&state).await.len(), 1);
            assert!(!behind.exists());
        }
    }

    #[tokio::test]
    async fn what_a_process_left_that_is_gone_is_removed_and_what_is_just_made_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (old, listener) = ControlSocket::bind(folder.path()).await.unwrap();
        drop(listener);
        let old = std::mem::ManuallyDrop::new(old);
        drop(ControlSocket::bind(folder.path()).await.unwrap());
        assert!(old.path().exists());
        // A file has the times that it is given; of a socket, a link with times of its own stands for it.
        let aged = folder.path().join("control/1-aged.sock");
        fs::rename(old.path(), folder.path().join("behind")).unwrap();
        symlink(folder.path().join("behind"), &aged).unwrap();
        let before = SystemTime::now() - 2 * JUST_MADE;
        let since_1970 = before.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let time = rustix::fs::Timespec {
            tv_sec: i64::try_from(since_1970.as_secs()).unwrap(),
            tv_nsec: 0,
        };
        let times = rustix::fs::Timestamps {
            last_access: time,
            last_modification: time,
        };
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(rustix::fs::CWD, &aged, &times, flags).unwrap();
        // Tokens: of one that serves, of one that was killed, and one that is just made.
        let token = |name: &str, age: Duration| {
            let file = fs::File::create(folder.path().join("control").join(name)).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
            file
        };
        let held = token("1-held.token", 2 * JUST_MADE);
        held.lock().unwrap();
        drop(token("1-gone.token", 2 * JUST_MADE));
        drop(token("1-new.token", Duration::ZERO));
        drop(ControlSocket::bind(folder.path()).await.unwrap());
        let mut left = ending_with(TOKEN_ENDING, &folder.path().join("control"));
        left.sort();
        let names = left
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), ["1-held.token", "1-new.token"]);
        assert!(!aged.is_symlink() && !folder.path().join("behind").exists());
    }
}
