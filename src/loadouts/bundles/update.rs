//! A bundle fetched anew, and what that changes.

use std::sync::Arc;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::{
    BundleChanges, BundleUpdate, BundleVersion, CapabilityBundleUpdateParams,
    CapabilityBundleUpdateResult, Executable,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use codex_loadout_sources::{Origin, Source};

use super::add::origin_of;
use super::approve::is_approved;
use super::fetching::{Ready, Waiting, as_object};
use crate::bundle::Tree;
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
        if let Some(expected) = wanted.expected.as_ref().filter(|expected| **expected != ready.version.digest) {
            return Err(another_content(&name, expected, &ready.version.digest));
        }
        let changes = self.changes(&bundle.current, &ready).await?;
        let renewed = BundleRecord {
            origin: as_object(&origin),
            current: ready.version.clone(),
            ..bundle
        };
        let is_new = renewed.current.digest != from;
        let records = self.records().await?;
        if !wanted.dry_run {
            let event = AuditEvent::BundleUpdate;
            self.keep_bundle(&records, &ready, &renewed, Some(&from), event).await?;
            if wanted.trust {
                self.approve_version(&records, &renewed).await?;
            }
        }
        let approved = records.approved_contents().await?;
        Ok(BundleUpdate {
            name,
            from,
            to: renewed.current.digest.clone(),
            changes,
            applied: is_new && !wanted.dry_run,
            approved: is_approved(&renewed.current, &approved),
            warnings: ready.warnings,
        })
    }

    /// What is different in what was fetched from what is kept.
    async fn changes(
        self: &Arc<Self>,
        before: &BundleVersion,
        ready: &Ready,
    ) -> Result<BundleChanges, LoadoutError> {
        let Ok(digest) = before.digest.parse() else {
            return Ok(BundleChanges::default());
        };
        let kept = Store::tree_in(self.state_home(), &digest);
        // What was taken away there counts as nothing: then all is new.
        let old = blocking(move || Ok(read_tree_within(&kept, &kept, Limits::default()).unwrap_or_default()));
        let old = old.await?;
        Ok(changes(before, &old, &ready.version, &ready.tree))
    }
}

/// What is different.
pub(super) fn changes(
    before: &BundleVersion,
    old: &Tree,
    after: &BundleVersion,
    new: &Tree,
) -> BundleChanges {
    let paths = |tree: &Tree, other: &Tree, differs: fn(bool, bool) -> bool| -> Vec<String> {
        let changed = tree.iter().filter(|(path, file)| {
            let there = other.get(path);
            differs(there.is_some(), there == Some(*file))
        });
        changed.map(|(path, _)| path.to_owned()).collect()
    };
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let only = these.iter().filter(|name| !those.contains(name));
        only.cloned().collect()
    };
    let runs_only = |these: &[Executable], those: &[Executable]| -> Vec<Executable> {
        let only = these.iter().filter(|runs| !those.contains(runs));
        only.cloned().collect()
    };
    BundleChanges {
        files_added: paths(new, old, |is_there, _| !is_there),
        files_removed: paths(old, new, |is_there, _| !is_there),
        files_changed: paths(new, old, |is_there, is_same| is_there && !is_same),
        skills_added: only(&after.skills, &before.skills),
        skills_removed: only(&before.skills, &after.skills),
        executes_added: runs_only(&after.executes, &before.executes),
        executes_removed: runs_only(&before.executes, &after.executes),
    }
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
