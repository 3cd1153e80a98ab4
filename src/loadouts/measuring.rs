//! How much lies in the state folder.

use std::sync::Arc;
use std::time::Duration;

use codex_loadout_protocol::LoadoutError;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::state::{Loadouts, blocking};
use crate::materializer::size;
use crate::metrics::{HappeningCounts, StoreSize};

/// What was measured counts for this long: all files are looked at for it.
const AGE: Duration = Duration::from_secs(60);

/// What was measured last.
#[derive(Debug, Default)]
pub(super) struct Measured(Mutex<Option<(Instant, StoreSize)>>);

impl Loadouts {
    /// What has happened to threads since this process was started.
    #[must_use]
    pub(crate) fn happenings(&self) -> &HappeningCounts {
        &self.happenings
    }

    /// How much lies in the state folder, as of a minute ago at most.
    ///
    /// # Errors
    /// As [`Self::existing_records`].
    pub(crate) async fn measured(self: &Arc<Self>) -> Result<StoreSize, LoadoutError> {
        let mut last = self.measured.0.lock().await;
        if let Some((at, size)) = *last
            && at.elapsed() < AGE
        {
            return Ok(size);
        }
        let records = match self.watched_records().await? {
            Some(records) => records.thread_count().await?,
            None => 0,
        };
        let state_home = self.state_home().to_owned();
        let bytes = blocking(move || Ok(size(&state_home))).await?;
        let size = StoreSize { bytes, records };
        *last = Some((Instant::now(), size));
        Ok(size)
    }
}
