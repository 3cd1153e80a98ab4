//! The snapshots of a loadout: published for a new one, and brought back for one that is on record.

use std::path::PathBuf;
use std::sync::Arc;

use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError};

use super::digests;
use super::lost::{lost, parse_root};
use super::root_pool::mounts;
use super::state::{Loadouts, blocking};
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::materializer::{RootId, Store, Verdict};
use crate::records::{LoadoutRecord, root_file};
use crate::resolver::{self, Plan, RequestServers};

impl Loadouts {
    /// Where the tree of a plan's bundle lies in the store, or would.
    pub(super) fn snapshot(&self, plan: &Plan, bundle: usize) -> PathBuf {
        let digest = plan.bundles.get(bundle).and_then(|bundle| bundle.digest);
        digest.map_or_else(PathBuf::new, |digest| {
            Store::tree_in(self.state_home(), &digest)
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
        if let Some(store) = self.open_store()
            && let Some(_publishing) = store.try_publish()
            && self.digests.fill_known(&mut plan, Some(store))
            && let Some(loadout) = use_published(store, &plan)
        {
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

    /// The loadout of a plan whose snapshots lie in the store just as its folders are now, where that can be seen without
    /// waiting for anybody. Somebody who cleans up leaves it alone from here on.
    pub(super) fn published(&self, plan: &Plan) -> Option<Digest> {
        let store = self.open_store()?;
        let _publishing = store.try_publish()?;
        let current = self.digests.are_current(plan, store);
        current.then(|| use_published(store, plan)).flatten()
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
        if let Some(store) = self.open_store()
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

/// The loadout of a plan whose trees are intact, if it is intact as well: all of it is about to be used.
fn use_published(store: &Store, plan: &Plan) -> Option<Digest> {
    let loadout = store.published_loadout(&mounts(plan))?;
    store.use_trees(unmounted(plan));
    Some(loadout)
}

/// The trees that no root leads to: only their plugins' servers and hooks run from them.
fn unmounted(plan: &Plan) -> impl Iterator<Item = Digest> {
    let bundles = plan.bundles.iter();
    bundles
        .filter(|bundle| bundle.stored && bundle.mount.is_none())
        .filter_map(|bundle| bundle.digest)
}

fn tampered(what: &str) -> LoadoutError {
    LoadoutError::new(ErrorKind::Tampered, what)
        .with_hint("Bring the folder back to what it was, or send a new `capabilitySelection`.")
}
