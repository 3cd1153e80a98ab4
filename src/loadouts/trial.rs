//! Loadouts that are tried out: for a thread of our own, and for a short time.

use std::path::PathBuf;
use std::sync::Arc;

use codex_loadout_protocol::LoadoutError;

use super::choice::Selected;
use super::state::{Loadouts, blocking};
use crate::catalog::Catalog;
use crate::lowering::{Lowered, held_against_policy};
use crate::messages::initialize::UpstreamInfo;
use crate::records::LoadoutRecord;

/// What is tried out.
#[derive(Debug)]
pub(crate) enum Trial {
    /// What a selection gives now.
    Selection(Box<Selected>),
    /// What is on record.
    Recorded(Box<LoadoutRecord>),
}

impl Trial {
    /// The selection that it is made of.
    #[must_use]
    pub(crate) fn selected(&self) -> Selected {
        match self {
            Self::Selection(selected) => (**selected).clone(),
            Self::Recorded(loadout) => {
                let mut selected = Selected::default();
                selected.expanded.selection = loadout.selection.clone().into_inner();
                selected.request_servers = loadout.plan.request_servers();
                selected
            }
        }
    }
}

impl Loadouts {
    /// A loadout for a thread of our own, with a root that is to be discarded.
    ///
    /// # Errors
    /// Whatever is wrong with the selection, or `loadoutLost` if what is on record can't be brought back.
    pub(crate) async fn trial(
        self: &Arc<Self>,
        trial: Trial,
        catalog: &Arc<Catalog>,
        upstream: &UpstreamInfo,
    ) -> Result<(LoadoutRecord, Lowered, PathBuf), LoadoutError> {
        let (record, lowered) = match trial {
            Trial::Selection(selected) => {
                let draft = self.draft(*selected, catalog, upstream).await?;
                (draft.record, draft.worked_out.lowered.clone())
            }
            Trial::Recorded(mut record) => {
                record.root = None;
                let loadouts = self.clone();
                let mut record =
                    blocking(move || loadouts.restore(&record).map(|_| *record)).await?;
                let lowered = self.lower(&record.plan, catalog, upstream)?;
                record.receipt.managed = held_against_policy(&record.plan, catalog, &lowered)?;
                (record, lowered)
            }
        };
        let (record, root) = self.with_root(record).await?;
        Ok((record, lowered, root))
    }
}
