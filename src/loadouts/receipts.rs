//! What a selection gives, told without keeping anything.

use std::sync::Arc;

use codex_loadout_protocol::{CapabilitySelection, LoadoutError, Receipt};

use super::state::{Loadouts, blocking};
use crate::catalog::Catalog;
use crate::lowering::{
    CodexFeatures, Files, held_against_policy, large_list, lower, skill_list, untested,
};
use crate::messages::initialize::CodexVersion;
use crate::resolver::{self, Plan, RequestServers};

impl Loadouts {
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
}
