//! A machine that gets what a project's lock says, digest for digest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::BundleVersion;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use codex_loadout_sources::lock::LockedBundle;
use codex_loadout_sources::policy::Offline;
use codex_loadout_sources::{Origin, Source};
use serde::Serialize;

use super::add::{keep_bundle, put_bundle};
use super::fetching::{Waiting, as_object};
use super::foreign::ForeignLocks;
use super::gate::SourceGate;
use crate::bundle::Digest;
use crate::loadouts::state::{Loadouts, blocking};
use crate::materializer::Verdict;
use crate::records::{BundleRecord, Records};

/// How a machine is made the same.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SyncOptions {
    /// The lock is as it is: what would change it is an error.
    pub frozen: bool,
    /// Nothing is fetched.
    pub offline: bool,
}

/// What became of one bundle of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Synced {
    /// Its name.
    pub name: String,
    /// Its digest, here and in the lock.
    pub digest: String,
    /// `unchanged`, `added` or `updated`; `kept` where its source can't be reached and a policy lets what is here do;
    /// `leftOut` for what another lock names and can't be added.
    pub done: &'static str,
    /// What its user should know.
    pub warnings: Vec<String>,
}

impl Loadouts {
    /// Makes the bundles of this machine those of the lock around a folder. Where the project has lock files of other
    /// tools, what they pin is added, and written to the lock.
    ///
    /// # Errors
    /// `lockMismatch` where a content is no longer what the lock says, and, if it is frozen, where profiles or other
    /// locks need what it does not have; `sourceUnavailable` where one can't be had; `invalidSelection` where there is no
    /// lock.
    pub(crate) async fn sync_bundles(
        self: &Arc<Self>,
        cwd: &Path,
        options: SyncOptions,
        waiting: &Waiting,
    ) -> Result<(PathBuf, Vec<Synced>), LoadoutError> {
        let project = self.locked_project(cwd).await?;
        let foreign = ForeignLocks::read(&project).await?;
        let Some(lock) = project.lock.clone().or_else(|| foreign.lock_to_begin()) else {
            return Err(no_lock(&project.file()));
        };
        let lacking = foreign.lacking(&lock);
        if options.frozen {
            let needed = project.needed_of(&[]).into_iter();
            let needed = needed.filter(|name| !lock.bundles.contains_key(name));
            let lacking: Vec<String> = lacking
                .iter()
                .map(|entry| entry.name())
                .chain(needed)
                .collect();
            if !lacking.is_empty() {
                return Err(would_change(&project.file(), &lacking));
            }
        }
        let records = self.records().await?;
        let gate = self.source_gate().await?.for_locked();
        let mut done = Vec::new();
        for (name, locked) in &lock.bundles {
            let synced = self.sync_one(&records, name, locked, (&gate, options), waiting);
            done.push(synced.await?);
        }
        let mut all = lock;
        for entry in &lacking {
            if options.offline {
                return Err(not_here(&entry.name(), "what another lock names"));
            }
            let (synced, locked) = self.add_foreign(entry, &project, waiting).await?;
            all.bundles.insert(synced.name.clone(), locked);
            done.push(synced);
        }
        if !lacking.is_empty() {
            let project = project.clone();
            blocking(move || project.write(&all)).await?;
        }
        done.extend(foreign.left_out());
        Ok((project.file(), done))
    }

    async fn sync_one(
        self: &Arc<Self>,
        records: &Arc<Records>,
        name: &str,
        locked: &LockedBundle,
        (gate, options): (&Arc<SourceGate>, SyncOptions),
        waiting: &Waiting,
    ) -> Result<Synced, LoadoutError> {
        let digest = locked.digest.to_string();
        let here = records.bundle(name).await?;
        let synced = |done, warnings| Synced {
            name: name.to_owned(),
            digest: digest.clone(),
            done,
            warnings,
        };
        let is_here = |here: &BundleRecord| here.current.digest == digest && here.link.is_none();
        if here.as_ref().is_some_and(is_here) && self.is_kept(locked.digest).await? {
            return Ok(synced("unchanged", Vec::new()));
        }
        let (done, event) = match &here {
            Some(_) => ("updated", AuditEvent::BundleUpdate),
            None => ("added", AuditEvent::BundleAdd),
        };
        let known = records.bundle_versions(name).await?;
        let known = known.into_iter().find(|version| version.digest == digest);
        let ready = match (here.clone(), known) {
            // It was here before, and what was kept of it still is.
            (Some(here), Some(version)) if self.is_kept(locked.digest).await? => {
                go_back(records, here, version, locked).await?;
                return Ok(synced(done, Vec::new()));
            }
            _ if options.offline => return Err(not_here(name, &digest)),
            _ => {
                let from = locked.resolved.clone().map_or_else(
                    || locked.origin.clone(),
                    |source| Origin {
                        source,
                        plugin: None,
                    },
                );
                let from = pinned(&from, locked.commit.as_deref());
                match self
                    .fetch_bundle(from, Some(name.to_owned()), gate.clone(), waiting)
                    .await
                {
                    Ok(ready) => ready,
                    Err(error)
                        if error.kind == ErrorKind::SourceUnavailable
                            && here.is_some()
                            && gate.offline() == Offline::UseCached =>
                    {
                        return Ok(synced("kept", vec![format!("{error}; what is here stays")]));
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        if ready.digest != locked.digest {
            return Err(other_content(name, &digest, &ready.version.digest));
        }
        let bundle = ready.record(&locked.origin, None);
        let before = here.map(|here| here.current.digest);
        keep_bundle(records, &bundle, before.as_deref(), event).await?;
        Ok(synced(done, ready.warnings))
    }

    /// Whether a content is in the store, as it was.
    async fn is_kept(self: &Arc<Self>, digest: Digest) -> Result<bool, LoadoutError> {
        let loadouts = self.clone();
        blocking(move || Ok(loadouts.store()?.check_tree(&digest) == Verdict::Intact)).await
    }
}

/// Gives new threads a content of a bundle that they were given before.
async fn go_back(
    records: &Records,
    here: BundleRecord,
    version: BundleVersion,
    locked: &LockedBundle,
) -> Result<(), LoadoutError> {
    let before = here.current.digest.clone();
    let bundle = BundleRecord {
        origin: as_object(&locked.origin),
        link: None,
        current: version,
        ..here
    };
    let (event, what) = (AuditEvent::BundleUpdate, "as the lock says");
    put_bundle(records, &bundle, Some(&before), event, what).await
}

/// What a source is at this commit.
pub(super) fn pinned(origin: &Origin, commit: Option<&str>) -> Origin {
    let mut origin = origin.clone();
    if let (Source::Git { reference, .. }, Some(commit)) = (&mut origin.source, commit) {
        *reference = Some(commit.to_owned());
    }
    origin
}

fn no_lock(file: &Path) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("there is no `{}`", file.display()),
    )
    .with_hint("`codex-loadout bundle lock` writes one.")
}

fn would_change(file: &Path, lacking: &[String]) -> LoadoutError {
    let message = format!(
        "`{}` lacks what the project needs: `{}`",
        file.display(),
        lacking.join("`, `")
    );
    LoadoutError::new(ErrorKind::LockMismatch, message)
        .with_hint("Run `codex-loadout bundle sync` without `--frozen`, or `codex-loadout bundle lock`, and check the lock in.")
        .with_items(lacking.iter().map(ErrorItem::named).collect())
}

fn not_here(name: &str, what: &str) -> LoadoutError {
    let message = format!("bundle `{name}` ({what}) is not here, and nothing is fetched");
    LoadoutError::new(ErrorKind::SourceUnavailable, message)
        .with_hint("Run it without `--offline`.")
        .with_items(vec![ErrorItem::named(name)])
}

fn other_content(name: &str, locked: &str, found: &str) -> LoadoutError {
    let message = format!(
        "what lies where bundle `{name}` comes from has the content `{found}`, and the lock says `{locked}`"
    );
    LoadoutError::new(ErrorKind::LockMismatch, message)
        .with_hint("If the new content is meant, add it on the machine that writes the lock: `codex-loadout bundle update`, then `bundle lock`.")
        .with_items(vec![ErrorItem::named(name)])
}
