//! What was worked out for the last threads: one that is started with the same gets the same.
//!
//! Plan, config and receipt follow from what is asked for and from what there is. Folders and the store are looked at each
//! time all the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use codex_loadout_protocol::{CapabilitySelection, LoadoutError, Receipt};

use super::request_params::merge_config;
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::lowering::Lowered;
use crate::messages::initialize::CodexVersion;
use crate::resolver::{Plan, RequestServers};
use crate::shared::Shared;

/// As many as are likely to be started in turns.
const LIMIT: usize = 4;

/// The last ones.
#[derive(Debug, Default)]
pub(super) struct RecentDrafts(Mutex<VecDeque<Arc<RecentDraft>>>);

/// What was worked out, and from what.
#[derive(Debug)]
pub(super) struct RecentDraft {
    pub(super) selection: Shared<CapabilitySelection>,
    /// The MCP servers that the host defined beside it.
    pub(super) request_servers: RequestServers,
    /// Weak: nothing is kept of a catalog that has changed.
    pub(super) catalog: Weak<Catalog>,
    pub(super) version: CodexVersion,
    /// What was known of tools ([`super::tools::ToolsSeen::changes`]).
    pub(super) tools: u64,
    pub(super) plan: Shared<Plan>,
    pub(super) lowered: Lowered,
    /// Without what is said of the selection itself.
    pub(super) receipt: Shared<Receipt>,
    /// What lies in the store.
    pub(super) loadout: Digest,
    /// The last `config` of a host's, and what became of it.
    pub(super) merged: Mutex<Option<(String, String)>>,
}

impl RecentDraft {
    /// The `config` that Codex gets where the host sends this one.
    ///
    /// # Errors
    /// As [`merge_config`].
    pub(super) fn merged_with(&self, of_host: &str) -> Result<String, LoadoutError> {
        let mut last = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((same, merged)) if same == of_host => Ok(merged.clone()),
            _ => {
                let merged = merge_config(of_host, &self.lowered)?;
                *last = Some((of_host.to_owned(), merged.clone()));
                Ok(merged)
            }
        }
    }

    fn is_of(
        &self,
        selection: &CapabilitySelection,
        request_servers: &RequestServers,
        catalog: &Arc<Catalog>,
    ) -> bool {
        std::ptr::eq(self.catalog.as_ptr(), Arc::as_ptr(catalog))
            && *self.selection == *selection
            && self.request_servers == *request_servers
    }
}

impl RecentDrafts {
    /// What a selection came to on this very catalog.
    pub(super) fn find(
        &self,
        selection: &CapabilitySelection,
        request_servers: &RequestServers,
        catalog: &Arc<Catalog>,
    ) -> Option<Arc<RecentDraft>> {
        let mut recent = self.lock();
        let is_it = |draft: &Arc<RecentDraft>| draft.is_of(selection, request_servers, catalog);
        let at = recent.iter().position(is_it)?;
        let found = recent.remove(at)?;
        recent.push_front(found.clone());
        Some(found)
    }

    /// Remembers one, in the place of an older one of the same. Not one with agents: their files are read for each thread,
    /// and what could not be read once is not to count again.
    pub(super) fn keep(&self, draft: Arc<RecentDraft>) {
        if !draft.plan.agents.is_empty() {
            return;
        }
        let mut recent = self.lock();
        recent.retain(|older| match older.catalog.upgrade() {
            Some(catalog) => !draft.is_of(&older.selection, &older.request_servers, &catalog),
            None => false,
        });
        recent.push_front(draft);
        recent.truncate(LIMIT);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<RecentDraft>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use codex_loadout_protocol::ErrorKind;
    use serde_json::json;

    use super::*;
    use crate::loadouts::Loadouts;
    use crate::loadouts::choice::Selected;
    use crate::loadouts::draft::Draft;
    use crate::messages::initialize::UpstreamInfo;
    use crate::resolver::{RunAs, test_catalog};

    /// A plugin on disk, and threads that are started with it and with one tool of a server.
    struct Starts {
        folder: tempfile::TempDir,
        loadouts: Arc<Loadouts>,
        catalog: Arc<Catalog>,
        upstream: UpstreamInfo,
    }

    impl Starts {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let source = folder.path().join("plugin");
            for skill in ["issue", "pull"] {
                let skill = source.join("skills").join(skill);
                fs::create_dir_all(&skill).unwrap();
                fs::write(skill.join("SKILL.md"), "first").unwrap();
            }
            let mut catalog = test_catalog();
            let plugins = &mut catalog.plugins;
            let plugin = plugins.iter_mut().find(|it| it.id == "github@internal");
            plugin.unwrap().root = source;
            let version = CodexVersion {
                major: 0,
                minor: 169,
                patch: 0,
            };
            Self {
                loadouts: Arc::new(Loadouts::new(folder.path().join("state"))),
                catalog: catalog.into(),
                upstream: UpstreamInfo {
                    version,
                    codex_home: folder.path().join("codex"),
                },
                folder,
            }
        }

        async fn start(&self) -> Result<Draft, codex_loadout_protocol::LoadoutError> {
            let selection = json!({ "plugins": ["github@internal"], "mcpServers": [{ "name": "notes", "tools": ["find"] }] });
            let mut selected = Selected::default();
            selected.expanded.selection =
                CapabilitySelection::from_json(&selection.to_string()).unwrap();
            let drafted = self.loadouts.draft(selected, &self.catalog, &self.upstream);
            drafted.await
        }

        /// What is kept is known to be as it is from the second start on.
        async fn start_again(&self) -> Draft {
            self.start().await.unwrap();
            self.start().await.unwrap()
        }

        /// Whether the second was not worked out anew.
        fn is_same(one: &Draft, other: &Draft) -> bool {
            std::ptr::eq(&raw const *one.record.plan, &raw const *other.record.plan)
        }
    }

    #[tokio::test]
    async fn the_same_is_worked_out_again_once_anything_has_changed() {
        let mut starts = Starts::new();
        let first = starts.start_again().await;
        let second = starts.start().await.unwrap();
        assert!(Starts::is_same(&first, &second));
        let merged = |of_host| second.worked_out.merged_with(of_host).unwrap();
        let [one, other] = [r#"{"model":"a"}"#, r#"{"model":"b"}"#];
        assert_eq!([one, one, other, one].map(merged), {
            let merged = |of_host| merge_config(of_host, &first.worked_out.lowered).unwrap();
            [one, one, other, one].map(merged)
        });

        let skill = starts.folder.path().join("plugin/skills/pull/SKILL.md");
        fs::write(skill, "second").unwrap();
        let changed = starts.start_again().await;
        assert_ne!(
            changed.record.receipt.digest, second.record.receipt.digest,
            "a folder"
        );
        assert!(Starts::is_same(&changed, &starts.start().await.unwrap()));

        let digest = changed.record.plan.bundles.iter().find_map(|it| it.digest);
        let tree = starts.loadouts.store().unwrap().tree_path(&digest.unwrap());
        fs::rename(&tree, starts.folder.path().join("taken away")).unwrap();
        let healed = starts.start_again().await;
        assert!(tree.is_dir(), "the store");
        assert!(Starts::is_same(&healed, &starts.start().await.unwrap()));

        starts.upstream.version.patch = 1;
        let newer = starts.start().await.unwrap();
        assert!(!Starts::is_same(&healed, &newer), "Codex");

        let mut catalog = (*starts.catalog).clone();
        catalog.developer_instructions = Some("Be brief.".to_owned());
        starts.catalog = catalog.into();
        let told = starts.start().await.unwrap();
        assert_eq!(
            told.worked_out.lowered.user_instructions.as_deref(),
            Some("Be brief.")
        );

        let notes = RunAs::of_users("notes", None, &starts.catalog).unwrap();
        let has = |tools: &[&str]| tools.iter().map(|tool| (*tool).to_owned()).collect();
        let tools_seen = starts.loadouts.tools_seen();
        let found: BTreeSet<String> = has(&["find", "write"]);
        tools_seen.learn(notes.clone(), found);
        starts.start_again().await;
        tools_seen.learn(notes, has(&["write"]));
        let error = starts.start().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownCapability, "tools");
    }

    #[tokio::test]
    async fn what_is_of_no_use_any_more_is_not_kept() {
        let mut starts = Starts::new();
        for number in 0..2 * LIMIT {
            starts.start().await.unwrap();
            let mut catalog = (*starts.catalog).clone();
            catalog.cwd = format!("/{number}").into();
            starts.catalog = catalog.into();
            assert_eq!(starts.loadouts.recent_drafts.lock().len(), 1);
        }
        let catalogs: Vec<Arc<Catalog>> = (0..2 * LIMIT)
            .map(|_| Arc::new((*starts.catalog).clone()))
            .collect();
        for catalog in &catalogs {
            starts.catalog = catalog.clone();
            starts.start().await.unwrap();
        }
        assert_eq!(starts.loadouts.recent_drafts.lock().len(), LIMIT);
        // Of those that are left, one that is used again outlasts the others.
        starts.catalog = catalogs[LIMIT].clone();
        let used = starts.start().await.unwrap();
        for catalog in &catalogs[..LIMIT - 1] {
            starts.catalog = catalog.clone();
            starts.start().await.unwrap();
        }
        starts.catalog = catalogs[LIMIT].clone();
        assert!(Starts::is_same(&used, &starts.start().await.unwrap()));
    }
}
