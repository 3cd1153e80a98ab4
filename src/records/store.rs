//! The records in a database. The SQL is such that PostgreSQL takes it as well.

use std::path::{Path, PathBuf};

use super::database::Database;
use super::error::RecordsError;
use super::opening::{FileId, file_id, prepare, take_turn};
use super::rootless;
use crate::metrics::HappeningCounts;

/// The number in the name is that of a layout that no migration leads to.
pub(super) const FILE: &str = "state-v1.sqlite3";
/// Held while the database is opened.
const LOCK: &str = "state-v1.lock";

/// The records of one state folder. Several processes may have them open.
#[derive(Debug)]
pub struct Records {
    pub(super) database: Database,
    state_home: PathBuf,
    /// Which file it is, whatever lies at its path later.
    file: Option<FileId>,
    pub(super) counts: HappeningCounts,
}

impl Records {
    /// Opens the records of a state folder, making what is missing.
    ///
    /// # Errors
    /// [`RecordsError::Unopenable`].
    pub async fn open(state_home: &Path) -> Result<Self, RecordsError> {
        let path = state_home.join(FILE);
        let unopenable = |reason: String| RecordsError::Unopenable {
            path: path.clone(),
            reason,
        };
        prepare(state_home, &path).map_err(|error| unopenable(error.to_string()))?;
        // On SQLite, two that make a database, or bring one up to date, at once are not kept apart.
        let turn = take_turn(&state_home.join(LOCK))
            .await
            .map_err(|error| unopenable(error.to_string()))?;
        let opened = Database::open(&path).await;
        drop(turn);
        let database = opened.map_err(|error| unopenable(error.to_string()))?;
        let records = Self {
            database,
            state_home: state_home.to_owned(),
            file: file_id(&path),
            counts: HappeningCounts::default(),
        };
        records.fill_in_origins().await?;
        // Those that were recorded before there were notes of them, and whose notes were lost.
        for thread in records.rootless_threads().await? {
            records.note_rootless(&thread)?;
        }
        records.check_markers().await?;
        Ok(records)
    }

    /// Counts there what happens to records from here on.
    #[must_use]
    pub(crate) fn counting(mut self, counts: HappeningCounts) -> Self {
        self.counts = counts;
        self
    }

    /// The folder that they lie in.
    pub(super) fn state_home(&self) -> &Path {
        &self.state_home
    }

    /// Whether the database still lies at its path. Where somebody has removed or replaced it, what is written here is
    /// seen by nobody.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        file_id(&self.state_home.join(FILE)) == self.file
    }

    /// Lets go of the database.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn rootless_threads(&self) -> Result<Vec<String>, RecordsError> {
        let rootless = sqlx::query_scalar("SELECT thread_id FROM threads WHERE root IS NULL");
        Ok(rootless.fetch_all(self.database.reader()).await?)
    }

    pub(super) fn note_rootless(&self, thread_id: &str) -> Result<(), RecordsError> {
        rootless::note(&self.state_home, thread_id)
            .map_err(|error| RecordsError::Database(error.into()))
    }

    /// Opens the records if there are any; creates nothing.
    ///
    /// # Errors
    /// [`RecordsError::Unopenable`].
    pub async fn open_existing(state_home: &Path) -> Result<Option<Self>, RecordsError> {
        if state_home.join(FILE).exists() {
            Self::open(state_home).await.map(Some)
        } else {
            Ok(None)
        }
    }
}
