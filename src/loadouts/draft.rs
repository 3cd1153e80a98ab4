//! A loadout that is resolved, snapshotted and lowered, and that no thread has yet.

use std::sync::Arc;

use codex_loadout_protocol::{ErrorKind, LoadoutError, Receipt};

use super::choice::Selected;
use super::root_assignment::RootAssignment;
use super::state::{Loadouts, unix_now};
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::lowering::{Lowered, held_against_policy};
use crate::messages::initialize::UpstreamInfo;
use crate::records::LoadoutRecord;

/// A new loadout, snapshotted and lowered, without a root.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(super) record: LoadoutRecord,
    pub(super) lowered: Lowered,
    /// What lies in the store.
    loadout: Digest,
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
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Draft, LoadoutError> {
        let Selected {
            expanded,
            rule,
            warnings,
            request_servers,
        } = selected;
        let published = self.publish(&expanded.selection, catalog, &request_servers);
        let published = published.await;
        let (plan, loadout) = published.map_err(|error| expanded.locate(error))?;
        let selection = expanded.selection;
        let lowered = self.lower(&plan, catalog, upstream)?;
        let managed = held_against_policy(&plan, catalog, &lowered)?;
        let mut receipt = self.receipt_on(&plan, catalog, upstream.version);
        receipt.warnings.extend(warnings);
        let record = LoadoutRecord {
            root: None,
            receipt: Receipt { managed, ..receipt }.into(),
            selection: selection.into(),
            rule,
            plan: plan.into(),
            host_instructions: None,
            list_is_due: false,
            codex_home: upstream.codex_home.clone(),
            cwd: catalog.cwd.clone(),
            recorded_at: unix_now(),
        };
        Ok(Draft {
            record,
            lowered,
            loadout,
        })
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
            lowered,
            loadout,
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
        checked(&lowered)?;
        match place {
            RootAssignment::Nowhere => {}
            RootAssignment::At(root) => record.root = Some(root),
            RootAssignment::New => record = self.with_root(record).await?.0,
        }
        Ok((record, lowered, loadout))
    }
}

fn no_root() -> LoadoutError {
    LoadoutError::new(ErrorKind::UnsupportedUpstream, "this thread was started without a loadout, and Codex gives a thread no root later")
        .with_hint("Start a new thread with the selection, or leave plugins and skills that need a snapshot out of it.")
}
