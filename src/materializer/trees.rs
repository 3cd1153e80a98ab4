//! Snapshots: each content once, read-only, under its digest.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::SystemTime;

use super::error::StoreError;
use super::publish::{self, Staged};
use super::read::{Stamp, read_tree, stamp, watched_folders};
use super::store::{Intact, Store, trees};
use super::walk::Limits;
use crate::bundle::{Digest, Tree};
use crate::freshness::{Targets, Watch};

/// Trees that are known at once; beyond that, all are read again once.
const KNOWN: usize = 4096;

/// What a snapshot is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its content has its digest.
    Intact,
    /// It is not there.
    Missing,
    /// Its content has another digest, or can't be read.
    Changed,
}

impl Store {
    /// Keeps a tree under its digest. One that is there already is not written again.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the tree is to be seen.
    pub(crate) fn publish_tree(&self, tree: &Tree, digest: Digest) -> Result<PathBuf, StoreError> {
        let place = self.tree_path(&digest);
        if place.is_dir() {
            Self::touch(&place);
            return Ok(place);
        }
        let turn = self.staging.entry(digest).or_default().clone();
        let published = {
            // A staging that panicked left nothing behind that another could trip over.
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            if place.is_dir() {
                return Ok(place);
            }
            let kept = tree.clone().placed_at(&place.to_string_lossy());
            Staged::tree(&self.staging_folder(), &kept)
                .and_then(|staged| staged.publish(&place))
                .and_then(|()| self.published.sync(&self.trees()))
        };
        self.staging.remove(&digest);
        published.map(|()| place)
    }

    /// Where a tree lies, or would.
    #[must_use]
    pub(crate) fn tree_path(&self, digest: &Digest) -> PathBuf {
        Self::tree_in(&self.home, digest)
    }

    /// Where a tree lies in the store of a state folder, whether there is one or not.
    #[must_use]
    pub(crate) fn tree_in(home: &Path, digest: &Digest) -> PathBuf {
        trees(home).join(digest.hex())
    }

    /// Whether a tree is there; not whether it is intact.
    #[must_use]
    pub(crate) fn has_tree(&self, digest: &Digest) -> bool {
        self.tree_path(digest).is_dir()
    }

    /// Reads a tree again and compares.
    #[must_use]
    pub(crate) fn verify_tree(&self, digest: &Digest) -> Verdict {
        if !self.has_tree(digest) {
            return Verdict::Missing;
        }
        let unlimited = Limits {
            files: usize::MAX,
            bytes: u64::MAX,
            texts: u64::MAX,
        };
        let place = self.tree_path(digest);
        let kept = read_tree(&place, unlimited);
        match kept.map(|tree| tree.taken_from(&place.to_string_lossy()).digest()) {
            Ok(found) if found == *digest => Verdict::Intact,
            Ok(_) | Err(_) => Verdict::Changed,
        }
    }

    /// Whether a tree is known to be intact at once: it was once read, and nothing has changed since. Where the
    /// system tells of no change, [`Self::check_tree`] finds out.
    #[must_use]
    pub(crate) fn is_known_intact(&self, digest: &Digest) -> bool {
        let known = self.known.get(digest);
        known.is_some_and(|known| matches!(&*known, Intact::Watched(watch) if watch.is_quiet()))
            && self.has_tree(digest)
    }

    /// As [`Self::verify_tree`], without reading again what is known to be intact. Blocking.
    #[must_use]
    pub(crate) fn check_tree(&self, digest: &Digest) -> Verdict {
        self.check_tree_by(digest, Watch::on, SystemTime::now())
    }

    /// As [`Self::check_tree`], at this moment, on a system that watches like this.
    pub(super) fn check_tree_by(
        &self,
        digest: &Digest,
        watch_on: impl Fn(&Targets) -> Option<Watch>,
        now: SystemTime,
    ) -> Verdict {
        if self.is_known_intact(digest) || self.is_as_stamped(digest) {
            return Verdict::Intact;
        }
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        // Watched or stamped before it is read, so that no change falls between.
        let tree = self.tree_path(digest);
        let watch = watched_folders(&tree, &tree, Limits::default())
            .ok()
            .and_then(|targets| watch_on(&targets));
        let known = match watch {
            Some(watch) => Some(Intact::Watched(watch)),
            None => self
                .stamp_of(digest)
                .filter(|stamp| stamp.is_settled(now))
                .map(Intact::Stamped),
        };
        let verdict = self.verify_tree(digest);
        match known.filter(|_| verdict == Verdict::Intact) {
            Some(known) => self.known.insert(*digest, known),
            None => self.known.remove(digest).map(|(_, known)| known),
        };
        verdict
    }

    /// Whether a tree that can't be watched has the times and sizes that it had when it was read.
    pub(super) fn is_as_stamped(&self, digest: &Digest) -> bool {
        let stamped = self.known.get(digest).and_then(|known| match &*known {
            Intact::Stamped(stamp) => Some(*stamp),
            Intact::Watched(_) => None,
        });
        stamped.is_some_and(|stamped| self.stamp_of(digest) == Some(stamped))
    }

    fn stamp_of(&self, digest: &Digest) -> Option<Stamp> {
        let tree = self.tree_path(digest);
        stamp(&tree, &tree, Limits::default()).ok()
    }

    /// Keeps a tree under its digest, in the place of one that was changed; whether there was one.
    ///
    /// # Errors
    /// As [`Self::heal_tree`].
    pub(crate) fn keep_tree(&self, tree: &Tree, digest: Digest) -> Result<bool, StoreError> {
        let changed = self.check_tree(&digest) == Verdict::Changed;
        if changed {
            tracing::warn!(%digest, "a snapshot was changed; a good copy is put in its place");
            self.heal_tree(tree, digest)?;
        } else {
            self.publish_tree(tree, digest)?;
        }
        Ok(changed)
    }

    /// Puts a good copy in the place of a tree that was changed or is gone.
    ///
    /// # Errors
    /// [`StoreError`] if the bad copy can't be taken away or the good one not be written.
    pub(crate) fn heal_tree(&self, tree: &Tree, digest: Digest) -> Result<PathBuf, StoreError> {
        let place = self.tree_path(&digest);
        if place.exists() {
            publish::retire(&place, &self.staging_folder())?;
        }
        self.publish_tree(tree, digest)
    }
}
