//! What nobody needs any more, taken out of the store.
//!
//! Processes publish and clean up at once. Who publishes holds a lock that others who publish share, from
//! before it looks for what is there until its loadout leads to it; who cleans up has that lock alone while it
//! decides what goes, and moves that aside. What lies there may be needed before a record says so: so while others
//! live, what is younger than [`GRACE`] stays, and using it makes it young.

use std::collections::HashSet;
use std::fs::{self, File, FileTimes, Metadata, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use super::error::StoreError;
use super::publish;
use super::store::Store;
use crate::bundle::Digest;
use crate::paths::private_file;

/// For how long a loadout may be published before a record or a root leads to it: a request waits half a minute
/// for turns to end, and then for Codex.
const GRACE: Duration = Duration::from_secs(20 * 60);
/// What was used this lately is not made younger: a new time is a change to those who watch a tree, and they would
/// read all of it again.
const YOUNG: Duration = Duration::from_secs(5 * 60);
/// How long to wait for those who publish.
const PATIENCE: Duration = Duration::from_secs(5);

/// The system's own clock for files may be this much behind.
const COARSE: Duration = Duration::from_millis(20);

/// Something that may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Roots.
    pub roots: u64,
    /// Trees: the content of plugins and skills.
    pub trees: u64,
    /// Folders of links to trees.
    pub loadouts: u64,
    /// Role files.
    pub roles: u64,
    /// What was being written when a process ended.
    pub unfinished: u64,
    /// Bytes of all of it.
    pub bytes: u64,
}

impl Store {
    /// A lock to publish under, if nobody cleans up just now.
    pub(crate) fn try_publish(&self) -> Option<File> {
        let lock = self.lock_file().ok()?;
        lock.try_lock_shared().ok().map(|()| lock)
    }

    /// The same, once nobody does. Blocking.
    pub(crate) fn publish(&self) -> Result<File, StoreError> {
        let wait = || {
            let lock = self.lock_file()?;
            lock.lock_shared().map(|()| lock)
        };
        wait().map_err(StoreError::at(&self.lock_path()))
    }

    /// Says that trees are about to be used to which no loadout leads.
    pub(crate) fn use_trees(&self, trees: impl Iterator<Item = Digest>) {
        for tree in trees {
            Self::touch(&self.tree_path(&tree));
        }
    }

    fn lock_file(&self) -> io::Result<File> {
        private_file(&self.lock_path())
    }

    /// Says that something of the store is about to be used.
    pub(super) fn touch(place: &Path) {
        let modified = place.metadata().and_then(|found| found.modified());
        let age = modified.ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age < YOUNG) {
            return;
        }
        let now = FileTimes::new().set_modified(SystemTime::now());
        let touched = File::open(place).and_then(|folder| folder.set_times(now));
        if let Err(error) = touched {
            tracing::debug!(%error, place = %place.display(), "its time can't be set");
        }
    }

    /// The roots that are there and that no living process has claimed, by id.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub(crate) fn unclaimed_roots(&self) -> Result<Vec<String>, StoreError> {
        let roots = self.roots();
        // First what is there: a root that comes later is none of these.
        let mut found = HashSet::new();
        for entry in listed(&roots).map_err(StoreError::at(&roots))? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.strip_suffix(".json").unwrap_or(&name);
            if uuid::Uuid::try_parse(id).is_ok() {
                found.insert(id.to_owned());
            }
        }
        let claimed = self.claims.of_all().map_err(StoreError::at(&self.home))?;
        let mut found: Vec<String> = found.into_iter().collect();
        found.retain(|root| !claimed.roots.contains(root));
        found.sort();
        Ok(found)
    }

    /// Takes away what is not needed, or tells what would go. `orphans` are unclaimed roots that no thread has;
    /// `trees` are needed, beside those that other roots lead to; what was used after `since` stays, for the
    /// records were read then. Blocking.
    ///
    /// # Errors
    /// [`StoreError`] if the store can't be read, or if others publish without a pause.
    pub(crate) fn sweep(
        &self,
        trees: &HashSet<Digest>,
        orphans: &[String],
        since: SystemTime,
        is_dry: bool,
    ) -> Result<Swept, StoreError> {
        self.make_folders()?;
        let at = StoreError::at(&self.home);
        let aside = TempDir::new_in(self.staging_folder());
        let aside = aside.map_err(StoreError::at(&self.staging_folder()))?;
        let mut swept = Swept::default();
        let going = self.sweep_locked(trees, orphans, since, is_dry, aside.path(), &mut swept);
        for place in going.map_err(at)? {
            swept.bytes += size(&place);
            if !is_dry {
                publish::make_writable(&place);
            }
        }
        Ok(swept)
    }

    /// Moves aside what goes, and tells where it lies now.
    fn sweep_locked(
        &self,
        trees: &HashSet<Digest>,
        orphans: &[String],
        since: SystemTime,
        is_dry: bool,
        aside: &Path,
        swept: &mut Swept,
    ) -> io::Result<Vec<PathBuf>> {
        let _lock = self.lock_alone()?;
        let claimed = self.claims.of_all()?;
        let is_alone = claimed.processes == 0;
        let grace = if is_alone { COARSE } else { GRACE };
        let begin = since.checked_sub(grace).unwrap_or(since);
        let is_young = |found: &Metadata| found.modified().map_or(true, |at| at > begin);
        let mut going = Vec::new();
        let mut take = |place: &Path| -> io::Result<bool> {
            if is_dry {
                going.push(place.to_owned());
                return Ok(true);
            }
            let to = aside.join(going.len().to_string());
            let taken = publish::move_folder(place, &to);
            going.extend(taken.is_ok().then_some(to));
            match taken {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                taken => taken.map(|()| true),
            }
        };

        let mut trees: HashSet<String> = trees.iter().map(Digest::hex).collect();
        let mut loadouts = HashSet::new();
        let roots = self.roots();
        for entry in listed(&roots)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.strip_suffix(".json").unwrap_or(&name);
            let found = entry.path().symlink_metadata();
            if orphans.iter().any(|orphan| orphan == id) && !claimed.roots.contains(id) {
                if take(&entry.path())? && id == name {
                    swept.roots += 1;
                }
            } else if uuid::Uuid::try_parse(id).is_err() {
                if !found.is_ok_and(|found| is_young(&found)) && take(&entry.path())? {
                    swept.unfinished += 1;
                }
            } else if let Ok(target) = fs::read_link(entry.path()) {
                let digest = target.file_name().map(|name| name.to_string_lossy());
                loadouts.extend(digest.map(|digest| digest.into_owned()));
            }
        }
        for entry in listed(&self.loadouts())? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let place = entry.path();
            if loadouts.contains(&name) || is_young(&place.symlink_metadata()?) {
                for link in listed(&place)? {
                    let target = fs::read_link(link.path()).unwrap_or_default();
                    let digest = target.file_name();
                    trees.extend(digest.map(|digest| digest.to_string_lossy().into_owned()));
                }
            } else if take(&place)? {
                swept.loadouts += 1;
            }
        }
        for entry in listed(&self.trees())? {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !trees.contains(&name) && !is_young(&entry.metadata()?) && take(&entry.path())? {
                swept.trees += 1;
            }
        }
        for entry in listed(&self.staging_folder())? {
            let is_own = aside.file_name() == Some(&entry.file_name());
            if !is_own && !is_young(&entry.metadata()?) && take(&entry.path())? {
                swept.unfinished += 1;
            }
        }
        // Only Codex knows which of them a loaded thread has; whoever loads one makes sure that it is there.
        if is_alone {
            for entry in listed(&self.roles())? {
                if !is_young(&entry.metadata()?) && take(&entry.path())? {
                    swept.roles += 1;
                }
            }
        }
        Ok(going)
    }

    fn lock_alone(&self) -> io::Result<File> {
        let lock = self.lock_file()?;
        let begin = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The entries of a folder; one that is not there has none.
fn listed(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// Bytes of all files of a folder, or of one file.
pub(crate) fn size(place: &Path) -> u64 {
    let Ok(found) = place.symlink_metadata() else {
        return 0;
    };
    if !found.is_dir() {
        return found.len();
    }
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.map(|entry| size(&entry.path())).sum()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::bundle::{Tree, TreeFile};

    fn tree(text: &str) -> Tree {
        let bytes = text.as_bytes().to_vec();
        [("SKILL.md".to_owned(), TreeFile::plain(bytes))]
            .into_iter()
            .collect()
    }

    /// A loadout of one tree, with a root of its own.
    fn root_of(store: &Store, text: &str) -> (String, Digest) {
        let tree = tree(text);
        let digest = tree.digest();
        store.publish_tree(&tree, digest).unwrap();
        let loadout = store.publish_loadout(&[("m".to_owned(), digest)]).unwrap();
        (store.create_root(loadout).unwrap().to_string(), digest)
    }

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(1)
    }

    #[test]
    fn what_nobody_needs_goes_and_what_somebody_needs_stays() {
        let home = tempfile::tempdir().unwrap();
        let ended = Store::open(home.path()).unwrap();
        let (kept, kept_tree) = root_of(&ended, "kept");
        let (orphan, orphan_tree) = root_of(&ended, "orphan");
        let recorded = tree("needed by a record without a root");
        ended.publish_tree(&recorded, recorded.digest()).unwrap();
        let role = ended.roles().join("x.toml");
        ended.keep_role(&role, "x").unwrap();
        fs::write(ended.staging_folder().join("half"), "x").unwrap();
        fs::write(ended.roots().join(".tmp1"), "x").unwrap();
        let store = Store::to_sweep(home.path());
        assert!(store.unclaimed_roots().unwrap().is_empty(), "it lives");
        drop(ended);
        let mut roots = [kept.clone(), orphan.clone()];
        roots.sort();
        assert_eq!(store.unclaimed_roots().unwrap(), roots);
        let needed = [recorded.digest()].into();
        let orphans = [orphan];
        let dry = store.sweep(&needed, &orphans, later(), true).unwrap();
        assert!(store.has_tree(&orphan_tree) && role.exists());
        let swept = store.sweep(&needed, &orphans, later(), false).unwrap();
        assert_eq!(
            swept,
            Swept {
                roots: 1,
                trees: 1,
                loadouts: 1,
                roles: 1,
                unfinished: 2,
                bytes: swept.bytes
            }
        );
        assert!(swept.bytes > 0);
        assert_eq!(Swept { bytes: 0, ..dry }, Swept { bytes: 0, ..swept });
        assert!(!store.has_tree(&orphan_tree) && !role.exists());
        assert!(store.has_tree(&kept_tree) && store.has_tree(&recorded.digest()));
        let at = store.root_path(&kept.parse().unwrap());
        assert_eq!(fs::read_to_string(at.join("m/SKILL.md")).unwrap(), "kept");
        let again = store.sweep(&needed, &[], later(), false).unwrap();
        assert_eq!(again, Swept::default());
    }

    #[test]
    fn beside_others_what_is_young_stays() {
        let home = tempfile::tempdir().unwrap();
        let living = Store::open(home.path()).unwrap();
        let (_, spare) = root_of(&living, "spare");
        let in_flight = tree("not yet led to");
        living.publish_tree(&in_flight, in_flight.digest()).unwrap();
        let role = living.roles().join("x.toml");
        living.keep_role(&role, "x").unwrap();
        let store = Store::to_sweep(home.path());
        let none = HashSet::new();
        assert_eq!(
            store.sweep(&none, &[], later(), false).unwrap(),
            Swept::default()
        );
        // Much later, a spare is still its process's; a tree that was used again is young again.
        let much_later = later() + 2 * GRACE;
        let old = SystemTime::now() - 2 * GRACE;
        let place = store.tree_path(&in_flight.digest());
        let folder = File::open(&place).unwrap();
        folder
            .set_times(FileTimes::new().set_modified(old))
            .unwrap();
        living.publish_tree(&in_flight, in_flight.digest()).unwrap();
        assert!(folder.metadata().unwrap().modified().unwrap() > old);
        let swept = store.sweep(&none, &[], much_later, false).unwrap();
        assert_eq!((swept.trees, swept.roots, swept.roles), (1, 0, 0));
        assert!(store.has_tree(&spare) && role.exists());
    }

    #[test]
    fn nobody_cleans_up_while_somebody_publishes() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let publishing = store.publish().unwrap();
        assert!(store.try_publish().is_some(), "those who publish share it");
        let sweeping = Store::to_sweep(home.path());
        assert!(sweeping.lock_file().unwrap().try_lock().is_err());
        drop(publishing);
        let alone = sweeping.lock_alone().unwrap();
        assert!(store.try_publish().is_none());
        drop(alone);
        assert!(store.try_publish().is_some());
    }
}
