//! What leads to snapshots: a loadout is a folder with a link for each mount, and a thread's root a link to that.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::publish::{self, Staged};
use super::root::{RootId, link};
use super::store::Store;
use super::trees::Verdict;
use crate::bundle::Digest;

impl Store {
    /// Keeps a loadout: a folder with a link for each mount. An empty one is allowed.
    ///
    /// # Errors
    /// As [`Self::keep_loadout`].
    pub(crate) fn publish_loadout(
        &self,
        mounts: &[(String, Digest)],
    ) -> Result<Digest, StoreError> {
        self.keep_loadout(mounts).map(|(digest, _)| digest)
    }

    /// The same, in the place of one that was changed; whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it is to be seen.
    pub(crate) fn keep_loadout(
        &self,
        mounts: &[(String, Digest)],
    ) -> Result<(Digest, bool), StoreError> {
        let digest = loadout_digest(mounts);
        let place = self.loadout_path(&digest);
        let _publishing = self.publish()?;
        let verdict = check_at(&place, mounts);
        if verdict == Verdict::Intact {
            Self::touch(&place);
            return Ok((digest, false));
        }
        let changed = verdict == Verdict::Changed;
        if changed {
            tracing::warn!(%digest, "a loadout was changed; a good one is put in its place");
            publish::retire(&place, &self.staging_folder())?;
        }
        let links = mounts
            .iter()
            .map(|(mount, digest)| (mount.as_str(), mounted(digest)));
        Staged::links(&self.staging_folder(), links)?.publish(&place)?;
        publish::sync_folder(&self.loadouts())?;
        Ok((digest, changed))
    }

    /// The digest of a loadout that is kept already, and intact.
    #[must_use]
    pub(crate) fn published_loadout(&self, mounts: &[(String, Digest)]) -> Option<Digest> {
        let digest = loadout_digest(mounts);
        let place = self.loadout_path(&digest);
        if check_at(&place, mounts) != Verdict::Intact {
            return None;
        }
        Self::touch(&place);
        Some(digest)
    }

    /// Whether a loadout is a folder with its links and nothing else: read anew each time, since it is few.
    #[must_use]
    pub(crate) fn check_loadout(&self, mounts: &[(String, Digest)]) -> Verdict {
        check_at(&self.loadout_path(&loadout_digest(mounts)), mounts)
    }

    /// Whether a root is the link that leads to this loadout.
    #[must_use]
    pub(crate) fn leads_to(&self, root: &RootId, mounts: &[(String, Digest)]) -> bool {
        let target = self.loadout_link(loadout_digest(mounts));
        fs::read_link(self.root_path(root)).is_ok_and(|now| now == target)
    }

    /// A root of its own for a thread.
    ///
    /// # Errors
    /// [`StoreError`] if the link can't be made.
    pub(crate) fn create_root(&self, loadout: Digest) -> Result<RootId, StoreError> {
        let root = RootId::new();
        self.claims
            .claim(&root)
            .map_err(StoreError::at(&self.home))?;
        link(&self.loadout_link(loadout), &self.root_path(&root))?;
        Ok(root)
    }

    /// Lets a root lead to another loadout, from one moment to the next; whether it led elsewhere.
    ///
    /// # Errors
    /// [`StoreError`]; then it leads where it did.
    pub(crate) fn point_root(&self, root: &RootId, loadout: Digest) -> Result<bool, StoreError> {
        let place = self.root_path(root);
        let target = self.loadout_link(loadout);
        if fs::read_link(&place).is_ok_and(|now| now == target) {
            return Ok(false);
        }
        let next = self.roots().join(format!(".{}", RootId::new()));
        link(&target, &next)?;
        if place.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            tracing::warn!(%root, "a root was changed; the right one is put in its place");
            publish::retire(&place, &self.staging_folder())?;
        }
        fs::rename(&next, &place).map_err(StoreError::at(&place))?;
        Ok(true)
    }

    /// Where a root lies.
    #[must_use]
    pub(crate) fn root_path(&self, root: &RootId) -> PathBuf {
        self.roots().join(root.to_string())
    }

    /// Takes a root away. What it led to stays.
    ///
    /// # Errors
    /// [`StoreError`] if the link can't be removed; one that is not there is no error.
    pub(crate) fn remove_root(&self, root: &RootId) -> Result<(), StoreError> {
        let place = self.root_path(root);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::at(&place)(error))
            }
            _ => Ok(()),
        }
    }

    /// Where a loadout lies, or would.
    #[must_use]
    pub(crate) fn loadout_path(&self, digest: &Digest) -> PathBuf {
        self.loadouts().join(digest.hex())
    }

    fn loadout_link(&self, loadout: Digest) -> PathBuf {
        Path::new("../store-v1/loadouts").join(loadout.hex())
    }
}

/// What a mount of a loadout is: a link to its tree.
fn mounted(digest: &Digest) -> PathBuf {
    Path::new("../../trees").join(digest.hex())
}

/// Does not depend on the order of the mounts.
/// Whether the folder of a loadout is as it was made.
fn check_at(place: &Path, mounts: &[(String, Digest)]) -> Verdict {
    let Ok(found) = place.symlink_metadata() else {
        return Verdict::Missing;
    };
    let leads = |(mount, digest): &(String, Digest)| {
        fs::read_link(place.join(mount)).is_ok_and(|target| target == mounted(digest))
    };
    let count = fs::read_dir(place).map_or(usize::MAX, Iterator::count);
    if found.is_dir() && count == mounts.len() && mounts.iter().all(leads) {
        Verdict::Intact
    } else {
        Verdict::Changed
    }
}

fn loadout_digest(mounts: &[(String, Digest)]) -> Digest {
    let mut texts: Vec<String> = mounts
        .iter()
        .map(|(mount, digest)| format!("{mount}\0{digest}"))
        .collect();
    texts.sort();
    Digest::of_parts(
        std::iter::once(b"root v1".as_slice()).chain(texts.iter().map(String::as_bytes)),
    )
}
