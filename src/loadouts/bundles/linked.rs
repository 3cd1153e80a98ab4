//! Bundles that stay tied to a folder: read anew whenever it has changed.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use codex_loadout_protocol::LoadoutError;
use codex_loadout_sources::{Origin, Source};
use dashmap::DashMap;

use super::fetching::{Waiting, fetched, not_fetched};
use super::gate::SourceGate;
use crate::bundle::Digest;
use crate::materializer::{Limits, Stamp, Store, stamp};
use crate::records::BundleHead;

/// How long reading a folder may take: a start waits for it.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// What was read of linked folders, by the bundle's name.
#[derive(Debug, Default)]
pub(crate) struct LinkedFolders {
    known: DashMap<String, (PathBuf, Stamp, BundleHead)>,
}

impl LinkedFolders {
    /// A bundle with what it holds now: one that is linked, what its folder does, which is put into the store. Blocking.
    ///
    /// # Errors
    /// Why the folder can't be read, or is no bundle.
    pub(super) fn now(
        &self,
        head: &BundleHead,
        gate: &SourceGate,
        store: &Store,
    ) -> Result<BundleHead, LoadoutError> {
        let origin = head.link.and_then(|_| {
            let origin = head.origin.clone().into();
            serde_json::from_value::<Origin>(origin).ok()
        });
        let Some(origin) = origin else {
            return Ok(head.clone());
        };
        let Source::Folder { path } = &origin.source else {
            return Ok(head.clone());
        };
        // Looked at before it is read: a change meanwhile shows.
        let before = stamp(path, path, Limits::default())?;
        if let Some(known) = self.known.get(&head.name)
            && known.0 == *path
            && known.1 == before
            && store.has_tree(&known.2.digest)
        {
            return Ok(known.2.clone());
        }
        let now = read(head, &origin, gate, store)?;
        if before.is_settled(SystemTime::now()) {
            let entry = (path.clone(), before, now.clone());
            self.known.insert(head.name.clone(), entry);
        }
        Ok(now)
    }
}

fn read(
    head: &BundleHead,
    origin: &Origin,
    gate: &SourceGate,
    store: &Store,
) -> Result<BundleHead, LoadoutError> {
    let fetched = fetched(origin, gate, &Waiting::default(), READ_WITHIN)?;
    let content = fetched.content(Some(&head.name)).map_err(not_fetched)?;
    let digest = content.tree.digest();
    let _publishing = store.publish()?;
    store.keep_tree(&content.tree, digest)?;
    Ok(BundleHead {
        plugin: content.name,
        entry: fetched.entry,
        version: content.version,
        digest,
        ..head.clone()
    })
}

/// What an approval of a linked bundle is bound to: its folder, whatever that holds.
pub(super) fn digest_of_link(origin: &serde_json::Map<String, serde_json::Value>) -> Digest {
    let origin = serde_json::Value::Object(origin.clone()).to_string();
    Digest::of_parts([b"link".as_slice(), origin.as_bytes()])
}
