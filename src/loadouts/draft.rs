//! A loadout that is resolved, snapshotted and lowered, and that no thread has yet.

use std::sync::{Arc, Mutex};

use codex_loadout_protocol::{ErrorKind, LoadoutError, Receipt};

use super::choice::Selected;
use super::recent_drafts::RecentDraft;
use super::root_assignment::RootAssignment;
use super::state::{Loadouts, unix_now};
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::lowering::{Lowered, held_against_policy};
use crate::messages::initialize::UpstreamInfo;
use crate::profiles::Expanded;
use crate::records::LoadoutRecord;
use crate::resolver::RequestServers;

/// A new loadout, snapshotted and lowered, without a root.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(super) record: LoadoutRecord,
    pub(super) worked_out: Arc<RecentDraft>,
}

impl Draft {
    /// Whether it is just the loadout that a thread has already.
    #[must_use]
    pub(crate) fn is_same(&self, record: &LoadoutRecord) -> bool {
        self.record.receipt.digest == record.receipt.digest
            && self.record.plan == record.plan
            && self.record.selection == record.selection
    }
}

/// What a thread that gets another loadout brings along.
#[derive(Debug)]
pub(crate) struct Inherited {
    /// Where the loadout is to lie for it.
    pub place: RootAssignment,
    /// The developer's instructions that its host gave it.
    pub host_instructions: Option<String>,
}

impl Loadouts {
    /// Snapshots and lowers a new loadout.
    ///
    /// # Errors
    /// Whatever is wrong with the selection.
    pub(crate) async fn draft(
        self: &Arc<Self>,
        selected: Selected,
        catalog: &Arc<Catalog>,
        upstream: &UpstreamInfo,
    ) -> Result<Draft, LoadoutError> {
        let Selected {
            expanded,
            rule,
            warnings,
            request_servers,
        } = selected;
        let before = self.drafted_before(&expanded, &request_servers, catalog, upstream)?;
        let worked_out = match before {
            Some(draft) => draft,
            None => {
                let draft = self.work_out(expanded, request_servers, catalog, upstream);
                draft.await?
            }
        };
        let mut receipt = worked_out.receipt.clone();
        if !warnings.is_empty() {
            receipt.warnings.extend(warnings);
        }
        let record = LoadoutRecord {
            root: None,
            receipt,
            selection: worked_out.selection.clone(),
            rule,
            plan: worked_out.plan.clone(),
            host_instructions: None,
            list_is_due: false,
            codex_home: upstream.codex_home.clone(),
            cwd: catalog.cwd.clone(),
            recorded_at: unix_now(),
        };
        Ok(Draft { record, worked_out })
    }

    /// What was worked out for the same a moment ago, if all of it is in its place.
    fn drafted_before(
        &self,
        expanded: &Expanded,
        request_servers: &RequestServers,
        catalog: &Arc<Catalog>,
        upstream: &UpstreamInfo,
    ) -> Result<Option<Arc<RecentDraft>>, LoadoutError> {
        let recent = &self.recent_drafts;
        let found = recent
            .find(&expanded.selection, request_servers, catalog)
            .filter(|draft| draft.version == upstream.version)
            .filter(|draft| draft.tools == self.tools_seen.changes())
            .filter(|draft| self.published(&draft.plan) == Some(draft.loadout));
        if let Some(draft) = &found {
            self.keep_role_files(&draft.lowered)?;
        }
        Ok(found)
    }

    async fn work_out(
        self: &Arc<Self>,
        expanded: Expanded,
        request_servers: RequestServers,
        catalog: &Arc<Catalog>,
        upstream: &UpstreamInfo,
    ) -> Result<Arc<RecentDraft>, LoadoutError> {
        let tools = self.tools_seen.changes();
        let published = self.publish(&expanded.selection, catalog, &request_servers);
        let published = published.await;
        let (plan, loadout) = published.map_err(|error| expanded.locate(error))?;
        let lowered = self.lower(&plan, catalog, upstream)?;
        let managed = held_against_policy(&plan, catalog, &lowered)?;
        let receipt = self.receipt_on(&plan, catalog, upstream.version);
        let draft = Arc::new(RecentDraft {
            selection: expanded.selection.into(),
            request_servers,
            catalog: Arc::downgrade(catalog),
            version: upstream.version,
            tools,
            plan: plan.into(),
            lowered,
            receipt: Receipt { managed, ..receipt }.into(),
            loadout,
            merged: Mutex::default(),
        });
        self.recent_drafts.keep(draft.clone());
        Ok(draft)
    }

    /// Another loadout for a thread that is there; at the thread's own root, it does not lie yet. `checked` is asked
    /// before a root is made for it.
    ///
    /// # Errors
    /// What is not right for `checked`, and `unsupportedUpstream` if there is no root for it.
    pub(crate) async fn renew(
        self: &Arc<Self>,
        draft: Draft,
        inherited: Inherited,
        checked: impl FnOnce(&Lowered) -> Result<(), LoadoutError>,
    ) -> Result<(LoadoutRecord, Lowered, Digest), LoadoutError> {
        let Draft {
            mut record,
            worked_out,
        } = draft;
        let Inherited {
            place,
            host_instructions,
        } = inherited;
        record.list_is_due = true;
        record.host_instructions = host_instructions;
        let mut bundles = record.plan.bundles.iter();
        if place == RootAssignment::Nowhere && bundles.any(|bundle| bundle.mount.is_some()) {
            return Err(no_root());
        }
        checked(&worked_out.lowered)?;
        match place {
            RootAssignment::Nowhere => {}
            RootAssignment::At(root) => record.root = Some(root),
            RootAssignment::New => record = self.with_root(record).await?.0,
        }
        Ok((record, worked_out.lowered.clone(), worked_out.loadout))
    }
}

fn no_root() -> LoadoutError {
    LoadoutError::new(ErrorKind::UnsupportedUpstream, "this thread was started without a loadout, and Codex gives a thread no root later")
        .with_hint("Start a new thread with the selection, or leave plugins and skills that need a snapshot out of it.")
}
