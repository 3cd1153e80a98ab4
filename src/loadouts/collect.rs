//! What nobody needs any more goes: roots without a thread, snapshots without a record, notes of forks that never
//! came to be, old rows of the audit, homes that were for a check alone.
//!
//! A root is a thread's if a record names it, or one of Codex's session files: a thread whose record is lost is found
//! again by that. It is somebody's if a living process has claimed it. Where any of this can't be read, nothing
//! of the store goes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use serde::Serialize;

use super::state::{Loadouts, blocking, unix_now};
use super::thread_root::is_our_root;
use crate::materializer::{Store, Swept, size};
use crate::paths::{check_private, codex_home, private_file};
use crate::records::session_file::{self, SessionMeta};
use crate::records::{
    BegunFork, NeededByRecords, Records, is_made_right_after, root_file, rootless,
};
use crate::throwaway;

/// How old rows of the audit become where nobody says otherwise.
pub(crate) const AUDIT_AGE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How often it happens by itself.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How often it is seen whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A moment is quiet if no loadout was used for this long.
const QUIET: Duration = Duration::from_secs(30);
/// A note is written right before the record it is of.
const NOTE: Duration = Duration::from_secs(60 * 60);
/// Held by whoever cleans up; its time is that of the last clean-up.
const LOCK: &str = "gc.lock";

/// What went, or would go.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Collected {
    /// Whether it was only looked for.
    pub dry_run: bool,
    /// Roots that are no thread's.
    pub roots: u64,
    /// Trees of plugins and skills that no record needs.
    pub snapshots: u64,
    /// Folders of links to such trees.
    pub loadouts: u64,
    /// Role files of agents.
    pub roles: u64,
    /// What was being written when a process ended.
    pub unfinished: u64,
    /// Notes of forks that never came to be, and of threads that are gone.
    pub notes: u64,
    /// Homes in the temporary folder that were for a check alone.
    pub temporary_folders: u64,
    /// Rows of the audit.
    pub audit_rows: u64,
    /// Bytes of all files of these.
    pub bytes: u64,
    /// Why roots and snapshots were left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_alone: Option<String>,
}

/// What records and session files say of the store.
#[derive(Debug, Default)]
struct Findings {
    needed: NeededByRecords,
    /// Roots that are nobody's.
    orphans: Vec<String>,
    /// Roots of forks that never came to be.
    stale_forks: Vec<String>,
}

impl Loadouts {
    /// Removes what nobody needs, or tells what that would be. Safe while others work on the same state.
    ///
    /// # Errors
    /// `stateUnavailable` if somebody else does just that, or the state folder is not this user's alone;
    /// `loadoutLost` and `conversionFailed` if it can't be read or written.
    pub(crate) async fn collect(
        self: &Arc<Self>,
        audit_age: Duration,
        dry_run: bool,
    ) -> Result<Collected, LoadoutError> {
        let mut collected = Collected {
            dry_run,
            ..Collected::default()
        };
        let (folders, bytes) = blocking(move || Ok(throwaway_homes(dry_run))).await?;
        (collected.temporary_folders, collected.bytes) = (folders, bytes);
        if !self.state_home().is_dir() {
            return Ok(collected);
        }
        check_private(self.state_home())?;
        let lock = private_file(&self.state_home().join(LOCK)).map_err(unusable)?;
        lock.try_lock().map_err(|_| busy())?;
        if let Some(records) = self.existing_records().await? {
            let now = Duration::from_secs(u64::try_from(unix_now()).unwrap_or_default());
            let moment = now.checked_sub(audit_age).unwrap_or_default();
            let moment = i64::try_from(moment.as_secs()).unwrap_or_default();
            collected.audit_rows = match dry_run {
                true => records.old_audit_rows(moment).await?,
                false => records.remove_old_audit_rows(moment).await?,
            };
        }
        self.collect_store(&mut collected).await?;
        if !dry_run {
            let now = fs::FileTimes::new().set_modified(SystemTime::now());
            lock.set_times(now).map_err(unusable)?;
        }
        Ok(collected)
    }

    async fn collect_store(
        self: &Arc<Self>,
        collected: &mut Collected,
    ) -> Result<(), LoadoutError> {
        let since = SystemTime::now();
        let findings = match self.findings().await {
            Ok(findings) => findings,
            Err(error) => {
                collected.left_alone = Some(error.message);
                return Ok(());
            }
        };
        let Findings {
            needed,
            orphans,
            stale_forks,
        } = findings;
        let dry_run = collected.dry_run;
        let old_notes = self.old_notes(&needed, since);
        collected.notes = (stale_forks.len() + old_notes.len()) as u64;
        if !dry_run {
            if let Some(records) = self.existing_records().await? {
                for root in &stale_forks {
                    records.end_forking(root).await?;
                }
            }
            for thread in &old_notes {
                rootless::forget(self.state_home(), thread);
            }
        }
        let mut trees = needed.trees;
        if let Some(records) = self.existing_records().await? {
            if !dry_run {
                records.forget_bundle_versions(&trees).await?;
            }
            trees.extend(records.current_contents().await?);
        }
        let swept = self
            .with_store(move |store| Ok(store.sweep(&trees, &orphans, since, dry_run)?))
            .await?;
        let Swept {
            roots,
            trees,
            loadouts,
            roles,
            unfinished,
            bytes,
        } = swept;
        collected.roots = roots;
        collected.snapshots = trees;
        collected.loadouts = loadouts;
        collected.roles = roles;
        collected.unfinished = unfinished;
        collected.bytes += bytes;
        Ok(())
    }

    async fn findings(self: &Arc<Self>) -> Result<Findings, LoadoutError> {
        // Before the records are read: a thread of an unclaimed root is on record by then, if it ever will be.
        let unclaimed = self
            .with_store(|store| Ok(store.unclaimed_roots()?))
            .await?;
        let records = self.existing_records().await?;
        let (mut needed, begun) = match &records {
            Some(records) => what_records_say(records).await?,
            None => (NeededByRecords::default(), Vec::new()),
        };
        let state_home = self.state_home().to_owned();
        blocking(move || {
            let is_unclaimed = |fork: &BegunFork| {
                let link = state_home.join("roots").join(&fork.root);
                unclaimed.contains(&fork.root) || link.symlink_metadata().is_err()
            };
            let (ended, under_way): (Vec<_>, Vec<_>) = begun.into_iter().partition(is_unclaimed);
            let mut orphans = unclaimed;
            orphans.retain(|root| !needed.roots.contains(root));
            orphans.retain(|root| under_way.iter().all(|fork| fork.root != *root));
            if orphans.is_empty() && ended.is_empty() {
                return Ok(Findings {
                    needed,
                    ..Findings::default()
                });
            }
            let mut homes: HashSet<PathBuf> = needed.codex_homes.clone();
            homes.insert(codex_home());
            let mut purposes = Vec::new();
            let mut of_unknown_homes = Vec::new();
            for root in &orphans {
                let roots = state_home.join("roots");
                let (needs, home) = root_file::needs(&roots, root)?;
                if home.is_none() && root_file::exists(&roots, root) {
                    of_unknown_homes.push(root.clone());
                }
                homes.extend(home);
                purposes.push((root.clone(), needs));
            }
            orphans.retain(|root| !of_unknown_homes.contains(root));
            let mut sessions = Vec::new();
            for home in homes {
                sessions.extend(session_file::all(&home).map_err(|error| {
                    LoadoutError::new(ErrorKind::LoadoutLost, error.to_string())
                })?);
            }
            let mut stale_forks = Vec::new();
            for fork in ended {
                match is_to_be(&fork, &sessions, &needed) {
                    true => orphans.retain(|root| *root != fork.root),
                    false => stale_forks.push(fork.root),
                }
            }
            let named = roots_of(&sessions, &state_home);
            orphans.retain(|root| !named.contains(root));
            for (root, needs) in purposes {
                if let Some(needs) = needs.filter(|_| !orphans.contains(&root)) {
                    needed.add(needs);
                }
            }
            Ok(Findings {
                needed,
                orphans,
                stale_forks,
            })
        })
        .await
    }

    /// Runs file work on the store; that of this process, if it uses it.
    async fn with_store<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Store) -> Result<T, LoadoutError> + Send + 'static,
    ) -> Result<T, LoadoutError> {
        let loadouts = self.clone();
        blocking(move || match loadouts.open_store() {
            Some(store) => work(store),
            None => work(&Store::to_sweep(loadouts.state_home())),
        })
        .await
    }

    /// Threads that are noted to have a loadout without a root, and have none.
    fn old_notes(&self, needed: &NeededByRecords, since: SystemTime) -> Vec<String> {
        let moment = since.checked_sub(NOTE).unwrap_or(since);
        let mut noted = rootless::noted_before(self.state_home(), moment);
        noted.retain(|thread| !needed.threads.contains(thread));
        noted
    }

    /// Cleans up once a day, when nothing happens. Never ends.
    pub(crate) async fn collect_now_and_then(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.used_at().elapsed() < QUIET || !self.is_due() {
                continue;
            }
            match self.collect(AUDIT_AGE, false).await {
                Ok(collected) => tracing::info!(?collected, "cleaned up"),
                Err(error) => tracing::debug!(%error, "not cleaned up"),
            }
        }
    }

    /// Whether the last clean-up, by whatever process, was long ago.
    fn is_due(&self) -> bool {
        let last = fs::metadata(self.state_home().join(LOCK)).and_then(|found| found.modified());
        let is_there = self.state_home().is_dir();
        is_there && last.map_or(true, |at| at.elapsed().map_or(true, |age| age >= EVERY))
    }
}

async fn what_records_say(
    records: &Records,
) -> Result<(NeededByRecords, Vec<BegunFork>), LoadoutError> {
    // The forks first: one that ends meanwhile is on record by then.
    let begun = records.begun_forks().await?;
    Ok((records.needed().await?, begun))
}

/// Whether a fork was made that is to have this root, and that nobody lived to record.
fn is_to_be(fork: &BegunFork, sessions: &[SessionMeta], needed: &NeededByRecords) -> bool {
    sessions.iter().any(|session| {
        session.forked_from.as_ref() == Some(&fork.source)
            && is_made_right_after(&fork.mark, &session.thread_id)
            && !needed.threads.contains(&session.thread_id)
    })
}

/// The roots of ours that session files name.
fn roots_of(sessions: &[SessionMeta], state_home: &Path) -> HashSet<String> {
    let roots = sessions.iter().flat_map(|session| &session.roots);
    let ours = roots.filter(|root| is_our_root(state_home, root));
    ours.filter_map(|root| Some(root.file_name()?.to_string_lossy().into_owned()))
        .collect()
}

/// Removes the homes that killed processes have left; tells how many, and how large they were.
fn throwaway_homes(is_dry: bool) -> (u64, u64) {
    let mut removed = (0, 0);
    for home in throwaway::left_behind(&std::env::temp_dir()) {
        let bytes = size(&home);
        let done = if is_dry {
            Ok(())
        } else {
            fs::remove_dir_all(&home)
        };
        match done {
            Ok(()) => removed = (removed.0 + 1, removed.1 + bytes),
            Err(error) => tracing::warn!(%error, home = %home.display(), "stays behind"),
        }
    }
    removed
}

fn unusable(error: std::io::Error) -> LoadoutError {
    let message = format!("the state folder can't be written: {error}");
    LoadoutError::new(ErrorKind::StateUnavailable, message)
        .with_hint("Check that the disk of CODEX_LOADOUT_HOME has space and can be written.")
}

fn busy() -> LoadoutError {
    let message = "another process cleans up the state folder just now";
    LoadoutError::new(ErrorKind::StateUnavailable, message)
        .with_hint("Try again in a moment; what it leaves is what is needed.")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::bundle::{Tree, TreeFile};

    fn set_age(path: &Path, age: Duration) {
        let then = fs::FileTimes::new().set_modified(SystemTime::now() - age);
        fs::File::open(path).unwrap().set_times(then).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn it_happens_by_itself_once_a_day_when_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("state");
        let leave_a_tree = || {
            let file = ("a".to_owned(), TreeFile::plain("x"));
            let tree: Tree = [file].into_iter().collect();
            let store = Store::open(&home).unwrap();
            let place = store.publish_tree(&tree, tree.digest()).unwrap();
            set_age(&place, Duration::from_secs(60));
            place
        };
        let place = leave_a_tree();
        let loadouts = Arc::new(Loadouts::new(home.clone()));
        let cleaning = tokio::spawn(loadouts.clone().collect_now_and_then());
        tokio::time::sleep(2 * LOOK_EVERY).await;
        assert!(!place.exists());
        // Not again before a day is over, and not while loadouts are used.
        leave_a_tree();
        tokio::time::sleep(60 * LOOK_EVERY).await;
        assert!(place.exists());
        loadouts.existing_records().await.unwrap();
        set_age(&home.join(LOCK), 2 * EVERY);
        for _ in 0..20 {
            tokio::time::sleep(LOOK_EVERY / 4).await;
            loadouts.existing_records().await.unwrap();
        }
        assert!(place.exists());
        tokio::time::sleep(2 * LOOK_EVERY).await;
        assert!(!place.exists());
        cleaning.abort();
    }

    #[tokio::test]
    async fn where_records_cannot_be_read_nothing_of_the_store_goes() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("state");
        let store = Store::open(&home).unwrap();
        let root = store.create_root(store.publish_loadout(&[]).unwrap());
        let root = store.root_path(&root.unwrap());
        drop(store);
        let loadouts = Arc::new(Loadouts::new(home.clone()));
        let _one = loadouts.records().await.unwrap();
        let shell =
            "INSERT INTO threads (thread_id, recorded_at, format, record) VALUES ('t', 1, 9, '{}')";
        let file = home.join("state-v1.sqlite3");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::query(shell).execute(&mut other).await.unwrap();
        let collected = loadouts.collect(AUDIT_AGE, false).await.unwrap();
        assert!(collected.left_alone.unwrap().contains("`t`"));
        assert!(root.symlink_metadata().is_ok());
        sqlx::query("DELETE FROM threads")
            .execute(&mut other)
            .await
            .unwrap();
        let collected = loadouts.collect(AUDIT_AGE, false).await.unwrap();
        assert_eq!((collected.roots, collected.left_alone), (1, None));
        // One that cleans up has it to itself.
        let lock = private_file(&home.join(LOCK)).unwrap();
        lock.lock().unwrap();
        let error = loadouts.collect(AUDIT_AGE, false).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::StateUnavailable);
    }
}
