//! Snapshots: each content once, read-only, under its digest.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::error::StoreError;
use super::publish::{self, Staged};
use super::read::{read_tree, watched_folders};
use super::store::{Store, trees};
use super::walk::Limits;
use crate::bundle::{Digest, Tree};
use crate::freshness::Watch;

/// Trees that are watched at once; beyond that, all are read again once.
const WATCHED: usize = 4096;

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
            Staged::tree(&self.staging_folder(), &kept).and_then(|staged| staged.publish(&place))
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

    /// Whether a tree is known to be intact without reading it: it was once read, and nothing has
    /// changed since. Where the system tells of no change, nothing is known.
    #[must_use]
    pub(crate) fn is_known_intact(&self, digest: &Digest) -> bool {
        let quiet = self.watched.get(digest).map(|watch| watch.is_quiet());
        quiet == Some(true) && self.has_tree(digest)
    }

    /// As [`Self::verify_tree`], without reading again what is known to be intact.
    #[must_use]
    pub(crate) fn check_tree(&self, digest: &Digest) -> Verdict {
        if self.is_known_intact(digest) {
            return Verdict::Intact;
        }
        if self.watched.len() >= WATCHED {
            self.watched.clear();
        }
        // Watched before it is read, so that no change falls between.
        let tree = self.tree_path(digest);
        let watch = watched_folders(&tree, &tree, Limits::default())
            .ok()
            .and_then(|targets| Watch::on(&targets));
        let verdict = self.verify_tree(digest);
        match watch.filter(|_| verdict == Verdict::Intact) {
            Some(watch) => self.watched.insert(*digest, watch),
            None => self.watched.remove(digest).map(|(_, watch)| watch),
        };
        verdict
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
