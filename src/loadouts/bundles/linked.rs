//! Bundles that stay tied to a folder: read anew whenever it has changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use codex_loadout_protocol::LoadoutError;
use codex_loadout_sources::{FetchContext, Limits, Origin, Source, fetch};
use dashmap::DashMap;

use super::fetching::not_fetched;
use super::gate::SourceGate;
use crate::bundle::Digest;
use crate::materializer::{self, Stamp, Store, stamp};
use crate::records::BundleHead;
use crate::throwaway::ThrowawayFolder;

/// How long reading a folder may take: a start waits for it.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// What was read of linked folders, by the bundle's name.
#[derive(Debug, Default)]
pub(crate) struct LinkedFolders {
    known: DashMap<String, (PathBuf, Stamp, BundleHead)>,
}

impl LinkedFolders {
    /// A linked bundle with what its folder holds now; its content is in the store. Blocking.
    ///
    /// # Errors
    /// Why the folder can't be read, or is no bundle.
    pub(super) fn now(
        &self,
        head: &BundleHead,
        gate: &Arc<SourceGate>,
        store: &Store,
    ) -> Result<BundleHead, LoadoutError> {
        let origin: Option<Origin> = serde_json::from_value(head.origin.clone().into()).ok();
        let Some(origin) = origin else {
            return Ok(head.clone());
        };
        let Source::Folder { path } = &origin.source else {
            return Ok(head.clone());
        };
        // Looked at before it is read: a change meanwhile shows.
        let before = stamp(path, path, materializer::Limits::default())?;
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
    gate: &Arc<SourceGate>,
    store: &Store,
) -> Result<BundleHead, LoadoutError> {
    let scratch = ThrowawayFolder::new().map_err(|error| super::fetching::no_scratch(&error))?;
    let asked = gate.asked();
    let context = FetchContext {
        scratch: scratch.path(),
        limits: Limits::default(),
        gate: &asked,
        progress: &|_| {},
        cancel: &AtomicBool::new(false),
        deadline: Instant::now() + READ_WITHIN,
        npm_registry: None,
    };
    let fetched = fetch(origin, &context).map_err(not_fetched)?;
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
