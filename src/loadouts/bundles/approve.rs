//! What a content may run: approved by the user, and bound to its digest.

use std::sync::Arc;

use codex_loadout_protocol::alike::alike;
use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::{
    BundleLink, CapabilityBundleTrustParams, CapabilityBundleTrustResult, Executable,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value};

use super::linked::digest_of_link;
use crate::bundle::Digest;
use crate::loadouts::state::{Loadouts, unix_now};
use crate::records::{Approval, BundleRecord, Records, happened};

/// What an approval is bound to: the content; of a linked bundle its folder, whatever that holds.
pub(super) fn approval_digest(
    link: Option<BundleLink>,
    origin: &Map<String, Value>,
    content: Digest,
) -> Digest {
    match link {
        Some(_) => digest_of_link(origin),
        None => content,
    }
}

/// The same of a bundle that is on record.
///
/// # Errors
/// `loadoutLost` if its record has no digest.
pub(super) fn approval_of(bundle: &BundleRecord) -> Result<Digest, LoadoutError> {
    let content = bundle.current.digest.parse().map_err(|_| {
        let message = format!("the record of bundle `{}` has no digest", bundle.name);
        LoadoutError::new(ErrorKind::LoadoutLost, message)
            .with_hint("Remove the bundle, and add it anew.")
    })?;
    Ok(approval_digest(bundle.link, &bundle.origin, content))
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
        let digest: Digest = wanted
            .digest
            .parse()
            .map_err(|_| no_digest(&wanted.digest))?;
        let records = self.records().await?;
        let Some((name, executes)) = with_approval(&records, digest).await? else {
            return Err(unknown(&records, &wanted.digest).await?);
        };
        match wanted.revoke {
            true => {
                let what = "what it can run is no longer approved";
                let happening = happened(AuditEvent::BundleTrust, &name, &wanted.digest, what);
                records.revoke(&digest, &happening).await?;
            }
            false => approve(&records, digest, &name, &executes).await?,
        }
        Ok(CapabilityBundleTrustResult {
            name,
            approved: !wanted.revoke,
            executes,
        })
    }
}

/// Approves what the current content of a bundle can run.
///
/// # Errors
/// `loadoutLost` if its record has no digest, or can't be written.
pub(super) async fn approve_current(
    records: &Records,
    bundle: &BundleRecord,
) -> Result<(), LoadoutError> {
    let digest = approval_of(bundle)?;
    approve(records, digest, &bundle.name, &bundle.current.executes).await
}

async fn approve(
    records: &Records,
    digest: Digest,
    name: &str,
    executes: &[Executable],
) -> Result<(), LoadoutError> {
    let what = "what it can run is approved";
    let happening = happened(AuditEvent::BundleTrust, name, &digest.to_string(), what);
    let approval = Approval {
        digest,
        name: name.to_owned(),
        executes: executes.to_vec(),
    };
    Ok(records.approve(&approval, unix_now(), &happening).await?)
}

/// The bundle that an approval of this digest is of, and what it can run.
async fn with_approval(
    records: &Records,
    digest: Digest,
) -> Result<Option<(String, Vec<Executable>)>, LoadoutError> {
    for bundle in records.bundles().await? {
        if approval_of(&bundle)? == digest {
            return Ok(Some((bundle.name, bundle.current.executes)));
        }
        let versions = records.bundle_versions(&bundle.name).await?;
        let mut versions = versions.into_iter();
        if let Some(version) = versions.find(|version| version.digest == digest.to_string()) {
            return Ok(Some((bundle.name, version.executes)));
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
