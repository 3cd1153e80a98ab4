//! Why a folder can't be read, or a snapshot not be kept.

use std::io;
use std::path::{Path, PathBuf};

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use crate::bundle::Digest;

/// A folder can't become a tree.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder can't be read.
    #[error("`{path}` can't be read: {source}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A link leads out of the folder, to nothing, or round in a circle.
    #[error("the link `{path}` {why}")]
    Link {
        /// The link.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A socket, pipe or device.
    #[error("`{0}` is neither a file nor a folder")]
    Special(PathBuf),
    /// A name that is not UTF-8.
    #[error("the name of `{0}` is not UTF-8")]
    Name(PathBuf),
    /// More than a bundle may hold.
    #[error("`{path}` holds more than {limit}")]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// The limit, in words.
        limit: String,
    },
}

impl ReadError {
    pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unreadable { path, source }
    }
}

impl From<ReadError> for LoadoutError {
    fn from(error: ReadError) -> Self {
        let hint = match &error {
            ReadError::Unreadable { .. } => {
                "Check that the path exists and can be read by this user."
            }
            ReadError::Link { .. } => "Replace the link by the file it means, or remove it.",
            ReadError::Special(_) | ReadError::Name(_) => "Remove it from the folder.",
            ReadError::TooLarge { .. } => {
                "Move what is not part of the plugin or skill out of its folder."
            }
        };
        let path = match &error {
            ReadError::Unreadable { path, .. }
            | ReadError::Link { path, .. }
            | ReadError::TooLarge { path, .. } => path,
            ReadError::Special(path) | ReadError::Name(path) => path,
        };
        Self::new(ErrorKind::ConversionFailed, error.to_string())
            .with_hint(hint)
            .with_items(vec![ErrorItem::named(path.to_string_lossy())])
    }
}

/// A snapshot can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space is left.
    #[error("there is no space left to write `{path}`")]
    Full {
        /// What was written.
        path: PathBuf,
    },
    /// Anything else that the system refuses.
    #[error("`{path}` can't be written: {source}")]
    Unwritable {
        /// What was written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A snapshot is not what it was.
    #[error("the snapshot {0} was changed on disk")]
    Changed(Digest),
    /// This system has no symbolic links that a normal user may make.
    #[error("this system has no symbolic links for `{0}`")]
    NoLinks(PathBuf),
}

impl StoreError {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Unwritable { path, source },
        }
    }
}

impl From<StoreError> for LoadoutError {
    fn from(error: StoreError) -> Self {
        let (kind, hint) = match &error {
            StoreError::Full { .. } => (
                ErrorKind::ConversionFailed,
                "Free some space, or set CODEX_LOADOUT_HOME to a folder on another disk.",
            ),
            StoreError::Unwritable { .. } => (
                ErrorKind::StateUnavailable,
                "Check who owns the folder, or set CODEX_LOADOUT_HOME to one that can be written.",
            ),
            StoreError::Changed(_) => (
                ErrorKind::Tampered,
                "Remove the snapshot from the store; it is made again from its source if that is unchanged.",
            ),
            StoreError::NoLinks(_) => (
                ErrorKind::UnsupportedUpstream,
                "Run codex-loadout on Linux or macOS.",
            ),
        };
        Self::new(kind, error.to_string()).with_hint(hint)
    }
}
