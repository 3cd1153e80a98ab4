//! Everything that lives under `$CODEX_LOADOUT_HOME`, opened when it is first needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use super::bundles::LinkedFolders;
use super::digests::Digests;
use super::measuring::Measured;
use super::recent_drafts::RecentDrafts;
use super::root_pool::RootPool;
use super::tools::ToolsSeen;
use crate::materializer::Store;
use crate::metrics::HappeningCounts;
use crate::paths::{self, check_private, private_folder};
use crate::records::Records;

/// How often it is looked whether another process has made the state folder.
const LOOK_FOR_STATE: Duration = Duration::from_secs(5);

/// The loadouts of one `$CODEX_LOADOUT_HOME`.
#[derive(Debug)]
pub(crate) struct Loadouts {
    state_home: PathBuf,
    store: OnceLock<Store>,
    records: Mutex<Option<Arc<Records>>>,
    /// When anything of it was last used.
    used_at: StdMutex<Instant>,
    pub(super) digests: Digests,
    pub(super) tools_seen: ToolsSeen,
    pub(super) recent_drafts: RecentDrafts,
    pub(super) root_pool: RootPool,
    pub(super) measured: Measured,
    pub(super) linked: LinkedFolders,
    pub(super) happenings: HappeningCounts,
    /// Says that there is a state folder.
    has_state: Notify,
}

impl Loadouts {
    /// Those of whoever runs this program.
    ///
    /// # Errors
    /// `stateUnavailable` if there is no home folder for the state.
    pub(crate) fn of_this_user() -> Result<Arc<Self>, LoadoutError> {
        Ok(Arc::new(Self::new(paths::state_home()?)))
    }

    /// Those of a state folder. Nothing is opened or created yet.
    #[must_use]
    pub(crate) fn new(state_home: PathBuf) -> Self {
        Self {
            state_home,
            store: OnceLock::new(),
            records: Mutex::default(),
            used_at: StdMutex::new(Instant::now()),
            digests: Digests::default(),
            tools_seen: ToolsSeen::default(),
            recent_drafts: RecentDrafts::default(),
            root_pool: RootPool::default(),
            measured: Measured::default(),
            linked: LinkedFolders::default(),
            happenings: HappeningCounts::default(),
            has_state: Notify::new(),
        }
    }

    /// The tools that MCP servers have.
    #[must_use]
    pub(crate) fn tools_seen(&self) -> &ToolsSeen {
        &self.tools_seen
    }

    /// The store, made if there is none, or if somebody has removed it.
    pub(super) fn store(&self) -> Result<&Store, LoadoutError> {
        self.is_used();
        if let Some(store) = self.store.get() {
            store.look_after()?;
            return Ok(store);
        }
        self.claim_state()?;
        let store = Store::open(&self.state_home)?;
        // Another task may have opened it meanwhile: that one is as good.
        Ok(self.store.get_or_init(|| store))
    }

    /// The store, for somebody who needs no folder of it made: what is missing is not made anew.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub(super) fn store_as_it_is(&self) -> Result<&Store, LoadoutError> {
        self.open_store().map_or_else(|| self.store(), Ok)
    }

    /// The store, if anything of it was used.
    pub(super) fn open_store(&self) -> Option<&Store> {
        self.store.get()
    }

    /// When anything was last used.
    pub(super) fn used_at(&self) -> Instant {
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_used(&self) {
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The records, made if there are none.
    ///
    /// # Errors
    /// `loadoutLost` if the database can't be opened, `stateUnavailable` if others have to do with it.
    pub(crate) async fn records(&self) -> Result<Arc<Records>, LoadoutError> {
        self.is_used();
        let mut open = self.records.lock().await;
        if let Some(records) = self.in_place(&mut open).await {
            return Ok(records);
        }
        self.claim_state()?;
        // Rarely done: whoever asks is not to be as large as this.
        let opened = Box::pin(Records::open(&self.state_home)).await?;
        let opened = Arc::new(opened.counting(self.happenings.clone()));
        *open = Some(opened.clone());
        Ok(opened)
    }

    /// The records that are open, if their database is still there.
    async fn in_place(&self, open: &mut Option<Arc<Records>>) -> Option<Arc<Records>> {
        if let Some(records) = &*open
            && !records.is_in_place()
        {
            tracing::warn!("the database was removed or replaced; the one that is there is used");
            records.close().await;
            *open = None;
        }
        open.clone()
    }

    /// Makes the state folder, and sees to it that it is this user's alone.
    pub(super) fn claim_state(&self) -> Result<(), LoadoutError> {
        // Whoever needs the folder says why it can't be made.
        let _ = private_folder(&self.state_home);
        check_private(&self.state_home)?;
        self.has_state.notify_waiters();
        Ok(())
    }

    /// Waits until there is a state folder that is this user's alone.
    pub(crate) async fn until_there_is_state(&self) {
        loop {
            let made = self.has_state.notified();
            if self.state_home.is_dir() && check_private(&self.state_home).is_ok() {
                return;
            }
            // Another process may make it.
            let _ = tokio::time::timeout(LOOK_FOR_STATE, made).await;
        }
    }

    /// The records if there are any: looking for one creates nothing.
    ///
    /// # Errors
    /// As [`Self::records`].
    pub(crate) async fn existing_records(&self) -> Result<Option<Arc<Records>>, LoadoutError> {
        self.is_used();
        self.watched_records().await
    }

    /// The same for those who watch: that is no use of it.
    pub(super) async fn watched_records(&self) -> Result<Option<Arc<Records>>, LoadoutError> {
        let mut open = self.records.lock().await;
        if let Some(records) = self.in_place(&mut open).await {
            return Ok(Some(records));
        }
        check_private(&self.state_home)?;
        let found = Box::pin(Records::open_existing(&self.state_home)).await?;
        let happenings = || self.happenings.clone();
        *open = found.map(|records| Arc::new(records.counting(happenings())));
        Ok(open.clone())
    }

    /// Lets the program that takes this one's place count as one that uses what it was given.
    ///
    /// # Errors
    /// `conversionFailed` if the system refuses.
    pub(crate) fn hand_over(&self) -> Result<(), LoadoutError> {
        Ok(self.store.get().map_or(Ok(()), Store::hand_over)?)
    }

    /// The state folder.
    #[must_use]
    pub(crate) fn state_home(&self) -> &Path {
        &self.state_home
    }
}

/// Runs file work that may take long where it holds up nobody.
///
/// # Errors
/// Those of the work, and `conversionFailed` should it panic.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadoutError> + Send + 'static,
) -> Result<T, LoadoutError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(LoadoutError::new(
            ErrorKind::ConversionFailed,
            format!("reading or keeping files failed: {error}"),
        )
        .with_hint("This is a fault of codex-loadout; please report it."))
    })
}

/// Now, in Unix seconds.
pub(super) fn unix_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok())
        .unwrap_or_default()
}
