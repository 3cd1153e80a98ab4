//! What a content may run: approved by the user, and bound to its digest.

use std::collections::HashSet;
use std::sync::Arc;

use codex_loadout_protocol::alike::alike;
use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::{
    BundleVersion, CapabilityBundleTrustParams, CapabilityBundleTrustResult,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use crate::bundle::Digest;
use crate::loadouts::state::{Loadouts, unix_now};
use crate::records::{Approval, Records, happened};

/// Whether nothing is left to approve of a content.
pub(super) fn is_approved(version: &BundleVersion, approved: &HashSet<Digest>) -> bool {
    let digest = version.digest.parse();
    version.executes.is_empty() || digest.is_ok_and(|digest| approved.contains(&digest))
}

impl Loadouts {
    /// Approves what a content can run, or takes that back: from the next start, resume or turn of a thread on.
    ///
    /// # Errors
    /// `invalidSelection` for what is no digest, `unknownCapability` if no bundle has this content.
    pub(crate) async fn trust_bundle(
        self: &Arc<Self>,
        wanted: CapabilityBundleTrustParams,
    ) -> Result<CapabilityBundleTrustResult, LoadoutError> {
        let digest: Digest = wanted.digest.parse().map_err(|_| no_digest(&wanted.digest))?;
        let records = self.records().await?;
        let Some((name, version)) = with_content(&records, &wanted.digest).await? else {
            return Err(unknown(&records, &wanted.digest).await?);
        };
        let what = match wanted.revoke {
            false => "what it can run is approved",
            true => "what it can run is no longer approved",
        };
        let happening = happened(AuditEvent::BundleTrust, &name, &wanted.digest, what);
        if wanted.revoke {
            records.revoke(&digest, &happening).await?;
        } else {
            let executes = version.executes.clone();
            let approval = Approval {
                digest,
                name: name.clone(),
                executes,
            };
            records.approve(&approval, unix_now(), &happening).await?;
        }
        Ok(CapabilityBundleTrustResult {
            name,
            approved: !wanted.revoke,
            executes: version.executes,
        })
    }
}

/// The bundle that has a content, or had it.
async fn with_content(
    records: &Records,
    digest: &str,
) -> Result<Option<(String, BundleVersion)>, LoadoutError> {
    for head in records.bundle_heads().await? {
        let versions = records.bundle_versions(&head.name).await?;
        let mut versions = versions.into_iter();
        if let Some(version) = versions.find(|version| version.digest == digest) {
            return Ok(Some((head.name, version)));
        }
    }
    Ok(None)
}

fn no_digest(text: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("`{text}` is not a digest: it is `sha256:` and 64 hex digits"),
    )
    .with_hint("`codex-loadout bundle show NAME` prints the digest of a bundle's content.")
    .with_items(vec![ErrorItem::named(text)])
}

async fn unknown(records: &Records, digest: &str) -> Result<LoadoutError, LoadoutError> {
    let heads = records.bundle_heads().await?;
    let known: Vec<String> = heads.iter().map(|head| head.digest.to_string()).collect();
    let item = ErrorItem {
        name: digest.to_owned(),
        did_you_mean: alike(digest, known.iter().map(String::as_str)),
        ..ErrorItem::default()
    };
    let message = format!("no bundle has the content `{digest}`");
    Ok(LoadoutError::new(ErrorKind::UnknownCapability, message)
        .with_hint("`codex-loadout bundle list` shows the bundles, `codex-loadout bundle show NAME` a digest.")
        .with_items(vec![item]))
}
