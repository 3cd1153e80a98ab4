//! A loadout's plan lowered for this Codex, with the files that the config names.

use codex_loadout_protocol::LoadoutError;

use super::state::Loadouts;
use crate::catalog::Catalog;
use crate::lowering::{CodexFeatures, Files, Lowered, held_against_policy, lower};
use crate::messages::initialize::UpstreamInfo;
use crate::paths;
use crate::records::LoadoutRecord;
use crate::resolver::Plan;

impl Loadouts {
    /// What a loaded thread with this loadout would be told now.
    ///
    /// # Errors
    /// `unsupportedUpstream` if this Codex lacks a lever that the plan needs.
    pub(crate) fn lowered_now(
        &self,
        loadout: &LoadoutRecord,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Lowered, LoadoutError> {
        self.lower(&loadout.plan, catalog, upstream)
    }

    /// The same for one that is loaded with it next.
    ///
    /// # Errors
    /// As there, and `policyConflict` or `blockedByPolicy` if an administrator's config does not have it.
    pub(crate) fn lowered_at_load(
        &self,
        loadout: &LoadoutRecord,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Lowered, LoadoutError> {
        let lowered = self.lower(&loadout.plan, catalog, upstream)?;
        held_against_policy(&loadout.plan, catalog, &lowered)?;
        Ok(lowered)
    }

    /// Lowers a plan, and writes the role files that its config names.
    pub(super) fn lower(
        &self,
        plan: &Plan,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Lowered, LoadoutError> {
        let roles = self.store_as_it_is()?.roles();
        let lowered = lower(
            plan,
            catalog,
            CodexFeatures::of(upstream.version),
            Files {
                snapshot: &|bundle| self.snapshot(plan, bundle),
                role: &|file| std::fs::read_to_string(file).ok(),
                roles: Some(&roles),
                program: paths::this_program(),
            },
        )?;
        self.keep_role_files(&lowered)?;
        Ok(lowered)
    }

    /// Makes sure that the role files are there that a config names.
    pub(super) fn keep_role_files(&self, lowered: &Lowered) -> Result<(), LoadoutError> {
        let store = self.store_as_it_is()?;
        for (file, text) in &lowered.role_files {
            store.keep_role(file, text)?;
        }
        Ok(())
    }
}
