//! Reads the folders of a plan, once each as long as they stay as they are.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::{Instant, SystemTime};

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use dashmap::DashMap;

use crate::bundle::{BundleContent, Digest, Tree, shape};
use crate::catalog::{ConversionInput, convert};
use crate::freshness::{MAX_AGE, Watch};
use crate::materializer::{
    Limits, Stamp, Store, Verdict, read_tree_within, stamp, watched_folders,
};
use crate::paths::private_folder;
use crate::resolver::{Bundle, Plan};

/// Folders that are remembered at once.
const FOLDERS: usize = 4096;

/// Threads that read and keep folders at once. Keeping one is mostly waiting for the disk, which takes what several
/// threads wait for in one go.
const AT_ONCE: usize = 8;
/// Folders that are no work for several threads.
const FEW: usize = 4;

/// The digests of folders that are as they were when they were read.
#[derive(Debug, Default)]
pub(super) struct Digests {
    known: DashMap<Key, CachedDigest>,
    /// When those were last forgotten that are too old.
    forgotten: Mutex<Option<Instant>>,
}

/// A folder, and what is made of it.
type Key = (PathBuf, Option<ConversionInput>, BundleContent);

fn key(bundle: &Bundle) -> Key {
    (
        bundle.source.clone(),
        bundle.conversion.clone(),
        bundle.content.clone(),
    )
}

#[derive(Debug)]
struct CachedDigest {
    stamp: Stamp,
    watch: Option<Watch>,
    digest: Digest,
    read_at: Instant,
}

impl CachedDigest {
    fn is_fresh(&self, bundle: &Bundle) -> bool {
        self.read_at.elapsed() < MAX_AGE
            && match &self.watch {
                Some(watch) => watch.is_quiet(),
                None => stamp(&bundle.source, bundle.within(), Limits::default())
                    .is_ok_and(|now| now == self.stamp),
            }
    }
}

impl Digests {
    /// Fills in the digests of a plan's folders if all are known and fresh and, where a store is given,
    /// kept in it. Reads no file; without watches it looks at their times.
    pub(super) fn fill_known(&self, plan: &mut Plan, store: Option<&Store>) -> bool {
        plan.bundles.iter_mut().all(|bundle| {
            bundle.digest = self.known_in(bundle, store);
            bundle.digest.is_some()
        })
    }

    /// Whether a plan's folders are known to be as they were when their digests were filled in, and what it keeps of
    /// them lies in the store.
    pub(super) fn are_current(&self, plan: &Plan, store: &Store) -> bool {
        let mut bundles = plan.bundles.iter();
        bundles.all(|it| it.digest.is_some() && self.known_in(it, Some(store)) == it.digest)
    }

    /// Fills in the digests of a plan's folders; with a store, publishes those that the thread keeps.
    /// Blocking: it reads files.
    /// Tells the sources of those that had to be healed.
    pub(super) fn fill(
        &self,
        plan: &mut Plan,
        store: Option<&Store>,
    ) -> Result<Vec<PathBuf>, LoadoutError> {
        let bundles = &mut plan.bundles;
        if bundles.len() <= FEW {
            return self.fill_in_turn(bundles, store);
        }
        let share = bundles.len().div_ceil(AT_ONCE);
        let healed: Vec<_> = std::thread::scope(|scope| {
            let shares = bundles.chunks_mut(share);
            let filling = |share| scope.spawn(move || self.fill_in_turn(share, store));
            let filling: Vec<_> = shares.map(filling).collect();
            let filled = filling.into_iter().map(ScopedJoinHandle::join);
            filled
                .map(|filled| filled.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        let healed: Result<Vec<_>, _> = healed.into_iter().collect();
        Ok(healed?.concat())
    }

    fn fill_in_turn(
        &self,
        bundles: &mut [Bundle],
        store: Option<&Store>,
    ) -> Result<Vec<PathBuf>, LoadoutError> {
        let mut healed = Vec::new();
        for bundle in bundles {
            let store = store.filter(|_| bundle.stored);
            let is_kept = |digest: &Digest| {
                store.is_none_or(|store| store.check_tree(digest) == Verdict::Intact)
            };
            bundle.digest = match self.known(bundle, is_kept) {
                Some(digest) => Some(digest),
                None => Some(self.read(bundle, store, &mut healed)?),
            };
        }
        Ok(healed)
    }

    /// What is too old to be used again goes.
    fn make_room(&self) {
        let mut forgotten = self
            .forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_due = forgotten.is_none_or(|at| at.elapsed() >= MAX_AGE);
        if is_due || self.known.len() >= FOLDERS {
            self.known
                .retain(|_, known| known.read_at.elapsed() < MAX_AGE);
            *forgotten = Some(Instant::now());
        }
        if self.known.len() >= FOLDERS {
            self.known.clear();
        }
    }

    /// The digest of a folder that is as it was, if what is kept of it is known to be intact.
    fn known_in(&self, bundle: &Bundle, store: Option<&Store>) -> Option<Digest> {
        let store = store.filter(|_| bundle.stored);
        self.known(bundle, |digest| {
            store.is_none_or(|store| store.is_known_intact(digest))
        })
    }

    fn known(&self, bundle: &Bundle, is_kept: impl Fn(&Digest) -> bool) -> Option<Digest> {
        let known = self.known.get(&key(bundle))?;
        (is_kept(&known.digest) && known.is_fresh(bundle)).then_some(known.digest)
    }

    fn read(
        &self,
        bundle: &Bundle,
        store: Option<&Store>,
        healed: &mut Vec<PathBuf>,
    ) -> Result<Digest, LoadoutError> {
        // Taken and watched before reading: a change meanwhile shows.
        let stamp = stamp(&bundle.source, bundle.within(), Limits::default())?;
        let watch = watched_folders(&bundle.source, bundle.within(), Limits::default())
            .ok()
            .and_then(|targets| Watch::on(&targets));
        let read_at = Instant::now();
        let tree = read(bundle)?;
        let digest = tree.digest();
        if let Some(store) = store {
            if store.keep_tree(&tree, digest)? {
                healed.push(bundle.source.clone());
            }
            if let Some(input) = &bundle.conversion {
                make_data_folder(&tree, &input.data_folder);
            }
        }
        // A watch misses nothing; times may hide a change that follows at once.
        if watch.is_some() || stamp.is_settled(SystemTime::now()) {
            self.make_room();
            self.known.insert(
                key(bundle),
                CachedDigest {
                    stamp,
                    watch,
                    digest,
                    read_at,
                },
            );
        }
        Ok(digest)
    }
}

/// The tree of a bundle as the thread gets it.
pub(super) fn read(bundle: &Bundle) -> Result<Tree, LoadoutError> {
    let mut tree = read_tree_within(&bundle.source, bundle.within(), Limits::default())?;
    if let Some(input) = &bundle.conversion {
        tree = converted(tree, input)?;
    }
    let folder = bundle
        .source
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    shape(tree, &bundle.content, &folder.unwrap_or_default()).map_err(|error| {
        LoadoutError::new(ErrorKind::ConversionFailed, error.to_string())
            .with_hint("Move the skill nearer to the plugin's folder, or reinstall the plugin.")
    })
}

/// What a plugin of Claude's is told to keep data in is there when it runs.
fn make_data_folder(tree: &Tree, folder: &Path) {
    let name = folder.to_string_lossy();
    let finder = memchr::memmem::Finder::new(name.as_bytes());
    let is_named = tree
        .iter()
        .any(|(_, file)| finder.find(&file.bytes).is_some());
    if is_named && let Err(error) = private_folder(folder) {
        tracing::warn!(folder = %folder.display(), %error, "a plugin's folder for data can't be made");
    }
}

fn converted(tree: Tree, input: &ConversionInput) -> Result<Tree, LoadoutError> {
    let converted = convert(tree, input).map_err(|reasons| {
        LoadoutError::new(ErrorKind::ConversionFailed, reasons.join("; ")).with_hint(
            "`codex-loadout convert` with the plugin's folder shows every problem with its place.",
        )
    })?;
    Ok(converted.bundle)
}
