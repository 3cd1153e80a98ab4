//! Files beside the database that say of what there may be records, so that a start that finds none asks no database.
//! Each is there before the first record is, and goes only once it is seen that none is left.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::RecordsError;
use super::store::Records;
use crate::paths::private_file;

/// What there may be records of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Bindings,
    Bundles,
}

impl Marker {
    const ALL: [Self; 2] = [Self::Bindings, Self::Bundles];

    fn file(self, state_home: &Path) -> PathBuf {
        state_home.join(match self {
            Self::Bindings => "bindings-v1",
            Self::Bundles => "bundles-v1",
        })
    }

    fn count(self) -> &'static str {
        match self {
            Self::Bindings => "SELECT COUNT(*) FROM bindings",
            Self::Bundles => "SELECT COUNT(*) FROM bundles",
        }
    }

    /// Whether there may be records of it. It is one look at a file.
    pub(super) fn is_there(self, state_home: &Path) -> bool {
        // A folder of ours can be looked into; on a disk that fails, it may be there.
        match std::fs::metadata(self.file(state_home)) {
            Ok(_) => true,
            Err(error) => !matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
            ),
        }
    }
}

impl Records {
    /// There are records of it, or will be at once. After these are written, this is said once more: another process may
    /// have removed the last one meanwhile, and the file with it.
    ///
    /// # Errors
    /// [`RecordsError`] if the file can't be made.
    pub(super) fn mark(&self, marker: Marker) -> Result<(), RecordsError> {
        let marked = private_file(&marker.file(self.state_home()));
        Ok(marked.map(|_| ()).map_err(sqlx::Error::Io)?)
    }

    /// A record of it was removed.
    ///
    /// # Errors
    /// [`RecordsError`] if it can't be seen whether that was the last one.
    pub(super) async fn unmark_if_none_is_left(&self, marker: Marker) -> Result<(), RecordsError> {
        if self.is_any_left(marker).await? {
            return Ok(());
        }
        // If it stays, a start asks the database in vain.
        let _ = std::fs::remove_file(marker.file(self.state_home()));
        self.check_marker(marker).await
    }

    /// Files that are missing are made anew where there are records.
    ///
    /// # Errors
    /// [`RecordsError`] if the database can't be read, or a file can't be made.
    pub(super) async fn check_markers(&self) -> Result<(), RecordsError> {
        for marker in Marker::ALL {
            self.check_marker(marker).await?;
        }
        Ok(())
    }

    async fn check_marker(&self, marker: Marker) -> Result<(), RecordsError> {
        if !marker.is_there(self.state_home()) && self.is_any_left(marker).await? {
            self.mark(marker)?;
        }
        Ok(())
    }

    async fn is_any_left(&self, marker: Marker) -> Result<bool, RecordsError> {
        let counted = sqlx::query_scalar(marker.count());
        let count: i64 = counted.fetch_one(self.database.reader()).await?;
        Ok(count > 0)
    }
}
