//! Which roots are somebody's who lives, and nobody's thread yet: those that a process has made ahead, and
//! those of threads that it is about to start.
//!
//! Each process has a file in `running/`, with a line for each root that it made, and a lock on it until it
//! ends, however it ends. Whoever cleans up takes no root that such a file names.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use codex_loadout_files::{open_regular, read_at_most};
use uuid::Uuid;

use super::root::RootId;
use crate::paths::private_folder;

/// Longer than any list of roots is.
const LIMIT: u64 = 64 * 1024 * 1024;

/// The roots that this process has made.
#[derive(Debug)]
pub(super) struct Claims {
    folder: PathBuf,
    own: Mutex<Option<Own>>,
}

#[derive(Debug)]
struct Own {
    path: PathBuf,
    file: File,
}

/// What other processes, and this one, have claimed.
#[derive(Debug, Default)]
pub(super) struct Claimed {
    pub(super) roots: HashSet<String>,
    /// How many processes live that use the store.
    pub(super) processes: usize,
}

impl Claims {
    pub(super) fn new(state_home: &Path) -> Self {
        Self {
            folder: state_home.join("running"),
            own: Mutex::new(None),
        }
    }

    /// Says that this process lives.
    pub(super) fn appear(&self) -> io::Result<()> {
        self.write("")
    }

    /// Says that a root is this process's, before there is one.
    pub(super) fn claim(&self, root: &RootId) -> io::Result<()> {
        self.write(&format!("{root}\n"))
    }

    /// The program that takes this one's place goes on with what this one has claimed.
    pub(super) fn hand_over(&self) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(own) = &*self.own.lock().unwrap_or_else(PoisonError::into_inner) {
            // The lock lives as long as anybody has the file open.
            rustix::io::fcntl_setfd(&own.file, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have removed it: then it says nothing to anybody.
        if own.as_ref().is_none_or(|own| !own.path.exists()) {
            *own = Some(Own::new(&self.folder)?);
        }
        match own.as_mut() {
            Some(own) => own.file.write_all(text.as_bytes()),
            None => Ok(()),
        }
    }

    /// What is claimed by processes that live. Files of those that have ended are removed.
    pub(super) fn of_all(&self) -> io::Result<Claimed> {
        let mut claimed = Claimed::default();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(claimed),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let Ok(file) = open_regular(&path) else {
                continue;
            };
            match file.try_lock() {
                Ok(()) => fs::remove_file(&path)?,
                Err(TryLockError::WouldBlock) => {
                    claimed.processes += 1;
                    let text = read_at_most(&path, LIMIT);
                    let text = text.map_err(io::Error::other)?;
                    let text = String::from_utf8_lossy(&text);
                    claimed.roots.extend(text.lines().map(str::to_owned));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(claimed)
    }
}

impl Own {
    fn new(folder: &Path) -> io::Result<Self> {
        private_folder(folder)?;
        loop {
            let path = folder.join(Uuid::now_v7().to_string());
            let mut options = File::options();
            options.create_new(true).append(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt;
                options.mode(0o600);
            }
            let file = options.open(&path)?;
            file.lock()?;
            // Whoever cleans up may have come between, and taken it for left behind.
            if path.exists() {
                return Ok(Self { path, file });
            }
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_claims_is_its_own_until_it_ends() {
        let home = tempfile::tempdir().unwrap();
        let looking = Claims::new(home.path());
        assert_eq!(looking.of_all().unwrap().processes, 0);
        let claims = Claims::new(home.path());
        let roots = [RootId::new(), RootId::new()];
        for root in &roots {
            claims.claim(root).unwrap();
        }
        let claimed = looking.of_all().unwrap();
        assert_eq!(claimed.processes, 1);
        assert_eq!(claimed.roots, roots.map(|root| root.to_string()).into());
        // Removed underneath, it is made again.
        fs::remove_dir_all(home.path().join("running")).unwrap();
        claims.claim(&roots[1]).unwrap();
        assert_eq!(looking.of_all().unwrap().roots.len(), 1);
        drop(claims);
        assert_eq!(looking.of_all().unwrap().processes, 0);
        // As a kill leaves it.
        let left = home.path().join("running/left");
        fs::write(&left, "x\n").unwrap();
        assert_eq!(looking.of_all().unwrap().processes, 0);
        assert!(!left.exists());
    }
}
