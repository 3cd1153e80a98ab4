//! Everything that lives under `$CODEX_LOADOUT_HOME`, opened when it is first needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError, Receipt};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::digests::{self, Digests};
use super::root_pool::{self, RootPool};
use super::tools::ToolsSeen;
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::lowering::{
    CodexFeatures, Files, held_against_policy, large_list, lower, skill_list, untested,
};
use crate::materializer::{RootId, Store, Verdict};
use crate::messages::initialize::CodexVersion;
use crate::paths::{self, check_private, private_folder};
use crate::records::{LoadoutRecord, Records, root_file};
use crate::resolver::{self, Plan, RequestServers};

/// The loadouts of one `$CODEX_LOADOUT_HOME`.
#[derive(Debug)]
pub(crate) struct Loadouts {
    state_home: PathBuf,
    store: OnceLock<Store>,
    records: Mutex<Option<Arc<Records>>>,
    /// When anything of it was last used.
    used_at: StdMutex<Instant>,
    digests: Digests,
    tools_seen: ToolsSeen,
    pub(super) root_pool: RootPool,
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
            root_pool: RootPool::default(),
        }
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
        let mut open = self.records.lock().await;
        if let Some(records) = self.in_place(&mut open).await {
            return Ok(records);
        }
        self.claim_state()?;
        // Rarely done: whoever asks is not to be as large as this.
        let opened = Arc::new(Box::pin(Records::open(&self.state_home)).await?);
        *open = Some(opened.clone());
        Ok(opened)
    }

    /// The records that are open, if their database is still there.
    async fn in_place(&self, open: &mut Option<Arc<Records>>) -> Option<Arc<Records>> {
        self.is_used();
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
        Ok(check_private(&self.state_home)?)
    }

    /// The records if there are any: looking for one creates nothing.
    ///
    /// # Errors
    /// As [`Self::records`].
    pub(crate) async fn existing_records(&self) -> Result<Option<Arc<Records>>, LoadoutError> {
        let mut open = self.records.lock().await;
        if let Some(records) = self.in_place(&mut open).await {
            return Ok(Some(records));
        }
        check_private(&self.state_home)?;
        let found = Box::pin(Records::open_existing(&self.state_home)).await?;
        *open = found.map(Arc::new);
        Ok(open.clone())
    }

    /// What a start would give, without keeping anything.
    ///
    /// # Errors
    /// Whatever is wrong with the selection, or `conversionFailed` if a folder can't be read.
    pub(crate) async fn resolve(
        self: &Arc<Self>,
        selection: &CapabilitySelection,
        catalog: &Catalog,
        version: CodexVersion,
    ) -> Result<Receipt, LoadoutError> {
        let beside = RequestServers::new();
        let mut plan = resolver::resolve_knowing(selection, catalog, &beside, &self.tools_seen)?;
        // A plan that this Codex has no levers for is refused here as it would be at a start.
        let lowered = lower(&plan, catalog, CodexFeatures::of(version), Files::default())?;
        let managed = held_against_policy(&plan, catalog, &lowered)?;
        if !self.digests.fill_known(&mut plan, None) {
            let loadouts = self.clone();
            plan = blocking(move || loadouts.digests.fill(&mut plan, None).map(|_| plan)).await?;
        }
        Ok(Receipt {
            managed,
            ..self.receipt_on(&plan, catalog, version)
        })
    }

    /// A plan's receipt on this Codex. The digests of its folders must have been filled in.
    pub(super) fn receipt_on(
        &self,
        plan: &Plan,
        catalog: &Catalog,
        version: CodexVersion,
    ) -> Receipt {
        let mut receipt = resolver::receipt(plan, catalog);
        if let Some(list) = self.skill_list(plan, catalog) {
            receipt.context.skills_chars = list.chars().count();
            receipt.warnings.extend(large_list(&list, catalog));
        }
        receipt.warnings.extend(untested(version));
        receipt
    }

    /// The list of skills that we write for a plan's threads; empty if it has none. `None`: it is Codex's own.
    #[must_use]
    pub(crate) fn skill_list(&self, plan: &Plan, catalog: &Catalog) -> Option<String> {
        skill_list(plan, catalog, |bundle| self.snapshot(plan, bundle))
    }

    /// Where the tree of a plan's bundle lies in the store, or would.
    pub(super) fn snapshot(&self, plan: &Plan, bundle: usize) -> PathBuf {
        let digest = plan.bundles.get(bundle).and_then(|bundle| bundle.digest);
        digest.map_or_else(PathBuf::new, |digest| {
            Store::tree_in(&self.state_home, &digest)
        })
    }

    /// Resolves a selection and snapshots what the thread is to keep.
    ///
    /// # Errors
    /// As [`Self::resolve`], and `conversionFailed` if the snapshot can't be stored.
    pub(super) async fn publish(
        self: &Arc<Self>,
        selection: &CapabilitySelection,
        catalog: &Catalog,
        request: &RequestServers,
    ) -> Result<(Plan, Digest), LoadoutError> {
        let mut plan = resolver::resolve_knowing(selection, catalog, request, &self.tools_seen)?;
        if let Some(store) = self.store.get()
            && let Some(_publishing) = store.try_publish()
            && self.digests.fill_known(&mut plan, Some(store))
            && let Some(loadout) = store.published_loadout(&mounts(&plan))
        {
            store.use_trees(unmounted(&plan));
            return Ok((plan, loadout));
        }
        let loadouts = self.clone();
        let published = blocking(move || {
            let store = loadouts.store()?;
            let _publishing = store.publish()?;
            let mut healed = loadouts.digests.fill(&mut plan, Some(store))?;
            let (loadout, changed) = store.keep_loadout(&mounts(&plan))?;
            store.use_trees(unmounted(&plan));
            if changed {
                healed.push(store.loadout_path(&loadout));
            }
            Ok((plan, loadout, healed))
        });
        let (plan, loadout, healed) = published.await?;
        self.note_healed(None, &healed).await;
        Ok((plan, loadout))
    }

    /// Makes sure that a recorded plan's snapshots are there and intact, and its root leads to them.
    /// Tells the sources of those that had to be healed. Blocking.
    ///
    /// # Errors
    /// `loadoutLost` if a snapshot is gone, `tampered` if it was changed, and its source no longer has
    /// the recorded content.
    pub(crate) fn restore(&self, record: &LoadoutRecord) -> Result<Vec<PathBuf>, LoadoutError> {
        let store = self.store()?;
        let stored = || record.plan.bundles.iter().filter(|bundle| bundle.stored);
        let mut healed = Vec::new();
        for bundle in stored() {
            let digest = bundle
                .digest
                .ok_or_else(|| lost("its record names a folder without a digest"))?;
            let changed = match store.check_tree(&digest) {
                Verdict::Intact => continue,
                Verdict::Missing => false,
                Verdict::Changed => true,
            };
            let source = bundle.source.display();
            let beyond = |why: &str| match changed {
                true => tampered(&format!(
                    "the snapshot of `{source}` was changed, and {why}"
                )),
                false => lost(&format!("the snapshot of `{source}` is gone, and {why}")),
            };
            let tree = digests::read(bundle).map_err(|error| beyond(&error.message))?;
            if tree.digest() != digest {
                return Err(beyond("the folder has changed since"));
            }
            if store.keep_tree(&tree, digest)? {
                healed.push(bundle.source.clone());
            }
        }
        let (loadout, changed) = store.keep_loadout(&mounts(&record.plan))?;
        if changed {
            healed.push(store.loadout_path(&loadout));
        }
        let Some(root) = &record.root else {
            return Ok(healed);
        };
        if store.point_root(&parse_root(root)?, loadout)? {
            // A change that was cut short had led it elsewhere.
            root_file::write(&store.roots(), root, record)?;
        }
        Ok(healed)
    }

    /// Makes roots ready for the next threads with a loadout like this one.
    pub(crate) async fn fill_root_pool(self: &Arc<Self>, model: LoadoutRecord) {
        let loadouts = self.clone();
        let made = blocking(move || loadouts.root_pool.restock(loadouts.store()?, &model)).await;
        if let Err(error) = made {
            tracing::debug!(%error, "the next thread's root is made when it comes");
        }
    }

    /// Makes sure that what a loaded thread reads is what was selected, right before it may read it.
    /// Tells the sources of snapshots that had to be healed.
    ///
    /// # Errors
    /// As [`Self::restore`].
    pub(crate) async fn check_snapshots(
        self: &Arc<Self>,
        record: &Arc<LoadoutRecord>,
    ) -> Result<Vec<PathBuf>, LoadoutError> {
        let stored = record.plan.bundles.iter().filter(|bundle| bundle.stored);
        let mut digests = stored.filter_map(|bundle| bundle.digest);
        if let Some(store) = self.store.get()
            && digests.all(|digest| store.is_known_intact(&digest))
            && is_led(store, record)
        {
            return Ok(Vec::new());
        }
        self.bring_back(record).await
    }

    /// [`Self::restore`], where it holds up nobody.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn bring_back(
        self: &Arc<Self>,
        record: &Arc<LoadoutRecord>,
    ) -> Result<Vec<PathBuf>, LoadoutError> {
        let (loadouts, record) = (self.clone(), record.clone());
        blocking(move || loadouts.restore(&record)).await
    }

    /// Lets the program that takes this one's place count as one that uses what it was given.
    ///
    /// # Errors
    /// `conversionFailed` if the system refuses.
    pub(crate) fn hand_over(&self) -> Result<(), LoadoutError> {
        Ok(self.store.get().map_or(Ok(()), Store::hand_over)?)
    }

    /// Removes the roots that were made ready and not used. Blocking.
    pub(crate) fn empty_root_pool(&self) {
        if let Some(store) = self.store.get() {
            self.root_pool.clear(store);
        }
    }

    /// Removes the root of a thread that was never made.
    pub(crate) async fn discard(self: &Arc<Self>, loadout: LoadoutRecord) {
        let loadouts = self.clone();
        let removed = blocking(move || {
            root_pool::remove(loadouts.store()?, &loadout);
            Ok(())
        });
        // What could not be removed was said.
        let _ = removed.await;
    }

    /// The tools that MCP servers have.
    #[must_use]
    pub(crate) fn tools_seen(&self) -> &ToolsSeen {
        &self.tools_seen
    }

    /// The state folder.
    #[must_use]
    pub(crate) fn state_home(&self) -> &Path {
        &self.state_home
    }
}

/// Whether the thread's root leads to its loadout, and that is intact.
fn is_led(store: &Store, record: &LoadoutRecord) -> bool {
    let Some(root) = &record.root else {
        return true;
    };
    let mounts = mounts(&record.plan);
    let leads = |root: RootId| store.leads_to(&root, &mounts);
    root.parse().is_ok_and(leads) && store.check_loadout(&mounts) == Verdict::Intact
}

/// What lies under the root: mount names and trees.
pub(super) fn mounts(plan: &Plan) -> Vec<(String, Digest)> {
    plan.bundles
        .iter()
        .filter(|bundle| bundle.stored)
        .filter_map(|bundle| Some((bundle.mount.clone()?, bundle.digest?)))
        .collect()
}

/// The trees that no root leads to: only their plugins' servers and hooks run from them.
fn unmounted(plan: &Plan) -> impl Iterator<Item = Digest> {
    let bundles = plan.bundles.iter();
    bundles
        .filter(|bundle| bundle.stored && bundle.mount.is_none())
        .filter_map(|bundle| bundle.digest)
}

pub(super) fn parse_root(text: &str) -> Result<RootId, LoadoutError> {
    text.parse()
        .map_err(|_| lost("its record names a root that is no id"))
}

pub(super) fn lost(why: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::LoadoutLost,
        format!("the thread's loadout can't be brought back: {why}"),
    )
    .with_hint("Send a new `capabilitySelection`, or `null` to go on without a loadout.")
}

fn tampered(what: &str) -> LoadoutError {
    LoadoutError::new(ErrorKind::Tampered, what)
        .with_hint("Bring the folder back to what it was, or send a new `capabilitySelection`.")
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
