//! Everything that lives under `$CODEX_LOADOUT_HOME`, opened when it is first needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError, Receipt};
use tokio::sync::OnceCell;

use super::digests::{self, Digests};
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::lowering::Levers;
use crate::materializer::{RootId, Store};
use crate::resolver::{self, Plan};
use crate::selections::{LoadoutRecord, Selections};

/// The loadouts of one `$CODEX_LOADOUT_HOME`.
#[derive(Debug)]
pub struct Loadouts {
    state_home: PathBuf,
    store: OnceCell<Arc<Store>>,
    selections: OnceCell<Selections>,
    digests: Arc<Digests>,
}

impl Loadouts {
    /// Those of a state folder. Nothing is opened or created yet.
    #[must_use]
    pub fn new(state_home: PathBuf) -> Self {
        Self {
            state_home,
            store: OnceCell::new(),
            selections: OnceCell::new(),
            digests: Arc::default(),
        }
    }

    /// The store, made if there is none.
    pub(super) async fn store(&self) -> Result<&Arc<Store>, LoadoutError> {
        self.store
            .get_or_try_init(|| async {
                let home = self.state_home.clone();
                Ok(Arc::new(
                    blocking(move || Store::open(&home).map_err(LoadoutError::from)).await?,
                ))
            })
            .await
    }

    /// The records, made if there are none.
    ///
    /// # Errors
    /// `loadoutLost` if the database can't be opened.
    pub async fn selections(&self) -> Result<&Selections, LoadoutError> {
        Ok(self
            .selections
            .get_or_try_init(|| Selections::open(&self.state_home))
            .await?)
    }

    /// The records if there are any: looking for one creates nothing.
    pub(super) async fn existing_selections(&self) -> Result<Option<&Selections>, LoadoutError> {
        if self.selections.get().is_none()
            && let Some(found) = Selections::open_existing(&self.state_home).await?
        {
            // Another task may have opened them meanwhile: theirs is as good.
            let _ = self.selections.set(found);
        }
        Ok(self.selections.get())
    }

    /// What a start would give, without keeping anything.
    ///
    /// # Errors
    /// Whatever is wrong with the selection, or `conversionFailed` if a folder can't be read.
    pub async fn resolve(
        &self,
        selection: &CapabilitySelection,
        catalog: &Catalog,
        levers: Levers,
    ) -> Result<Receipt, LoadoutError> {
        let mut plan = resolver::resolve(selection, catalog)?;
        // A plan that this Codex has no levers for is refused here as it would be at a start.
        crate::lowering::lower(&plan, catalog, levers, |_| PathBuf::new())?;
        let digests = self.digests.clone();
        let plan = blocking(move || digests.fill(&mut plan, None).map(|()| plan)).await?;
        Ok(resolver::receipt(&plan, catalog))
    }

    /// Resolves a selection and snapshots what the thread is to keep.
    ///
    /// # Errors
    /// As [`Self::resolve`], and `conversionFailed` if the snapshot can't be stored.
    pub(super) async fn publish(
        &self,
        selection: &CapabilitySelection,
        catalog: &Catalog,
    ) -> Result<(Plan, Digest), LoadoutError> {
        let mut plan = resolver::resolve(selection, catalog)?;
        let store = self.store().await?.clone();
        let digests = self.digests.clone();
        blocking(move || {
            digests.fill(&mut plan, Some(&store))?;
            let loadout = store.publish_loadout(&mounts(&plan))?;
            Ok((plan, loadout))
        })
        .await
    }

    /// Makes sure that a recorded plan's snapshots are there, and its root leads to them.
    ///
    /// # Errors
    /// `loadoutLost` if a snapshot is gone and its source no longer has the recorded content.
    pub(super) async fn restore(&self, record: &LoadoutRecord) -> Result<(), LoadoutError> {
        let store = self.store().await?.clone();
        let plan = record.plan.clone();
        let root = record.root.as_deref().map(parse_root).transpose()?;
        blocking(move || {
            for bundle in plan.bundles.iter().filter(|bundle| bundle.stored) {
                let digest = bundle
                    .digest
                    .ok_or_else(|| lost("its record names a folder without a digest"))?;
                if store.has_tree(&digest) {
                    continue;
                }
                let tree = digests::read(bundle).map_err(|error| lost(&error.message))?;
                if tree.digest() != digest {
                    return Err(lost(&format!(
                        "the snapshot of `{}` is gone, and the folder has changed since",
                        bundle.source.display()
                    )));
                }
                store.publish_tree(&tree, digest)?;
            }
            let loadout = store.publish_loadout(&mounts(&plan))?;
            if let Some(root) = root {
                store.point_root(&root, loadout)?;
            }
            Ok(())
        })
        .await
    }

    /// A root of its own for a new thread.
    pub(super) async fn create_root(
        &self,
        loadout: Digest,
    ) -> Result<(RootId, PathBuf), LoadoutError> {
        let store = self.store().await?.clone();
        blocking(move || {
            let root = store.create_root(loadout)?;
            let path = store.root_path(&root);
            Ok((root, path))
        })
        .await
    }

    /// Removes the root and the intent of a thread that was never made.
    pub async fn discard(&self, root: &str) {
        let removed = async {
            let store = self.store().await?.clone();
            let id = parse_root(root)?;
            blocking(move || Ok(store.remove_root(&id)?)).await?;
            Ok::<(), LoadoutError>(self.selections().await?.delete_intent(root).await?)
        };
        if let Err(error) = removed.await {
            tracing::warn!(%error, root, "the root of a thread that was not made stays behind");
        }
    }

    pub(super) fn state_home(&self) -> &Path {
        &self.state_home
    }
}

/// What lies under the root: mount names and trees.
fn mounts(plan: &Plan) -> Vec<(String, Digest)> {
    plan.bundles
        .iter()
        .filter(|bundle| bundle.stored)
        .filter_map(|bundle| Some((bundle.mount.clone()?, bundle.digest?)))
        .collect()
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

/// Runs file work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadoutError> + Send + 'static,
) -> Result<T, LoadoutError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(LoadoutError::new(ErrorKind::ConversionFailed, format!("the work on the loadout's files broke off: {error}"))
            .with_hint("Try again; if it happens again, report it with the output of `codex-loadout --version`."))
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
