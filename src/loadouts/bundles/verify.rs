//! What is kept of bundles, read again and compared.

use std::sync::Arc;

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::{
    BundleVerdict, CapabilityBundleVerifyParams, CapabilityBundleVerifyResult,
};

use crate::loadouts::state::{Loadouts, blocking};
use crate::materializer::{Store, Verdict};
use crate::records::happened;

impl Loadouts {
    /// Reads every content that is kept of a bundle, or of all, and compares it with its digest.
    ///
    /// # Errors
    /// `unknownCapability` for a bundle that is none, `loadoutLost` if the records can't be read.
    pub(crate) async fn verify_bundles(
        self: &Arc<Self>,
        wanted: &CapabilityBundleVerifyParams,
    ) -> Result<CapabilityBundleVerifyResult, LoadoutError> {
        let (records, names) = match &wanted.name {
            Some(name) => {
                let (records, bundle) = self.known_bundle(name).await?;
                (records, vec![bundle.name])
            }
            None => {
                let Some(records) = self.existing_records().await? else {
                    return Ok(CapabilityBundleVerifyResult { data: Vec::new() });
                };
                let heads = records.bundle_heads().await?;
                let names: Vec<String> = heads.into_iter().map(|head| head.name).collect();
                (records, names)
            }
        };
        let mut contents = Vec::new();
        for name in names {
            for version in records.bundle_versions(&name).await? {
                contents.push((name.clone(), version.digest));
            }
        }
        let state_home = self.state_home().to_owned();
        let data = blocking(move || {
            let store = Store::to_sweep(&state_home);
            let verdicts = contents.into_iter().map(|(name, digest)| {
                let verdict = digest.parse().map(|digest| store.verify_tree(&digest));
                let problem = match verdict {
                    Ok(Verdict::Intact) => None,
                    Ok(Verdict::Missing) => Some("it is gone"),
                    Ok(Verdict::Changed) => Some("it was changed"),
                    Err(_) => Some("its record has no digest"),
                };
                BundleVerdict {
                    name,
                    digest,
                    intact: problem.is_none(),
                    problem: problem.map(str::to_owned),
                }
            });
            Ok(verdicts.collect::<Vec<_>>())
        });
        let data = data.await?;
        for verdict in &data {
            if let Some(problem) = &verdict.problem {
                let event = AuditEvent::BundleVerify;
                records
                    .note(&happened(event, &verdict.name, &verdict.digest, problem))
                    .await?;
            }
        }
        Ok(CapabilityBundleVerifyResult { data })
    }
}
