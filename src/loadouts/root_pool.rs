//! Roots made ahead of the thread that will need one.
//!
//! A host that starts one thread with a loadout often starts more with the same.
//! A root and the file beside it are two writes, made slow by the disk work that
//! Codex does for a new thread; so a few are made when things are quiet. Those
//! that nobody came for go with the session; after a kill they stay behind and
//! lead no thread anywhere.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use codex_loadout_protocol::LoadoutError;

use super::lost::parse_root;
use crate::bundle::Digest;
use crate::materializer::Store;
use crate::records::{LoadoutRecord, root_file};
use crate::resolver::Plan;

/// Roots made ahead for one loadout.
const STOCK: usize = 4;
/// Roots made ahead in all: as many loadouts as are likely to be started in turns.
const LIMIT: usize = 8 * STOCK;

/// Roots that are ready, each with the loadout it was made for.
#[derive(Debug, Default)]
pub(super) struct RootPool(Mutex<VecDeque<LoadoutRecord>>);

impl RootPool {
    /// The name of a root that was made for a loadout just like this one.
    pub(super) fn take(&self, store: &Store, wanted: &LoadoutRecord) -> Option<String> {
        let mut spares = self.lock();
        let at = spares.iter().position(|spare| is_alike(spare, wanted))?;
        let root = spares.remove(at)?.root?;
        drop(spares);
        is_there(store, &root).then_some(root)
    }

    /// Makes roots for the next threads with this loadout. Blocking.
    pub(super) fn restock(&self, store: &Store, model: &LoadoutRecord) -> Result<(), LoadoutError> {
        let ready = {
            let spares = self.lock();
            spares.iter().filter(|spare| is_alike(spare, model)).count()
        };
        for _ in ready..STOCK {
            let spare = create(store, model.clone())?;
            let mut spares = self.lock();
            spares.push_back(spare);
            let oldest = (spares.len() > LIMIT).then(|| spares.pop_front()).flatten();
            drop(spares);
            if let Some(oldest) = oldest {
                remove(store, &oldest);
            }
        }
        Ok(())
    }

    /// Removes all of them. Blocking.
    pub(super) fn clear(&self, store: &Store) {
        for spare in self.lock().drain(..) {
            remove(store, &spare);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LoadoutRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What lies under the root: mount names and trees.
pub(super) fn mounts(plan: &Plan) -> Vec<(String, Digest)> {
    plan.bundles
        .iter()
        .filter(|bundle| bundle.stored)
        .filter_map(|bundle| Some((bundle.mount.clone()?, bundle.digest?)))
        .collect()
}

/// Makes a root of its own for a thread with this loadout, and the file that says what it is for.
/// Blocking.
pub(super) fn create(
    store: &Store,
    mut record: LoadoutRecord,
) -> Result<LoadoutRecord, LoadoutError> {
    let loadout = store.publish_loadout(&mounts(&record.plan))?;
    let root = store.create_root(loadout)?.to_string();
    record.root = Some(root.clone());
    root_file::write(&store.roots(), &root, &record)?;
    Ok(record)
}

/// Removes the root of a loadout that no thread has. Should that fail, it stays behind and leads no
/// thread anywhere. Blocking.
pub(super) fn remove(store: &Store, spare: &LoadoutRecord) {
    if let Some(root) = &spare.root {
        remove_root(store, root);
    }
}

/// As [`remove`]. Blocking.
pub(super) fn remove_root(store: &Store, root: &str) {
    let removed = parse_root(root).and_then(|id| {
        root_file::remove(&store.roots(), root)?;
        Ok(store.remove_root(&id)?)
    });
    if let Err(error) = removed {
        tracing::warn!(%error, root, "a root that no thread has stays behind");
    }
}

/// Somebody may have cleaned up the folder meanwhile: a root that is not there is silently empty for Codex.
fn is_there(store: &Store, root: &str) -> bool {
    parse_root(root).is_ok_and(|id| store.root_path(&id).is_dir())
        && root_file::exists(&store.roots(), root)
}

/// The same in all that a root's file says, but for the root and the time.
fn is_alike(a: &LoadoutRecord, b: &LoadoutRecord) -> bool {
    a.receipt == b.receipt
        && a.selection == b.selection
        && a.plan == b.plan
        && a.host_instructions == b.host_instructions
        && a.codex_home == b.codex_home
        && a.cwd == b.cwd
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::records::record_tests::loadout;
    use std::fs;

    fn roots(store: &Store) -> usize {
        fs::read_dir(store.roots()).unwrap().count()
    }

    #[test]
    fn a_spare_is_for_its_own_loadout_once_and_goes_with_the_session() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let spares = RootPool::default();
        let mut model = loadout(1);
        model.plan.bundles.clear();
        let mut other = model.clone();
        other.cwd = "/elsewhere".into();
        spares.restock(&store, &model).unwrap();
        spares.restock(&store, &model).unwrap();
        assert_eq!(roots(&store), 2 * STOCK, "a link and a file each");
        assert_eq!(spares.take(&store, &other), None);
        let mut wanted = model.clone();
        wanted.root = None;
        wanted.recorded_at = 77;
        let root = spares.take(&store, &wanted).unwrap();
        let kept = root_file::read(&store.roots(), &root).unwrap();
        let Some(root_file::Purpose::Loadout(kept)) = kept else {
            panic!("{kept:?}");
        };
        assert!(is_alike(&kept, &model) && kept.root == Some(root));
        let mut more: Vec<String> = std::iter::from_fn(|| spares.take(&store, &wanted)).collect();
        more.sort();
        more.dedup();
        assert_eq!(more.len(), STOCK - 1, "each is given once");

        // A spare whose link is gone is none.
        spares.restock(&store, &model).unwrap();
        for entry in fs::read_dir(store.roots()).unwrap().flatten() {
            if entry.file_type().unwrap().is_symlink() {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        assert_eq!(spares.take(&store, &wanted), None);

        spares.clear(&store);
        let before = roots(&store);
        for number in 0..20 {
            other.cwd = format!("/{number}").into();
            spares.restock(&store, &other).unwrap();
        }
        assert_eq!(roots(&store), before + 2 * LIMIT);
        spares.clear(&store);
        assert_eq!(roots(&store), before);
    }
}
