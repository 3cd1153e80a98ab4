//! A bundle that is added.

use std::path::Path;
use std::sync::Arc;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::{
    BundleLink, CapabilityBundleAddParams, CapabilityBundleResult,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use codex_loadout_sources::{AddOptions, Origin, Source, SourceError, parse};

use super::approve::approve_current;
use super::fetching::Waiting;
use crate::loadouts::state::Loadouts;
use crate::paths::npm_registry;
use crate::records::{BundleRecord, Records, happened};

impl Loadouts {
    /// Fetches a bundle, keeps it, and lets selections name it.
    ///
    /// # Errors
    /// As [`Self::fetch_bundle`]; `invalidSelection` if the place can't be read, or the name is taken.
    pub(crate) async fn add_bundle(
        self: &Arc<Self>,
        wanted: CapabilityBundleAddParams,
        cwd: &Path,
        waiting: &Waiting,
    ) -> Result<CapabilityBundleResult, LoadoutError> {
        let origin = origin(&wanted, cwd)?;
        self.add_origin(origin, wanted.name, wanted.link, wanted.trust, waiting)
            .await
    }

    /// The same of a place that is known.
    ///
    /// # Errors
    /// As [`Self::add_bundle`].
    pub(super) async fn add_origin(
        self: &Arc<Self>,
        origin: Origin,
        name: Option<String>,
        link: Option<BundleLink>,
        trust: bool,
        waiting: &Waiting,
    ) -> Result<CapabilityBundleResult, LoadoutError> {
        check_link(&origin, link)?;
        let gate = self.source_gate().await?;
        let ready = self
            .fetch_bundle(origin.clone(), name, gate, waiting)
            .await?;
        let records = self.records().await?;
        let bundle = ready.record(&origin, link);
        let known = records.bundle(&bundle.name).await?;
        if known
            .as_ref()
            .is_some_and(|known| known.origin != bundle.origin)
        {
            return Err(taken(&bundle.name));
        }
        let before = known.as_ref().map(|known| known.current.digest.as_str());
        let is_linked_so = known
            .as_ref()
            .is_some_and(|known| known.link == bundle.link);
        if before != Some(bundle.current.digest.as_str()) || !is_linked_so {
            let event = match before {
                None => AuditEvent::BundleAdd,
                Some(_) => AuditEvent::BundleUpdate,
            };
            let kept = keep_bundle(&records, &bundle, before, event);
            if let Err(error) = kept.await {
                // Somebody else may have added the same at this moment.
                let there = records.bundle(&bundle.name).await?;
                let is_same = |there: &BundleRecord| {
                    let content = &there.current.digest;
                    there.origin == bundle.origin && *content == bundle.current.digest
                };
                if !there.as_ref().is_some_and(is_same) {
                    return Err(error);
                }
            }
        }
        if trust {
            approve_current(&records, &bundle).await?;
        }
        let mut result = self.bundle(&bundle.name).await?;
        result.warnings = ready.warnings;
        Ok(result)
    }
}

/// Puts a bundle on record whose content is in the store.
///
/// # Errors
/// `invalidSelection` if somebody else has changed the bundle meanwhile.
pub(super) async fn keep_bundle(
    records: &Records,
    bundle: &BundleRecord,
    before: Option<&str>,
    event: AuditEvent,
) -> Result<(), LoadoutError> {
    let from = origin_of(bundle).map_or_else(String::new, |origin| origin.source.to_string());
    let what = format!("from {from}");
    put_bundle(records, bundle, before, event, &what).await
}

/// The same with a word for the audit.
///
/// # Errors
/// As [`keep_bundle`].
pub(super) async fn put_bundle(
    records: &Records,
    bundle: &BundleRecord,
    before: Option<&str>,
    event: AuditEvent,
    what: &str,
) -> Result<(), LoadoutError> {
    let happening = happened(event, &bundle.name, &bundle.current.digest, what);
    match records.put_bundle(bundle, before, &happening).await? {
        true => Ok(()),
        false => Err(changed_meanwhile(&bundle.name)),
    }
}

/// Where a bundle that is on record comes from.
pub(super) fn origin_of(bundle: &BundleRecord) -> Option<Origin> {
    serde_json::from_value(bundle.origin.clone().into()).ok()
}

fn origin(wanted: &CapabilityBundleAddParams, cwd: &Path) -> Result<Origin, LoadoutError> {
    let options = AddOptions {
        reference: wanted.reference.clone(),
        path: wanted.path.clone(),
        plugin: wanted.plugin.clone(),
        sha256: wanted.sha256.clone(),
    };
    let mut origin = parse(&wanted.source, &options, cwd).map_err(no_source)?;
    // As npm itself takes it; it is recorded, so that a lock leads to the same.
    if let Source::Npm { registry, .. } = &mut origin.source
        && registry.is_none()
    {
        *registry = npm_registry();
    }
    Ok(origin)
}

fn no_source(SourceError { message, hint }: SourceError) -> LoadoutError {
    LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint(hint)
        .with_items(vec![ErrorItem::named("source")])
}

fn check_link(origin: &Origin, link: Option<BundleLink>) -> Result<(), LoadoutError> {
    if link.is_none() || matches!(origin.source, Source::Folder { .. }) {
        return Ok(());
    }
    let message = format!(
        "`{}` is no folder of this machine: nothing can stay tied to it",
        origin.source
    );
    Err(LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("Leave `--link` out; `codex-loadout bundle update` fetches what is new there.")
        .with_items(vec![ErrorItem::named("link")]))
}

fn taken(name: &str) -> LoadoutError {
    let message = format!("there is a bundle `{name}` already, from elsewhere");
    LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint(format!("Give this one another name with `--name`, or remove that one: `codex-loadout bundle remove {name}`."))
        .with_items(vec![ErrorItem::named(name)])
}

fn changed_meanwhile(name: &str) -> LoadoutError {
    let message = format!("bundle `{name}` was changed by somebody else meanwhile");
    LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("Nothing was changed by this call: look at it, and call again.")
        .with_items(vec![ErrorItem::named(name)])
}
