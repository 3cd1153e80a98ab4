//! A bundle fetched anew, and what that changes.

use std::path::Path;
use std::sync::Arc;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::{
    BundleChanges, BundleUpdate, BundleVersion, CapabilityBundleUpdateParams,
    CapabilityBundleUpdateResult,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use codex_loadout_sources::{Origin, Source, difference, executables};

use super::add::{keep_bundle, origin_of};
use super::approve::{approval_of, approve_current};
use super::fetching::{Ready, Waiting, executable};
use crate::bundle::Tree;
use crate::catalog::{Added, AddedBundle};
use crate::loadouts::state::{Loadouts, blocking};
use crate::materializer::{Limits, Store, read_tree_within};
use crate::records::BundleRecord;

impl Loadouts {
    /// Fetches one bundle or all anew. What is new is for threads that start from now on; those that live keep what
    /// they have.
    ///
    /// # Errors
    /// As [`Self::fetch_bundle`], `unknownCapability` for a bundle that is none, `lockMismatch` if it has not the
    /// content that is expected.
    pub(crate) async fn update_bundles(
        self: &Arc<Self>,
        wanted: &CapabilityBundleUpdateParams,
        waiting: &Waiting,
    ) -> Result<CapabilityBundleUpdateResult, LoadoutError> {
        let bundles = match &wanted.name {
            Some(name) => vec![self.known_bundle(name).await?.1],
            None => match self.existing_records().await? {
                Some(records) => records.bundles().await?,
                None => Vec::new(),
            },
        };
        let mut data = Vec::new();
        for bundle in bundles {
            data.push(self.update_bundle(bundle, wanted, waiting).await?);
        }
        Ok(CapabilityBundleUpdateResult { data })
    }

    async fn update_bundle(
        self: &Arc<Self>,
        bundle: BundleRecord,
        wanted: &CapabilityBundleUpdateParams,
        waiting: &Waiting,
    ) -> Result<BundleUpdate, LoadoutError> {
        let name = bundle.name.clone();
        let origin = with_reference(origin_of(&bundle), wanted.reference.as_deref(), &name)?;
        let gate = self.source_gate().await?;
        let ready = self.fetch_bundle(origin.clone(), Some(name.clone()), gate, waiting);
        let ready = ready.await?;
        let from = bundle.current.digest.clone();
        if let Some(expected) = wanted
            .expected
            .as_ref()
            .filter(|expected| **expected != ready.version.digest)
        {
            return Err(another_content(&name, expected, &ready.version.digest));
        }
        let changes = self.changes(&bundle, &ready).await?;
        let moves_on = origin_of(&bundle).as_ref() != Some(&origin);
        let renewed = ready.record(&origin, bundle.link);
        let is_new = renewed.current.digest != from;
        let records = self.records().await?;
        if !wanted.dry_run && (is_new || moves_on) {
            let event = AuditEvent::BundleUpdate;
            keep_bundle(&records, &renewed, Some(&from), event).await?;
        }
        if !wanted.dry_run && wanted.trust {
            approve_current(&records, &renewed).await?;
        }
        let approved = records.approved_contents().await?;
        Ok(BundleUpdate {
            name,
            from,
            to: renewed.current.digest.clone(),
            changes,
            applied: is_new && !wanted.dry_run,
            approved: renewed.current.executes.is_empty()
                || approved.contains(&approval_of(&renewed)?),
            warnings: ready.warnings,
        })
    }

    /// What is different in what was fetched from what is kept.
    async fn changes(
        self: &Arc<Self>,
        bundle: &BundleRecord,
        ready: &Ready,
    ) -> Result<BundleChanges, LoadoutError> {
        let (state_home, bundle_then) = (self.state_home().to_owned(), bundle.clone());
        let kept = blocking(move || Ok(given_then(&state_home, &bundle_then).unwrap_or_default()));
        let kept = kept.await?;
        let (old, new) = (executables(&kept), executables(&ready.given));
        let found = difference((&kept, &old), (&ready.given, &new));
        let skills = |these: &BundleVersion, those: &BundleVersion| {
            let only = these
                .skills
                .iter()
                .filter(|name| !those.skills.contains(name));
            only.cloned().collect()
        };
        let all = |found: Vec<codex_loadout_sources::Executable>| {
            found.into_iter().map(executable).collect()
        };
        Ok(BundleChanges {
            files_added: found.files_added,
            files_removed: found.files_removed,
            files_changed: found.files_changed,
            skills_added: skills(&ready.version, &bundle.current),
            skills_removed: skills(&bundle.current, &ready.version),
            executes_added: all(found.executables_gained),
            executes_changed: all(found
                .executables_changed
                .into_iter()
                .map(|change| change.new)
                .collect()),
            executes_removed: all(found.executables_lost),
        })
    }
}

/// What threads were given of a bundle until now. Of one that was taken away or changed in the store, nothing counts.
fn given_then(state_home: &Path, bundle: &BundleRecord) -> Option<Tree> {
    let digest = bundle.current.digest.parse().ok()?;
    let root = Store::tree_in(state_home, &digest);
    let tree = read_tree_within(&root, &root, Limits::default()).ok()?;
    let added = AddedBundle {
        name: bundle.name.clone(),
        plugin: bundle.plugin.clone(),
        entry: bundle.entry.clone(),
        version: bundle.current.version.clone(),
        root,
        content: digest,
        added: Added::default(),
    };
    let parts = added.parts(&tree).ok()?;
    Some(parts.converted.unwrap_or(tree))
}

fn with_reference(
    origin: Option<Origin>,
    reference: Option<&str>,
    name: &str,
) -> Result<Origin, LoadoutError> {
    let Some(mut origin) = origin else {
        return Err(LoadoutError::new(
            ErrorKind::LoadoutLost,
            format!("where bundle `{name}` comes from can't be read"),
        )
        .with_hint("It may be from a newer codex-loadout: use that one, or add the bundle anew."));
    };
    let Some(wanted) = reference else {
        return Ok(origin);
    };
    match &mut origin.source {
        Source::Git { reference, .. } => *reference = Some(wanted.to_owned()),
        Source::Npm { version, .. } => *version = Some(wanted.to_owned()),
        Source::Folder { .. } | Source::Archive { .. } => {
            let message = format!("bundle `{name}` has no versions that can be asked for");
            return Err(LoadoutError::new(ErrorKind::InvalidSelection, message)
                .with_hint("`--ref` is for bundles of a git repository and of npm.")
                .with_items(vec![ErrorItem::named("ref")]));
        }
    }
    Ok(origin)
}

fn another_content(name: &str, expected: &str, found: &str) -> LoadoutError {
    let message = format!("bundle `{name}` has the content `{found}` by now, and not `{expected}`");
    LoadoutError::new(ErrorKind::LockMismatch, message)
        .with_hint("Look at what it changes again, and call again.")
        .with_items(vec![ErrorItem::named(name)])
}
