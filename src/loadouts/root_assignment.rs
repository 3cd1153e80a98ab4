//! Which root a thread has, and giving it one of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::lost::{lost, parse_root};
use super::root_pool;
use super::state::{Loadouts, blocking};
use super::thread_root::is_our_root;
use crate::crash_point::crash_point;
use crate::records::session_file::{self, SessionFileError, SessionMeta};
use crate::records::{Lineage, ThreadRecord, root_file, session_root};

/// Where a renewed loadout lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootAssignment {
    /// Nowhere: the thread has no root, and can't get one.
    Nowhere,
    /// At the root the thread has, where it takes the place of what lies there.
    At(String),
    /// At a new root: that of the thread has others too.
    New,
}

impl Loadouts {
    /// Whether other threads may have a thread's root, so that what lies at it can't be swapped.
    ///
    /// # Errors
    /// `loadoutLost` if the records can't be read.
    pub(crate) async fn is_shared(
        &self,
        thread: &str,
        record: Option<&ThreadRecord>,
        root: &str,
    ) -> Result<bool, LoadoutError> {
        // Where this one's record was lost, those of its forks and children may be lost too.
        if record.is_none_or(|record| record.lineage == Lineage::Recovered) {
            return Ok(true);
        }
        let threads = self.records().await?.threads_of_root(root).await?;
        Ok(threads.iter().any(|other| other != thread))
    }

    /// A root of its own that holds nothing, for a thread that goes back to native.
    ///
    /// # Errors
    /// `conversionFailed` if it can't be made.
    pub(crate) async fn new_empty_root(
        self: &Arc<Self>,
        codex_home: &Path,
    ) -> Result<String, LoadoutError> {
        let (loadouts, codex_home) = (self.clone(), codex_home.to_owned());
        blocking(move || {
            let store = loadouts.store()?;
            let root = store.create_root(store.publish_loadout(&[])?)?.to_string();
            root_file::write_native(&store.roots(), &root, &codex_home)?;
            Ok(root)
        })
        .await
    }

    /// Removes a root that no thread was given.
    pub(crate) async fn discard_root(self: &Arc<Self>, root: String) {
        let loadouts = self.clone();
        let removed = blocking(move || {
            root_pool::remove_root(loadouts.store()?, &root);
            Ok(())
        });
        // What could not be removed was said.
        let _ = removed.await;
    }

    /// Makes sure that Codex's session file of a thread names this root, if it names one of ours. For
    /// a thread that is not loaded: its record decides, and the file follows, whatever was cut short.
    /// Tells whether it names one.
    ///
    /// # Errors
    /// `unsupportedUpstream` if the file is not in the shape that this version knows.
    pub(crate) async fn lead_to_root(
        &self,
        thread_id: &str,
        codex_home: &Path,
        root: &str,
    ) -> Result<bool, LoadoutError> {
        let Some((path, meta)) = session_meta(thread_id, codex_home).await? else {
            return Ok(false);
        };
        let Some(named) = self.own_root(&meta)? else {
            return Ok(false);
        };
        if named == root {
            return Ok(true);
        }
        let place = self.store()?.root_path(&parse_root(root)?);
        let (thread, root) = (thread_id.to_owned(), root.to_owned());
        blocking(move || {
            // A root that is not there is silently empty for Codex.
            if !place.is_dir() {
                return Err(cannot_lead(
                    &thread,
                    &format!("`{}` is gone", place.display()),
                ));
            }
            tracing::info!(
                thread,
                from = named,
                to = root,
                "its session file names another root now"
            );
            session_root::rename_root(&path, &named, &root)
                .map_err(|error| cannot_lead(&thread, &error.to_string()))?;
            crash_point("root: after the session file");
            Ok(true)
        })
        .await
    }

    /// As [`Self::lead_to_root`], and the thread must have one.
    ///
    /// # Errors
    /// As there, and `unsupportedUpstream` if its session file names no root.
    pub(crate) async fn give_root(
        &self,
        thread_id: &str,
        codex_home: &Path,
        root: &str,
    ) -> Result<(), LoadoutError> {
        match self.lead_to_root(thread_id, codex_home, root).await? {
            true => Ok(()),
            false => Err(cannot_lead(thread_id, "Codex keeps no root for it")),
        }
    }

    /// Gives a fork its own root if somebody was about to and did not live to; tells the root.
    pub(super) async fn finish_fork(
        &self,
        fork: &str,
        source: &str,
        codex_home: &Path,
    ) -> Result<Option<String>, LoadoutError> {
        let Some(records) = self.existing_records().await? else {
            return Ok(None);
        };
        let Some(root) = records.unfinished_fork(source, fork).await? else {
            return Ok(None);
        };
        self.give_root(fork, codex_home, &root).await?;
        records.end_forking(&root).await?;
        Ok(Some(root))
    }

    /// The root of ours that Codex's session file names for a thread.
    ///
    /// # Errors
    /// `conversionFailed` if looking for it fails, `loadoutLost` if it lies in another state folder.
    pub(crate) async fn root_of(
        &self,
        thread_id: &str,
        codex_home: &Path,
    ) -> Result<Option<String>, LoadoutError> {
        let found = session_meta(thread_id, codex_home).await?;
        found.map_or(Ok(None), |(_, meta)| self.own_root(&meta))
    }

    pub(super) fn own_root(&self, meta: &SessionMeta) -> Result<Option<String>, LoadoutError> {
        let ours = |root: &&PathBuf| is_our_root(self.state_home(), root);
        if let Some(root) = meta.roots.iter().find(ours) {
            let id = root.file_name();
            return Ok(id.map(|id| id.to_string_lossy().into_owned()));
        }
        match &meta.loadout_root {
            None => Ok(None),
            Some(root) => Err(elsewhere(&meta.thread_id, root)),
        }
    }
}

/// Codex's session file of a thread, and its first line.
///
/// # Errors
/// `loadoutLost` for a file that Codex might read and that is not read here: it may name a root of ours.
pub(super) async fn session_meta(
    thread_id: &str,
    codex_home: &Path,
) -> Result<Option<(PathBuf, SessionMeta)>, LoadoutError> {
    let (thread_id, codex_home) = (thread_id.to_owned(), codex_home.to_owned());
    blocking(move || {
        let Some(path) = session_file::find(&codex_home, &thread_id) else {
            return Ok(None);
        };
        match session_file::read_meta(&path) {
            Ok(meta) => Ok(Some((path, meta))),
            Err(error @ SessionFileError::Unfit { .. }) => Err(lost(&error.to_string())),
            Err(SessionFileError::Unreadable { .. } | SessionFileError::NoMeta { .. }) => Ok(None),
        }
    })
    .await
}

/// What lies in another state folder is not known here, and can't be led to another place.
fn elsewhere(thread: &str, root: &Path) -> LoadoutError {
    let state = root.parent().and_then(Path::parent).unwrap_or(root);
    let message = format!(
        "the loadout of thread `{thread}` lies in another state folder, `{}`",
        state.display()
    );
    LoadoutError::new(ErrorKind::LoadoutLost, message)
        .with_hint("Start codex-loadout with `CODEX_LOADOUT_HOME` set to that folder; one that was moved goes back there.")
        .with_items(vec![ErrorItem::named(thread)])
}

fn cannot_lead(thread: &str, why: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::UnsupportedUpstream,
        format!("thread `{thread}` can't be given a root of its own: {why}"),
    )
    .with_hint("Start a new thread with the selection.")
    .with_items(vec![ErrorItem::named(thread)])
}
