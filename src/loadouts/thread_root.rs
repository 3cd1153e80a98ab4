//! The root of one thread: the folder that Codex finds its plugins and skills in. It is a link that can be led to
//! another loadout while the thread keeps its name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::LoadoutError;

use super::lost::parse_root;
use super::root_pool;
use super::state::{Loadouts, blocking};
use crate::bundle::Digest;
use crate::records::{LoadoutRecord, root_file};

impl Loadouts {
    /// Gives a loadout a root of its own, described beside it: before Codex knows the thread, so that
    /// whatever is cut short later, the thread's loadout can be found.
    pub(super) async fn with_root(
        self: &Arc<Self>,
        mut record: LoadoutRecord,
    ) -> Result<(LoadoutRecord, PathBuf), LoadoutError> {
        let store = self.store_as_it_is()?;
        match self.root_pool.take(store, &record) {
            Some(root) => record.root = Some(root),
            None => {
                let loadouts = self.clone();
                record = blocking(move || root_pool::create(loadouts.store()?, record)).await?;
            }
        }
        let root = parse_root(record.root.as_deref().unwrap_or_default())?;
        Ok((record, store.root_path(&root)))
    }

    /// Lets a thread's root lead to another loadout, and says beside it to which.
    ///
    /// # Errors
    /// `conversionFailed` if the link can't be replaced.
    pub(crate) async fn point_root(
        self: &Arc<Self>,
        loadout: Digest,
        record: &LoadoutRecord,
    ) -> Result<(), LoadoutError> {
        let (loadouts, record) = (self.clone(), record.clone());
        blocking(move || {
            let Some(root) = &record.root else {
                return Ok(());
            };
            let store = loadouts.store()?;
            root_file::write(&store.roots(), root, &record)?;
            Ok(store.point_root(&parse_root(root)?, loadout).map(|_| ())?)
        })
        .await
    }

    /// Empties the root of a thread that goes back to native, and says so beside it: Codex keeps naming it.
    ///
    /// # Errors
    /// `conversionFailed` if the link can't be replaced.
    pub(crate) async fn empty_root(
        self: &Arc<Self>,
        root: String,
        codex_home: &Path,
    ) -> Result<(), LoadoutError> {
        let (loadouts, codex_home) = (self.clone(), codex_home.to_owned());
        blocking(move || {
            let store = loadouts.store()?;
            let empty = store.publish_loadout(&[])?;
            root_file::write_native(&store.roots(), &root, &codex_home)?;
            Ok(store.point_root(&parse_root(&root)?, empty).map(|_| ())?)
        })
        .await
    }

    /// Makes roots ready for the next threads with a loadout like this one.
    pub(crate) async fn fill_root_pool(self: &Arc<Self>, model: LoadoutRecord) {
        let loadouts = self.clone();
        let made = blocking(move || loadouts.root_pool.restock(loadouts.store()?, &model)).await;
        if let Err(error) = made {
            tracing::debug!(%error, "the next thread's root is made when it comes");
        }
    }

    /// Removes the roots that were made ready and not used. Blocking.
    pub(crate) fn empty_root_pool(&self) {
        if let Some(store) = self.open_store() {
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
}

/// Whether a path lies under the folder of roots of this state home.
pub(super) fn is_our_root(state_home: &Path, path: &Path) -> bool {
    path.starts_with(state_home.join("roots"))
}
