//! Bundles as they are shown.

use std::collections::HashSet;
use std::sync::Arc;

use codex_loadout_protocol::alike::alike;
use codex_loadout_protocol::bundle::{Bundle, CapabilityBundleResult, bundle_id, bundle_name};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::approve::approval_of;
use crate::bundle::Digest;
use crate::loadouts::state::Loadouts;
use crate::records::{BundleRecord, Records};

impl Loadouts {
    /// The bundles, by name, without the long reports of their conversion.
    ///
    /// # Errors
    /// `loadoutLost` if they can't be read.
    pub(crate) async fn bundles(self: &Arc<Self>) -> Result<Vec<Bundle>, LoadoutError> {
        let Some(records) = self.existing_records().await? else {
            return Ok(Vec::new());
        };
        let approved = records.approved_contents().await?;
        let bundles = records.bundles().await?.into_iter().map(|bundle| {
            let mut shown = shown(bundle, &approved)?;
            shown.current.report = None;
            Ok(shown)
        });
        bundles.collect()
    }

    /// One bundle with all that is known of it.
    ///
    /// # Errors
    /// `unknownCapability` if there is none of this name or id.
    pub(crate) async fn bundle(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<CapabilityBundleResult, LoadoutError> {
        let (records, bundle) = self.known_bundle(name).await?;
        let mut earlier = records.bundle_versions(&bundle.name).await?;
        let approved = records.approved_contents().await?;
        earlier.retain(|version| version.digest != bundle.current.digest);
        let before = records.last_approval(&bundle.name).await?;
        let bundle = shown(bundle, &approved)?;
        let executes_since = match before {
            Some(before) if !bundle.approved => {
                let now = bundle.current.executes.iter();
                let since = now.filter(|runs| !before.executes.contains(runs));
                since.cloned().collect()
            }
            _ => Vec::new(),
        };
        Ok(CapabilityBundleResult {
            bundle,
            executes_since,
            earlier,
            warnings: Vec::new(),
        })
    }

    /// The bundle of this name or id, and the records.
    ///
    /// # Errors
    /// `unknownCapability` if there is none.
    pub(super) async fn known_bundle(
        &self,
        name: &str,
    ) -> Result<(Arc<Records>, BundleRecord), LoadoutError> {
        let plain = bundle_name(name).unwrap_or(name);
        let Some(records) = self.existing_records().await? else {
            return Err(unknown(name, &[]));
        };
        if let Some(bundle) = records.bundle(plain).await? {
            return Ok((records, bundle));
        }
        let heads = records.bundle_heads().await?;
        let names: Vec<&str> = heads.iter().map(|head| head.name.as_str()).collect();
        Err(unknown(name, &names))
    }
}

fn shown(bundle: BundleRecord, approved: &HashSet<Digest>) -> Result<Bundle, LoadoutError> {
    let approval = approval_of(&bundle)?;
    Ok(Bundle {
        id: bundle_id(&bundle.name),
        name: bundle.name,
        origin: bundle.origin,
        link: bundle.link,
        approved: bundle.current.executes.is_empty() || approved.contains(&approval),
        approval_digest: approval.to_string(),
        current: bundle.current,
    })
}

fn unknown(name: &str, known: &[&str]) -> LoadoutError {
    let item = ErrorItem {
        name: name.to_owned(),
        did_you_mean: alike(name, known.iter().copied()),
        ..ErrorItem::default()
    };
    LoadoutError::new(
        ErrorKind::UnknownCapability,
        format!("there is no bundle `{name}`"),
    )
    .with_hint("`codex-loadout bundle list` shows the bundles that there are.")
    .with_items(vec![item])
}
