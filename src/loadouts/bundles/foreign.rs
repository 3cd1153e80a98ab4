//! Lock files of other tools in a project: of the `skills` CLI and of APM.

use std::path::Path;
use std::sync::Arc;

use codex_loadout_files::read_at_most;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use codex_loadout_sources::lock::{
    FOREIGN_LOCKS, ForeignEntry, LeftOut, LoadoutLock, LockedBundle, read_foreign,
};

use super::fetching::Waiting;
use super::lock::{LockedProject, invalid, locked};
use super::sync::{Synced, pinned};
use crate::loadouts::state::{Loadouts, blocking};

/// Such a lock has a few hundred kilobytes.
const LIMIT: u64 = 4 * 1024 * 1024;

/// What the lock files of other tools name.
#[derive(Debug, Default)]
pub(super) struct ForeignLocks {
    entries: Vec<Foreign>,
    left_out: Vec<LeftOut>,
    /// Whether there is any such file.
    is_there: bool,
}

/// One thing that is named.
#[derive(Debug, Clone)]
pub(super) struct Foreign(ForeignEntry);

impl Foreign {
    /// What it is called here: names there may have an owner in front.
    pub(super) fn name(&self) -> String {
        let last = self.0.name.rsplit('/').next().unwrap_or(&self.0.name);
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        last.chars()
            .map(|letter| if fits(letter) { letter } else { '-' })
            .collect()
    }
}

impl ForeignLocks {
    /// Reads those of a project.
    ///
    /// # Errors
    /// `invalidSelection` for one that can't be read.
    pub(super) async fn read(project: &LockedProject) -> Result<Self, LoadoutError> {
        let folder = project.folder.clone();
        blocking(move || Self::read_in(&folder)).await
    }

    fn read_in(folder: &Path) -> Result<Self, LoadoutError> {
        let mut locks = Self::default();
        for name in FOREIGN_LOCKS {
            let file = folder.join(name);
            if !file.is_file() {
                continue;
            }
            let text = read_at_most(&file, LIMIT).map_err(|error| {
                let message = format!("`{}` can't be read: {error}", file.display());
                LoadoutError::new(ErrorKind::InvalidSelection, message)
                    .with_hint("Bring it back from the project's history.")
            })?;
            let text = String::from_utf8_lossy(&text);
            let read = read_foreign(&file, &text).map_err(|error| invalid(&file, &error))?;
            locks.is_there = true;
            locks.entries.extend(read.entries.into_iter().map(Foreign));
            locks.left_out.extend(read.left_out);
        }
        Ok(locks)
    }

    /// A lock to begin with, if there is a file that one can be made of.
    pub(super) fn lock_to_begin(&self) -> Option<LoadoutLock> {
        self.is_there.then(LoadoutLock::default)
    }

    /// What is named there, and that a lock of ours does not have.
    pub(super) fn lacking(&self, lock: &LoadoutLock) -> Vec<Foreign> {
        let entries = self.entries.iter();
        entries
            .filter(|entry| !lock.bundles.contains_key(&entry.name()))
            .cloned()
            .collect()
    }

    /// What can't be added, each with the reason.
    pub(super) fn left_out(self) -> impl Iterator<Item = Synced> {
        self.left_out.into_iter().map(|left_out| Synced {
            name: left_out.name,
            digest: String::new(),
            done: "leftOut",
            warnings: vec![left_out.why],
        })
    }
}

impl Loadouts {
    /// Adds what another lock names, as it pins it.
    ///
    /// # Errors
    /// As [`Self::add_bundle`].
    pub(super) async fn add_foreign(
        self: &Arc<Self>,
        entry: &Foreign,
        project: &LockedProject,
        waiting: &Waiting,
    ) -> Result<(Synced, LockedBundle), LoadoutError> {
        let origin = pinned(&entry.0.origin, entry.0.commit.as_deref());
        let result = self.add_origin(origin, Some(entry.name()), None, false, waiting);
        let result = result.await?;
        let (_, bundle) = self.known_bundle(&result.bundle.name).await?;
        let mut warnings = result.warnings;
        if !entry.0.skills.is_empty() {
            let skills = entry.0.skills.join(", ");
            warnings.push(format!(
                "its lock wants these skills alone, which a profile can name: {skills}"
            ));
        }
        let synced = Synced {
            name: bundle.name.clone(),
            digest: bundle.current.digest.clone(),
            done: "added",
            warnings,
        };
        Ok((synced, locked(&bundle, &project.folder)?))
    }
}
