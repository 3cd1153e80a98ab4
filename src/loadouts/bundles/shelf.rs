//! The bundles as plugins of a catalog: what a selection can name.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use codex_loadout_protocol::bundle::{BundleLink, bundle_id, bundle_name};
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};

use super::approve::approval_digest;
use crate::bundle::Digest;
use crate::catalog::{Added, AddedBundle, Catalog, CatalogCache};
use crate::connection::RpcClient;
use crate::loadouts::choice::Selected;
use crate::loadouts::naming::plugins_named;
use crate::loadouts::state::{Loadouts, blocking};
use crate::materializer::Verdict;
use crate::records::BundleHead;
use crate::resolver::{self, Plan};

impl Loadouts {
    /// What there is in a folder, for a selection. If a name of it is unknown there, Codex is made to look again: its
    /// list follows the disk with a delay.
    ///
    /// # Errors
    /// `unsupportedUpstream` if Codex does not tell, `tampered` if a bundle that is named is not what it was.
    pub(crate) async fn catalog_for(
        self: &Arc<Self>,
        selected: &Selected,
        catalogs: &Arc<CatalogCache>,
        rpc: &RpcClient,
        codex_home: &Path,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        let selection = &selected.expanded.selection;
        let bundles = self.bundles_for(Some(selection)).await?;
        let catalog = catalogs.get(rpc, codex_home, cwd).await?;
        let catalog = with(catalogs, catalog, bundles.clone()).await?;
        let beside = &selected.request_servers;
        if self
            .recent_drafts
            .find(selection, beside, &catalog)
            .is_some()
        {
            return Ok(catalog);
        }
        match resolver::resolve_beside(selection, &catalog, beside) {
            Err(error) if error.kind == ErrorKind::UnknownCapability => {
                let plugins = plugins_named(selection);
                let anew = catalogs.get_anew(rpc, codex_home, cwd, plugins).await?;
                with(catalogs, anew, bundles).await
            }
            // What else is wrong is told by whoever resolves it.
            _ => Ok(catalog),
        }
    }

    /// A catalog with all bundles in it.
    ///
    /// # Errors
    /// `loadoutLost` if the bundles can't be read.
    pub(crate) async fn with_bundles(
        self: &Arc<Self>,
        catalogs: &Arc<CatalogCache>,
        catalog: Arc<Catalog>,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        with(catalogs, catalog, self.bundles_for(None).await?).await
    }

    /// A catalog with the bundles in it of which hooks of this plan are: the user may have taken back the approval.
    ///
    /// # Errors
    /// As [`Self::with_bundles`].
    pub(crate) async fn with_bundles_of(
        self: &Arc<Self>,
        plan: &Plan,
        catalogs: &Arc<CatalogCache>,
        catalog: Arc<Catalog>,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        let mut hooks = plan.plugin_hooks.iter();
        match hooks.any(|hook| bundle_name(&hook.source).is_some()) {
            true => self.with_bundles(catalogs, catalog).await,
            false => Ok(catalog),
        }
    }

    /// What the bundles hold now that are linked live, by id.
    ///
    /// # Errors
    /// As [`Self::with_bundles`].
    pub(crate) async fn live_bundles(
        self: &Arc<Self>,
    ) -> Result<HashMap<String, Digest>, LoadoutError> {
        self.contents(|head| head.link == Some(BundleLink::Live))
            .await
    }

    /// Whether new threads get another content of one of these bundles, or it is gone.
    ///
    /// # Errors
    /// As [`Self::with_bundles`].
    pub(crate) async fn bundle_changed(
        self: &Arc<Self>,
        plan: &Plan,
    ) -> Result<Option<bool>, LoadoutError> {
        let had: HashMap<String, Digest> = plan
            .added_bundles()
            .map(|(id, content)| (id.to_owned(), content))
            .collect();
        if had.is_empty() {
            return Ok(None);
        }
        let is_of_plan = |head: &BundleHead| had.contains_key(&bundle_id(&head.name));
        Ok(Some(self.contents(is_of_plan).await? != had))
    }

    /// What bundles hold now, by id: those that are asked about. While a folder can't be read, its bundle holds nothing.
    async fn contents(
        self: &Arc<Self>,
        is_asked_about: impl Fn(&BundleHead) -> bool,
    ) -> Result<HashMap<String, Digest>, LoadoutError> {
        let Some(records) = self.existing_records().await? else {
            return Ok(HashMap::new());
        };
        let mut heads = records.bundle_heads().await?;
        heads.retain(is_asked_about);
        if heads.is_empty() {
            return Ok(HashMap::new());
        }
        let gate = self.source_gate().await?;
        let loadouts = self.clone();
        blocking(move || {
            let store = loadouts.store()?;
            let contents = heads.iter().filter_map(|head| {
                let now = loadouts.linked.now(head, &gate, store).ok()?;
                Some((bundle_id(&head.name), now.digest))
            });
            Ok(contents.collect())
        })
        .await
    }

    /// The bundles, each with its content where that is as it was recorded.
    async fn bundles_for(
        self: &Arc<Self>,
        selection: Option<&CapabilitySelection>,
    ) -> Result<Arc<Vec<AddedBundle>>, LoadoutError> {
        let Some(records) = self.existing_records().await? else {
            return Ok(Arc::default());
        };
        let heads = records.bundle_heads().await?;
        if heads.is_empty() {
            return Ok(Arc::default());
        }
        let approved = records.approved_contents().await?;
        let gate = self.source_gate().await?;
        let named = selection.map(plugins_named).unwrap_or_default();
        let is_named =
            move |name: &String| named.contains(name) || named.contains(&bundle_id(name));
        let loadouts = self.clone();
        let bundles = blocking(move || {
            let store = loadouts.store()?;
            let mut bundles = Vec::new();
            for head in heads {
                let approval = approval_digest(head.link, &head.origin, head.digest);
                let now = loadouts.linked.now(&head, &gate, store);
                let intact = now.and_then(|now| match store.check_tree(&now.digest) {
                    Verdict::Intact => Ok(now),
                    Verdict::Missing | Verdict::Changed => Err(not_as_it_was(&now.name)),
                });
                let now = match intact {
                    Ok(now) => now,
                    // Whoever asks for it is told; for others it is as if it were not there.
                    Err(error) if is_named(&head.name) => return Err(error),
                    Err(error) => {
                        tracing::debug!(bundle = head.name, %error, "the bundle is left out");
                        continue;
                    }
                };
                bundles.push(AddedBundle {
                    root: store.tree_path(&now.digest),
                    content: now.digest,
                    added: Added {
                        digest: approval.to_string(),
                        approved: approved.contains(&approval),
                        hooks_denied_by: gate.hooks_denied_by(),
                        servers_denied_by: gate.servers_denied_by(),
                    },
                    name: now.name,
                    plugin: now.plugin,
                    entry: now.entry,
                    version: now.version,
                });
            }
            Ok(bundles)
        });
        Ok(Arc::new(bundles.await?))
    }
}

async fn with(
    catalogs: &Arc<CatalogCache>,
    catalog: Arc<Catalog>,
    bundles: Arc<Vec<AddedBundle>>,
) -> Result<Arc<Catalog>, LoadoutError> {
    if bundles.is_empty() {
        return Ok(catalog);
    }
    let catalogs = catalogs.clone();
    blocking(move || Ok(Arc::new(catalogs.with_added(&catalog, &bundles)))).await
}

fn not_as_it_was(name: &str) -> LoadoutError {
    let message = format!("what is kept of bundle `{name}` was changed or removed");
    LoadoutError::new(ErrorKind::Tampered, message)
        .with_hint(format!(
            "`codex-loadout bundle update {name}` fetches it anew."
        ))
        .with_items(vec![ErrorItem::named(name)])
}
