//! Reads the folders of a plan, once each as long as they stay as they are.

use std::path::PathBuf;
use std::time::SystemTime;

use codex_loadout_protocol::LoadoutError;
use dashmap::DashMap;

use crate::bundle::{BundleContent, Digest, Tree, shape};
use crate::materializer::{Limits, Stamp, Store, read_tree, stamp};
use crate::resolver::{Bundle, Plan};

/// What a folder's tree was when it had this stamp.
#[derive(Debug, Default)]
pub(super) struct Digests {
    known: DashMap<(PathBuf, BundleContent), (Stamp, Digest)>,
}

impl Digests {
    /// Fills in the digests of a plan's folders; with a store, publishes those that the thread keeps.
    /// Blocking: it reads files.
    pub(super) fn fill(&self, plan: &mut Plan, store: Option<&Store>) -> Result<(), LoadoutError> {
        for bundle in &mut plan.bundles {
            let store = store.filter(|_| bundle.stored);
            bundle.digest = Some(self.digest(bundle, store)?);
        }
        Ok(())
    }

    fn digest(&self, bundle: &Bundle, store: Option<&Store>) -> Result<Digest, LoadoutError> {
        let key = (bundle.source.clone(), bundle.content.clone());
        // Taken before reading: what changes while it is read makes another stamp.
        let now = stamp(&bundle.source, Limits::default())?;
        let known = self
            .known
            .get(&key)
            .filter(|known| known.0 == now)
            .map(|known| known.1);
        if let Some(digest) = known
            && store.is_none_or(|store| store.has_tree(&digest))
        {
            return Ok(digest);
        }
        let tree = read(bundle)?;
        let digest = tree.digest();
        if let Some(store) = store {
            store.publish_tree(&tree, digest)?;
        }
        if now.is_settled(SystemTime::now()) {
            self.known.insert(key, (now, digest));
        }
        Ok(digest)
    }
}

/// The tree of a bundle as the thread gets it.
pub(super) fn read(bundle: &Bundle) -> Result<Tree, LoadoutError> {
    let tree = read_tree(&bundle.source, Limits::default())?;
    let folder = bundle
        .source
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(shape(tree, &bundle.content, &folder.unwrap_or_default())?)
}
