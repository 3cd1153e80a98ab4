//! Whether files are still as they were when something was read from them.
//!
//! On Linux the kernel puts every change into a watcher's queue before the call
//! that made the change returns. So reading the queue right before a use tells,
//! exactly and for the price of one system call, whether anything has changed;
//! that is something else than waiting to be told by a thread that watches.
//! What it can't see: writes on another machine to a shared file system, and
//! through a second hard link. So nothing is trusted for long on its word alone.
//! Elsewhere there is no such queue, and here the system may have none left to
//! give: then callers compare times and sizes instead.

use std::path::PathBuf;
use std::time::Duration;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::Watch;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::Watch;

/// For how long what was read may be used again without reading it anew.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(30);

/// Beyond this many, nothing is watched: a user's own limit is often 8192.
const TARGETS: usize = 2048;

/// What to keep an eye on.
#[derive(Debug, Default)]
pub(crate) struct Targets(Vec<(PathBuf, Names)>);

/// Which names in a folder count.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    /// Every one.
    All,
    /// Those for which this is true.
    Matching(fn(&str) -> bool),
    /// This one alone.
    One(String),
}

impl Names {
    #[cfg(target_os = "linux")]
    fn count(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Matching(counts) => counts(name),
            Self::One(one) => one == name,
        }
    }
}

impl Targets {
    /// A folder and the names in it that count. One that is not there yet counts when it appears.
    pub(crate) fn folder(&mut self, path: PathBuf, names: Names) {
        if path.is_dir() {
            self.0.push((path, names));
        } else {
            self.appearing(path);
        }
    }

    /// A file, wherever a link leads; one that is not there yet counts when it appears.
    pub(crate) fn file(&mut self, path: PathBuf) {
        if path.exists() {
            self.0.push((path, Names::All));
        } else {
            self.appearing(path);
        }
    }

    /// The nearest folder above that is there tells when the next part of the path appears.
    fn appearing(&mut self, mut path: PathBuf) {
        while let Some(name) = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
        {
            path.pop();
            if path.is_dir() {
                self.0.push((path, Names::One(name)));
                return;
            }
        }
    }
}
