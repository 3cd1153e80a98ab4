//! Why records can't be read or written.

use std::path::PathBuf;

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::root_file::RootFileError;

/// A record can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The database can't be opened or brought up to date.
    #[error("the records in `{path}` can't be opened: {reason}")]
    Unopenable {
        /// The database file.
        path: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// The database refuses.
    #[error("the records can't be read or written: {0}")]
    Database(#[from] sqlx::Error),
    /// A record is not in a shape that this version reads.
    #[error("the record of `{id}` can't be read: {reason}")]
    Unreadable {
        /// The thread or root it is of.
        id: String,
        /// Where reading stopped.
        reason: String,
    },
}

impl From<RootFileError> for LoadoutError {
    fn from(error: RootFileError) -> Self {
        Self::new(ErrorKind::LoadoutLost, error.to_string())
            .with_hint("Check that CODEX_LOADOUT_HOME can be read and written, and was not written by a newer codex-loadout.")
    }
}

impl From<RecordsError> for LoadoutError {
    fn from(error: RecordsError) -> Self {
        let hint = match &error {
            RecordsError::Unopenable { .. } => {
                "Check that the file can be read and written, or move it away: what Codex's session files name is recovered."
            }
            RecordsError::Database(_) => {
                "Check that the disk of CODEX_LOADOUT_HOME has space and can be written."
            }
            RecordsError::Unreadable { .. } => {
                "It may be from a newer codex-loadout: use that one, or send a new `capabilitySelection`."
            }
        };
        let items = match &error {
            RecordsError::Unreadable { id, .. } => vec![ErrorItem::named(id)],
            RecordsError::Unopenable { .. } | RecordsError::Database(_) => Vec::new(),
        };
        Self::new(ErrorKind::LoadoutLost, error.to_string())
            .with_hint(hint)
            .with_items(items)
    }
}
